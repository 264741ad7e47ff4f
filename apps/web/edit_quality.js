// How good an edit is: figures of the pictures on show, with it and without, and which layers it moves.

/** As people read parts. */
const PERCENT = (value) => `${Math.round(100 * value)} %`;
const FIGURES = [
  ["asked", (q) => (q.reached === null ? null : `${PERCENT(q.had)} → ${PERCENT(q.reached)}`), "what was asked for", "Part of the pictures that show it, before and after, as a classifier of faces reads them"],
  ["flipped", (q) => (q.flipped === null ? null : PERCENT(q.flipped)), "of the rest changed", "Part of the other attributes (hair, glasses, hat, clothes, …) that are read as something else"],
  ["identity", (q) => (q.identity === null ? null : q.identity.toFixed(2)), "change of the person", "Distance of features beside what was asked for: 0 the same, 1 as between two people"],
  ["dependency", (q) => (q.dependency === null ? null : q.dependency.toFixed(2)), "attribute dependency", "Mean change of the other attributes, in standard deviations (Wu et al. 2021)"],
  ["similarity", (q) => (q.similarity === null ? null : q.similarity.toFixed(2)), "CLIP similarity", "Cosine of what the edit did to the pictures and of what the text asks for: a perfect edit of our faces has about 0.4"],
];

class EditQuality {
  constructor(studio) {
    this.studio = studio;
    this.figures = make("div", "edit-figures");
    this.layers = make("div", "edit-layers");
    this.root = make("div", "edit-quality");
    this.root.append(make("b", "", "How good this edit is, on these pictures"), this.figures, make("b", "", "Where it acts: how much each layer moves"), this.layers);
    this.root.hidden = true;
    this.pump = new Pump((wish) => this.measure(wish));
  }

  /** Measures edit `at` of these recipes, which all have it. */
  want(recipes, at, neutral) {
    this.pump.want({ recipes, at, neutral });
  }

  async measure(wish) {
    const { line, facts } = this.studio;
    try {
      const [answer] = await line.ask({ do: "quality", ...wish }).answer;
      if (facts !== this.studio.facts) return;
      this.show(answer, wish.recipes.length, wish.recipes[0].edits[wish.at]);
    } catch {
      this.root.hidden = true; // figures are an extra: what is wrong with an edit is said elsewhere
    }
  }

  show({ figures, moved }, count, edit) {
    const shown = figures ? FIGURES.map(([name, value, label, title]) => [name, value(figures), label, title]).filter(([, value]) => value !== null) : [];
    this.figures.replaceChildren(...shown.map(([name, value, label, title]) => this.figure(name, value, label, title)));
    this.figures.setAttribute("aria-label", `How good “${edit.name}” is, on ${count} pictures`);
    this.layers.replaceChildren(...moved.map((layer) => this.layer(layer)));
    this.root.hidden = false;
  }

  figure(name, value, label, title) {
    const out = make("div", "edit-figure");
    out.dataset.name = name;
    out.title = title;
    out.append(make("b", "", value), make("span", "", label));
    return out;
  }

  layer({ name, part, channels }) {
    const out = make("div", "edit-layer");
    const bar = make("i");
    bar.style.height = `${Math.max(2, 100 * part)}%`;
    const column = make("div");
    column.append(bar);
    out.title = channels === null ? `${name}: ${PERCENT(part)} of the most that a layer moves` : `${name}: ${channels} channel${channels === 1 ? "" : "s"}, ${PERCENT(part)} of the most that a layer moves`;
    out.append(column, make("span", "", name.split(/[x×]/)[0]));
    return out;
  }
}
