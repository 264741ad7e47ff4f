// The directions of the model at hand: found on request, filtered by name, added with a click.

const FINDS = [
  ["boundary", "Attributes", "What our classifier reads from pictures: smile, hair, glasses… It looks at 2,000 of them."],
  ["pca", "PCA", "The axes along which this model's pictures differ most (GANSpace)"],
  ["sefa", "SeFa", "The axes that the model's layers are most sensitive to, of the layers chosen beside it"],
];
const KIND_NAMES = { boundary: "Attributes", pca: "PCA", sefa: "SeFa", text: "Texts", other: "Others" };
const CERTAIN = 0.6; // a boundary that is right less often is little better than guessing

/** All layers, and the bands that a model has. */
function bandOptions(facts) {
  const bands = [...new Set(facts.rows.map((row) => row.band))];
  return [new Option("all layers", ""), ...(bands.length > 1 ? bands.map((band) => new Option(`${band} layers`, band)) : [])];
}

/** The rows of ws of a band; null: all. */
function bandRows(facts, band) {
  return band ? facts.rows.filter((row) => row.band === band).map((row) => row.row) : null;
}

class DirectionList {
  constructor(studio, stack) {
    this.studio = studio;
    this.stack = stack;
    this.all = [];
    this.chips = [];
    this.root = make("section", "studio-directions");
    const head = make("h2", "", "Directions ");
    head.append(make("small", "", "click one to add it, again to take it away"));
    this.finders = Object.fromEntries(FINDS.map(([kind, text, title]) => [kind, button(text, title, () => this.find(kind))]));
    this.part = menu("Layers that a new edit moves, and that SeFa looks at", [["", "all layers"]], "", () => {});
    this.filter = make("input");
    this.filter.placeholder = "filter";
    this.filter.setAttribute("aria-label", "Filter directions by name");
    this.filter.oninput = () => this.draw();
    this.save = button("Save", "The directions on show as a file, for another day or another person", () => this.write());
    const open = fileButton("Open…", "application/json,.json", "Open a file of directions", (file) => this.read(file));
    this.progress = new Progress();
    this.why = make("p", "toy-hint");
    this.box = make("div", "studio-chips");
    this.root.append(head, line("Find", ...Object.values(this.finders), this.part, this.filter, this.save, open), this.progress.root, this.why, this.box);
  }

  facts(facts) {
    this.all = [];
    this.part.replaceChildren(...bandOptions(facts));
    this.draw();
  }

  /** What the server says can be found for this model, and has at hand. */
  offer({ offers, directions }) {
    for (const [kind, text, title] of FINDS) {
      this.finders[kind].disabled = !!offers[kind];
      this.finders[kind].title = offers[kind] || title;
    }
    const reasons = FINDS.filter(([kind]) => offers[kind]).map(([kind, text]) => `No ${text}: ${offers[kind]}`);
    this.why.textContent = [...new Set(reasons)].join(" ");
    this.why.hidden = !reasons.length;
    this.take(directions);
  }

  get layers() {
    return bandRows(this.studio.facts, this.part.value);
  }

  async find(kind) {
    const { line, facts } = this.studio;
    const recipe = { model: facts.name };
    try {
      const [header] = await this.progress.follow((part) => line.ask({ do: "directions", kind, layers: this.layers, recipe }, part));
      if (!header.directions || facts !== this.studio.facts) return;
      this.filter.value = "";
      this.take(header.directions);
      const head = this.box.querySelector(`[data-kind=${kind}]`);
      if (head) this.box.scrollTop = head.offsetTop - this.box.offsetTop;
      if (!header.directions.length) this.studio.toast("Nothing was found that this model varies enough.", "notice");
    } catch (error) {
      this.studio.fail(error);
    }
  }

  /** Those that the filter leaves, as a file. */
  write() {
    const { name, sha256 } = this.studio.facts;
    this.studio.keep(`${name}-directions.json`, new Blob([JSON.stringify({ model: name, sha256, directions: this.shown })], { type: "application/json" }));
  }

  async read(file) {
    const { line, facts } = this.studio;
    if (file.size > 1e6) return this.studio.toast("This file is too large to be one of directions.", "error");
    try {
      const [header] = await line.ask({ do: "directions_open", text: await file.text(), recipe: { model: facts.name } }).answer;
      if (facts !== this.studio.facts) return;
      this.filter.value = "";
      this.take(header.directions);
      this.studio.toast(`${header.directions.length} directions of ${file.name} are in the list.`, "notice");
    } catch (error) {
      this.studio.fail(error);
    }
  }

  take(directions) {
    const known = new Set(this.all.map((one) => one.vector + one.layers));
    this.all.push(...directions.filter((one) => !known.has(one.vector + one.layers)));
    this.draw();
  }

  draw() {
    const words = this.filter.value.trim().toLowerCase();
    const shown = this.all.filter((one) => one.name.replaceAll("_", " ").toLowerCase().includes(words));
    this.shown = shown;
    this.filter.hidden = this.all.length < 2;
    this.save.hidden = !shown.length;
    this.box.replaceChildren();
    this.chips = [];
    for (const kind of Object.keys(KIND_NAMES)) {
      const rows = shown.filter((one) => one.kind === kind);
      if (!rows.length) continue;
      const head = make("h4", "", `${KIND_NAMES[kind]} · ${rows.length}`);
      head.dataset.kind = kind;
      this.box.append(head);
      this.box.append(...rows.map((one) => this.chip(one)));
    }
    if (!this.all.length) this.box.append(make("p", "toy-hint", "Directions are found for the model at hand: PCA and SeFa at once, attributes from 2,000 pictures, which takes a while."));
    else if (!shown.length) this.box.append(make("p", "toy-hint", "No direction has this in its name."));
    this.mark();
  }

  chip(one) {
    const name = one.name.replaceAll("_", " ");
    const percent = Math.round(100 * one.score);
    const about = one.kind === "boundary" ? `right about ${percent} of 100 new pictures` : one.score ? `${(100 * one.score).toPrecision(2)} % of all change` : "from a file";
    const chip = button("", `${name}: ${about}`, () => this.stack.toggle(one, this.layers), "studio-chip");
    chip.setAttribute("aria-label", `${name}, ${about}`);
    chip.append(make("span", "", name), make("small", "", one.kind === "boundary" ? `${percent} %` : one.score ? `${(100 * one.score).toPrecision(2)} %` : ""));
    if (one.kind === "boundary" && one.score < CERTAIN) chip.classList.add("weak");
    this.chips.push([chip, one]);
    return chip;
  }

  /** Those on the picture are marked. */
  mark() {
    const used = new Set(this.studio.store.recipe.edits.map((edit) => edit.direction));
    for (const [chip, one] of this.chips) chip.setAttribute("aria-pressed", used.has(one.vector));
  }
}
