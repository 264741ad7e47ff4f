// The side panel: experiments, data, and the settings of one GAN, all made from the tables that Python sends.

/** The settings of the chosen GAN. */
class GanForm {
  constructor(root, schema, send) {
    this.root = root;
    this.schema = schema;
    this.send = send; // (path, value, all)
    this.rows = {};
    this.shown = "";
    this.refused = false; // show the true values even under the cursor
  }

  show(gans, k, names) {
    const gan = gans[k];
    this.gans = gans;
    this.k = k;
    const shape = JSON.stringify([k, names, gan.penalties.map((p) => p.name)]);
    if (shape !== this.shown) this.build(gan, k, names);
    this.shown = shape;
    for (const [path, row] of Object.entries(this.rows)) {
      const value = path.split(".").reduce((at, key) => at[key], gan);
      if (this.refused || !row.busy || !row.busy()) row.show(value);
    }
    this.refused = false;
  }

  /** Asks for one edit of a regularizer, by its name, in the chosen GAN or all: the server knows the newest settings. */
  regularize(edit, name, more = {}) {
    this.command({ do: "regularize", edit, name, gan: this.all.checked ? null : this.k, ...more });
  }

  build(gan, k, names) {
    const ticked = this.all ? this.all.checked : false;
    const open = new Map([...this.root.querySelectorAll("details")].map((d) => [d.firstChild.textContent, d.open]));
    this.root.replaceChildren();
    this.rows = {};
    const head = make("div", "toy-form-head");
    const pick = make("select");
    pick.setAttribute("aria-label", "GAN whose settings are shown");
    names.forEach((name, i) => pick.append(new Option(`${i + 1}. ${name}`, i, false, i === k)));
    pick.onchange = () => this.onpick(Number(pick.value));
    const all = make("label", "toy-all");
    this.all = make("input");
    this.all.type = "checkbox";
    this.all.checked = ticked;
    all.append(this.all, " change all GANs");
    all.hidden = names.length === 1;
    head.append(pick, all);
    this.root.append(head);
    for (const group of this.schema.groups) {
      const box = make("details");
      box.open = open.get(group) ?? (group !== "Tricks" && group !== "Networks");
      box.append(make("summary", "", group));
      for (const field of this.schema.gan.filter((f) => f.group === group)) box.append(this.row(field, gan[field.name]));
      if (group === "Loss") this.penalties(box, gan);
      this.root.append(box);
    }
    this.root.append(make("p", "toy-hint", "↺ starts the run again; everything else changes while it trains and is marked on the time line."));
  }

  row(field, value, path = field.name, send = (v) => this.send(path, v, this.all.checked)) {
    let timer = null;
    const row = control(field, value, (v, final) => {
      if (v === null) return;
      if (field.live === false && !final) return;
      clearTimeout(timer);
      timer = setTimeout(() => send(v), final ? 0 : 120);
    });
    this.rows[path] = row;
    return row;
  }

  penalties(box, gan) {
    const live = true;
    gan.penalties.forEach((penalty, i) => {
      const item = make("div", "toy-penalty");
      const title = make("div", "toy-penalty-head", this.schema.regularizers[penalty.name].title);
      const drop = make("button", "toy-x", "×");
      drop.title = "Remove this regularizer";
      drop.onclick = () => this.regularize("remove", penalty.name);
      const tune = (key) => (v) => this.regularize("tune", penalty.name, { setting: key, value: v });
      title.append(drop);
      item.append(
        title,
        this.row({ ...this.schema.penalty.weight, name: "weight", live }, penalty.weight, `penalties.${i}.weight`, tune("weight")),
        this.row({ ...this.schema.penalty.interval, name: "interval", live }, penalty.interval, `penalties.${i}.interval`, tune("interval")),
      );
      box.append(item);
    });
    const add = make("select", "toy-add-penalty");
    add.append(new Option("+ add a regularizer…", ""));
    for (const [name, row] of Object.entries(this.schema.regularizers))
      if (!gan.penalties.some((p) => p.name === name)) add.append(new Option(row.title, name));
    add.onchange = () => this.regularize("add", add.value);
    box.append(add);
  }
}

/** The choice of data: a built-in density and its shape, a drawing, a file, a picture. */
class DataForm {
  constructor(root, schema, send, fail) {
    this.root = root;
    this.schema = schema;
    this.send = send; // (command)
    this.fail = fail; // (sentence)
    this.shown = "";
    this.points = [];
  }

  show(data) {
    const shape = JSON.stringify(data);
    if (shape === this.shown) return;
    this.shown = shape;
    this.root.replaceChildren();
    const kinds = this.schema.densities;
    const pick = make("select", "toy-density");
    pick.setAttribute("aria-label", "Density");
    for (const [name, row] of Object.entries(kinds)) {
      if (row.given && name !== data.name) continue;
      pick.append(new Option(row.dim === 1 && !row.title.includes("1D") ? row.title + " (1D)" : row.title, name, false, name === data.name));
    }
    pick.onchange = () => this.send({ do: "data", data: { name: pick.value } });
    this.root.append(pick, make("p", "toy-hint", kinds[data.name].description));
    for (const name of kinds[data.name].uses) {
      const field = this.schema.data[name];
      if (!field) continue;
      const start = data[name] ?? kinds[data.name].defaults[name];
      this.root.append(control({ ...field, name }, start, (v, final) => final && v !== null && this.send({ do: "data", data: this.without({ ...data, [name]: v }) })));
    }
    if (kinds[data.name].uses.includes("weights")) this.root.append(this.weights(data));
    this.root.append(this.pad(), this.files());
  }

  without(data) {
    return Object.fromEntries(Object.entries(data).filter(([, v]) => v !== null && v !== "" && !(Array.isArray(v) && !v.length)));
  }

  weights(data) {
    const row = make("label", "toy-field wide");
    row.title = "Sizes of the modes, for example 1 1 4; repeated as needed. Empty: all equal.";
    row.append(make("span", "", "mode weights"));
    const text = make("input");
    text.placeholder = "all equal";
    text.value = (data.weights || []).join(" ");
    text.onchange = () => {
      const weights = text.value.split(/[\s,;]+/).filter(Boolean).map(Number);
      if (weights.some(Number.isNaN)) return this.fail("Mode weights must be numbers, for example: 1 1 4.");
      this.send({ do: "data", data: this.without({ ...data, weights }) });
    };
    row.append(text);
    return row;
  }

  /** Draw a density with the mouse or a finger. */
  pad() {
    const box = make("details", "toy-pad");
    box.open = this.padOpen;
    box.ontoggle = () => (this.padOpen = box.open);
    box.append(make("summary", "", "Draw your own"));
    const canvas = make("canvas");
    canvas.width = canvas.height = 280;
    canvas.setAttribute("aria-label", "Drawing area");
    const c = canvas.getContext("2d");
    const redraw = () => {
      c.clearRect(0, 0, 280, 280);
      c.fillStyle = REAL;
      for (const [x, y] of this.points) c.fillRect((x + 1) * 140 - 2, (1 - y) * 140 - 2, 4, 4);
      if (!this.points.length) {
        c.fillStyle = "#888";
        c.font = "13px sans-serif";
        c.textAlign = "center";
        c.fillText("draw here with mouse or finger", 140, 144);
      }
    };
    let last = null;
    const spot = (event) => {
      const box = canvas.getBoundingClientRect();
      const unit = (v) => Math.max(-1, Math.min(1, Math.round(v * 1000) / 1000));
      return [unit(((event.clientX - box.left) / box.width) * 2 - 1), unit(1 - ((event.clientY - box.top) / box.height) * 2)];
    };
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      last = spot(event);
      this.points.push(last);
      redraw();
    };
    canvas.onpointermove = (event) => {
      if (!last) return;
      const now = spot(event);
      const steps = Math.ceil(Math.hypot(now[0] - last[0], now[1] - last[1]) / 0.02);
      for (let i = 1; i <= steps; i++) this.points.push([0, 1].map((d) => Math.round((last[d] + ((now[d] - last[d]) * i) / steps) * 1000) / 1000));
      if (steps) last = now;
      redraw();
    };
    canvas.onpointerup = canvas.onpointercancel = () => (last = null);
    const buttons = make("div", "toy-buttons");
    const learn = make("button", "primary", "Learn this drawing");
    learn.onclick = () => this.send({ do: "draw", points: this.points });
    const clear = make("button", "", "Clear");
    clear.onclick = () => {
      this.points = [];
      redraw();
    };
    buttons.append(learn, clear);
    box.append(canvas, buttons);
    redraw();
    return box;
  }

  files() {
    const box = make("details", "toy-files");
    box.open = this.filesOpen;
    box.ontoggle = () => (this.filesOpen = box.open);
    box.append(make("summary", "", "Upload points or a picture"));
    const add = (kind, accept, text, said, hint) => {
      const label = fileButton(text, accept, said, (file) => this.upload(kind, file));
      box.append(label, make("p", "toy-hint", hint));
    };
    add("points", ".csv,.tsv,.txt,.npy", "Points…", "Upload points", "CSV, TSV or NPY with two columns, x and y; at most 20 MB.");
    add("picture", ".png,.jpg,.jpeg,.webp", "Picture…", "Upload a picture", "PNG, JPEG or WebP; dark pixels become the density.");
    return box;
  }

  async upload(kind, file) {
    if (file.size > this.schema.most_upload) return this.fail("This file is larger than 20 MB; use a smaller one.");
    const url = serverUrl("toy/upload");
    url.searchParams.set("kind", kind);
    try {
      const answer = await fetch(url, { method: "POST", body: file });
      const message = await answer.json();
      if (message.error) return this.fail(message.error);
      this.send({ do: "data", data: message.data });
    } catch {
      this.fail("The file could not be sent. Is the server still running?");
    }
  }
}
