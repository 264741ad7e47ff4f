// Two texts as a direction of channels of styles: at once, once the model is learnt.

const HOWS = [["together", "channels: together"], ["apart", "channels: one by one"]];
const HOW = "How the model's channels are learnt: together, from how its pictures vary; or one by one, as StyleCLIP does, which takes longer";

class TextPrompt {
  constructor(studio, stack, texts) {
    this.studio = studio;
    this.stack = stack;
    this.texts = texts;
    const { beta, direction, how } = { beta: 0.1, how: "together", ...studio.store.extra.text };
    this.mine = new Set([direction]); // directions that the texts in the boxes have had so far
    this.beta = dial("beta", "How much a channel must have to do with the text to be moved: higher changes less else", 0, 0.5, beta, (v, final) => this.now(final));
    this.alpha = dial("alpha", "How far it goes; below 0 the opposite", -REACH.s, REACH.s, 2, (v, final) => this.strengthen(v, final));
    this.known = []; // of the ways: those in which this model is learnt
    this.how = menu(HOW, HOWS, how, () => this.turn());
    this.learn = button("Learn this model", "Looks once at what the model's channels do, as CLIP sees it; then texts work at once", () => this.study());
    this.another = button("Keep it, write another", "What is written becomes an edit of its own", () => this.keep());
    this.progress = new Progress();
    this.root = make("div", "studio-method");
    this.root.append(line(this.how), this.alpha, this.beta, line(this.learn, this.another), this.progress.root);
    this.pump = new Pump((wish) => this.write(wish));
  }

  facts() {
    this.known = [];
  }

  get ready() {
    return this.known.includes(this.how.value);
  }

  /** The same texts, by channels that were learnt in the other way. */
  turn() {
    this.texts.remember({ how: this.how.value });
    this.offer(this.known);
    this.now();
  }

  offer(known) {
    this.known = known;
    const { ready } = this;
    this.learn.hidden = ready;
    this.another.hidden = !ready;
    this.tell(ready ? "" : "First the model must be learnt, once: how each of its channels changes pictures.");
  }

  tell(text, wrong) {
    this.texts.tell("direction", text, wrong);
  }

  async study() {
    const { line, facts } = this.studio;
    const how = this.how.value;
    try {
      const [header] = await this.progress.follow((part) => line.ask({ do: "learn", how, recipe: { model: facts.name } }, part));
      if (header.cancelled || facts !== this.studio.facts) return;
      this.offer([...this.known, how]);
      this.now();
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  now(final = true) {
    if (this.ready && this.texts.words.target.trim()) this.pump.want({ final });
    else if (this.ready) this.tell("");
  }

  async write({ final }) {
    const { line, facts } = this.studio;
    const wish = { ...this.texts.words, beta: dialled(this.beta), how: this.how.value };
    try {
      const [{ direction, hint, channels }] = await line.ask({ do: "text", ...wish, recipe: { model: facts.name } }).answer;
      if (facts !== this.studio.facts) return;
      this.tell(`${hint ? `${hint} ` : ""}${channels} channel${channels === 1 ? " moves" : "s move"}.`, !!hint);
      this.texts.remember({ beta: wish.beta, direction: direction.vector });
      this.place(direction, final);
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  /** The edit that the texts have written, in the stack; -1 if it is not there. */
  get at() {
    return placeOf(this.studio.store.recipe.edits, this.mine);
  }

  place(direction, final) {
    const { at } = this;
    const fields = { name: direction.name, space: direction.space, direction: direction.vector };
    this.mine.add(direction.vector);
    if (at < 0) return this.stack.add({ ...fields, strength: dialled(this.alpha) }, final);
    this.stack.edit((edits) => Object.assign(edits[at], fields), final);
  }

  strengthen(v, final) {
    const { at } = this;
    if (at >= 0) this.stack.edit((edits) => (edits[at].strength = v), final);
    else this.alpha.show(v);
  }

  keep() {
    this.mine.clear();
    this.texts.remember({ direction: undefined });
    this.texts.clear();
    this.tell("");
  }

  show(recipe) {
    const { at } = this;
    if (at >= 0) this.alpha.show(recipe.edits[at].strength);
  }
}
