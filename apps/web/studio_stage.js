// The large picture: newest on a canvas, another one under a wipe, strokes of a brush over it.

class Stage {
  constructor(root) {
    this.root = root;
    this.now = root.querySelector("[data-st=now]");
    this.before = root.querySelector("[data-st=before]");
    this.divider = root.querySelector("[data-st=divider]");
    this.shown = null; // { w, h } of the picture on show
    this.split = 0.5;
    this.onpoint = null; // (x, y, phase): the pointer on the picture, from 0 to 1
    const at = (event) => {
      const box = this.now.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    const send = (event, phase) => this.onpoint && this.onpoint(...at(event), phase, event);
    this.now.onpointerdown = (event) => {
      if (!this.onpoint || event.button) return;
      this.now.setPointerCapture(event.pointerId);
      this.down = true;
      send(event, "down");
    };
    this.now.onpointermove = (event) => send(event, this.down ? "move" : "hover");
    this.now.onpointerup = this.now.onpointercancel = (event) => {
      if (this.down) send(event, "up");
      this.down = false;
    };
    this.now.onpointerleave = (event) => this.down || send(event, "leave");
    this.divider.onpointerdown = (event) => this.divider.setPointerCapture(event.pointerId);
    this.divider.onpointermove = (event) => this.divider.hasPointerCapture(event.pointerId) && this.wipeAt(at(event)[0]);
    this.divider.onkeydown = (event) => {
      const step = { ArrowLeft: -0.05, ArrowRight: 0.05 }[event.key];
      if (step) {
        event.stopPropagation();
        this.wipeAt(this.split + step);
      }
    };
  }

  /** Shows a bitmap; a preview is enlarged to the full size, so that nothing jumps. */
  show(bitmap, full) {
    const size = full || Math.max(bitmap.width, bitmap.height);
    const [w, h] = bitmap.width >= bitmap.height ? [size, Math.round((size * bitmap.height) / bitmap.width)] : [Math.round((size * bitmap.width) / bitmap.height), size];
    if (this.now.width !== w || this.now.height !== h) {
      this.now.width = w;
      this.now.height = h;
      this.root.style.setProperty("--shape", w / h);
    }
    this.now.getContext("2d").drawImage(bitmap, 0, 0, w, h);
    this.shown = { w, h };
  }

  /** A small JPEG of the picture on show. */
  thumb(side = 64) {
    const small = make("canvas");
    small.width = side;
    small.height = Math.max(1, Math.round((side * this.now.height) / this.now.width));
    small.getContext("2d").drawImage(this.now, 0, 0, small.width, small.height);
    return small.toDataURL("image/jpeg", 0.8);
  }

  /** A small picture as text, to be kept with the history. */
  async dataUrl(blob) {
    const bitmap = await createImageBitmap(blob);
    const small = make("canvas");
    small.width = bitmap.width;
    small.height = bitmap.height;
    small.getContext("2d").drawImage(bitmap, 0, 0);
    return small.toDataURL("image/jpeg", 0.8);
  }

  wipe(bitmap) {
    this.before.hidden = this.divider.hidden = !bitmap;
    this.root.classList.toggle("wiping", !!bitmap);
    if (!bitmap) return;
    this.before.width = bitmap.width;
    this.before.height = bitmap.height;
    this.before.getContext("2d").drawImage(bitmap, 0, 0);
    this.wipeAt(this.split);
  }

  wipeAt(part) {
    this.split = Math.max(0, Math.min(1, part));
    this.before.style.clipPath = `inset(0 ${100 * (1 - this.split)}% 0 0)`;
    this.divider.style.left = `${100 * this.split}%`;
    this.divider.setAttribute("aria-valuenow", Math.round(100 * this.split));
  }
}

/** A grid of small pictures that come one by one; a new order ends the last one. */
class Tiles {
  constructor(studio, root, columns) {
    this.studio = studio;
    this.root = root;
    root.classList.add("studio-tiles");
    this.columns(columns);
    this.cells = [];
    this.job = null;
    this.wished = "";
  }

  columns(n) {
    this.root.style.setProperty("--columns", n);
  }

  /** items: [{ recipe, label, title, kind }]; those without a recipe are text. */
  async fill(items, side, click, more = {}) {
    const wished = JSON.stringify([items.map((item) => item.recipe || item.label), side, more]);
    if (wished === this.wished && !this.broken) return;
    this.wished = wished;
    this.broken = false;
    if (this.job) this.job.cancel();
    const layout = JSON.stringify(items.map((item) => [item.label, item.kind, !item.recipe]));
    if (layout !== this.layout) this.build(items);
    this.layout = layout;
    this.cells.forEach((cell, i) => {
      cell.onclick = () => items[i].recipe && click(i);
      if (items[i].recipe) cell.classList.add("stale");
    });
    const painted = items.map((item, i) => [item.recipe, i]).filter(([recipe]) => recipe);
    const message = more.film ? { ...more, do: "many", side } : { do: "many", side, recipes: painted.map(([recipe]) => recipe) };
    const job = this.studio.line.aside(message, async (header, blob) => {
      const bitmap = await createImageBitmap(blob);
      if (job !== this.job) return;
      const cell = this.cells[painted[header.index][1]];
      const canvas = cell.querySelector("canvas");
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      cell.classList.remove("stale");
      this.root.dataset.done = header.index + 1;
    });
    this.job = job;
    try {
      const [header] = await job.answer;
      if (header.cancelled && job === this.job) this.broken = true;
    } catch (error) {
      this.broken = true;
      if (job === this.job) this.studio.fail(error);
    }
  }

  build(items) {
    this.root.replaceChildren();
    this.cells = items.map((item) => {
      const cell = make(item.recipe ? "button" : "span", "studio-tile " + (item.kind || ""));
      if (item.recipe) {
        cell.append(make("canvas"));
        cell.title = item.title || item.label || "";
        cell.setAttribute("aria-label", cell.title);
      }
      if (item.label) cell.append(make("small", "", item.label));
      this.root.append(cell);
      return cell;
    });
  }

  mark(chosen) {
    this.cells.forEach((cell, i) => cell.classList.toggle("on", chosen(i)));
  }
}
