// Two texts that become an edit: what the picture shows, and what it is to show.

const WRITING = 350; // ms without a key before a text is read
const NEUTRAL = "a person";

class TextPrompt {
  constructor(studio, stack) {
    this.studio = studio;
    this.stack = stack;
    const { neutral, target, beta, direction } = studio.store.extra.text || { neutral: NEUTRAL, target: "", beta: 0.1 };
    this.mine = new Set([direction]); // directions that the texts in the boxes have had so far
    const field = (label, value, placeholder) => {
      const out = make("input", "studio-wide");
      out.value = value;
      out.placeholder = placeholder;
      out.setAttribute("aria-label", label);
      out.title = label;
      out.autocomplete = "off";
      out.oninput = () => this.later();
      out.onchange = () => this.now();
      return out;
    };
    this.neutral = field("Neutral text: what the picture shows", neutral, "what the picture shows");
    this.target = field("Target text: what it should show", target, "what it should show, as: a smiling person");
    this.beta = dial("beta", "How much a channel must have to do with the text to be moved: higher changes less else", 0, 0.5, beta, (v, final) => this.now(final));
    this.alpha = dial("alpha", "How far it goes; below 0 the opposite", -REACH.s, REACH.s, 2, (v, final) => this.strengthen(v, final));
    this.ideas = make("div", "studio-toggles");
    this.learn = button("Learn this model", "Tries every channel of the model once, as CLIP sees it; then texts work at once", () => this.study());
    this.another = button("Keep it, write another", "What is written becomes an edit of its own", () => this.keep());
    this.progress = new Progress();
    this.told = make("p", "toy-hint");
    this.told.setAttribute("role", "status");
    this.body = make("div", "studio-text");
    this.body.append(this.neutral, this.target, this.ideas, this.alpha, this.beta, line(this.learn, this.another), this.progress.root);
    this.root = block("Text", this.told, this.body);
    this.pump = new Pump((wish) => this.write(wish));
  }

  facts() {
    this.ready = false;
    this.offer({ offers: { text: "Looking what this model can do…" }, suggestions: [] });
  }

  /** What the server says: whether texts work on this model, and which are worth a try. */
  offer({ offers, ready, suggestions }) {
    this.ready = !!ready;
    const why = offers.text;
    this.root.classList.toggle("off", !!why);
    for (const part of this.body.querySelectorAll("input, button")) part.disabled = !!why;
    this.ideas.replaceChildren(...suggestions.map((text) => this.idea(text, !!why)));
    this.learn.hidden = this.ready;
    this.another.hidden = !this.ready;
    this.tell(why || (this.ready ? "" : "First the model must be learnt, once: how each of its channels changes pictures."));
  }

  idea(text, off) {
    const out = button(text.replace(/^a person with |^an? /, ""), text, () => {
      this.target.value = text;
      this.now();
    });
    out.disabled = off;
    return out;
  }

  tell(text, wrong = false) {
    this.told.textContent = text;
    this.told.hidden = !text;
    this.told.classList.toggle("wrong", wrong);
  }

  async study() {
    const { line, facts } = this.studio;
    try {
      const [header] = await this.progress.follow((part) => line.ask({ do: "learn", recipe: { model: facts.name } }, part));
      if (header.cancelled || facts !== this.studio.facts) return;
      this.ready = true;
      this.learn.hidden = true;
      this.another.hidden = false;
      this.tell("");
      this.now();
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  later() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.now(), WRITING);
  }

  now(final = true) {
    clearTimeout(this.waiting);
    if (this.ready && this.target.value.trim()) this.pump.want({ final });
    else if (this.ready) this.tell("");
  }

  value(row) {
    return Number(row.querySelector("input[type=number]").value);
  }

  async write({ final }) {
    const { line, facts } = this.studio;
    const wish = { neutral: this.neutral.value, target: this.target.value, beta: this.value(this.beta) };
    try {
      const [{ direction, hint, channels }] = await line.ask({ do: "text", ...wish, recipe: { model: facts.name } }).answer;
      if (facts !== this.studio.facts) return;
      this.tell(`${hint ? `${hint} ` : ""}${channels} channel${channels === 1 ? " moves" : "s move"}.`, !!hint);
      this.studio.store.extra.text = { ...wish, direction: direction.vector };
      this.place(direction, final);
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  /** The edit that the texts have written, in the stack; -1 if it is not there. */
  get at() {
    return this.studio.store.recipe.edits.findIndex((edit) => this.mine.has(edit.direction));
  }

  place(direction, final) {
    const { at } = this;
    const fields = { name: direction.name, space: direction.space, direction: direction.vector };
    this.mine.add(direction.vector);
    if (at < 0) return this.stack.add({ ...fields, strength: this.value(this.alpha) }, final);
    this.stack.edit((edits) => Object.assign(edits[at], fields), final);
  }

  strengthen(v, final) {
    const { at } = this;
    if (at >= 0) this.stack.edit((edits) => (edits[at].strength = v), final);
    else this.alpha.show(v);
  }

  keep() {
    this.mine.clear();
    delete this.studio.store.extra.text;
    this.target.value = "";
    this.target.focus();
    this.tell("");
  }

  show(recipe) {
    const { at } = this;
    if (at >= 0) this.alpha.show(recipe.edits[at].strength);
  }
}
