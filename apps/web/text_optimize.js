// Optimization: this picture's own latents move until the text fits; afterwards a slider walks the way they took.

const BEGINNINGS = [["direction", "begins: at the direction that fits"], ["picture", "begins: at the picture as it stands"]];
const BEGIN = "Where it begins: at the direction for these texts, as strong as fits, from which fewer steps reach more; or at the picture as it stands";

class TextOptimize {
  constructor(studio, stack, texts) {
    this.studio = studio;
    this.stack = stack;
    this.texts = texts;
    this.way = []; // edits on the way, the last one is its end
    this.mine = new Set();
    const still = () => {};
    this.space = menu("What moves: w of each layer (W+), or single channels of styles (S)", [["w", "moves: W+"], ["s", "moves: S"]], "w", still);
    this.aim = menu(AIM, AIMS, "change", still);
    this.begin = menu(BEGIN, BEGINNINGS, "direction", still);
    this.part = menu("Layers that move", [["", "all layers"]], "", still);
    this.steps = setting("steps", "How long it goes on", 10, 1000, 100, "int");
    this.lr = setting("learning rate", "Of Adam, at its highest", 0.01, 0.5, 0.1);
    this.l2 = setting("L2 weight", "How much it is held where it began: more changes less", 0, 0.05, 0.008);
    this.beside = setting("hold the rest", "Weight of what else changes, as CLIP sees it; for the aim change", 0, 1, 0.2);
    this.live = new LiveRun("Start", "Moves the latents step by step; stop it when you like what you see", () => this.start());
    this.along = dial("along the way", "0: where it began, 1: where it ended", 0, 1, 1, (v, final) => this.walk(v, final));
    this.another = button("Keep it, go on", "What was found becomes an edit of its own", () => this.keep());
    this.root = make("div", "studio-method");
    this.root.append(line(this.space, this.aim), line(this.begin, this.part), this.steps, this.lr, this.l2, this.beside, this.live.root, this.along, line(this.another));
    this.forget();
  }

  facts() {
    this.live.drop();
    this.forget();
    this.part.replaceChildren(...bandOptions(this.studio.facts));
  }

  offer(ready, off) {
    if (!off) this.tell("");
  }

  tell(text, wrong) {
    this.texts.tell("optimization", text, wrong);
  }

  forget() {
    this.way = [];
    this.mine = new Set();
    this.along.hidden = this.another.hidden = true;
  }

  get at() {
    return placeOf(this.studio.store.recipe.edits, this.mine);
  }

  /** From the picture without what was found before: that is replaced. */
  async start() {
    const { studio, texts } = this;
    const { store, facts, stage } = studio;
    if (this.leading) return; // clicked again before it has begun
    this.leading = true;
    this.tell("");
    try {
      if (this.begin.value === "direction" && texts.methods.direction.leads) {
        this.tell("Looks for the direction that it begins at…");
        await texts.methods.direction.lead();
      }
    } finally {
      this.leading = false;
    }
    if (facts !== studio.facts) return;
    const begun = store.recipe;
    const recipe = { ...begun, edits: begun.edits.filter((edit) => !this.mine.has(edit.direction)) };
    const layers = bandRows(facts, this.part.value);
    const how = { ...texts.words, aim: this.aim.value, space: this.space.value, layers, steps: dialled(this.steps), lr: dialled(this.lr), l2: dialled(this.l2), beside: dialled(this.beside) };
    this.tell("");
    const picture = async (blob) => {
      const bitmap = await createImageBitmap(blob);
      if (store.recipe === begun && this.live.job) stage.show(bitmap, facts.resolution);
    };
    try {
      const header = await this.live.follow((part) => studio.line.ask({ do: "optimize", recipe, how }, part), picture);
      if (!header) return;
      if (header.edits && header.edits.length) return this.take(header, store.recipe === begun);
    } catch (error) {
      this.tell(error.message, true);
    }
    if (store.recipe === begun) studio.show(true); // the picture that stands, not the last of the run
  }

  take({ edits, hint, cancelled, steps }, same) {
    const { at } = this;
    this.way = edits;
    const { name, space, direction } = edits.at(-1);
    const fields = { name, space, direction, strength: 1, layers: null, muted: false };
    const stands = at < 0 ? null : this.studio.store.recipe.edits[at].direction;
    this.mine = new Set(edits.map((edit) => edit.direction));
    if (stands === null) this.stack.add(fields);
    else this.stack.edit((list) => Object.assign(list[at], fields));
    const ended = cancelled ? `Stopped at step ${steps.at(-1)}. ` : "";
    this.tell(`${hint ? `${hint} ` : ""}${ended}${same ? "" : "The picture has changed meanwhile; this was found for the one before."}`.trim(), !!hint);
  }

  walk(v, final) {
    const i = Math.round(v * this.way.length);
    if (!this.way.length) return;
    const { name, space, direction } = this.way[Math.max(i - 1, 0)];
    const fields = { name, space, direction, strength: i ? 1 : 0 };
    const { at } = this;
    if (at < 0) this.stack.add(fields, final);
    else this.stack.edit((edits) => Object.assign(edits[at], fields), final);
  }

  keep() {
    this.forget();
    this.texts.clear();
    this.tell("");
  }

  show(recipe) {
    this.along.hidden = this.another.hidden = !this.way.length;
    const edit = recipe.edits[this.at];
    if (!edit) return;
    const i = this.way.findIndex((one) => one.direction === edit.direction);
    this.along.show(Number((edit.strength ? (i + 1) / this.way.length : 0).toFixed(2)));
  }
}
