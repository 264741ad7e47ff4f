// The editing lab: directions and texts become edits; the strip walks one of them, the grid tries all on other faces.

const STEPS = [-4, -3, -2, -1, 0, 1, 2, 3, 4];
const OTHERS = 12;
const ACROSS = 6;
const FIRST = 1000; // seed of the first of the others: the same at each visit, so that figures can be compared

class TextPanel {
  constructor(studio, side, bench) {
    this.studio = studio;
    this.stack = new EditStack(studio, () => this.settled(studio.store.recipe));
    this.text = new TextMethods(studio, this.stack);
    this.list = new DirectionList(studio, this.stack);
    this.keys = { m: ["all edits on or off", () => this.stack.muteAll()] };
    this.first = FIRST;
    this.invert = new InvertPanel(studio);
    side.append(this.stack.root, this.text.root, this.invert.root);
    this.walked = make("small");
    const strip = this.section("One edit, from end to end", this.walked);
    this.strip = new Tiles(studio, strip.appendChild(make("div")), STEPS.length);
    const others = button("Others", "Other pictures", () => {
      this.first = anySeed();
      this.settled(studio.store.recipe);
    });
    const grid = this.section("The same edits on others", make("small", "", "above without, below with"));
    grid.firstChild.append(others);
    this.grid = new Tiles(studio, grid.appendChild(make("div")), ACROSS);
    this.quality = new EditQuality(studio);
    grid.append(this.quality.root);
    this.tried = [strip, grid];
    bench.append(this.list.root, strip, grid);
  }

  section(title, more) {
    const out = make("section", "studio-tried");
    const head = make("h2");
    head.append(make("span", "", title), more);
    out.append(head);
    return out;
  }

  facts(facts) {
    this.list.facts(facts);
    this.text.facts();
    this.invert.facts(facts);
    this.ask(facts);
  }

  async ask(facts) {
    try {
      const [answer] = await this.studio.line.ask({ do: "editing", recipe: { model: facts.name } }).answer;
      if (facts !== this.studio.facts) return;
      this.list.offer(answer);
      this.text.offer(answer);
    } catch (error) {
      this.studio.fail(error);
    }
  }

  show(recipe) {
    this.stack.show(recipe);
    this.text.show(recipe);
    this.list.mark();
    for (const part of this.tried) part.hidden = !recipe.edits.length;
    this.mark(recipe);
  }

  strengths(edit) {
    return STEPS.map((step) => step * (REACH[edit.space] / REACH.w));
  }

  mark(recipe) {
    const edit = recipe.edits[this.stack.at];
    const along = edit && this.strengths(edit);
    this.strip.mark((i) => !!along && Math.abs(along[i] - edit.strength) < 0.01);
  }

  settled(recipe) {
    const { at } = this.stack;
    const edit = recipe.edits[at];
    if (!edit || this.text.methods.mapper.follow(recipe)) return;
    this.walked.textContent = edit.name;
    const along = this.strengths(edit);
    const walk = along.map((strength) => ({ recipe: { ...recipe, edits: recipe.edits.with(at, { ...edit, strength, muted: false }) }, label: String(strength).replace("-", "−"), title: `strength ${strength}` }));
    this.strip.fill(walk, 96, (i) => this.stack.edit((edits) => Object.assign(edits[at], { strength: along[i], muted: false })));
    this.others(recipe);
    this.mark(recipe);
  }

  /** Other pictures in rows, each row without the edits and under it with them. */
  async others(recipe) {
    const { facts, store } = this.studio;
    const classes = (i) => (facts.c_dim ? [{ index: i % facts.c_dim, share: 1 }] : []);
    const sources = Array.from({ length: OTHERS }, (_, i) => store.source({ seed: (this.first + i) % this.studio.schema.seeds, classes: classes(i) }));
    const bare = sources.map((source) => ({ ...recipe, space: "w", sources: [source], mixes: [], edits: [], noise: { ...recipe.noise, maps: "" } })); // maps were found for this picture alone
    const edits = await this.text.methods.mapper.each(recipe, bare).catch(() => bare.map(() => recipe.edits));
    if (store.recipe !== recipe || facts !== this.studio.facts) return;
    const item = (one, source, kind) => ({ recipe: one, source, kind, title: `seed ${source.seed}, ${kind === "with" ? "with" : "without"} the edits` });
    const items = [];
    for (let row = 0; row < OTHERS; row += ACROSS) {
      const places = sources.map((_, i) => i).slice(row, row + ACROSS);
      items.push(...places.map((i) => item(bare[i], sources[i], "bare")), ...places.map((i) => item({ ...bare[i], edits: edits[i] }, sources[i], "with")));
    }
    this.quality.want(items.filter((one) => one.kind === "with").map((one) => one.recipe), this.stack.at, this.text.words.neutral, recipe);
    this.grid.fill(items, 96, (i) => store.edit((r) => Object.assign(r, { space: "w", sources: [items[i].source], mixes: [], noise: { ...r.noise, maps: "" } })));
  }
}
