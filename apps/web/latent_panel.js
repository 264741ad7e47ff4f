// The latent lab: where the picture lies, what it is blended with, its class.

const MOST_MIXED = 16; // classes, as a recipe has it
const HOME = { right: 0, down: 0, turn: 0 };
const WAYS = [["w", "W: straight line"], ["w+", "W+: chosen layers only"], ["z_slerp", "Z: along the sphere (slerp)"], ["z_lerp", "Z: straight line (lerp)"]];

class LatentPanel {
  constructor(studio, side, bench, under) {
    this.studio = studio;
    const { store } = studio;
    this.map = new LatentMap(studio);
    this.time = new FilmPanel(studio, under);
    bench.append(this.map.root);
    this.keys = this.time.keys;
    this.first = new SourcePicker(studio, "Picture", (source) => store.edit((r) => (r.sources[0] = source)));
    this.psi = dial("psi ψ", "Truncation: 1 leaves w alone, 0 gives the average picture", -1, 2, 0.7, (v, final) => store.edit((r) => (r.psi = v), final));
    this.second = new SourcePicker(studio, "Second picture", (source) => this.blend({ source }));
    this.way = menu("Where the two are blended", WAYS, "w", (way) => this.blend({ way }));
    this.way.classList.add("studio-wide");
    this.amount = dial("towards it", "0: the first picture, 1: the second", 0, 1, 0.5, (amount, final) => this.blend({ amount }, final));
    this.rows = new RowToggles((rows) => this.blend({ rows }));
    this.on = button("Blend", "Blend with a second picture", () => this.blend(this.state ? null : { source: store.source({ seed: anySeed() }), way: "w", amount: 0.5 }));
    this.details = make("div");
    this.details.append(this.second.root, this.way, this.amount, this.rows.root);
    const blend = block("Second picture", this.details);
    blend.head.append(this.on);
    this.classes = block("Class", make("div"));
    const add = button("+ mix in", "Mix another class in", () => this.setClasses((shares) => this.mixed(shares)));
    this.classes.head.append(add);
    const upload = fileButton("Upload latents…", ".npz,.npy,.pt", "Upload latents", (file) => studio.files.take(file));
    this.moves = {
      right: dial("to the right", "In widths of the picture", -0.5, 0.5, 0, (v, final) => store.edit((r) => (r.place = { ...HOME, ...r.place, right: v }), final)),
      down: dial("downwards", "In heights of the picture", -0.5, 0.5, 0, (v, final) => store.edit((r) => (r.place = { ...HOME, ...r.place, down: v }), final)),
      turn: dial("turned", "Degrees, clockwise", -180, 180, 0, (v, final) => store.edit((r) => (r.place = { ...HOME, ...r.place, turn: v }), final)),
    };
    this.place = block("Place", ...Object.values(this.moves), make("p", "toy-hint", "The input moves, and the picture with it: StyleGAN3-T follows shifts, R turns too."));
    const home = button("back", "Back to where the model draws it", () => store.edit((r) => (r.place = HOME)));
    this.place.head.append(home);
    side.append(block("Picture", this.first.root, this.psi), this.place, this.classes, blend, block("Latents of your own", upload, make("p", "toy-hint", "A projector's .npz with w, .npy [N, 512] or [N, layers, 512], or rosinality's .pt.")));
  }

  /** What the recipe blends with, as this panel sees it; null if nothing. */
  read(recipe) {
    if (recipe.sources.length > 1) return { way: recipe.space, source: recipe.sources[1], amount: recipe.sources[1].weight, rows: [] };
    const mix = recipe.mixes[0];
    return mix ? { way: "w+", source: mix.source, amount: mix.strength, rows: mix.layers } : null;
  }

  blend(fields, final = true) {
    const state = fields && { rows: [], ...this.state, ...fields };
    if (state && state.way === "w+" && !state.rows.length && !fields.rows) state.rows = this.studio.facts.rows.map((row) => row.row);
    this.studio.store.edit((r) => {
      const first = { ...r.sources[0], weight: 1 };
      r.space = "w";
      r.sources = [first];
      r.mixes = [];
      if (!state) return;
      const source = { ...state.source, weight: 1 };
      if (state.way === "w+") r.mixes = [{ source, layers: state.rows, strength: state.amount }];
      else {
        r.space = state.way;
        r.sources = [{ ...first, weight: 1 - state.amount }, { ...source, weight: state.amount }];
        if (state.way === "w") return;
        for (const one of r.sources) Object.assign(one, { x: Math.round(one.x), y: Math.round(one.y) });
        if (r.sources.some((one) => one.latent || one.recipe)) {
          r.space = "w";
          this.studio.toast("Only seeds have a z; these two are blended in W.", "notice");
        }
      }
    }, final);
  }

  setClasses(change, final = true) {
    this.studio.store.edit((r) => (r.sources[0].classes = change(r.sources[0].classes)), final);
  }

  /** One class more: the next that is not in yet. */
  mixed(shares) {
    const held = shares.length ? shares : [{ index: 0, share: 1 }];
    const used = new Set(held.map((share) => share.index));
    const next = Array.from({ length: this.count }, (_, i) => (held.at(-1).index + 1 + i) % this.count).find((i) => !used.has(i));
    if (next != null && held.length < MOST_MIXED) return [...held, { index: next, share: 0.5 }];
    this.studio.toast(next == null ? "All classes are mixed in already." : `At most ${MOST_MIXED} classes can be mixed.`, "notice");
    return held;
  }

  facts(facts) {
    this.rows.facts(facts);
    this.second.withClass(facts);
    this.count = facts.c_dim;
    this.classes.hidden = !facts.c_dim;
    this.place.hidden = !facts.moves;
    this.classShape = null;
    this.map.fill();
  }

  show(recipe) {
    this.first.show(recipe.sources[0]);
    this.map.show(recipe.sources[0]);
    this.psi.show(recipe.psi);
    for (const [name, row] of Object.entries(this.moves)) row.show(recipe.place?.[name] ?? 0);
    this.state = this.read(recipe);
    this.details.hidden = !this.state;
    this.on.textContent = this.state ? "Take away" : "Blend";
    if (this.state) {
      this.second.show(this.state.source);
      this.way.value = this.state.way;
      this.amount.show(this.state.amount);
      this.rows.root.hidden = this.state.way !== "w+";
      this.rows.show(this.state.rows);
    }
    const shares = recipe.sources[0].classes;
    if (this.count) this.showClasses(shares.length ? shares : [{ index: 0, share: 1 }]);
  }

  showClasses(shares) {
    const shape = shares.map((share) => share.index).join();
    if (shape !== this.classShape) {
      this.classShape = shape;
      const box = this.classes.children[1];
      box.replaceChildren();
      this.dials = shares.map((share, i) => {
        const pick = classMenu(`Class ${i + 1}`, this.studio.facts, share.index, (index) => this.setClasses((list) => (list.length ? list.with(i, { ...list[i], index }) : [{ index, share: 1 }])));
        const row = line(pick);
        box.append(row);
        if (shares.length < 2) return null;
        row.append(button("×", "Remove this class", () => this.setClasses((list) => list.filter((_, k) => k !== i)), "toy-x"));
        const part = dial("share", "Its part in the mixture", 0, 1, share.share, (v, final) => this.setClasses((list) => list.with(i, { ...list[i], share: v }), final));
        box.append(part);
        return part;
      });
    }
    shares.forEach((share, i) => this.dials[i] && this.dials[i].show(share.share));
  }

  settled() {
    this.map.fill();
    this.time.settled();
  }

  film() {
    this.time.show();
  }
}
