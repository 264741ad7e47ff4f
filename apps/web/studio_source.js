// Where styles come from: a seed, uploaded latents, a picture of the history. And small parts that all panels use.

/** A slider with a number; `change(value, final)`. */
function dial(label, help, lo, hi, value, change, kind = "float") {
  let held = value;
  const set = (v, final) => (v === null ? row.show(held) : change((held = Math.min(hi, Math.max(lo, v))), final));
  const row = control({ name: label, label, help, lo, hi, kind }, value, set);
  const { show } = row;
  row.show = (v) => show((held = v));
  row.style.setProperty("--span", 1);
  return row;
}

/** A block of the side panel with a heading. */
function block(title, ...content) {
  const box = make("section", "studio-block");
  const head = make("h3");
  head.append(make("span", "", title));
  box.append(head, ...content);
  box.head = head;
  return box;
}

function button(text, title, act, kind = "") {
  const out = make("button", kind, text);
  out.title = title;
  if (text.length < 3) out.setAttribute("aria-label", title);
  out.onclick = act;
  return out;
}

function menu(label, rows, value, change) {
  const out = make("select");
  out.setAttribute("aria-label", label);
  out.title = label;
  for (const [key, text] of rows) out.append(new Option(text, key, false, key === value));
  out.onchange = () => change(out.value);
  return out;
}

function line(...content) {
  const out = make("div", "studio-row");
  out.append(...content);
  return out;
}

/** The classes of a conditional model; a source that names none is of the first. */
function classMenu(label, facts, value, change) {
  const rows = Array.from({ length: facts.c_dim }, (_, i) => [String(i), facts.classes[i] || `class ${i}`]);
  return menu(label, rows, String(value), (v) => change(Number(v)));
}

/** A whole number in a field; `change(n)`. */
function numberField(label, lo, hi, value, change) {
  const out = make("input");
  out.type = "number";
  out.min = lo;
  out.max = hi;
  out.step = 1;
  out.value = value;
  out.setAttribute("aria-label", label);
  out.title = label;
  out.onchange = () => {
    const n = Math.round(Number(out.value));
    if (out.value === "" || !Number.isFinite(n)) return (out.value = value);
    out.value = Math.min(hi, Math.max(lo, n));
    change(Number(out.value));
  };
  return out;
}

/** A bar that fills, with a button that ends the work. */
class Progress {
  constructor() {
    this.root = make("div", "studio-row");
    this.bar = make("div", "studio-bar");
    this.bar.append(make("i"));
    this.bar.setAttribute("role", "progressbar");
    this.text = make("small");
    this.stop = button("Cancel", "End this work", () => this.job && this.job.cancel());
    this.root.append(this.bar, this.text, this.stop);
    this.root.hidden = true;
  }

  /** Follows a question to its answer. */
  async follow(ask) {
    this.root.hidden = false;
    this.set(0, 1);
    const job = (this.job = ask((header) => job === this.job && this.set(header.done, header.of)));
    try {
      return await job.answer;
    } finally {
      if (job === this.job) {
        this.root.hidden = true;
        this.job = null;
      }
    }
  }

  set(done, of) {
    this.bar.firstChild.style.width = `${(100 * done) / Math.max(of, 1)}%`;
    this.bar.setAttribute("aria-valuenow", Math.round((100 * done) / Math.max(of, 1)));
    this.text.textContent = of > 1 ? `${done} of ${of}` : "";
  }
}

/** Chooses a source; `change(source)` gets a new one, with the old weight and classes. */
class SourcePicker {
  constructor(studio, label, change) {
    this.studio = studio;
    this.change = change;
    this.source = studio.store.source();
    this.label = label;
    this.root = make("div", "studio-row studio-source");
    this.kind = make("select");
    this.kind.setAttribute("aria-label", `${label}: from`);
    this.kind.onfocus = this.kind.onpointerdown = () => this.options();
    this.kind.onchange = () => this.take(this.kind.value);
    this.seed = numberField(`${label}: seed`, 0, studio.schema.seeds - 1, 0, (n) => this.give({ seed: n, x: 0, y: 0 }));
    this.dice = button("⚄", `${label}: another seed`, () => this.give({ seed: anySeed(), x: 0, y: 0 }));
    this.root.append(this.kind, this.seed, this.dice);
    this.options();
  }

  /** Lets the class be chosen too, if the model has classes. */
  withClass(facts) {
    if (this.kinds) this.kinds.remove();
    this.kinds = facts.c_dim ? classMenu(`${this.label}: class`, facts, 0, (index) => this.change({ ...this.source, classes: [{ index, share: 1 }] })) : null;
    if (this.kinds) this.dice.after(this.kinds);
  }

  options() {
    const { store } = this.studio;
    const rows = [["seed", "seed"], ...store.latents.map((row, i) => [`latent ${i}`, row.name]), ...store.saved().map((node) => [`node ${node.id}`, `picture ${node.id}`])];
    const value = this.kind.value;
    this.kind.replaceChildren(...rows.map(([key, text]) => new Option(text, key)));
    if (rows.some(([key]) => key === value)) this.kind.value = value;
  }

  take(kind) {
    const { store } = this.studio;
    const [what, n] = kind.split(" ");
    if (what === "seed") this.give({});
    else if (what === "latent") this.give({ latent: store.latents[Number(n)].latent });
    else {
      const { recipe } = store.nodes.get(Number(n));
      this.give({ recipe: { ...copy(recipe), noise: copy(store.defaults.recipe.noise) } });
    }
  }

  give(fields) {
    const { weight, classes, seed, x, y } = this.source;
    this.change({ ...this.studio.store.source({ weight, classes, seed, x, y }), ...fields });
  }

  show(source) {
    this.source = source;
    const { store } = this.studio;
    const latent = source.latent ? store.latents.findIndex((row) => row.latent === source.latent) : -1;
    this.options();
    if (source.recipe) {
      const text = JSON.stringify(source.recipe.sources);
      const node = store.saved().find((n) => JSON.stringify(n.recipe.sources) === text);
      this.named(node ? `node ${node.id}` : "other", "a picture");
    } else if (source.latent) this.named(latent >= 0 ? `latent ${latent}` : "other", "latents");
    else this.named("seed", "");
    const isSeed = !source.recipe && !source.latent;
    this.seed.hidden = this.dice.hidden = !isSeed;
    if (this.kinds) {
      this.kinds.hidden = !isSeed;
      this.kinds.value = source.classes.length ? source.classes[0].index : 0;
    }
    if (document.activeElement !== this.seed) this.seed.value = source.seed;
  }

  named(key, text) {
    if (![...this.kind.options].some((option) => option.value === key)) this.kind.append(new Option(text, key));
    this.kind.value = key;
  }
}

/** Buttons for the rows of ws, in bands; `change(rows)`. */
class RowToggles {
  constructor(change) {
    this.root = make("div", "studio-toggles");
    this.change = change;
    this.chosen = new Set();
  }

  facts(facts) {
    this.rows = facts.rows;
    this.root.replaceChildren();
    const bands = [...new Set(facts.rows.map((row) => row.band))];
    this.buttons = [];
    const add = (text, title, rows) => {
      const out = button(text, title, () => {
        const all = rows.every((row) => this.chosen.has(row));
        for (const row of rows) all ? this.chosen.delete(row) : this.chosen.add(row);
        this.paint();
        this.change(this.list());
      });
      out.setAttribute("aria-label", title);
      this.buttons.push([out, rows]);
      this.root.append(out);
    };
    add("all", "All layers", facts.rows.map((row) => row.row));
    for (const band of bands) add(band, `The ${band} layers`, facts.rows.filter((row) => row.band === band).map((row) => row.row));
    this.root.append(Object.assign(make("span"), { style: "flex-basis:100%" }));
    for (const row of facts.rows) add(String(row.row), `Layer ${row.row}: ${row.name} (${row.band})`, [row.row]);
    this.paint();
  }

  show(rows) {
    this.chosen = new Set(rows);
    this.paint();
  }

  list() {
    return [...this.chosen].sort((a, b) => a - b);
  }

  paint() {
    for (const [out, rows] of this.buttons || []) out.setAttribute("aria-pressed", rows.length > 0 && rows.every((row) => this.chosen.has(row)));
  }
}
