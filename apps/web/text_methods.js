// Two texts, and three ways to make an edit of them (StyleCLIP): as a direction, by optimization, with a mapper.

const WRITING = 350; // ms without a key before a text is read
const NEUTRAL = "a person";
const METHODS = [
  ["direction", "Direction", "The same step for every picture, at once, once the model is learnt"],
  ["optimization", "Optimization", "Moves this picture's own latents until the text fits"],
  ["mapper", "Mapper", "Trains a small network for this text; it then gives every picture a step of its own"],
];
const AIMS = [["change", "aim: change"], ["text", "aim: target"]];
const AIM = "What it aims at: the change between the two texts, or the target alone";

class TextMethods {
  constructor(studio, stack) {
    this.studio = studio;
    const { neutral, target, method } = { neutral: NEUTRAL, target: "", method: "direction", ...studio.store.extra.text };
    this.neutral = this.field("Neutral text: what the picture shows", neutral, "what it shows now");
    this.target = this.field("Target text: what it should show", target, "what it should show");
    this.ideas = make("div", "studio-toggles");
    this.told = make("p", "toy-hint");
    this.told.setAttribute("role", "status");
    this.warning = make("p", "toy-hint wrong");
    this.warning.hidden = true;
    this.said = {}; // method -> [text, whether it is an error]
    this.methods = { direction: new TextPrompt(studio, stack, this), optimization: new TextOptimize(studio, stack, this), mapper: new TextMapper(studio, stack, this) };
    this.switch = make("div", "studio-toggles");
    this.switch.setAttribute("role", "group");
    this.switch.setAttribute("aria-label", "How a text becomes an edit");
    this.switches = Object.fromEntries(METHODS.map(([name, text, title]) => [name, button(text, title, () => this.choose(name))]));
    this.switch.append(...Object.values(this.switches));
    this.body = make("div", "studio-text");
    this.body.append(this.neutral, this.target, this.ideas, this.switch, ...Object.values(this.methods).map((one) => one.root));
    this.root = block("Text", this.warning, this.told, this.body);
    this.choose(method in this.methods ? method : "direction");
  }

  field(label, value, placeholder) {
    const out = make("input", "studio-wide");
    out.value = value;
    out.placeholder = placeholder;
    out.setAttribute("aria-label", label);
    out.title = label;
    out.autocomplete = "off";
    out.oninput = () => this.later();
    out.onchange = () => this.now();
    return out;
  }

  /** The texts as the server takes them. */
  get words() {
    return { neutral: this.neutral.value, target: this.target.value };
  }

  choose(method) {
    this.method = method;
    for (const [name, one] of Object.entries(this.methods)) {
      one.root.hidden = name !== method;
      this.switches[name].setAttribute("aria-pressed", name === method);
    }
    this.remember({ method });
    this.tell(method, ...(this.said[method] || [""]));
  }

  /** Kept for the next lab or a reload. */
  remember(fields) {
    this.studio.store.extra.text = { ...this.studio.store.extra.text, ...this.words, ...fields };
  }

  facts() {
    this.said = {};
    for (const one of Object.values(this.methods)) one.facts();
    this.offer({ offers: { text: "Looking what this model can do…" }, suggestions: [] });
  }

  /** What the server says: whether texts work on this model, and which are worth a try. */
  offer({ offers, ready, suggestions, warning }) {
    this.why = offers.text;
    this.warning.textContent = warning || "";
    this.warning.hidden = !warning;
    this.root.classList.toggle("off", !!this.why);
    this.ideas.replaceChildren(...suggestions.map((text) => this.idea(text)));
    for (const part of this.body.querySelectorAll("input, button, select")) part.disabled = !!this.why;
    for (const one of Object.values(this.methods)) one.offer(ready || [], !!this.why);
    this.tell(this.method, ...(this.said[this.method] || [""]));
  }

  idea(text) {
    return button(shortened(text), text, () => {
      this.target.value = text;
      this.now();
    });
  }

  /** What a method has to say; only the one on show is heard. */
  tell(method, text, wrong = false) {
    this.said[method] = [text, wrong];
    if (method !== this.method) return;
    this.told.textContent = this.why || text;
    this.told.hidden = !this.told.textContent;
    this.told.classList.toggle("wrong", wrong && !this.why);
  }

  later() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.now(), WRITING);
  }

  now(final = true) {
    clearTimeout(this.waiting);
    this.remember({});
    if (this.method === "direction") this.methods.direction.now(final);
  }

  /** Free for the next text. */
  clear() {
    this.target.value = "";
    this.target.focus();
    this.remember({});
  }

  show(recipe) {
    this.methods.direction.show(recipe);
    this.methods.optimization.show(recipe);
  }
}

/** A dial that nobody hears of: it is read when a run starts. */
function setting(label, help, lo, hi, value, kind) {
  const row = dial(label, help, lo, hi, value, (v) => row.show(v), kind);
  return row;
}

/** The number in a dial. */
function dialled(row) {
  return Number(row.querySelector("input[type=number]").value);
}

/** An edit's place among others, by directions that were ours; -1 if it is not there. */
function placeOf(edits, ours) {
  return edits.findIndex((edit) => ours.has(edit.direction));
}
