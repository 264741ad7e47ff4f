// Style mixing: a table of pictures, each with the styles of its row, and in some layers those of its column.

class MixingPanel {
  constructor(studio, side, bench) {
    this.studio = studio;
    const { store } = studio;
    this.untouched = !store.extra.mixing; // rows and columns are still those of the start
    this.state = store.extra.mixing || {
      rows: [0, 11, 12, 13].map((seed) => store.source({ seed })),
      columns: [21, 22, 23, 24].map((seed) => store.source({ seed })),
      layers: null,
      strength: 1,
    };
    const mix = store.recipe.mixes[0];
    if (mix && mix.layers.length) this.state = { ...this.state, layers: mix.layers, strength: mix.strength };
    this.cell = null;
    this.keys = { f: ["other seeds in the table", () => this.shuffle()] };
    this.toggles = new RowToggles((rows) => this.change({ layers: rows }));
    this.strength = dial("strength", "How far towards the column's styles", 0, 1, this.state.strength, (v, final) => this.change({ strength: v }, final));
    this.lists = { rows: make("div"), columns: make("div") };
    const add = (name) => button("+ add", `One more of the ${name}`, () => this.edit(name, [...this.state[name], store.source({ seed: anySeed() })]));
    const rows = block("Rows: the picture", this.lists.rows);
    const columns = block("Columns: the styles mixed in", this.lists.columns);
    rows.head.append(add("rows"));
    columns.head.append(add("columns"));
    side.append(
      block("Layers taken from the column", this.toggles.root, this.strength, make("p", "toy-hint", "Coarse layers hold pose and shape, middle ones features, fine ones colour.")),
      rows,
      columns,
      line(button("Other seeds", "New seeds for all rows and columns (F)", () => this.shuffle()), button("No mixing", "The current picture without what is mixed in", () => store.edit((r) => (r.mixes = [])))),
    );
    const grid = make("section");
    grid.append(make("h2", "", "Rows × columns: click a cell to take it"));
    this.nothing = make("p", "studio-empty", "This model has no styles: one latent feeds the whole network, so there are no layers to mix. Choose a StyleGAN.");
    this.nothing.hidden = true;
    grid.append(this.nothing);
    this.tiles = new Tiles(studio, grid.appendChild(make("div", "studio-mixing")), 5);
    bench.append(grid);
  }

  /** The first row is the current picture; a model with classes shows several of them. */
  begin(facts) {
    const { store } = this.studio;
    const varied = (source, i) => (facts.c_dim ? { ...source, classes: [{ index: (3 * i) % facts.c_dim, share: 1 }] } : source);
    const [, ...rows] = this.state.rows.map(varied);
    this.state = { ...this.state, rows: [store.source({ ...store.recipe.sources[0], weight: 1 }), ...rows], columns: this.state.columns.map((source, i) => varied(source, i + 1)) };
    this.untouched = false;
  }

  facts(facts) {
    if (this.untouched) this.begin(facts);
    this.nothing.hidden = facts.num_ws > 1;
    this.toggles.facts(facts);
    const most = facts.num_ws;
    const coarse = facts.rows.filter((row) => row.band === "coarse").map((row) => row.row);
    if (!this.state.layers) this.state.layers = coarse;
    this.state.layers = this.state.layers.filter((row) => row < most);
    for (const name of ["rows", "columns"]) this.state[name] = this.state[name].map((source) => ({ ...source, classes: source.classes.filter((share) => share.index < facts.c_dim) }));
    this.toggles.show(this.state.layers);
    this.list();
  }

  /** The source lists of the side panel. */
  list() {
    for (const [name, box] of Object.entries(this.lists)) {
      box.replaceChildren();
      this.state[name].forEach((source, i) => {
        const picker = new SourcePicker(this.studio, `${name === "rows" ? "Row" : "Column"} ${i + 1}`, (next) => this.edit(name, this.state[name].with(i, next)));
        picker.withClass(this.studio.facts);
        picker.show(source);
        const drop = button("×", `Remove ${name === "rows" ? "row" : "column"} ${i + 1}`, () => this.edit(name, this.state[name].filter((_, k) => k !== i)), "toy-x");
        drop.disabled = this.state[name].length === 1;
        picker.root.append(drop);
        box.append(picker.root);
      });
    }
  }

  edit(name, sources) {
    if (sources.length > 8) return this.studio.toast("Eight rows and eight columns are the most.", "notice");
    this.state[name] = sources;
    this.cell = null;
    this.list();
    this.keep();
    this.fill();
  }

  shuffle() {
    const fresh = (sources) => sources.map((source) => (source.latent || source.recipe ? source : { ...source, seed: anySeed(), x: 0, y: 0 }));
    this.state.rows = fresh(this.state.rows);
    this.edit("columns", fresh(this.state.columns));
  }

  /** Layers or strength: the current picture follows if it is of the table. */
  change(fields, final = true) {
    Object.assign(this.state, fields);
    this.keep();
    const { store } = this.studio;
    if (store.recipe.mixes.length || this.cell) store.edit((r) => (r.mixes = this.mixes(this.cell ? this.state.columns[this.cell[1]] : r.mixes[0].source)), final);
    if (final) this.fill();
  }

  mixes(source) {
    const { layers, strength } = this.state;
    return layers.length ? [{ source, layers, strength }] : [];
  }

  recipe(row, column) {
    const base = this.studio.store.recipe;
    return { ...base, space: "w", sources: [{ ...this.state.rows[row], weight: 1 }], mixes: column == null ? [] : this.mixes(this.state.columns[column]) };
  }

  keep() {
    this.studio.store.extra.mixing = this.state;
    this.studio.store.save();
  }

  show(recipe) {
    const mix = recipe.mixes[0];
    if (mix) {
      this.toggles.show(mix.layers);
      this.strength.show(mix.strength);
      Object.assign(this.state, { layers: mix.layers, strength: mix.strength });
    }
    const same = (a, b) => a && b && ["seed", "x", "y", "latent"].every((key) => a[key] === b[key]) && JSON.stringify([a.recipe, a.classes]) === JSON.stringify([b.recipe, b.classes]);
    const row = this.state.rows.findIndex((source) => same(source, recipe.sources[0]));
    const column = mix ? this.state.columns.findIndex((source) => same(source, mix.source)) : -1;
    this.cell = row >= 0 && column >= 0 ? [row, column] : null;
    this.mark();
  }

  settled() {
    this.fill();
  }

  mark() {
    const width = this.state.columns.length + 1;
    this.tiles.mark((i) => !!this.cell && i === (this.cell[0] + 1) * width + this.cell[1] + 1);
  }

  fill() {
    if (!this.studio.facts) return;
    const { rows, columns } = this.state;
    const width = columns.length + 1;
    this.tiles.columns(width);
    const alone = (source) => ({ ...this.studio.store.recipe, space: "w", sources: [{ ...source, weight: 1 }], mixes: [] });
    const items = [{ label: "→ mixed in", kind: "corner" }];
    columns.forEach((source, j) => items.push({ recipe: alone(source), kind: "head", title: `Column ${j + 1} by itself` }));
    rows.forEach((source, i) => {
      items.push({ recipe: alone(source), kind: "head", title: `Row ${i + 1} by itself` });
      columns.forEach((_, j) => items.push({ recipe: this.recipe(i, j), title: `Row ${i + 1} with the styles of column ${j + 1}` }));
    });
    this.tiles.fill(items, columns.length > 5 ? 96 : 128, (i) => this.choose(i, width));
    this.mark();
  }

  choose(i, width) {
    const [row, column] = [Math.floor(i / width) - 1, (i % width) - 1];
    const { store } = this.studio;
    const source = row < 0 ? this.state.columns[column] : this.state.rows[row];
    store.edit((r) => {
      r.space = "w";
      r.sources = [{ ...copy(source), weight: 1 }];
      r.mixes = row < 0 || column < 0 ? [] : copy(this.mixes(this.state.columns[column]));
    });
  }
}
