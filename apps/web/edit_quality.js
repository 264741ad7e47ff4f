// How good an edit is: figures of the pictures on show, with it and without, and which layers it moves.

const [STRIP, HIGH] = [160, 22]; // pixels across, and up or down, of a layer's channels

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
    this.changed = make("p", "toy-hint");
    this.own = make("div", "edit-figures");
    this.figures.dataset.of = "others";
    this.own.dataset.of = "own";
    this.layers = make("div", "edit-layers");
    this.channels = make("div", "edit-channels");
    this.root = make("div", "edit-quality");
    this.told = make("b");
    this.mine = make("b", "", "How good it is on your picture");
    this.acts = make("b", "", "Where it acts: how much each layer moves");
    this.which = make("b", "", "Which channels of each layer move: blue up, orange down");
    this.root.append(this.mine, this.own, this.told, this.figures, this.changed, this.acts, this.layers, this.which, this.channels);
    this.root.hidden = true;
    this.pump = new Pump((wish) => this.measure(wish));
  }

  /** Measures edit `at` of these recipes, which all have it, and of one's own picture. */
  want(recipes, at, neutral, own) {
    this.pump.want({ recipes, at, neutral, own });
  }

  async measure(wish) {
    const { line, facts } = this.studio;
    try {
      const [answer] = await line.ask({ do: "quality", ...wish }).answer;
      if (facts !== this.studio.facts) return;
      this.show(answer, wish.recipes.length, wish.recipes[0].edits[wish.at]);
    } catch (error) {
      if (facts !== this.studio.facts) return;
      for (const part of [this.own, this.figures, this.layers, this.channels]) part.replaceChildren();
      for (const part of [this.mine, this.acts, this.which]) part.hidden = true;
      this.told.textContent = "How good this edit is could not be measured";
      this.changed.textContent = error.message;
      this.root.hidden = this.changed.hidden = false;
    }
  }

  show({ figures, own, moved }, count, edit) {
    this.fill(this.figures, figures);
    this.fill(this.own, own);
    this.mine.hidden = !own;
    this.told.textContent = figures ? `How good it is on the ${count} others` : "";
    this.figures.setAttribute("aria-label", `How good “${edit.name}” is, on ${count} pictures`);
    this.own.setAttribute("aria-label", `How good “${edit.name}” is, on your picture`);
    const also = figures ? figures.changed.map(([name, part]) => `${name} (${PERCENT(part)})`) : [];
    this.changed.textContent = also.length ? `What else changed on them: ${also.join(", ")}.` : "";
    this.changed.hidden = !also.length;
    this.layers.replaceChildren(...moved.map((layer) => this.layer(layer)));
    const rows = moved.filter((layer) => layer.ticks);
    this.channels.replaceChildren(...rows.map((layer) => this.strip(layer)));
    this.acts.hidden = false;
    this.which.hidden = !rows.length;
    this.root.hidden = false;
  }

  fill(box, figures) {
    const shown = figures ? FIGURES.map(([name, value, label, title]) => [name, value(figures), label, title]).filter(([, value]) => value !== null) : [];
    box.replaceChildren(...shown.map(([name, value, label, title]) => this.figure(name, value, label, title)));
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

  /** A layer's channels from left to right; those that move are lines, as high as they move far. */
  strip({ name, ticks, channels }) {
    const out = make("div", "edit-strip");
    const canvas = make("canvas");
    canvas.width = 2 * STRIP;
    canvas.height = 2 * HIGH;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${name}: ${channels} channel${channels === 1 ? "" : "s"} of this layer move`);
    const c = canvas.getContext("2d");
    c.fillStyle = "#8883";
    c.fillRect(0, HIGH - 0.5, canvas.width, 1);
    for (const [place, value] of ticks) {
      c.fillStyle = value > 0 ? "#1565c0" : "#e65100";
      const high = Math.max(2, HIGH * Math.sqrt(Math.abs(value))); // small ones are to be seen, too
      c.fillRect(place * canvas.width, value > 0 ? HIGH - high : HIGH, 2.5, high);
    }
    out.title = canvas.getAttribute("aria-label");
    out.append(canvas, make("span", "", `${name} · ${channels}`));
    return out;
  }
}
