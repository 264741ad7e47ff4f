// The strip of all pictures so far, as a tree: a branch begins where one went back and did something else.

const CELL = 66; // pixels between two pictures

class HistoryStrip {
  constructor(studio, root) {
    this.studio = studio;
    this.root = root;
    this.cells = new Map();
    this.tried = new Set();
  }

  draw() {
    const store = this.studio.store;
    const places = this.places(store.nodes);
    const path = store.path();
    const lanes = 1 + Math.max(...[...places.values()].map((p) => p.lane));
    this.root.style.height = `${lanes * CELL + 4}px`;
    for (const [id, cell] of this.cells)
      if (!store.nodes.has(id)) {
        cell.remove();
        this.cells.delete(id);
      }
    for (const node of store.nodes.values()) {
      const cell = this.cells.get(node.id) || this.add(node.id);
      const { depth, lane } = places.get(node.id);
      cell.style.left = `${depth * CELL}px`;
      cell.style.top = `${lane * CELL}px`;
      cell.classList.toggle("on", node.id === store.at);
      cell.classList.toggle("path", path.has(node.id));
      cell.setAttribute("aria-current", node.id === store.at);
      const picture = cell.firstChild;
      if (node.thumb && picture.src !== node.thumb) picture.src = node.thumb;
      picture.hidden = !node.thumb;
      this.join(cell, places.get(node.id), places.get(node.parent));
    }
    const now = this.cells.get(store.at);
    if (this.last !== store.at) now.parentNode.parentNode.scrollTo({ left: now.offsetLeft - now.parentNode.parentNode.clientWidth / 2, top: now.offsetTop - CELL });
    this.last = store.at;
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.fillIn(), 1200);
  }

  /** Pictures that were passed too quickly to be painted get their small copies when nothing else is to be done. */
  async fillIn() {
    const { store, facts, line } = this.studio;
    if (!facts || this.filling) return;
    const bare = [...store.nodes.values()].filter((node) => !node.thumb && node.recipe.model === facts.name && !this.tried.has(node.id)).slice(-50);
    if (!bare.length) return;
    this.filling = true;
    for (const node of bare) this.tried.add(node.id);
    const copies = [];
    const take = async (header, blob) => (bare[header.index].thumb ||= await this.studio.stage.dataUrl(blob));
    try {
      await line.ask({ do: "many", side: 64, recipes: bare.map((node) => node.recipe) }, (...tile) => copies.push(take(...tile))).answer;
      await Promise.all(copies);
    } catch {
      bare.length = 0; // they stay grey
    }
    this.filling = false;
    if (bare.length) this.draw();
    store.save();
  }

  /** Where each picture stands: to the right of the one it came from, the first child in the same row. */
  places(nodes) {
    const children = new Map();
    for (const node of nodes.values()) {
      const parent = nodes.has(node.parent) ? node.parent : null;
      children.set(parent, [...(children.get(parent) || []), node.id]);
    }
    const out = new Map();
    let lanes = 0;
    const stack = (children.get(null) || []).map((id) => [id, 0, null]).reverse();
    while (stack.length) {
      const [id, depth, lane] = stack.pop();
      const row = lane ?? lanes++;
      out.set(id, { depth, lane: row });
      const below = children.get(id) || [];
      for (const [i, child] of [...below.entries()].reverse()) stack.push([child, depth + 1, i === 0 ? row : null]);
    }
    return out;
  }

  add(id) {
    const cell = make("button", "studio-step");
    cell.append(make("img"), make("i"));
    cell.firstChild.alt = "";
    cell.setAttribute("aria-label", `Picture ${id} of the history`);
    cell.title = `Picture ${id}: click to go back to it; shift-click to compare`;
    cell.onclick = (event) => (event.shiftKey ? this.studio.compare(id) : this.studio.store.go(id));
    this.root.append(cell);
    this.cells.set(id, cell);
    return cell;
  }

  /** The line to the picture it came from. */
  join(cell, place, parent) {
    const line = cell.lastChild;
    line.hidden = !parent;
    if (parent) line.style.height = `${(place.lane - parent.lane) * CELL + 2}px`;
    line.classList.toggle("down", !!parent && place.lane > parent.lane);
  }
}
