// Truncation: how far from the average picture, and in which layers.

const PSI = [-1, 2];
const ALONG = [-1, -0.5, 0, 0.25, 0.5, 0.7, 1, 1.5, 2];

class TruncationPanel {
  constructor(studio, side, bench) {
    this.studio = studio;
    const { store } = studio;
    this.keys = { 0: ["psi 0, the average picture", () => this.set(0)], m: ["mirror: psi becomes minus psi", () => this.set(-store.recipe.psi)] };
    this.psi = dial("psi ψ", "1 leaves w alone, 0 gives the average picture, below 0 its opposite", ...PSI, 0.7, (v, final) => store.edit((r) => (r.psi = v), final));
    const quick = make("div", "studio-toggles");
    quick.append(...[-0.7, 0, 0.5, 0.7, 1, 1.5].map((v) => button(v.toFixed(1).replace("-", "−"), `psi ${v}`, () => this.set(v))));
    this.cutoff = make("div");
    this.centers = block("Class and centre", menu("Truncation moves towards", [["mean", "the mean of all classes"], ["class", "the mean of its class"]], "mean", (v) => store.edit((r) => (r.center = v))));
    this.kind = make("div");
    this.centers.children[1].after(this.kind);
    this.centers.append(make("p", "toy-hint", "A class keeps its looks when truncation moves towards its own mean."));
    this.picker = new SourcePicker(studio, "Picture", (source) => store.edit((r) => (r.sources = [source, ...r.sources.slice(1)])));
    side.append(block("Truncation", this.psi, quick), block("Cutoff", this.cutoff, make("p", "toy-hint", "Only the layers up to here are truncated; the finer ones keep their variety.")), this.centers, block("Picture", this.picker.root));
    const strip = make("section");
    strip.append(make("h2", "", "The same picture along ψ"));
    this.strip = new Tiles(studio, strip.appendChild(make("div")), ALONG.length);
    const table = make("section");
    table.append(make("h2", "", "ψ across, cutoff down: click a cell to take it"));
    this.table = new Tiles(studio, table.appendChild(make("div")), 8);
    bench.append(strip, table);
    studio.find("beside").append(this.gauge());
  }

  set(v) {
    this.studio.store.edit((r) => (r.psi = Math.max(PSI[0], Math.min(PSI[1], v))));
  }

  facts(facts) {
    const all = facts.num_ws;
    this.all = all;
    const row = dial("layers", "How many layers, from the coarsest on, are truncated", 0, all, all, (v, final) => this.studio.store.edit((r) => (r.cutoff = v >= all ? null : Math.round(v)), final), "int");
    this.cutoffRow = row;
    this.cutoff.replaceChildren(row);
    this.centers.hidden = !facts.c_dim;
    this.kind.replaceChildren(classMenu("Class", facts, 0, (index) => this.studio.store.edit((r) => (r.sources[0].classes = [{ index, share: 1 }]))));
    this.cutoffs = [...new Set([0, 0.2, 0.4, 0.6, 0.8, 1].map((t) => Math.round(t * all)))];
  }

  show(recipe) {
    if (!this.psi.busy() || Number(this.psi.querySelector("input").value) !== recipe.psi) this.psi.show(recipe.psi);
    if (this.cutoffRow) this.cutoffRow.show(recipe.cutoff ?? this.all);
    this.centers.querySelector("select").value = recipe.center;
    const kind = this.kind.querySelector("select");
    if (kind) kind.value = recipe.sources[0].classes.length ? String(recipe.sources[0].classes[0].index) : "0";
    this.picker.show(recipe.sources[0]);
    this.mark(recipe);
  }

  mark(recipe) {
    const cutoff = recipe.cutoff ?? this.all;
    this.strip.mark((i) => Math.abs(ALONG[i] - recipe.psi) < 0.01);
    this.table.mark((i) => this.cells && this.cells[i] && Math.abs(this.cells[i].psi - recipe.psi) < 0.01 && (this.cells[i].cutoff ?? this.all) === cutoff);
  }

  psis(n) {
    return Array.from({ length: n }, (_, i) => Number((PSI[0] + ((PSI[1] - PSI[0]) * i) / (n - 1)).toFixed(3)));
  }

  settled(recipe) {
    const text = (v) => v.toFixed(2).replace(/0$/, "").replace("-", "−");
    const along = ALONG.map((psi) => ({ recipe: { ...recipe, psi }, label: text(psi), title: `psi ${psi}` }));
    this.strip.fill(along, 96, (i) => this.set(ALONG[i]));
    const psis = this.psis(7);
    this.cells = [null, ...psis.map(() => null)];
    const items = [{ label: "cutoff", kind: "head" }, ...psis.map((psi) => ({ label: `ψ ${text(psi)}`, kind: "head" }))];
    for (const cutoff of this.cutoffs) {
      items.push({ label: cutoff === this.all ? "all" : String(cutoff), kind: "head" });
      this.cells.push(null);
      for (const psi of psis) {
        const cell = { psi, cutoff: cutoff === this.all ? null : cutoff };
        items.push({ recipe: { ...recipe, ...cell }, title: `psi ${psi}, ${cutoff} layers` });
        this.cells.push(cell);
      }
    }
    this.table.fill(items, 72, (i) => this.studio.store.edit((r) => Object.assign(r, this.cells[i])));
    this.mark(recipe);
    if (this.points.length) this.canvas.classList.toggle("stale", this.about(recipe) !== this.measured);
  }

  /** What diversity depends on. */
  about({ model, cutoff, center, sources }) {
    return JSON.stringify([model, cutoff, center, sources[0].classes]);
  }

  /** How different pictures are from each other, against psi. */
  gauge() {
    const box = make("section", "studio-chart");
    const head = make("h2", "", "Diversity ");
    head.append(make("small", "", "mean distance between two pictures, against ψ"));
    this.canvas = make("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", "Diversity against psi");
    this.progress = new Progress();
    this.count = menu("Pictures for each psi", [8, 16, 32, 64].map((n) => [String(n), `${n} pictures each`]), "16", () => {});
    const go = button("Measure", "Makes the pictures and compares all pairs", () => this.measure());
    this.told = make("p", "toy-hint", "Small ψ: all pictures look alike. Large ψ: they differ, and fall apart.");
    box.append(head, line(this.count, go), this.progress.root, this.canvas, this.told);
    this.points = [];
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    return box;
  }

  async measure() {
    const { line, store } = this.studio;
    const { recipe } = store;
    const psis = [-1, -0.5, 0, 0.25, 0.5, 0.7, 0.85, 1, 1.25, 1.5, 2];
    try {
      const [header] = await this.progress.follow((part) => line.ask({ do: "diversity", recipe, psis, count: Number(this.count.value) }, part));
      if (!header.points) return;
      this.points = header.points;
      this.measured = this.about(recipe);
      this.canvas.classList.toggle("stale", this.about(store.recipe) !== this.measured);
      this.canvas.dataset.points = this.points.length;
      this.draw();
    } catch (error) {
      this.studio.fail(error);
    }
  }

  draw() {
    const ratio = devicePixelRatio || 1;
    const [w, h] = [this.canvas.clientWidth * ratio, this.canvas.clientHeight * ratio];
    if (!w) return;
    this.canvas.width = w;
    this.canvas.height = h;
    const c = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    c.font = `${11 * ratio}px sans-serif`;
    c.fillStyle = style.color;
    const none = !this.points.length;
    const high = none ? 1 : 1.1 * Math.max(...this.points.map(([, mean, error]) => mean + error), 1e-9);
    const area = { left: 44 * ratio, right: w - 10 * ratio, top: 10 * ratio, bottom: h - 22 * ratio };
    const x = (psi) => area.left + ((psi - PSI[0]) / (PSI[1] - PSI[0])) * (area.right - area.left);
    const y = (v) => area.bottom - (v / high) * (area.bottom - area.top);
    c.strokeStyle = "rgba(128,128,128,.3)";
    c.textAlign = "center";
    for (let psi = -1; psi <= 2; psi += 0.5) {
      c.beginPath();
      c.moveTo(x(psi), area.top);
      c.lineTo(x(psi), area.bottom);
      c.stroke();
      c.fillText(String(psi).replace("-", "−"), x(psi), h - 6 * ratio);
    }
    if (none) return this.invite(c, (area.left + area.right) / 2, (area.top + area.bottom) / 2, 17 * ratio);
    c.textAlign = "right";
    for (const part of [0, 0.5, 1]) c.fillText((part * high).toPrecision(2), area.left - 5 * ratio, y(part * high) + 4 * ratio);
    const accent = style.getPropertyValue("--accent") || "#3b5bdb";
    c.strokeStyle = c.fillStyle = accent;
    c.lineWidth = 2 * ratio;
    c.beginPath();
    this.points.forEach(([psi, mean], i) => (i ? c.lineTo(x(psi), y(mean)) : c.moveTo(x(psi), y(mean))));
    c.stroke();
    for (const [psi, mean, error] of this.points) {
      c.beginPath();
      c.moveTo(x(psi), y(mean - error));
      c.lineTo(x(psi), y(mean + error));
      c.stroke();
      c.beginPath();
      c.arc(x(psi), y(mean), 3.5 * ratio, 0, 7);
      c.fill();
    }
  }

  /** What stands in the empty chart. */
  invite(c, x, y, line) {
    const rows = ["How much do pictures differ from each other?", "“Measure” makes some at 11 values of ψ", "and compares all pairs."];
    c.textAlign = "center";
    rows.forEach((text, i) => c.fillText(text, x, y + (i - 0.7) * line));
  }
}
