// What the page holds: the recipe, the tree of its history, the film. It walks from lab to lab in the session.

const MOST_NODES = 150;
const KEEP = "ganlab.studio";

function copy(value) {
  return JSON.parse(JSON.stringify(value));
}

class Store {
  constructor(defaults, changed) {
    this.defaults = defaults; // a recipe, a source ... with every field
    this.changed = changed; // (what): "recipe" while it moves, "settled" when it stands, "film", "locks"
    this.nodes = new Map(); // id -> { id, parent, recipe, thumb, last (child visited last) }
    this.at = null;
    this.recipe = copy(defaults.recipe);
    this.film = copy(defaults.film);
    this.latents = []; // uploaded: { name, latent }
    this.locks = { seed: false, classes: false, noise: false };
    this.extra = {}; // of single labs
    this.restore();
    if (!this.nodes.size) this.push(this.recipe);
  }

  get node() {
    return this.nodes.get(this.at);
  }

  source(fields = {}) {
    return { ...copy(this.defaults.source), ...fields };
  }

  /** Changes the recipe; a final change becomes a step of the history. */
  edit(change, final = true) {
    const next = copy(this.recipe);
    change(next);
    this.recipe = next;
    if (final) this.settle();
    else this.changed("recipe");
  }

  settle() {
    this.step();
    this.changed("settled");
    this.save();
  }

  /** What has changed becomes a step of the history. */
  step() {
    if (JSON.stringify(this.recipe) !== JSON.stringify(this.node.recipe)) this.push(this.recipe);
  }

  push(recipe) {
    const id = this.nodes.size ? Math.max(...this.nodes.keys()) + 1 : 1;
    if (this.node) this.node.last = id;
    this.nodes.set(id, { id, parent: this.at, recipe: copy(recipe), thumb: "", last: null });
    this.at = id;
    this.prune();
  }

  /** Whether nothing was done yet. */
  get fresh() {
    return this.nodes.size === 1 && !this.recipe.model;
  }

  /** The first picture of all gets its model: no step of the history. */
  begin(change) {
    change(this.recipe);
    this.node.recipe = copy(this.recipe);
  }

  /** Another picture altogether: from a link, a file, a click. */
  load(recipe) {
    this.recipe = { ...copy(this.defaults.recipe), ...copy(recipe) };
    this.settle();
  }

  go(id) {
    const node = this.nodes.get(id);
    if (!node) return;
    for (let child = node; child.parent != null && this.nodes.has(child.parent); child = this.nodes.get(child.parent)) this.nodes.get(child.parent).last = child.id;
    this.at = id;
    this.recipe = copy(node.recipe);
    this.changed("settled");
    this.save();
  }

  undo() {
    if (this.node.parent != null && this.nodes.has(this.node.parent)) this.go(this.node.parent);
  }

  redo() {
    if (this.node.last != null && this.nodes.has(this.node.last)) this.go(this.node.last);
  }

  /** The server refused this recipe: back to the last one that made a picture. */
  refuse(recipe) {
    const text = JSON.stringify(recipe);
    if (JSON.stringify(this.recipe) !== text) return;
    const bad = this.node;
    if (JSON.stringify(bad.recipe) === text && bad.parent != null && this.nodes.has(bad.parent)) {
      this.nodes.delete(bad.id);
      this.at = bad.parent;
      if (this.node.last === bad.id) this.node.last = null;
    }
    if (JSON.stringify(this.node.recipe) === text) return;
    this.recipe = copy(this.node.recipe);
    this.changed("settled");
    this.save();
  }

  /** The oldest pictures that nothing else hangs on make room. */
  prune() {
    while (this.nodes.size > MOST_NODES) {
      const parents = new Set([...this.nodes.values()].map((node) => node.parent));
      const path = this.path();
      const leaf = [...this.nodes.values()].find((node) => !parents.has(node.id) && !path.has(node.id));
      const victim = leaf || this.nodes.values().next().value;
      this.nodes.delete(victim.id);
      for (const node of this.nodes.values()) if (node.parent === victim.id) node.parent = null;
    }
  }

  /** Ids from the first picture to the current one. */
  path() {
    const out = new Set();
    for (let node = this.node; node; node = this.nodes.get(node.parent)) out.add(node.id);
    return out;
  }

  /** Pictures a source can be taken from, the newest first. */
  saved() {
    const ours = [...this.nodes.values()].filter((node) => node.recipe.model === this.recipe.model);
    return ours.reverse().slice(0, 20);
  }

  restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEEP));
      if (!kept) return;
      const whole = (recipe) => ({ ...copy(this.defaults.recipe), ...recipe }); // an older version's has no edits
      this.nodes = new Map(kept.nodes.map((node) => [node.id, { ...node, recipe: whole(node.recipe) }]));
      this.at = kept.at;
      this.recipe = copy(this.node.recipe);
      this.film = kept.film;
      this.latents = kept.latents;
      this.locks = kept.locks;
      this.extra = kept.extra;
    } catch {
      this.nodes.clear(); // an older version's
      this.at = null;
    }
  }

  save() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.saveNow(), 150);
  }

  saveNow() {
    clearTimeout(this.saving);
    const nodes = [...this.nodes.values()];
    const { at, film, latents, locks, extra } = this;
    for (const kept of [nodes, nodes.filter((node) => this.path().has(node.id)).slice(-30), [{ ...this.node, parent: null }]])
      try {
        return sessionStorage.setItem(KEEP, JSON.stringify({ nodes: kept, at, film, latents, locks, extra }));
      } catch {
        continue; // the browser's share is full: less of it
      }
  }
}
