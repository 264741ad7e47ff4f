// A run that is watched: a button that starts and stops it, how far it is, and its loss terms as lines.

const TERMS = { clip: ["1 − cosine to the text", "#1565c0"], distance: ["L2 of the step", "#c2570c"], identity: ["identity", "#2e7d32"], beside: ["what else changes", "#2e7d32"] };
const TERM_CHARTS = [["clip"], ["distance", "identity", "beside"]];

class LiveRun {
  constructor(text, title, start) {
    this.text = text;
    // the second half of a double click on Start is not meant as Stop
    this.go = button(text, title, (event) => (this.job ? event.detail < 2 && this.job.cancel() : start()), "primary");
    this.bar = make("div", "studio-bar");
    this.bar.append(make("i"));
    this.bar.setAttribute("role", "progressbar");
    this.count = make("small");
    this.charts = TERM_CHARTS.map((names) => this.chart(names));
    this.root = make("div", "studio-live");
    this.root.append(line(this.go, this.bar, this.count), ...this.charts.map(([box]) => box));
    this.bar.hidden = true;
    this.rows = [];
    new ResizeObserver(() => this.draw()).observe(this.root);
  }

  chart(names) {
    const box = make("figure", "toy-chart");
    const caption = make("figcaption");
    const legend = names.map((name) => Object.assign(make("b", "", TERMS[name][0]), { style: `color: ${TERMS[name][1]}; margin-right: 10px` }));
    caption.append(...legend);
    const canvas = make("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", names.map((name) => TERMS[name][0]).join(" and "));
    box.append(caption, canvas);
    box.hidden = true;
    return [box, canvas, names, legend];
  }

  /** Follows a question to its answer; `picture(blob)` gets what it shows on the way. Null where another model came. */
  async follow(ask, picture) {
    this.rows = [];
    this.of = 1;
    const job = (this.job = ask((header, blob) => {
      if (job !== this.job) return;
      if (blob) return picture(blob);
      this.rows.push([header.done, header.terms]);
      this.of = header.of;
      this.show();
    }));
    this.root.dataset.running = true;
    this.show();
    try {
      const [header] = await job.answer;
      return job === this.job ? header : null;
    } catch (error) {
      if (job !== this.job) return null;
      throw error;
    } finally {
      if (job === this.job) this.end();
    }
  }

  end() {
    this.job = null;
    delete this.root.dataset.running;
    this.show();
  }

  /** Another model: what runs is of no use any more. */
  drop() {
    const { job } = this;
    this.rows = [];
    this.end();
    if (job) job.cancel();
  }

  show() {
    const done = this.rows.length ? this.rows.at(-1)[0] : 0;
    this.go.textContent = this.job ? "Stop" : this.text;
    this.bar.hidden = !this.job;
    this.bar.firstChild.style.width = `${(100 * done) / this.of}%`;
    this.bar.setAttribute("aria-valuenow", Math.round((100 * done) / this.of));
    this.count.textContent = this.job && !this.rows.length ? "waiting…" : this.rows.length ? `step ${done} of ${this.of}` : "";
    if (!this.drawing) this.drawing = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.drawing = 0;
    for (const [box, canvas, names, legend] of this.charts) {
      const used = names.filter((name) => this.rows.length > 1 && this.rows[0][1][name] !== undefined);
      box.hidden = !used.length;
      legend.forEach((one, i) => (one.hidden = !used.includes(names[i])));
      if (!box.hidden) this.lines(canvas, used);
    }
  }

  lines(canvas, names) {
    const { context, width, height, ratio } = fit(canvas);
    context.clearRect(0, 0, width, height);
    const area = { left: 46 * ratio, top: 6 * ratio, right: width - 6 * ratio, bottom: height - 16 * ratio };
    const values = this.rows.flatMap(([, terms]) => names.map((name) => terms[name]));
    const low = names.includes("clip") ? Math.min(...values) : 0;
    const high = Math.max(...values, low + 1e-6);
    axes(context, area, { text: getComputedStyle(canvas).color, grid: "rgba(128,128,128,.25)", ratio }, low, high, this.of);
    for (const name of names) {
      context.strokeStyle = TERMS[name][1];
      context.lineWidth = 1.6 * ratio;
      context.beginPath();
      for (const [step, terms] of this.rows) context.lineTo(area.left + (step / this.of) * (area.right - area.left), area.bottom - ((terms[name] - low) / (high - low)) * (area.bottom - area.top));
      context.stroke();
    }
  }
}
