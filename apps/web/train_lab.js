// The training lab: joins the setup, the line to the training, the pictures, the charts and the knobs.

const KEPT = "ganlab-training"; // where a tab remembers its training

class TrainLab {
  constructor(root, schema) {
    this.root = root;
    this.schema = schema;
    this.find = (name) => root.querySelector(`[data-tr="${name}"]`);
    this.teller = new Toast(root, this.find("toast"));
    this.histories = new Map(); // branch -> {rows, quality}
    this.events = [];
    this.step = 0;
    this.charts = new TrainCharts(this.find("charts"), schema.figures);
    this.stage = new TrainStage(this);
    this.setup = new TrainSetup(this);
    this.share = new TrainShare(this);
    this.buttons();
    const query = new URLSearchParams(location.search);
    if (query.get("preset")) this.setup.prefer(query.get("preset"));
    if (query.get("run")) this.setup.linked(query.get("run"));
    else if (query.get("watch")) this.enter(query.get("watch"), null);
    else if (!query.get("preset")) this.comeBack();
    new ResizeObserver(() => (this.stale = true)).observe(root);
    setInterval(() => this.beat(), 250);
  }

  toast(text, kind, sticky) {
    this.teller.say(text, kind, sticky);
  }

  buttons() {
    this.find("play").onclick = () => {
      const { status } = this.about;
      if (status === "training") return this.send({ do: "pause" });
      if (status === "paused") return this.send({ do: "resume" });
      this.send({ do: "go" });
    };
    this.find("stop").onclick = () => {
      this.send({ do: "stop" });
      this.find("status").textContent = "Stopping after this step; it is saved…";
    };
    this.find("new").onclick = () => this.leave();
    const at = () => ({ branch: this.stage.branch, step: this.stage.at ?? (this.stage.branch === this.branches.live ? null : 1e9) });
    this.find("explore").onclick = () => {
      this.toast("Saving the generator and opening it in the latent lab…", "notice");
      this.send({ do: "explore", ...at() });
    };
    this.find("download").onclick = () => this.send({ do: "explore", what: "download", ...at() });
  }

  // coming and going

  remember(value) {
    try {
      for (const store of [sessionStorage, localStorage]) value ? store.setItem(KEPT, JSON.stringify(value)) : store.removeItem(KEPT);
    } catch {
      // a browser without storage: the training goes on, only this tab will not find it again
    }
  }

  comeBack() {
    try {
      const { room, key } = JSON.parse(sessionStorage.getItem(KEPT) || localStorage.getItem(KEPT) || "{}");
      if (room) this.enter(room, key);
    } catch {
      this.remember(null);
    }
  }

  enter(room, key) {
    if (this.link) this.link.close();
    Object.assign(this, { room, key, state: null, branches: null, about: { status: "waiting" }, step: 0, events: [], unmeasured: "" });
    this.histories.clear();
    this.find("skipped").hidden = true;
    this.find("verdict").textContent = "";
    this.find("knobs").replaceChildren();
    this.knobs = "";
    if (key) this.remember({ room, key });
    this.stage.reset();
    this.link = new Link(
      { room, key },
      {
        message: (message) => this.hear(message),
        frame: (header, _, data, at) => this.arrive(header, new Blob([data.slice(at)], { type: header.kind })),
        file: (header, blob) => this.stage.picture(header, blob),
        status: (text) => this.toast(text, "error", true),
      },
      "train",
    );
  }

  leave() {
    if (this.running() && this.key && !this.sure) {
      this.sure = setTimeout(() => (this.sure = null), 5000);
      return this.toast("This training is still running. Press “New training” again to stop it and start anew.", "notice");
    }
    if (this.key && this.link) this.send({ do: "stop" });
    this.remember(null);
    const { link } = this;
    setTimeout(() => link && link.close(), 300); // once the stop is on its way
    this.room = null;
    this.show(false);
    history.replaceState(null, "", location.pathname);
  }

  show(running) {
    this.find("setup").hidden = running;
    this.find("run").hidden = !running;
  }

  running() {
    return ["training", "paused"].includes(this.about && this.about.status);
  }

  send(command) {
    if (!this.key) return this.toast("You are watching this training; only the one who started it can change it.", "error");
    this.link.send(command);
  }

  // what the server says

  hear(message) {
    if (!this.room) return;
    const heard = {
      hello: (m) => {
        this.root.classList.toggle("watching", !m.key);
        this.toast("", "error", true);
        this.show(true);
      },
      room: (m) => this.status(m),
      opening: (m) => this.opening(m),
      opened: (m) => this.opened(m),
      branches: (m) => this.tree(m),
      history: (m) => this.histories.set(m.branch, { rows: m.rows.map(flat), quality: m.quality }),
      state: (m) => this.known(m),
      row: (m) => this.history(m.branch).rows.push(flat(m.row)),
      quality: (m) => this.history(m.branch).quality.push({ step: m.step, ...m.quality }),
      unmeasured: (m) => (this.unmeasured = m.text.replace(/^Quality: n/, "N")),
      error: (m) => {
        this.knobs = ""; // the form shows again what is true
        this.toast(m.text, "error");
      },
      python: (m) => this.share.python(m.text),
      explore: (m) => this.explore(m),
      download: (m) => this.download(m),
      refused: (m) => this.refused(m.text),
    }[message.type];
    if (heard) heard(message);
    this.stale = true;
  }

  history(branch) {
    if (!this.histories.has(branch)) this.histories.set(branch, { rows: [], quality: [] });
    return this.histories.get(branch);
  }

  refused(text) {
    if (this.key) this.remember(null);
    this.room = null;
    this.show(false);
    this.toast(text, "notice");
  }

  status(message) {
    this.about = message;
    this.root.dataset.status = message.status;
    const { status } = message;
    this.find("play").textContent = { training: "Pause", paused: "Resume" }[status] || "Go on";
    this.find("play").disabled = ["waiting", "opening"].includes(status);
    for (const name of ["explore", "download"]) this.find(name).disabled = ["waiting", "opening"].includes(status) && !this.step;
    this.find("stop").disabled = ["ended", "failed"].includes(status);
    const said = { waiting: "Waiting for a place…", opening: "Reading the images…", training: "Training.", paused: "Paused.", ended: "Stopped. Everything is kept: go on, scrub, explore or download.", failed: "" };
    this.find("status").textContent = (status === "training" ? this.lesson() : "") || message.text || said[status];
    this.find("status").classList.toggle("bad", status === "failed");
    if (status !== "opening") this.find("opening").hidden = true;
  }

  lesson() {
    return this.state ? `${this.state.run.gan.name || "A GAN"} learns ${this.title || "its images"}.` : "";
  }

  opening(message) {
    this.find("opening").hidden = false;
    this.find("opening").firstChild.style.width = `${(100 * message.done) / Math.max(message.of, 1)}%`;
    this.find("status").textContent = `${message.done.toLocaleString("en")} of ${message.of.toLocaleString("en")} images read…`;
  }

  opened(message) {
    this.find("opening").hidden = true;
    this.title = `${message.count.toLocaleString("en")} images (${message.title})${message.held ? `; ${message.held.toLocaleString("en")} more are held out to see whether it copies` : ""}`;
    this.find("fake-text").textContent = message.classes.length ? `the classes in turn: ${message.classes.slice(0, 6).join(", ")}${message.classes.length > 6 ? " …" : ""}` : "the same latents at every step";
    const box = this.find("skipped");
    box.hidden = !message.skipped_count;
    box.querySelector("summary").textContent = `${message.skipped_count.toLocaleString("en")} file${message.skipped_count === 1 ? " was" : "s were"} skipped`;
    box.querySelector("ul").replaceChildren(...message.skipped.map((text) => make("li", "", text)));
  }

  tree(message) {
    const moved = !this.branches || this.branches.live !== message.live;
    this.branches = message;
    for (const row of message.branches)
      if (!this.histories.has(row.id)) {
        const cut = (rows) => rows.filter((item) => item.step <= row.at);
        const parent = this.histories.get(row.parent) || { rows: [], quality: [] };
        this.histories.set(row.id, { rows: cut(parent.rows), quality: cut(parent.quality) });
      }
    if (moved) {
      this.stage.branch = message.live;
      this.stage.at = null;
    }
    this.stage.branchMenu();
    this.stage.line();
  }

  known(state) {
    this.state = state;
    this.step = state.step;
    this.events = (state.run.events || []).map((event) => event.step);
    this.form();
    this.stage.beside();
    if (this.about.status === "training") this.find("status").textContent = this.lesson();
  }

  async arrive(header, blob) {
    if (!this.branches || header.branch === this.branches.live) {
      const now = performance.now();
      if (this.mark && header.step > this.mark.step) {
        const rate = (header.images - this.mark.images) / ((now - this.mark.now) / 1000);
        this.rate = this.rate ? 0.7 * this.rate + 0.3 * rate : rate;
      }
      this.mark = { now, step: header.step, images: header.images };
      this.step = header.step;
      this.images = header.images;
      this.root.dataset.step = header.step;
    }
    this.stale = true;
    await this.stage.frame(header, blob);
    this.link.painted();
  }

  beat() {
    if (!this.stale || !this.room || document.hidden) return;
    this.stale = false;
    this.find("step").textContent = this.step.toLocaleString("en");
    const figures = [`${(this.images || 0).toLocaleString("en")} images seen`];
    if (this.rate && this.about.status === "training") figures.push(`${this.rate.toFixed(this.rate < 10 ? 1 : 0)} images/s`);
    if (this.about.left != null) figures.push(`${Math.max(0, Math.round(this.about.left / 60))} min left`);
    this.find("figures").textContent = figures.join(" · ");
    this.charts.draw(this.histories, this.stage.branch, this.stage.at ?? this.step, this.unmeasured);
    this.verdict();
    this.stage.line();
  }

  /** What the figures say, in words. */
  verdict() {
    const history = this.histories.get(this.stage.branch);
    if (!history) return;
    const said = [];
    const row = history.rows[history.rows.length - 1];
    if (row && row.r_t != null && row.step > 20) {
      if (row.r_t > 0.9) said.push(`r_t is ${row.r_t.toFixed(2)}: D is sure of nearly every training image; G gets little to learn from.`);
      else if (row.r_t > 0.6) said.push(`r_t is ${row.r_t.toFixed(2)}: D begins to know its images by heart.`);
      else said.push(`r_t is ${row.r_t.toFixed(2)}: D is still unsure, a healthy contest.`);
    }
    const found = history.quality[history.quality.length - 1];
    if (found && found.copying != null) {
      const share = found.copying;
      said.push(`Memorised? ${share.toFixed(2)}: ${share > 0.75 ? "yes, pictures are mostly nearer to training images than fresh images are." : share > 0.6 ? "some pictures are suspiciously near to training images." : "no sign of it."}`);
    }
    if (found && found.warning) said.push(found.warning);
    this.find("verdict").textContent = said.join(" ");
  }

  /** The settings that may change while it trains. */
  form() {
    const { now } = this.state;
    const key = JSON.stringify([now.lr_g, now.lr_d, now.penalties, now.d_steps, now.ada_target]);
    if (this.knobs === key || (this.knobs && [...this.find("knobs").children].some((row) => row.busy && row.busy()))) return;
    this.knobs = key;
    const set = (path) => (value, final) => final && value != null && this.send({ do: "set", path, value });
    const rows = this.schema.knobs
      .filter((field) => !field.augment || field.augment === now.augment)
      .map((field) => control(field, now[field.name], set(field.name)));
    now.penalties.forEach((penalty, i) => rows.push(control({ ...this.schema.weight, label: `weight of ${penalty.name.toUpperCase()}` }, penalty.weight, set(`penalties.${i}.weight`))));
    this.find("knobs").replaceChildren(...rows);
  }

  explore(message) {
    const page = new URL("latent", location.href.replace(/[^/]*$/, ""));
    page.searchParams.set("recipe", message.link);
    location.href = page;
  }

  download(message) {
    const url = serverUrl("train/generator");
    url.search = new URLSearchParams({ room: this.room, key: this.key, branch: message.branch, step: message.step });
    const a = make("a");
    a.href = url;
    a.download = "";
    a.click();
  }
}

/** Links, run.json, Python. */
class TrainShare {
  constructor(lab) {
    this.lab = lab;
    const dialog = lab.find("share-dialog");
    lab.find("share").onclick = () => {
      const at = location.origin + location.pathname;
      lab.find("link").value = `${at}?run=${lab.about.link}`;
      lab.find("watch").value = `${at}?watch=${lab.room}`;
      if (lab.key) lab.send({ do: "python" });
      else lab.find("python").textContent = "Only the one who started it is told.";
      dialog.showModal();
    };
    lab.find("close-share").onclick = () => dialog.close();
    dialog.onclick = (event) => event.target === dialog && dialog.close();
    for (const button of dialog.querySelectorAll("[data-copy]")) button.onclick = () => copyField(lab.find(button.dataset.copy), button);
    lab.find("json").onclick = () => lab.state && saveFile("run.json", new Blob([JSON.stringify(lab.state.run, null, 2)], { type: "application/json" }));
  }

  python(text) {
    this.lab.find("python").textContent = text;
  }
}
