// Two texts as a direction of channels of styles: at once, once the model is learnt; then as strong as suits the picture.

const HOWS = [["any", "channels: any way"], ["together", "channels: together"], ["expected", "channels: as expected"], ["apart", "channels: one by one"]];
const HOW = "How the model's channels are learnt: together, by what each adds to what CLIP sees in its pictures; as expected of a picture that CLIP sees so, which also brings what often comes with it; one by one, as StyleCLIP does, which takes longer; or the one of them that suits the text best";
const WAYS = { together: "together", expected: "as expected", apart: "one by one" };
const WEAKEST = 1; // of the strengths that are tried
const POOR = 0.2; // similarity of the change and of the text; a good edit of our faces has twice as much
const AT_ONCE = 256; // pixels of a side up to which a strength is looked for unasked: larger pictures take too long
const FIT = "Tries strengths on this picture, and takes the one that comes nearest to the text while little else changes, as CLIP sees it";

class TextPrompt {
  constructor(studio, stack, texts) {
    this.studio = studio;
    this.stack = stack;
    this.texts = texts;
    const { beta, direction, how } = { beta: 0.1, how: "any", ...studio.store.extra.text };
    this.mine = new Set([direction]); // directions that the texts in the boxes have had so far
    this.beta = dial("beta", "How much a channel must have to do with the text to be moved: higher changes less else", 0, 0.5, beta, (v, final) => this.now(final));
    this.alpha = dial("alpha", "How far it goes; below 0 the opposite", -REACH.s, REACH.s, 2, (v, final) => this.strengthen(v, final));
    this.written = null; // the target whose edit is there
    this.done = null; // all that it was made of
    this.ours = null; // the strength that it was given here, and not by the visitor
    this.chosen = "together"; // the way of learning that fits best
    this.known = []; // of the ways: those in which this model is learnt
    this.how = menu(HOW, HOWS, how, () => this.turn());
    this.learn = button("Learn this model", "Looks once at what the model's channels do, as CLIP sees it; then texts work at once", () => this.study());
    this.fitted = button("Fit strength", FIT, () => this.refit());
    this.another = button("Keep it, write another", "What is written becomes an edit of its own", () => this.keep());
    this.progress = new Progress();
    this.root = make("div", "studio-method");
    this.root.append(line(this.how, this.fitted), this.alpha, this.beta, line(this.learn, this.another), this.progress.root);
    this.pump = new Pump((wish) => this.write(wish));
  }

  facts() {
    this.known = [];
    this.done = null;
  }

  /** The way of learning that a text takes at once. */
  get way() {
    if (this.how.value !== "any") return this.how.value;
    return this.known.includes(this.chosen) ? this.chosen : this.known[0] || "together";
  }

  get ready() {
    return this.known.includes(this.way);
  }

  /** The same texts, by channels that were learnt in another way. */
  turn() {
    this.texts.remember({ how: this.how.value });
    this.offer(this.known);
    this.now();
  }

  offer(known) {
    this.known = known;
    const { ready } = this;
    this.learn.hidden = ready;
    this.another.hidden = this.fitted.hidden = !ready;
    this.tell(ready ? "" : "First the model must be learnt, once: how each of its channels changes pictures.");
  }

  tell(text, wrong) {
    this.texts.tell("direction", text, wrong);
  }

  async study() {
    const { line, facts } = this.studio;
    const how = this.way;
    try {
      const [header] = await this.progress.follow((part) => line.ask({ do: "learn", how, recipe: { model: facts.name } }, part));
      if (header.cancelled || facts !== this.studio.facts) return;
      this.offer([...new Set([...this.known, ...(how === "apart" ? [how] : ["together", "expected"])])]);
      this.now();
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  now(final = true) {
    if (this.looking) this.looking.cancel();
    if (this.ready && this.texts.words.target.trim()) this.pump.want({ final });
    else if (this.ready) this.tell(this.at < 0 ? "" : "The target text is empty; the edit that it wrote last is still there.");
  }

  /** The texts' edit at once, and then, where nobody has set its strength, as strong as suits the picture. */
  async write({ final }) {
    const { line, facts, store } = this.studio;
    const { at } = this;
    const wish = { ...this.texts.words, beta: dialled(this.beta) };
    const all = JSON.stringify([wish, this.how.value]);
    if (all === this.done && at >= 0 && !this.asked) return; // a field that was left, with nothing new in it
    this.done = null;
    const ours = at < 0 || wish.target !== this.written || store.recipe.edits[at].strength === this.ours;
    const mayFit = final && (this.asked || (ours && facts.resolution <= AT_ONCE));
    const there = at >= 0 && wish.target === this.written && this.asked; // the picture waits for what fits
    this.written = wish.target;
    this.asked = false;
    try {
      if (!there) {
        const [found] = await line.ask({ do: "text", ...wish, how: this.way, recipe: { model: facts.name } }).answer;
        if (facts !== this.studio.facts) return;
        this.take(found, wish, final);
      }
      if (mayFit && !(await this.fit(wish))) return;
      if (final) this.done = all;
    } catch (error) {
      this.tell(`${error.message}${this.at < 0 ? "" : " The edit that was written last is still there."}`, true);
    }
  }

  /** Whether the texts that are there now have no direction yet, and can have one. */
  get leads() {
    const { target } = this.texts.words;
    return this.ready && !!target.trim() && (this.at < 0 || this.written !== target);
  }

  /** The direction of the texts that are there now, where the model is learnt: another way begins with it. */
  async lead() {
    if (this.leads) await this.write({ final: true });
  }

  /** Whether it came to an end: a newer wish calls it off. */
  async fit(wish) {
    const { line, facts, store } = this.studio;
    const recipe = { ...store.recipe, edits: store.recipe.edits.filter((edit) => !this.mine.has(edit.direction)) };
    const { layers } = store.recipe.edits[this.at] || { layers: null };
    const asked = JSON.stringify(store.recipe);
    const ask = (part) => (this.looking = line.ask({ do: "fit", ...wish, how: this.how.value, layers, recipe }, part));
    const [best] = await this.progress.follow(ask);
    if (best.cancelled) return false;
    const still = facts === this.studio.facts && wish.target === this.texts.words.target;
    if (!still || asked !== JSON.stringify(store.recipe)) return true; // somebody has gone on meanwhile
    this.chosen = best.how;
    this.take(best, wish, true);
    return true;
  }

  take({ direction, hint, channels, how, strength, similarity }, { beta }, final) {
    const poor = similarity !== undefined && similarity < POOR;
    const near = poor ? ", though little of what changes is what was asked for: this model may not be able to" : strength === WEAKEST ? ": this picture is near the text already" : "";
    const fit = strength === undefined ? "" : ` Strength ${strength} fits${this.how.value === "any" ? `, channels ${WAYS[how]}` : ""}${near}.`;
    this.tell(`${hint ? `${hint} ` : ""}${channels} channel${channels === 1 ? " moves" : "s move"}.${fit}`, !!hint || poor);
    this.texts.remember({ beta, direction: direction.vector });
    this.place(direction, final, strength);
  }

  refit() {
    this.asked = true;
    this.now();
  }

  /** The edit that the texts have written, in the stack; -1 if it is not there. */
  get at() {
    return placeOf(this.studio.store.recipe.edits, this.mine);
  }

  place(direction, final, strength) {
    const { at } = this;
    const fields = { name: direction.name, space: direction.space, direction: direction.vector, ...(strength && { strength }) };
    this.mine.add(direction.vector);
    if (at < 0 || strength) this.ours = strength || dialled(this.alpha);
    if (at < 0) return this.stack.add({ strength: dialled(this.alpha), ...fields }, final);
    this.stack.edit((edits) => Object.assign(edits[at], fields), final);
  }

  strengthen(v, final) {
    const { at } = this;
    if (at >= 0) this.stack.edit((edits) => (edits[at].strength = v), final);
    else this.alpha.show(v);
  }

  keep() {
    this.mine.clear();
    this.written = null;
    this.texts.remember({ direction: undefined });
    this.texts.clear();
    this.tell("");
  }

  show(recipe) {
    const { at } = this;
    if (at >= 0) this.alpha.show(recipe.edits[at].strength);
  }
}
