// The shell that all image labs share: joins the recipe, the line, the picture, the history and the lab's own panel.

const SLOW = 150; // ms from which a model's early picture is shown first
const HELD = 16; // finished pictures kept, so that undo is instant

class Studio {
  constructor(root, schema, Panel) {
    this.root = root;
    this.schema = schema;
    this.find = (name) => root.querySelector(`[data-st="${name}"]`);
    this.find("title").textContent = schema.title;
    this.find("lead").textContent = schema.lead;
    this.teller = new Toast(root, this.find("toast"));
    this.stage = new Stage(this.find("frame"));
    this.held = new Map(); // recipe as text -> bitmap
    this.facts = null;
    this.times = [];
    this.lags = [];
    this.store = new Store(schema.defaults, (what) => this.changed(what));
    this.history = new HistoryStrip(this, this.find("history"));
    this.layers = new LayerViewer(this);
    this.pump = new Pump((wish) => this.paint(wish));
    this.line = new Line({ opened: () => this.opened(), status: (text) => this.toast(text, "error", true) });
    this.files = new StudioFiles(this);
    this.panel = new Panel(this, this.find("side"), this.find("bench"), this.find("under"));
    this.buttons();
    this.keys();
    this.links();
    this.history.draw();
    addEventListener("pagehide", () => this.store.saveNow());
  }

  // the model

  async opened() {
    this.toast("", "notice", true);
    try {
      const [menu] = await this.line.ask({ do: "models" }).answer;
      this.menu(menu.models);
      const first = !this.facts;
      const query = new URLSearchParams(location.search);
      const given = first && query.get("recipe");
      const begun = given && this.store.fresh && (await this.beginWith(given));
      await this.openModel(this.store.recipe.model, true);
      if (given && !begun) await this.files.use({ link: given, kind: "recipe" });
      if (first && query.get("film")) await this.files.use({ link: query.get("film"), kind: "film" });
    } catch (error) {
      this.fail(error);
    }
  }

  /** A page that was opened by a link has its picture as the first one. */
  async beginWith(link) {
    try {
      const [{ settings }] = await this.line.ask({ do: "link", link }).answer;
      this.store.begin((recipe) => Object.assign(recipe, settings, { sha256: "" }));
      return true;
    } catch {
      return false; // told once a model is open
    }
  }

  menu(models) {
    this.models = models;
    const kinds = { shipped: "Shipped", local: "From the folder", trained: "Trained here", uploaded: "Opened here", zoo: "To download" };
    const list = this.find("model");
    list.replaceChildren();
    for (const [kind, title] of Object.entries(kinds)) {
      const rows = models.filter((model) => model.kind === kind);
      if (!rows.length) continue;
      const group = make("optgroup");
      group.label = title;
      for (const model of rows) {
        const option = new Option(model.ready ? model.title : `↓ ${model.title}`, model.name);
        option.title = model.text;
        group.append(option);
      }
      list.append(group);
    }
    if (!models.length) this.wait("There is no model on this server yet. Open a model file (.safetensors, .pkl, .pt): drop it on this page.");
  }

  wait(text) {
    this.find("waiting").hidden = !text;
    this.find("waiting").textContent = text;
  }

  /** Opens a model; the recipe stays, as far as it means something there. */
  async openModel(name, quiet = false) {
    if (!this.models.length) return;
    try {
      const row = this.models.find((model) => model.name === name);
      if (row && !row.ready) await this.download(row);
      const [{ facts }] = await this.line.ask({ do: "open", model: name || "" }).answer;
      this.facts = facts;
      this.line.model = facts.name;
      if (![...this.find("model").options].some((option) => option.value === facts.name)) this.menu((await this.line.ask({ do: "models" }).answer)[0].models);
      if (![...this.find("model").options].some((option) => option.value === facts.name)) this.find("model").append(new Option(facts.title, facts.name)); // a public server lists no trained ones
      this.find("model").value = facts.name;
      this.find("lock-classes").hidden = !facts.c_dim;
      this.layers.facts(facts);
      this.wait("");
      if (!this.store.recipe.model) this.store.begin((recipe) => this.fit(Object.assign(recipe, { sources: [{ ...recipe.sources[0], ...facts.first }] }), facts));
      else if (this.store.recipe.model !== facts.name) {
        this.fit((this.store.recipe = copy(this.store.recipe)), facts);
        this.store.step();
      }
      this.panel.facts(facts);
      this.changed("settled");
    } catch (error) {
      if (quiet && this.store.recipe.model) {
        this.fail(error);
        this.store.begin((recipe) => (recipe.model = ""));
        return this.openModel("");
      }
      if (this.facts) this.find("model").value = this.facts.name;
      else this.wait(error.message);
      this.fail(error);
    }
  }

  /** What another model has no use for is dropped. */
  fit(recipe, facts) {
    recipe.model = facts.name;
    recipe.sha256 = "";
    const plain = (source) => ({ ...source, latent: "", recipe: null, classes: source.classes.filter((share) => share.index < facts.c_dim) });
    recipe.sources = recipe.sources.map(plain);
    recipe.mixes = recipe.mixes.map((mix) => ({ ...mix, source: plain(mix.source), layers: mix.layers.filter((row) => row < facts.num_ws) }));
    if (recipe.cutoff != null) recipe.cutoff = Math.min(recipe.cutoff, facts.num_ws);
    recipe.noise.strength = recipe.noise.strength.slice(0, facts.noises.length);
    recipe.noise.pins = recipe.noise.pins.filter((pin) => pin.layer < facts.noises.length);
    recipe.noise.maps = "";
    if (!facts.moves) recipe.place = { right: 0, down: 0, turn: 0 };
    recipe.edits = []; // directions are one model's own
  }

  /** The picture is another model's, as after an undo: that one is opened, or the step is taken back. */
  async follow() {
    const [wanted, back] = [this.store.recipe.model, this.stood];
    await this.openModel(wanted);
    if (this.facts.name !== wanted && this.store.recipe.model === wanted && this.store.nodes.has(back)) this.store.go(back);
  }

  async download(row) {
    const job = this.line.ask({ do: "download", name: row.name }, (part) => this.toast(`Downloading ${row.title}: ${Math.floor((100 * part.done) / Math.max(1, part.of))} %`, "notice", true));
    const [menu] = await job.answer;
    this.toast("", "notice", true);
    this.menu(menu.models);
  }

  // pictures

  changed(what) {
    if (this.facts && what === "settled") {
      if (!this.store.recipe.model) this.store.begin((recipe) => (recipe.model = this.facts.name));
      if (this.store.recipe.model !== this.facts.name) return this.follow();
      this.stood = this.store.at;
    }
    if (what === "recipe" || what === "settled") this.show(what === "settled");
    if (what === "film" && this.panel.film) this.panel.film();
    if (what === "settled") {
      this.history.draw();
      this.store.save();
    }
    this.find("undo").disabled = !this.store.nodes.has(this.store.node.parent);
    this.find("redo").disabled = !this.store.nodes.has(this.store.node.last);
  }

  show(final) {
    if (!this.facts) return;
    this.panel.show(this.store.recipe);
    const recipe = this.store.recipe;
    const held = final && this.held.get(JSON.stringify(recipe));
    if (held) {
      this.stage.show(held, this.facts.resolution);
      this.moment = null;
    }
    if (!final) this.line.hush();
    if (!held) this.pump.want({ recipe, preview: !final, since: performance.now() });
    this.compareNow();
    if (!final) return;
    this.layers.draw();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.panel.settled(this.store.recipe), 60);
    if (held) this.painted(recipe, held);
  }

  async paint(wish) {
    try {
      const { recipe, film, at, preview } = wish;
      if (!preview && !film && this.slow) await this.early(recipe);
      const answer = await this.line.ask({ do: "render", preview, ...(film ? { film, at } : { recipe }) }).answer;
      const [header, blob] = answer;
      if (header.type === "dropped") return;
      const bitmap = await createImageBitmap(blob);
      this.stage.show(bitmap, film || header.preview ? this.facts.resolution : 0);
      this.count(header, wish);
      if (!preview && !film) {
        const text = JSON.stringify(recipe);
        this.held.set(text, bitmap);
        if (this.held.size > HELD) this.held.delete(this.held.keys().next().value);
        this.painted(recipe, bitmap);
      }
    } catch (error) {
      if (!wish.film && error instanceof Refusal) this.store.refuse(wish.recipe);
      this.fail(error);
    }
  }

  /** Of a large model the small early picture, so that something is seen while the rest is computed. */
  async early(recipe) {
    const [header, blob] = await this.line.ask({ do: "render", preview: true, recipe }).answer;
    if (header.type === "picture") this.stage.show(await createImageBitmap(blob), this.facts.resolution);
  }

  /** A finished picture is on the screen: its small copy goes into the history. */
  painted(recipe, bitmap) {
    const node = this.store.node;
    if (JSON.stringify(node.recipe) !== JSON.stringify(recipe)) return;
    if (!node.thumb) {
      node.thumb = this.stage.thumb();
      this.history.draw();
      this.store.save();
    }
    this.root.dataset.settled = Number(this.root.dataset.settled || 0) + 1;
  }

  /** Figures under the picture, and for tests: milliseconds from the slider to the screen. */
  count(header, wish) {
    const now = performance.now();
    if (!header.preview && !wish.film && header.start === 0) this.slow = header.ms > SLOW;
    this.times = [...this.times.filter((t) => now - t < 1000), now];
    const lag = now - wish.since;
    if (wish.preview) this.lags.push([lag, header.ms]);
    const rate = this.times.length > 3 ? ` · ${this.times.length} pictures/s` : "";
    const preview = header.preview ? " · preview" : "";
    this.moment = wish.film ? { film: wish.film, at: wish.at } : null; // what is on show is not the recipe
    const film = wish.film ? `film at ${wish.at.toFixed(2)} s · ` : "";
    this.find("status").textContent = `${film}${header.w} × ${header.h} · ${header.ms.toFixed(0)} ms, ${header.start ? (header.start_name === "nothing" ? "nothing to compute" : `from ${header.start_name}`) : "from the start"}${rate}${preview}`;
    this.find("status").title = `${lag.toFixed(0)} ms from the control to the screen`;
    this.root.dataset.painted = Number(this.root.dataset.painted || 0) + 1;
  }

  /** A recipe from outside, checked by the server: another model is opened for it. */
  async adopt(recipe) {
    this.store.load({ ...recipe, model: recipe.model || this.facts.name, sha256: "" });
    return true;
  }

  signed() {
    return { ...this.store.recipe, model: this.facts ? this.facts.name : "", sha256: this.facts ? this.facts.sha256 : "" };
  }

  // before and after

  compare(id) {
    this.before = id;
    this.wiping = true;
    this.compareNow();
  }

  async compareNow() {
    this.find("wipe").setAttribute("aria-pressed", !!this.wiping);
    if (!this.wiping) return this.stage.wipe(null);
    const { store } = this;
    const node = store.nodes.get(this.before) || store.nodes.get(store.node.parent);
    if (!node) {
      this.wiping = false;
      this.toast("There is no picture before this one yet: change something first.", "notice");
      return this.compareNow();
    }
    this.before = node.id;
    const text = JSON.stringify(node.recipe);
    if (this.wiped === text && !this.stage.before.hidden) return;
    let bitmap = this.held.get(text);
    if (!bitmap)
      try {
        let blob = null;
        await this.line.ask({ do: "many", recipes: [node.recipe], side: 1024 }, (_, b) => (blob = b)).answer;
        bitmap = await createImageBitmap(blob);
      } catch (error) {
        return this.fail(error);
      }
    this.wiped = text;
    this.stage.wipe(bitmap);
  }

  // what the user does

  buttons() {
    const click = (name, act) => (this.find(name).onclick = act);
    click("undo", () => this.store.undo());
    click("redo", () => this.store.redo());
    click("random", () => this.random());
    click("wipe", () => {
      this.wiping = !this.wiping;
      this.before = null;
      if (this.moment) this.show(true);
      else this.compareNow();
    });
    click("help", () => this.find("help-dialog").showModal());
    this.find("model").onchange = (event) => this.openModel(event.target.value);
    this.find("pixels").onchange = (event) => this.root.classList.toggle("pixels", event.target.checked);
    for (const box of this.root.querySelectorAll("[data-lock]")) {
      box.checked = this.store.locks[box.dataset.lock];
      box.onchange = () => {
        this.store.locks[box.dataset.lock] = box.checked;
        this.showLocks();
        this.store.save();
      };
    }
    this.showLocks();
    const menu = this.root.querySelector(".studio-locks");
    document.addEventListener("pointerdown", (event) => menu.contains(event.target) || (menu.open = false));
  }

  showLocks() {
    const n = Object.values(this.store.locks).filter(Boolean).length;
    this.find("locked").textContent = n ? ` ${n}` : "";
  }

  random() {
    const { locks } = this.store;
    this.store.edit((recipe) => {
      const [first] = recipe.sources;
      if (!locks.seed) recipe.sources[0] = this.store.source({ seed: anySeed(), weight: first.weight, classes: first.classes });
      if (!locks.classes && this.facts && this.facts.c_dim) recipe.sources[0].classes = [{ index: Math.floor(Math.random() * this.facts.c_dim), share: 1 }];
      if (locks.noise) return;
      if (recipe.noise.mode === "random") recipe.noise.seed = anySeed();
      if (!locks.seed) recipe.noise.maps = ""; // found for the picture before
    });
  }

  keys() {
    const lock = () => this.root.querySelector("[data-lock=seed]").click();
    const held = {
      r: ["another picture", () => this.random()],
      l: ["lock the seed", lock],
      b: ["before / after", () => this.find("wipe").click()],
      s: ["save the PNG", () => this.find("save").click()],
      "?": ["these keys", () => this.find("help").click()],
      ...this.panel.keys,
    };
    const list = this.find("keys");
    const row = (key, text) => list.append(make("dt", "", key), make("dd", "", text));
    row("Ctrl Z", "undo");
    row("Ctrl Shift Z", "redo");
    for (const [key, [text]] of Object.entries(held)) row(key === " " ? "Space" : key.toUpperCase(), text);
    this.schema.labs.forEach((lab, i) => row(String(i + 1), `to the ${lab.title}, with this picture`));
    document.addEventListener("keydown", (event) => {
      if (!this.root.isConnected || this.root.querySelector("dialog[open]")) return;
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.target.matches("textarea, input:not([type=range]):not([type=checkbox])")) {
        event.preventDefault();
        return event.shiftKey ? this.store.redo() : this.store.undo();
      }
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=range]):not([type=checkbox]), select, textarea")) return;
      if (event.key === " " && event.target.matches("button, input, summary")) return;
      const link = this.find("links").querySelectorAll("a, b")[Number(event.key) - 1];
      const act = held[event.key.toLowerCase()] || (link && link.href && [0, () => link.click()]);
      if (!act) return;
      event.preventDefault();
      act[1]();
    });
  }

  links() {
    const box = this.find("links");
    if (this.schema.labs.length) box.append("Send to ");
    for (const lab of this.schema.labs) {
      const here = lab.path === this.schema.path;
      const link = make(here ? "b" : "a", "", lab.short);
      if (!here) {
        link.href = `./${lab.path}`;
        link.onclick = () => this.store.saveNow();
      }
      box.append(link);
    }
  }

  keep(name, blob) {
    saveFile(name, blob);
    this.root.dataset.saved = `${name} ${blob.size}`;
  }

  toast(text, kind, sticky = false) {
    this.teller.say(text, kind, sticky);
  }

  /** What went wrong, as a sentence; what stands stays. */
  fail(error) {
    if (!this.line.closed) this.toast(error.message, "error");
  }
}

function anySeed() {
  return Math.floor(Math.random() * 100000);
}
