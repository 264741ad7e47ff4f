// The edits on a picture: each a card with a strength, layers and a place in the order.

/** Without what all texts of people say. */
function shortened(text) {
  return text.replace(/^a person (with |wearing |in )?(?=.)|^an? (?=.)/, "");
}

const REACH = { w: 5, s: 10 }; // the strength at the ends of a slider, by what the edit moves

class EditStack {
  constructor(studio, chosen) {
    this.studio = studio;
    this.chosen = chosen; // () when another edit is looked at
    this.at = 0;
    this.cards = [];
    this.box = make("div", "studio-edits");
    this.none = make("p", "toy-hint", "None yet: click a direction, or write what should change.");
    this.hold = button("Hold: without", "The picture without its edits, as long as this is held down", () => {});
    this.hold.onpointerdown = (event) => {
      this.hold.setPointerCapture(event.pointerId);
      this.without(true);
    };
    this.hold.onpointerup = this.hold.onpointercancel = () => this.without(false);
    this.hold.onkeydown = (event) => [" ", "Enter"].includes(event.key) && !event.repeat && this.without(true);
    this.hold.onkeyup = this.hold.onblur = () => this.without(false);
    this.mute = button("Mute all", "Keep all edits without effect (M)", () => this.muteAll());
    this.clear = button("Clear", "Take all edits away", () => this.edit((edits) => edits.splice(0)));
    this.root = block("Edits", line(this.hold, this.mute, this.clear), this.none, this.box);
  }

  get edits() {
    return this.studio.store.recipe.edits;
  }

  edit(change, final = true) {
    this.studio.store.edit((recipe) => change(recipe.edits), final);
  }

  /** Adds an edit and looks at it. */
  add(fields, final = true) {
    const { schema } = this.studio;
    if (this.edits.length >= schema.most_edits) return this.studio.toast(`At most ${schema.most_edits} edits can be stacked; take one away first.`, "notice");
    this.at = this.edits.length;
    this.edit((edits) => edits.push({ ...copy(schema.defaults.edit), ...fields }), final);
  }

  /** Adds a direction with a strength of its own, or takes it away where it is there. */
  toggle(direction, layers) {
    const there = this.edits.findIndex((edit) => edit.direction === direction.vector);
    if (there >= 0) return this.edit((edits) => edits.splice(there, 1));
    this.add({ name: direction.name.replaceAll("_", " "), space: direction.space, direction: direction.vector, strength: 2, layers: direction.layers || layers });
  }

  muteAll() {
    const muted = this.edits.some((edit) => !edit.muted);
    if (this.edits.length) this.edit((edits) => edits.forEach((edit) => (edit.muted = muted)));
  }

  /** Shows the picture without edits while a button is held; the recipe stays. */
  without(held) {
    if (held === !!this.held || (held && !this.edits.length)) return;
    this.held = held;
    this.hold.setAttribute("aria-pressed", held);
    const { pump, store } = this.studio;
    if (held) pump.want({ recipe: { ...store.recipe, edits: [] }, preview: true, since: performance.now() });
    else this.studio.show(true);
  }

  move(i, by) {
    this.at = i + by;
    this.edit((edits) => edits.splice(i + by, 0, ...edits.splice(i, 1)));
    this.cards[this.at].root.querySelector(".studio-edit-head button").focus({ preventScroll: true }); // it was made anew
  }

  look(i) {
    if (i === this.at) return;
    this.at = i;
    this.mark();
    this.chosen();
  }

  mark() {
    this.cards.forEach((card, i) => card.root.classList.toggle("on", i === this.at && this.cards.length > 1));
  }

  show(recipe) {
    const { edits } = recipe;
    const shape = [this.studio.facts.name, ...edits.map((edit) => `${edit.name} ${edit.space} ${edit.direction.length}`)].join();
    this.at = Math.max(0, Math.min(this.at, edits.length - 1));
    if (shape !== this.shape) this.build(edits);
    this.shape = shape;
    edits.forEach((edit, i) => this.cards[i].show(edit));
    this.none.hidden = edits.length > 0;
    for (const one of [this.hold, this.mute, this.clear]) one.disabled = !edits.length;
    this.mute.textContent = edits.length && edits.every((edit) => edit.muted) ? "Unmute all" : "Mute all";
    this.mark();
  }

  build(edits) {
    this.cards = edits.map((edit, i) => this.card(edit, i, edits.length));
    this.box.replaceChildren(...this.cards.map((card) => card.root));
  }

  card(edit, i, count) {
    const root = make("section", "studio-edit");
    root.setAttribute("aria-label", `Edit ${i + 1}: ${edit.name || "no name"}`);
    root.onpointerdown = root.onfocusin = () => this.look(i);
    const name = make("b", "", shortened(edit.name) || "no name");
    name.title = edit.name;
    const set = (change, final = true) => this.edit((list) => change(list[i]), final);
    const mute = button("on", "Mute: keep it without effect", () => set((one) => (one.muted = !one.muted)));
    mute.setAttribute("aria-label", `Edit ${i + 1}: on`);
    const up = button("↑", `Edit ${i + 1}: further up`, () => this.move(i, -1));
    const down = button("↓", `Edit ${i + 1}: further down`, () => this.move(i, 1));
    up.disabled = i === 0;
    down.disabled = i === count - 1;
    const away = button("×", `Edit ${i + 1}: take it away`, () => this.edit((list) => list.splice(i, 1)), "toy-x");
    const head = make("div", "studio-edit-head");
    const moves = make("small", "", edit.space === "s" ? "S" : "W");
    moves.title = edit.space === "s" ? "Moves single channels of styles" : "Moves w, of one layer or of several";
    head.append(name, moves, mute, up, down, away);
    const reach = REACH[edit.space];
    const about = edit.space === "w" ? "In standard deviations of what this model makes; 0 changes nothing" : "Alpha: how far its channels move, the strongest in standard deviations";
    const dialled = dial(`strength ${i + 1}`, about, -reach, reach, edit.strength, (v, final) => set((one) => (one.strength = v), final));
    dialled.querySelector("span").textContent = "strength";
    const rows = new RowToggles((list) => set((one) => (one.layers = list.length === this.studio.facts.num_ws ? null : list)));
    rows.facts(this.studio.facts);
    const layers = make("details", "studio-edit-layers");
    const which = make("summary");
    layers.append(which, rows.root);
    root.append(head, dialled, layers);
    return {
      root,
      show: (now) => {
        dialled.show(now.strength);
        mute.setAttribute("aria-pressed", !now.muted);
        mute.textContent = now.muted ? "off" : "on";
        root.classList.toggle("muted", now.muted);
        const all = this.studio.facts.rows.map((row) => row.row);
        rows.show(now.layers || all);
        which.textContent = `layers: ${this.named(now.layers)}`;
      },
    };
  }

  /** What a list of rows is called. */
  named(layers) {
    if (!layers) return "all";
    if (!layers.length) return "none";
    const { rows } = this.studio.facts;
    const bands = [...new Set(layers.map((row) => rows[row] && rows[row].band))];
    const whole = rows.filter((row) => bands.includes(row.band)).length === layers.length;
    return whole ? bands.join(", ") : layers.join(", ");
  }
}
