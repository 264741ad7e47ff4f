// The latent map: a seed at each whole place, blends of the four neighbours between; drag the point.

const ACROSS = 7; // tiles in a row
const MOST_HELD = 600;

class LatentMap {
  constructor(studio) {
    this.studio = studio;
    this.centre = [0, 0];
    this.held = new Map(); // what a tile shows -> bitmap
    this.root = make("section");
    const head = make("h2", "", "Latent map ");
    head.append(make("small", "", "drag: between seeds the picture blends"));
    const box = make("div", "studio-map");
    this.canvas = make("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", "Latent map: drag, or use the arrow keys");
    box.append(this.canvas);
    const pan = (text, title, dx, dy) => button(text, title, () => this.pan(dx, dy));
    this.where = make("small", "toy-hint");
    this.root.append(head, box, line(pan("←", "Map to the left", -3, 0), pan("→", "Map to the right", 3, 0), pan("↑", "Map upwards", 0, -3), pan("↓", "Map downwards", 0, 3), button("◎", "Back to the point", () => this.home()), this.where));
    this.pointing();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  get source() {
    return this.studio.store.recipe.sources[0];
  }

  pointing() {
    const place = (event) => {
      const box = this.canvas.getBoundingClientRect();
      const cell = box.width / ACROSS;
      const snap = (v) => (event.shiftKey ? Math.round(v) : Number(v.toFixed(3)));
      return [snap(this.centre[0] + (event.clientX - box.left) / cell - ACROSS / 2), snap(this.centre[1] + (event.clientY - box.top) / cell - ACROSS / 2)];
    };
    this.canvas.onpointerdown = (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.dragging = true;
      this.move(...place(event), false);
    };
    this.canvas.onpointermove = (event) => this.dragging && this.move(...place(event), false);
    this.canvas.onpointerup = this.canvas.onpointercancel = (event) => {
      if (!this.dragging) return;
      this.dragging = false;
      this.move(...place(event), true);
    };
    this.canvas.onkeydown = (event) => {
      const step = event.shiftKey ? 1 : 0.1;
      const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
      if (!way) return;
      event.preventDefault();
      const { x, y } = this.source;
      this.walking = true; // one step of the history for one press, however long it is held
      this.move(Number((x + way[0]).toFixed(3)), Number((y + way[1]).toFixed(3)), false);
    };
    this.canvas.onkeyup = this.canvas.onblur = () => {
      if (!this.walking) return;
      this.walking = false;
      this.move(this.source.x, this.source.y, true);
    };
  }

  move(x, y, final) {
    this.studio.store.edit((r) => {
      r.space = r.sources.length > 1 ? r.space : "w";
      if (r.space !== "w") [x, y] = [Math.round(x), Math.round(y)]; // in Z only whole seeds have a place
      Object.assign(r.sources[0], { x, y, latent: "", recipe: null });
    }, final);
    if (final && Math.max(Math.abs(x - this.centre[0]), Math.abs(y - this.centre[1])) > ACROSS / 2 - 0.8) this.home();
  }

  pan(dx, dy) {
    this.centre = [this.centre[0] + dx, this.centre[1] + dy];
    this.fill();
  }

  home() {
    this.centre = [Math.round(this.source.x), Math.round(this.source.y)];
    this.fill();
  }

  /** The picture of a place, as the tiles show it: the seed alone, truncated as now. */
  tile(i, j) {
    const { recipe, source } = { recipe: this.studio.store.recipe, source: this.source };
    return { ...recipe, space: "w", sources: [{ ...source, x: i, y: j, weight: 1, latent: "", recipe: null }], noise: this.studio.schema.defaults.recipe.noise };
  }

  name(i, j) {
    return JSON.stringify(this.tile(i, j));
  }

  places() {
    const half = (ACROSS - 1) / 2;
    const out = [];
    for (let j = -half; j <= half; j++) for (let i = -half; i <= half; i++) out.push([this.centre[0] + i, this.centre[1] + j]);
    const far = ([i, j]) => (i - this.centre[0]) ** 2 + (j - this.centre[1]) ** 2;
    return out.sort((a, b) => far(a) - far(b));
  }

  async fill() {
    this.draw();
    if (!this.studio.facts) return;
    const missing = this.places().filter(([i, j]) => !this.held.has(this.name(i, j)));
    const wished = missing.map(([i, j]) => this.name(i, j)).join();
    if (wished === this.wished) return;
    this.wished = wished;
    if (this.job) this.job.cancel();
    if (!missing.length) return;
    const names = missing.map(([i, j]) => this.name(i, j));
    await smallPictures(this, missing.map(([i, j]) => this.tile(i, j)), 64, (index, bitmap) => {
      this.held.set(names[index], bitmap);
      while (this.held.size > MOST_HELD) this.held.delete(this.held.keys().next().value);
      this.draw();
    });
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    const ratio = devicePixelRatio || 1;
    const side = Math.round(this.canvas.clientWidth * ratio);
    if (!side) return;
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const c = this.canvas.getContext("2d");
    const cell = side / ACROSS;
    c.clearRect(0, 0, side, side);
    let painted = 0;
    for (const [i, j] of this.places()) {
      const bitmap = this.held.get(this.name(i, j));
      if (!bitmap) continue;
      painted += 1;
      c.drawImage(bitmap, (i - this.centre[0] + ACROSS / 2 - 0.5) * cell + 1, (j - this.centre[1] + ACROSS / 2 - 0.5) * cell + 1, cell - 2, cell - 2);
    }
    this.canvas.dataset.painted = painted;
    const { x, y, latent, recipe } = this.source;
    const [px, py] = [(x - this.centre[0] + ACROSS / 2) * cell, (y - this.centre[1] + ACROSS / 2) * cell];
    if (latent || recipe) return;
    for (const [width, colour] of [[5, "rgba(0,0,0,.7)"], [2.5, "#fff"]]) {
      c.lineWidth = width * ratio;
      c.strokeStyle = colour;
      c.beginPath();
      c.arc(px, py, 9 * ratio, 0, 7);
      c.stroke();
    }
  }

  show(source) {
    this.where.textContent = source.latent || source.recipe ? "The picture is not on the map: drag to come back to it." : `seed ${source.seed}, ${source.x.toFixed(2)} right, ${source.y.toFixed(2)} down`;
    if (this.shownSeed !== source.seed) this.centre = [Math.round(source.x), Math.round(source.y)];
    this.shownSeed = source.seed;
    this.draw();
  }
}
