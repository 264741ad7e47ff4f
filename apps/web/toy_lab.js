// The page: joins the line to the server, the panels, the charts, the time line and the forms.

class ToyLab {
  constructor(root, schema) {
    this.root = root;
    this.schema = schema;
    this.find = (name) => root.querySelector(`[data-toy="${name}"]`);
    this.teller = new Toast(root, this.find("toast"));
    this.panels = [];
    this.selected = 0;
    this.histories = new Map(); // branch -> rows
    this.alarms = new Map(); // branch -> alarms
    this.painted = 0;
    this.charts = new Charts(this.find("charts"));
    this.ganForm = new GanForm(this.find("gan"), schema, (path, value, all) => this.send({ do: "set", path, value, gan: all ? null : this.selected }));
    this.ganForm.command = (command) => this.send(command);
    this.ganForm.onpick = (k) => this.select(k);
    this.dataForm = new DataForm(this.find("data"), schema, (command) => this.send(command), (text) => this.toast(text, "error"));
    this.buttons();
    this.menus();
    const query = new URLSearchParams(location.search);
    this.wanted = query.get("run"); // a shared run, loaded once the room is open
    this.link = new Link(
      { room: query.get("watch"), key: null },
      {
        message: (m) => this.hear(m),
        frame: (h, s) => this.arrive(h, s),
        file: (h, blob) => this.save(h.name, blob),
        status: (text) => this.toast(text, "error", true),
      },
    );
    this.loop = requestAnimationFrame(() => this.draw());
    new ResizeObserver(() => (this.fresh = this.stale = true)).observe(root);
    window.addEventListener("pagehide", () => this.link.close());
  }

  send(command) {
    if (this.ended && ["step", "fork", "scrub", "set", "regularize", "view", "branch", "film", "points", "python"].includes(command.do))
      return this.toast("The trainer is stopped; press Play to start the run again.", "error");
    if (this.watching) return this.toast("You are watching this run; only the one who opened it can change it.", "error");
    this.link.send(command);
  }

  // what the server says

  hear(message) {
    const heard = {
      hello: (m) => this.enter(m),
      scene: (m) => {
        if (this.scene && this.scene.number === m.number) return; // another viewer came
        this.scene = m;
        this.histories.clear();
        this.alarms.clear();
        this.frame = null;
      },
      state: (m) => this.setState(m),
      history: (m) => {
        this.histories.set(m.branch, m.rows);
        this.alarms.set(m.branch, m.alarms);
        this.stale = true;
      },
      rows: (m) => this.addRows(m),
      error: (m) => {
        this.ganForm.refused = this.refusedEntry = true; // the state that follows shows again what is true
        this.dataForm.shown = "";
        this.toast(m.text, "error");
      },
      notice: (m) => this.toast(m.text, "notice"),
      python: (m) => this.share.showPython(m.text),
      stopped: (m) => this.stopped(m),
      refused: (m) => this.refused(m.text),
    }[message.type];
    if (heard) heard(message);
  }

  enter(message) {
    this.watching = !message.key;
    this.root.classList.toggle("watching", this.watching);
    this.toast("", "error", true);
    const run = this.wanted;
    this.wanted = null;
    if (run && !this.watching) this.link.send({ do: "run", link: run });
    else if (this.state && message.fresh && !this.watching) {
      // the line broke and the room is gone: the run is small, so it is trained again up to where it was
      this.toast("The line to the server broke; the run is trained again to where it was.", "notice");
      this.link.send({ do: "run", run: this.state.run, step: this.frame ? this.frame.header.step : 0 });
    }
  }

  setState(state) {
    const before = this.state;
    this.state = state;
    this.ended = false;
    this.find("waiting").hidden = true;
    const names = state.now.map((gan) => gan.name);
    if (this.selected >= names.length) this.selected = 0;
    while (this.panels.length < names.length) {
      const panel = new Panel(this.panels.length, { select: (k) => this.select(k), remove: (k) => this.send({ do: "remove", gan: k }) });
      this.panels.push(panel);
      this.find("stage").append(panel.root);
    }
    while (this.panels.length > names.length) this.panels.pop().root.remove();
    this.find("stage").dataset.count = names.length;
    for (const panel of this.panels) panel.kind = state.view.heat;
    this.panels.forEach((panel, k) => panel.name(names[k], k === this.selected, names.length === 1));
    this.ganForm.show(state.now, this.selected, names);
    this.dataForm.show(state.run.data);
    this.showPlaying(state.playing);
    if (state.playing && this.told) this.toast("", "notice");
    this.told = false; // that the trainer is stopped
    this.showSpeed(String(state.speed));
    this.find("turn").value = new Set(state.now.map((g) => g.update)).size === 1 ? state.now[0].update : "";
    if (document.activeElement !== this.find("seed") || this.refusedEntry) this.find("seed").value = state.run.seed;
    this.refusedEntry = false;
    this.find("heat").value = state.view.heat;
    this.find("arrows").checked = state.view.arrows;
    this.find("lattice").checked = state.view.lattice;
    this.showBranches();
    this.stale = this.fresh = true;
  }

  addRows(message) {
    const rows = this.histories.get(message.branch) || [];
    rows.push(...message.rows);
    if (rows.length > 3000) rows.splice(0, rows.length, ...rows.filter((_, i) => i % 2 === 0));
    this.histories.set(message.branch, rows);
    const alarms = this.alarms.get(message.branch) || [];
    alarms.push(...message.alarms);
    this.alarms.set(message.branch, alarms);
    if (message.alarms.length && this.state) this.showMarks(); // else they are drawn once it has come
    this.stale = true;
  }

  arrive(header, sections) {
    this.unacknowledged = true;
    this.frame = { header, sections };
    this.fresh = true;
  }

  // drawing

  draw() {
    this.loop = requestAnimationFrame(() => this.draw());
    if (!this.root.isConnected) return this.leave();
    if (this.fresh && this.frame && this.scene && this.state) {
      this.fresh = false;
      const { header, sections } = this.frame;
      if (header.gans.length === this.panels.length && (header.scene == null || header.scene === this.scene.number)) {
        for (const panel of this.panels) panel.paint(this.scene, sections);
        this.describe(header);
        this.painted += 1;
        this.root.dataset.painted = this.painted;
        this.root.dataset.step = header.step;
        this.behind = Date.now() / 1000 - header.t;
        this.root.dataset.behind = Math.round(1000 * this.behind);
      }
    }
    if (this.unacknowledged) {
      this.unacknowledged = false; // painted or passed over: the next one may come
      this.link.painted();
    }
    const now = performance.now();
    if (this.stale && now - (this.charted || 0) > 200 && this.scene && this.state) {
      this.stale = false;
      this.charted = now;
      this.charts.draw(
        this.scene.charted,
        this.histories,
        this.state.branch,
        this.panels.length,
        this.frame ? this.frame.header.step : this.state.step,
        this.frame && this.frame.header.singular,
        this.selected,
      );
      this.showMarks();
      this.root.dataset.curves = this.histories.size;
    }
  }

  describe(header) {
    this.find("step").textContent = header.step.toLocaleString("en");
    this.find("rate").textContent = header.playing && header.rate && this.state.speed === "max" ? `${Math.round(header.rate).toLocaleString("en")} steps/s` : "";
    this.showPhase(header.phase);
    const alarms = this.alarms.get(header.branch) || [];
    this.panels.forEach((panel, k) => {
      panel.measure(header.gans[k]);
      panel.turn(header.phase, this.state.formulas[k]);
      panel.warn(alarms.filter((a) => a.gan === k && a.step <= header.step && header.on[k].includes(a.kind)).at(-1));
    });
    const line = this.find("timeline");
    if (!this.scrubbing) {
      line.max = Math.max(this.state.step, header.step, Number(this.state.scrubbed ? line.max : 0), 1);
      line.value = header.step;
    }
  }

  showSpeed(speed) {
    const list = this.find("speed");
    if (![...list.options].some((option) => option.value === speed)) list.add(new Option(`${speed} steps/s`, speed), list.options.length - 1);
    list.value = speed;
  }

  showPhase(phase) {
    this.root.dataset.phase = phase || "";
  }

  showMarks() {
    const marks = this.find("marks");
    const last = Number(this.find("timeline").max) || 1;
    marks.replaceChildren();
    const mark = (step, kind, text, jump = step) => {
      const tick = make("button", "toy-mark " + kind);
      tick.style.left = `${Math.min(100, (100 * step) / last)}%`;
      tick.title = `step ${step.toLocaleString("en")}: ${text}`;
      tick.setAttribute("aria-label", tick.title);
      tick.onclick = () => this.scrub(jump);
      marks.append(tick);
    };
    const names = this.state.now.map((g) => g.name);
    for (const e of this.state.run.events) mark(e.step, "event", `${e.gan == null ? "all" : names[e.gan]}: ${e.path.replaceAll("_", " ")} = ${typeof e.value === "object" ? "changed" : e.value}`);
    for (const a of this.alarms.get(this.state.branch) || []) mark(a.step, a.tone, `${names[a.gan]}: ${a.text}`);
    const branch = this.state.branches.find((b) => b.id === this.state.branch);
    if (branch && branch.parent != null) mark(branch.at, "fork", "forked here");
  }

  showBranches() {
    const box = this.find("branches");
    box.replaceChildren();
    box.hidden = this.state.branches.length < 2;
    if (box.hidden) return;
    box.append(make("span", "", "Branches:"));
    for (const branch of this.state.branches) {
      const chip = make("button", branch.id === this.state.branch ? "on" : "", `${String.fromCharCode(65 + branch.id)} ${branch.label}`);
      chip.title = `Branch at step ${branch.step.toLocaleString("en")}; its curves stay in the charts as thin lines`;
      chip.onclick = () => this.send({ do: "branch", id: branch.id });
      box.append(chip);
    }
  }

  showPlaying(playing) {
    const button = this.find("play");
    button.textContent = playing ? "❚❚ Pause" : "▶ Play";
    button.setAttribute("aria-pressed", playing);
    this.root.dataset.playing = playing;
  }

  select(k) {
    this.selected = k;
    this.tab("gan");
    if (this.state) this.setState(this.state);
  }

  stopped(message) {
    this.ended = true;
    if (this.state) this.state.playing = false;
    this.showPlaying(false);
    this.told = true;
    this.toast(message.text, "notice");
  }

  /** The server does not let us in: say why, where the race would stand. */
  refused(text) {
    const box = this.find("waiting");
    box.hidden = false;
    box.replaceChildren(make("span", "", text));
    const own = make("a", "toy-own", "Open a run of my own");
    own.href = location.pathname;
    box.append(own);
    this.root.classList.add("shut");
    this.toast("", "error", true);
  }

  // what the user does

  buttons() {
    const click = (name, act) => (this.find(name).onclick = act);
    const change = (name, act) => (this.find(name).onchange = (event) => act(event.target));
    click("play", () => this.send({ do: this.state && this.state.playing ? "pause" : "play" }));
    click("one", () => this.send({ do: "step" }));
    click("reset", () => this.send({ do: "reset" }));
    click("stop", () => this.send({ do: "stop" }));
    change("speed", (e) => this.send({ do: "speed", value: Number.isNaN(Number(e.value)) ? e.value : Number(e.value) }));
    change("turn", (e) => e.value && this.send({ do: "set", path: "update", value: e.value, gan: null }));
    change("seed", (e) => this.send({ do: "seed", value: Number(e.value) }));
    const view = () => this.send({ do: "view", view: { heat: this.find("heat").value, arrows: this.find("arrows").checked, lattice: this.find("lattice").checked } });
    for (const name of ["heat", "arrows", "lattice"]) change(name, view);
    const line = this.find("timeline");
    let waiting = null;
    line.oninput = () => {
      this.scrubbing = true;
      clearTimeout(waiting);
      waiting = setTimeout(() => this.scrub(Number(line.value)), 40);
    };
    line.onchange = () => {
      clearTimeout(waiting);
      this.scrub(Number(line.value));
      setTimeout(() => (this.scrubbing = false), 300);
    };
    click("now", () => this.send({ do: "scrub", step: null }));
    click("fork", () => {
      this.send({ do: "fork", step: this.frame ? this.frame.header.step : null });
      this.tab("gan");
      this.toast("A new branch starts here. Change a setting and press Play; the old branch stays in the charts.", "notice");
    });
    for (const tab of this.root.querySelectorAll("[data-tab]")) tab.onclick = () => this.tab(tab.dataset.tab);
    this.share = new ShareDialog(this);
    this.root.addEventListener("keydown", (event) => {
      if (event.target.matches("input, select, textarea, button")) return;
      if (event.key === " ") {
        event.preventDefault();
        this.find("play").click();
      } else if (event.key === ".") this.find("one").click();
    });
  }

  scrub(step) {
    this.send({ do: "scrub", step });
  }

  tab(name) {
    for (const tab of this.root.querySelectorAll("[data-tab]")) tab.setAttribute("aria-selected", tab.dataset.tab === name);
    for (const page of this.root.querySelectorAll("[data-page]")) page.hidden = page.dataset.page !== name;
  }

  menus() {
    const list = this.find("experiments");
    for (const [name, row] of Object.entries(this.schema.experiments)) {
      const card = make("button", "toy-card");
      card.dataset.name = name;
      card.append(make("b", "", row.title), make("span", "", row.text));
      card.onclick = () => {
        for (const other of list.children) other.classList.toggle("on", other === card);
        this.ganForm.refused = true;
        this.send({ do: "experiment", name });
        this.send({ do: "speed", value: row.speed });
        this.send({ do: "play" });
        if (matchMedia("(max-width: 900px)").matches) this.root.scrollIntoView({ behavior: "smooth" });
      };
      list.append(card);
    }
    const dirac = make("a", "toy-card");
    dirac.href = "./dirac";
    dirac.append(make("b", "", "R1 on the Dirac-GAN →"), make("span", "", "The smallest GAN, two numbers, has a lab of its own. There you see why plain training circles for ever and R1 brings it home."));
    list.append(dirac);
    const add = this.find("add");
    for (const [name, row] of Object.entries(this.schema.presets)) {
      const option = new Option(row.title, name);
      option.title = row.text;
      add.append(option);
    }
    add.onchange = () => {
      this.send({ do: "add", preset: add.value });
      add.value = "";
    };
  }

  save(name, blob) {
    saveFile(name, blob);
    this.root.dataset.saved = `${name} ${blob.size}`;
  }

  /** A sentence for the user; an empty one clears it. */
  toast(text, kind, sticky = false) {
    this.teller.say(text, kind, sticky);
  }

  leave() {
    cancelAnimationFrame(this.loop);
    this.link.close();
  }
}
