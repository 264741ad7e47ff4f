// The noise lab: what stands at the noise inputs, layer by layer and place by place, and what it changes.

const DRAWS = 6; // pictures in the close-up
const QUICKEST = 256; // pixels up to which the map is measured without being asked for

class NoisePanel {
  constructor(studio, side, bench) {
    this.studio = studio;
    const { store } = studio;
    this.window = { x: 0.3, y: 0.3, size: 0.35 };
    this.keys = { n: ["another noise", () => this.draw()], p: ["paint on or off", () => this.paint.click()], "[": ["smaller brush", () => this.resize(1 / 1.25)], "]": ["larger brush", () => this.resize(1.25)] };
    const noise = (change, final = true) => store.edit((r) => change(r.noise), final);
    this.noise = noise;
    this.modes = make("div", "studio-toggles");
    for (const [mode, text, title] of [["const", "constant", "The noise that the model carries"], ["none", "none", "No noise at all"], ["random", "random", "Drawn from the seed"]]) {
      const out = button(text, title, () => noise((n) => (n.mode = mode)));
      out.dataset.mode = mode;
      this.modes.append(out);
    }
    this.seed = numberField("Seed of the noise", 0, studio.schema.seeds - 1, 0, (n) => noise((all) => Object.assign(all, { seed: n, mode: "random" })));
    const dice = button("⚄", "Another noise (N)", () => this.draw());
    this.all = dial("all layers", "Strength of all layers together", 0, 4, 1, (v, final) => noise((n) => (n.strength = this.names.map(() => v)), final));
    this.rows = make("div");
    const layers = block("Layers", this.all, this.rows);
    layers.head.append(button("Reset", "All strengths 1, nothing frozen", () => noise((n) => Object.assign(n, { strength: [], pins: [] }))));
    const drop = button("Drop them", "The model's own noise again", () => noise((n) => (n.maps = "")));
    this.own = line(make("small", "toy-hint", "“constant” has noise maps that were found for a picture of yours."), drop);
    side.append(block("Noise", this.modes, this.own, line("seed", this.seed, dice)), this.brush(), layers);
    bench.append(this.map());
    studio.find("beside").append(this.closeup());
  }

  draw() {
    this.noise((n) => Object.assign(n, { mode: "random", seed: anySeed() }));
  }

  // the brush

  brush() {
    this.paint = button("Paint", "Paint other noise onto the picture (P)", () => {
      this.painting = !this.painting;
      this.paint.setAttribute("aria-pressed", this.painting);
      this.pointing();
    });
    this.radius = dial("radius", "Of the picture's width", 0.01, 0.5, 0.1, () => {});
    this.force = dial("strength", "Times the layer's own strength; 0 wipes noise away", -4, 8, 2, () => {});
    this.on = make("div");
    const clear = button("Clear", "Take all painted noise away", () => this.noise((n) => (n.strokes = [])));
    this.dabs = make("small", "toy-hint");
    const box = block("Brush", line(this.paint, clear, this.dabs), this.radius, this.force, this.on);
    this.cursor = make("div", "studio-brush");
    this.cursor.hidden = true;
    this.studio.find("frame").append(this.cursor);
    return box;
  }

  resize(factor) {
    this.radius.show(Math.min(0.5, Math.max(0.01, Number((this.value(this.radius) * factor).toFixed(3)))));
  }

  value(row) {
    return Number(row.querySelector("input[type=number]").value);
  }

  pointing() {
    this.studio.stage.onpoint = (x, y, phase) => (this.painting ? this.dab(x, y, phase) : this.look(x, y, phase));
    this.studio.find("frame").classList.toggle("painting", !!this.painting);
    if (!this.painting) this.cursor.hidden = true;
  }

  dab(x, y, phase) {
    const radius = this.value(this.radius);
    this.cursor.hidden = phase === "leave";
    Object.assign(this.cursor.style, { left: `${100 * (x - radius)}%`, top: `${100 * (y - radius)}%`, width: `${200 * radius}%` });
    if (phase === "down") {
      this.strokeSeed = anySeed();
      this.last = null;
    }
    if (phase === "up") return this.studio.store.settle();
    if (phase !== "down" && phase !== "move") return;
    if (this.last && Math.hypot(x - this.last[0], y - this.last[1]) < radius / 2) return;
    if (this.studio.store.recipe.noise.strokes.length >= 200) return this.studio.toast("Two hundred dabs are the most; clear some first.", "notice");
    this.last = [x, y];
    const layer = this.layerMenu.value === "" ? null : Number(this.layerMenu.value);
    const round = (v) => Number(v.toFixed(4));
    this.noise((n) => n.strokes.push({ x: round(x), y: round(y), radius, seed: this.strokeSeed, strength: this.value(this.force), layer }), false);
  }

  // layers

  facts(facts) {
    this.names = facts.noises.map((row) => row.name);
    this.layerMenu = menu("Layer that is painted on", [["", "on all layers"], ...facts.noises.map((row) => [String(row.index), `only ${row.name}`])], "", () => {});
    this.on.replaceChildren(this.layerMenu);
    this.strengths = facts.noises.map((row, i) => this.layer(row, i));
    this.rows.replaceChildren(...this.strengths.map((row) => row.root));
    if (!facts.noises.length) this.rows.append(make("p", "toy-hint", "This model has no noise inputs."));
    this.about.textContent = facts.noises.length
      ? "Bright is what noise decides: strands of hair, freckles, grain. Dark is what the styles decide. “Measure” draws the noise many times and shows how far each pixel moves."
      : "This model has no noise inputs: nothing to measure.";
    this.about.hidden = !this.picture.hidden;
    this.pointing();
  }

  layer(row, i) {
    const root = make("div", "studio-noise-row");
    const slider = make("input");
    slider.type = "range";
    Object.assign(slider, { min: 0, max: 4, step: 0.05, title: `The model's own strength here is ${row.strength.toFixed(3)}` });
    slider.setAttribute("aria-label", `Strength of the noise in ${row.name}`);
    const set = (final) => this.noise((n) => {
      n.strength = this.names.map((_, k) => n.strength[k] ?? 1);
      n.strength[i] = Number(slider.value);
    }, final);
    slider.oninput = () => set(false);
    slider.onchange = () => set(true);
    const out = make("output");
    const freeze = make("label", "studio-check");
    const box = make("input");
    box.type = "checkbox";
    box.setAttribute("aria-label", `Freeze the noise in ${row.name}`);
    box.onchange = () => this.noise((n) => {
      n.pins = n.pins.filter((pin) => pin.layer !== i);
      if (box.checked) n.pins.push({ layer: i, seed: n.mode === "random" ? n.seed : null });
    });
    freeze.append(box, "hold");
    freeze.title = "Held as it is while the seed changes";
    root.append(make("span", "", row.name), slider, out, freeze);
    return { root, slider, out, box };
  }

  show(recipe) {
    const { mode, seed, strength, pins, strokes, maps } = recipe.noise;
    this.own.hidden = !maps;
    for (const one of this.modes.children) one.setAttribute("aria-pressed", one.dataset.mode === mode);
    if (document.activeElement !== this.seed) this.seed.value = seed;
    const at = (i) => strength[i] ?? 1;
    (this.strengths || []).forEach((row, i) => {
      row.slider.value = at(i);
      row.out.textContent = at(i).toFixed(2);
      row.box.checked = pins.some((pin) => pin.layer === i);
    });
    if (this.names && this.names.every((_, i) => at(i) === at(0))) this.all.show(at(0));
    this.dabs.textContent = strokes.length ? `${strokes.length} dabs` : "";
  }

  // what noise changes

  map() {
    const box = make("section");
    const head = make("h2", "", "What noise changes ");
    head.append(make("small", "", "deviation of each pixel over many draws"));
    const draws = menu("Draws", [16, 32, 64, 128].map((n) => [String(n), `${n} draws`]), "64", () => {});
    this.progress = new Progress();
    const go = button("Measure", "Draws the noise again and again", () => this.measure(Number(draws.value)));
    this.picture = make("canvas", "studio-noise-map");
    this.picture.setAttribute("role", "img");
    this.picture.setAttribute("aria-label", "Standard deviation of each pixel");
    this.legend = line("0", make("div", "studio-scale"), make("small"));
    this.picture.hidden = this.legend.hidden = true;
    this.about = make("p", "toy-hint studio-empty");
    box.append(head, line(draws, go), this.progress.root, this.about, this.picture, this.legend);
    return box;
  }

  /** What the map depends on: not on the draw that is on show. */
  mapped(recipe) {
    return JSON.stringify({ ...recipe, noise: { ...recipe.noise, mode: "", seed: 0 } });
  }

  /** By itself only few draws, and only where they are quick; what it measures for an old picture is ended. */
  async measure(draws, own = false) {
    const { line, store } = this.studio;
    const { recipe } = store;
    const order = (this.order = {});
    if (this.progress.job) this.progress.job.cancel();
    try {
      const [header, blob] = await this.progress.follow((part) => line.ask({ do: "noise_map", recipe, draws }, part));
      const bitmap = blob && (await createImageBitmap(blob));
      if (!blob || order !== this.order) return;
      this.picture.width = bitmap.width;
      this.picture.height = bitmap.height;
      this.picture.getContext("2d").drawImage(bitmap, 0, 0);
      this.picture.hidden = this.legend.hidden = false;
      this.about.hidden = true;
      this.measured = this.mapped(recipe);
      this.picture.classList.toggle("stale", this.mapped(store.recipe) !== this.measured);
      this.picture.dataset.painted = header.draws;
      this.legend.lastChild.textContent = `${header.high.toFixed(1)} of 255 (mean ${header.mean.toFixed(2)}, ${header.draws} draws)`;
    } catch (error) {
      if (!own) this.studio.fail(error);
    }
  }

  /** The map of a picture that stands, after its close-up. */
  measureSoon(recipe) {
    clearTimeout(this.soon);
    const { facts } = this.studio;
    const stale = this.mapped(recipe) !== this.measured;
    this.picture.classList.toggle("stale", stale);
    if (!stale) return;
    if (this.progress.job) this.progress.job.cancel();
    if (facts.resolution <= QUICKEST && facts.noises.length) this.soon = setTimeout(() => this.measure(16, true), 700);
  }

  /** The same small part of the picture under several draws. */
  closeup() {
    const box = make("section");
    const head = make("h2", "", "Close-up of several draws ");
    head.append(make("small", "", "click the picture to look elsewhere"));
    const size = menu("Size of the part", [["0.15", "15 % of the picture"], ["0.25", "25 %"], ["0.35", "35 %"], ["0.6", "60 %"]], "0.35", (v) => {
      this.window.size = Number(v);
      this.crop();
    });
    this.crops = make("div", "studio-tiles");
    this.crops.style.setProperty("--columns", 3);
    this.draws = Array.from({ length: DRAWS }, (_, i) => {
      const cell = make("button", "studio-tile");
      cell.append(make("canvas"), make("small", "", `noise ${i + 1}`));
      cell.title = `Take noise seed ${i + 1}`;
      cell.setAttribute("aria-label", cell.title);
      cell.onclick = () => this.noise((n) => Object.assign(n, { mode: "random", seed: i + 1 }));
      this.crops.append(cell);
      return { canvas: cell.firstChild, bitmap: null };
    });
    this.frame = make("div", "studio-window");
    this.studio.find("frame").append(this.frame);
    box.append(head, line(size), this.crops);
    return box;
  }

  look(x, y, phase) {
    if (phase !== "down" && phase !== "move") return;
    Object.assign(this.window, { x, y });
    this.crop();
  }

  crop() {
    const { size } = this.window;
    const clamp = (v) => Math.min(1 - size, Math.max(0, v - size / 2));
    const [left, top] = [clamp(this.window.x), clamp(this.window.y)];
    Object.assign(this.frame.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * size}%`, height: `${100 * size}%` });
    for (const { canvas, bitmap } of this.draws) {
      if (!bitmap) continue;
      const [w, h] = [bitmap.width * size, bitmap.height * size];
      canvas.width = canvas.height = 160;
      const c = canvas.getContext("2d");
      c.imageSmoothingEnabled = false;
      c.drawImage(bitmap, left * bitmap.width, top * bitmap.height, w, h, 0, 0, 160, 160);
    }
  }

  async settled(recipe) {
    const recipes = this.draws.map((_, i) => ({ ...recipe, noise: { ...recipe.noise, mode: "random", seed: i + 1 } }));
    const wished = JSON.stringify(recipes);
    this.measureSoon(recipe);
    if (wished === this.wished) return;
    this.wished = wished;
    if (this.job) this.job.cancel();
    await smallPictures(this, recipes, this.studio.facts.resolution, (index, bitmap) => {
      this.draws[index].bitmap = bitmap;
      this.crop();
    });
  }
}
