// Mappers: a small network is trained for a text, once; then it gives every picture a step of its own, at once.

const GROUPS = [
  ["coarse", "Where the head is, its shape, hair and hat"],
  ["middle", "Features of the face"],
  ["fine", "Colours and small things"],
];
const MOST_SENT = 8.5e6; // bytes of a file that fits a message
const MOST_MADE = 80; // edits of mappers that are remembered

class TextMapper {
  constructor(studio, stack, texts) {
    this.studio = studio;
    this.stack = stack;
    this.texts = texts;
    this.groups = make("div", "studio-toggles");
    this.toggles = GROUPS.map(([name, title]) => {
      const out = button(name, title, () => out.setAttribute("aria-pressed", out.getAttribute("aria-pressed") !== "true"));
      out.setAttribute("aria-pressed", true);
      return out;
    });
    this.groups.append(...this.toggles);
    const still = () => {};
    this.aim = menu(AIM, AIMS, "change", still);
    this.steps = setting("steps", "How long it is trained; 300 take about a minute", 10, 1000, 300, "int");
    this.l2 = setting("L2 weight", "How much its steps are kept short: more changes less", 0, 3, 0.8);
    this.same = setting("identity", "How much all else is to stay as it was", 0, 1, 0.1);
    this.live = new LiveRun("Train", "Trains a mapper for this text; stopped early, it is kept as it is", () => this.train());
    this.sheet = make("img", "studio-sheet");
    this.sheet.alt = "Other pictures, before above and after below";
    this.name = make("p", "toy-hint");
    this.apply = button("Apply to this picture", "What the mapper does here, as an edit; it follows when the picture changes", () => this.use());
    this.save = button("Save mapper", "As a file, to open it again later", () => this.keep());
    const open = fileButton("Open mapper…", ".safetensors", "Open mapper", (file) => this.open(file));
    this.root = make("div", "studio-method");
    this.root.append(line("Layers", this.groups), line(this.aim), this.steps, this.l2, this.same, this.live.root, this.sheet, this.name, line(this.apply, this.save, open));
    this.hold(null);
  }

  get about() {
    return { recipe: { model: this.studio.facts.name } };
  }

  facts(facts) {
    this.live.drop();
    const kept = this.studio.store.extra.mapper;
    this.hold(kept && kept.sha256 === this.studio.facts.sha256 ? kept : null);
  }

  offer(ready, off) {
    if (off) return;
    this.tell("");
    this.apply.disabled = this.save.disabled = !this.held;
  }

  tell(text, wrong) {
    this.texts.tell("mapper", text, wrong);
  }

  /** The mapper at hand; null for none. */
  hold(held) {
    this.held = held;
    this.sheet.hidden = true;
    this.apply.disabled = this.save.disabled = !held;
    this.name.hidden = !held;
    if (!held) return;
    this.name.textContent = `“${held.target}”: ${held.groups.length < GROUPS.length ? `${held.groups.join(" and ")} layers` : "all layers"}${held.note || ""}`;
    this.studio.store.extra.mapper = { ...held, sha256: this.studio.facts.sha256 };
  }

  async train() {
    const { studio, texts } = this;
    const groups = this.toggles.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.textContent);
    const run = { ...texts.words, aim: this.aim.value, groups, steps: dialled(this.steps), l2: dialled(this.l2), identity: dialled(this.same) };
    this.tell("");
    try {
      const header = await this.live.follow((part) => studio.line.ask({ do: "mapper_train", run, ...this.about }, part), (blob) => this.see(blob));
      if (!header || !header.mapper) return;
      const seen = !this.sheet.hidden;
      const { mapper, target, hint } = header;
      this.hold({ mapper, target, groups: header.groups, note: header.cancelled ? `, stopped at step ${header.step}` : `, ${header.step} steps` });
      this.sheet.hidden = !seen;
      this.tell(hint, !!hint);
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  see(blob) {
    if (!this.live.job) return;
    URL.revokeObjectURL(this.sheet.src);
    this.sheet.src = URL.createObjectURL(blob);
    this.sheet.hidden = false;
  }

  async keep() {
    const { studio, held } = this;
    try {
      const [header, blob] = await studio.line.ask({ do: "mapper_save", mapper: held.mapper, ...this.about }).answer;
      studio.keep(header.name, blob);
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  async open(file) {
    if (file.size > MOST_SENT) return this.tell("This file is larger than a page can send (8.5 MB); use it from Python.", true);
    try {
      const url = await new Promise((done, fail) => {
        const reader = new FileReader();
        reader.onload = () => done(reader.result);
        reader.onerror = () => fail(new Error("This file cannot be read."));
        reader.readAsDataURL(file);
      });
      const [{ mapper, target, groups }] = await this.studio.line.ask({ do: "mapper_open", data: url.slice(url.indexOf(",") + 1), ...this.about }).answer;
      this.hold({ mapper, target, groups });
      this.tell("");
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  // the edits that mappers have made

  /** What a mapper's step at a place of the stack depends on. */
  base({ sources, space, psi, cutoff, center, mixes, edits }, at) {
    const before = edits.slice(0, at).filter((edit) => edit.space === "w" && !edit.muted);
    return mark(JSON.stringify([sources, space, psi, cutoff, center, mixes, before.map(({ direction, strength, layers }) => [direction, strength, layers])]));
  }

  get made() {
    return this.studio.store.extra.mapped || {};
  }

  /** Notes which mapper an edit is of, and of which picture. */
  note(direction, mapper, base) {
    const kept = Object.entries({ ...this.made, [mark(direction)]: [mapper, base] });
    this.studio.store.extra.mapped = Object.fromEntries(kept.slice(-MOST_MADE));
  }

  maker(edit) {
    return (this.made[mark(edit.direction)] || [])[0];
  }

  async stepsOf(mapper, recipes) {
    const [{ edits }] = await this.studio.line.ask({ do: "mapper_apply", mapper, recipes: recipes.map((recipe) => ({ ...recipe, model: this.studio.facts.name })) }).answer;
    return edits;
  }

  /** The mapper's step for the picture, in the stack; it is made anew where it stands already. */
  async use() {
    const { studio, stack } = this;
    const { recipe } = studio.store;
    const { mapper } = this.held;
    const there = recipe.edits.findIndex((edit) => this.maker(edit) === mapper);
    const at = there < 0 ? recipe.edits.length : there;
    try {
      const [{ name, space, direction }] = await this.stepsOf(mapper, [{ ...recipe, edits: recipe.edits.slice(0, at) }]);
      if (studio.store.recipe !== recipe) return this.use();
      this.note(direction, mapper, this.base(recipe, at));
      if (there < 0) stack.add({ name, space, direction, strength: 1 });
      else stack.edit((edits) => Object.assign(edits[at], { direction, strength: 1, muted: false }));
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  /** Another picture: mappers give it steps of its own, in the same place of the history. Whether there was any to be made. */
  follow(recipe) {
    const at = recipe.edits.findIndex((edit, i) => this.maker(edit) && this.made[mark(edit.direction)][1] !== this.base(recipe, i));
    if (at < 0) return false;
    this.remake(recipe, at);
    return true;
  }

  async remake(recipe, at) {
    const { studio } = this;
    const { store } = studio;
    const old = recipe.edits[at].direction;
    const [mapper] = this.made[mark(old)];
    try {
      const [{ direction }] = await this.stepsOf(mapper, [{ ...recipe, edits: recipe.edits.slice(0, at) }]);
      this.note(direction, mapper, this.base(recipe, at));
      if (store.recipe !== recipe) return; // it changed again, and comes back here
      store.recipe = copy(recipe); // what is being painted keeps its own
      store.begin((now) => (now.edits[at].direction = direction));
      store.node.thumb = "";
      studio.changed("settled");
    } catch (error) {
      delete this.made[mark(old)]; // it stays what it is: a direction
      this.tell(`${error.message} The edit stays as it was for the picture before.`, true);
    }
  }

  /** The edits of a recipe for other pictures of the same kind, each an array. */
  async each(recipe, recipes) {
    let all = recipes.map((one) => ({ ...one, edits: [] }));
    for (const edit of recipe.edits) {
      const mapper = this.maker(edit);
      const made = mapper ? await this.stepsOf(mapper, all) : null;
      all = all.map((one, i) => ({ ...one, edits: [...one.edits, made ? { ...edit, direction: made[i].direction } : edit] }));
    }
    return all.map((one) => one.edits);
  }
}

/** A short mark of a long text (FNV-1a, and its length). */
function mark(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return `${(hash >>> 0).toString(36)}.${text.length}`;
}
