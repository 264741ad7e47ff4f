// The pictures of a training: the grid of fixed latents, what stands beside it, and the time line of earlier grids.

const BESIDE = {
  real: "Images that the GAN learns from.",
  seen: "The same images as D sees them in this step.",
  rebuilt: "Images that are held out, each followed by what it becomes on its way through the encoder and back.",
  nearest: "For each generated picture the training image that is most like it. Equal pairs mean that G has memorised.",
};

class TrainStage {
  constructor(lab) {
    this.lab = lab;
    this.find = lab.find;
    this.sheets = {}; // name -> {bitmap, header}
    this.view = "real";
    this.at = null; // the step that the time line shows; null: now
    this.branch = 0;
    this.pump = null;
    for (const button of this.find("tabs").children) button.onclick = () => this.choose(button.dataset.view);
    const time = this.find("time");
    time.oninput = () => this.scrub(Number(time.value));
    this.find("now").onclick = () => this.scrub(null);
    this.find("fork").onclick = () => lab.send({ do: "fork", branch: this.branch, step: this.at ?? lab.step });
    this.find("branch").onchange = (event) => {
      this.branch = Number(event.target.value);
      const steps = lab.branches.moments[this.branch] || [];
      this.scrub(this.branch === lab.branches.live ? null : steps[steps.length - 1] || 0);
    };
    this.find("fake").onclick = (event) => this.click(event);
  }

  reset() {
    this.sheets = {};
    this.at = null;
    this.branch = 0;
    this.find("pair").hidden = true;
    for (const name of ["fake", "other"]) this.clear(this.find(name));
    this.rebuilds(false);
    this.choose("real");
    this.line();
  }

  /** Whether the system has an encoder: its tab comes with the first sheet of reconstructions. */
  rebuilds(does) {
    for (const button of this.find("tabs").children) if (button.dataset.view === "rebuilt") button.hidden = !does;
  }

  clear(canvas) {
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  }

  paint(canvas, bitmap) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.style.aspectRatio = `${bitmap.width} / ${bitmap.height}`;
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
  }

  /** The newest grid has come. */
  async frame(header, blob) {
    const bitmap = await createImageBitmap(blob);
    this.sheets.fake = { bitmap, header };
    if (this.at === null && this.branch === header.branch) {
      this.paint(this.find("fake"), bitmap);
      this.lab.root.dataset.painted = Number(this.lab.root.dataset.painted || 0) + 1;
    }
    this.line();
  }

  /** Another sheet: real, seen, nearest, or a pair. */
  async picture(header, blob) {
    const bitmap = await createImageBitmap(blob);
    if (header.name === "pair") return this.pair(header, bitmap);
    this.sheets[header.name] = { bitmap, header };
    if (header.name === "rebuilt") this.rebuilds(true);
    this.beside();
  }

  choose(view) {
    this.view = view;
    for (const button of this.find("tabs").children) button.setAttribute("aria-pressed", button.dataset.view === view);
    if (view === "nearest" && this.lab.room) {
      delete this.sheets.nearest;
      if (this.lab.running()) this.lab.send({ do: "nearest" });
      else this.lab.toast("The nearest images are looked up while the training runs or is paused; press Go on first.", "notice");
    }
    this.beside();
  }

  beside() {
    const sheet = this.sheets[this.view];
    if (sheet) this.paint(this.find("other"), sheet.bitmap);
    else this.clear(this.find("other"));
    const augment = this.lab.state ? this.lab.state.now.augment : "none";
    let text = BESIDE[this.view];
    if (this.view === "seen") text += this.changed(augment);
    if (this.view === "nearest" && !sheet) text = "Looking them up…";
    else if (this.view === "nearest") text += ` Looked up at step ${sheet.header.step.toLocaleString("en")}; press the tab again for newer ones.`;
    this.find("other-text").textContent = text;
  }

  /** How far what D sees differs from the images. */
  changed(augment) {
    if (augment === "none") return " Nothing is changed in this preset; one with ADA or DiffAugment changes them.";
    const history = this.lab.histories.get(this.branch);
    const row = history && history.rows.findLast((item) => item.p != null);
    if (row && row.p < 0.05) return ` p of ADA is ${short(row.p)} now: hardly anything is changed yet; it rises once D knows its images by heart (r_t above its target).`;
    return " They are turned, moved or recoloured at random, so that D cannot learn them by heart; generated pictures are changed in the same way.";
  }

  // one sample

  click(event) {
    const sheet = this.sheets.fake;
    if (!sheet) return;
    if (!this.lab.running()) return this.lab.toast("The nearest images are looked up while the training runs or is paused; press Go on first.", "notice");
    const box = event.currentTarget.getBoundingClientRect();
    const { columns, count } = sheet.header;
    const rows = Math.ceil(count / columns);
    const index = Math.floor(((event.clientY - box.top) / box.height) * rows) * columns + Math.floor(((event.clientX - box.left) / box.width) * columns);
    if (index >= count) return;
    this.find("pair").hidden = false;
    this.find("pair-text").textContent = "Looking up the training image that is nearest…";
    this.clear(this.find("pair-picture"));
    this.lab.send({ do: "nearest", index });
  }

  pair(header, bitmap) {
    this.find("pair").hidden = false;
    this.paint(this.find("pair-picture"), bitmap);
    const near = header.distance < 0.5 * header.usual;
    this.find("pair-text").textContent = `Left: picture ${header.index + 1} as G makes it now (step ${header.step.toLocaleString("en")}). Right: the training image that is most like it, at a distance of ${short(header.distance)}; for these pictures ${short(header.usual)} is usual. ${near ? "That is unusually near: it may be memorised." : "Do they show the same thing? Then G has memorised it."}`;
  }

  // the time line

  line() {
    const { lab } = this;
    const time = this.find("time");
    const steps = (lab.branches && lab.branches.moments[this.branch]) || [];
    const live = !lab.branches || this.branch === lab.branches.live;
    const last = live ? lab.step : steps[steps.length - 1] || 0;
    time.max = Math.max(last, 1);
    if (this.at === null) time.value = last;
    this.find("now").hidden = this.at === null;
    this.find("time-text").textContent = this.at === null ? `now: step ${last.toLocaleString("en")}` : `step ${this.at.toLocaleString("en")}`;
    const marks = this.find("marks");
    const saved = (lab.branches && lab.branches.saved[this.branch]) || [];
    const key = JSON.stringify([saved, last, lab.events]);
    if (marks.dataset.key === key) return;
    marks.dataset.key = key;
    const mark = (kind) => (step) => {
      const dot = make("i", kind);
      dot.style.left = `${(100 * step) / Math.max(last, 1)}%`;
      return dot;
    };
    marks.replaceChildren(...saved.map(mark("")), ...lab.events.map(mark("event")));
    const canFork = this.find("fork");
    canFork.disabled = !saved.length && !(lab.branches && Object.values(lab.branches.saved).some((list) => list.length));
  }

  branchMenu() {
    const { branches } = this.lab;
    const menu = this.find("branch");
    menu.hidden = branches.branches.length < 2;
    menu.replaceChildren(...branches.branches.map((row) => new Option(`Branch ${row.label}${row.id === branches.live ? " (trains)" : ""}`, row.id)));
    if (!branches.branches.some((row) => row.id === this.branch)) this.branch = branches.live;
    menu.value = this.branch;
  }

  /** Shows the grid of an earlier step; null: the newest. Only the newest wish is fetched. */
  scrub(step) {
    const live = this.branch === this.lab.branches.live;
    this.at = step === null || (live && step >= this.lab.step) ? null : step;
    if (this.at === null) {
      if (this.branch !== this.lab.branches.live) this.branch = this.find("branch").value = this.lab.branches.live;
      if (this.sheets.fake) this.paint(this.find("fake"), this.sheets.fake.bitmap);
    } else {
      this.wished = [this.branch, this.at];
      if (!this.fetching) this.fetch();
    }
    this.line();
    this.lab.stale = true;
  }

  async fetch() {
    this.fetching = true;
    while (this.wished) {
      const [branch, step] = this.wished;
      this.wished = null;
      const url = serverUrl("train/moment");
      url.search = new URLSearchParams({ room: this.lab.room, branch, step });
      try {
        const answer = await fetch(url);
        if (!answer.ok) continue;
        const bitmap = await createImageBitmap(await answer.blob());
        if (this.at === null) break;
        this.paint(this.find("fake"), bitmap);
        this.lab.root.dataset.moment = answer.headers.get("x-step");
        this.find("time-text").textContent = `step ${Number(answer.headers.get("x-step")).toLocaleString("en")}`;
      } catch {
        this.lab.toast("This moment could not be fetched; the server does not answer.", "error");
      }
    }
    this.fetching = false;
  }
}
