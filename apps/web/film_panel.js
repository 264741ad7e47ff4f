// The time line: keyframes, their order, pace and times; it plays in the page, shows a strip, and becomes a file.

const FILM_SPACES = [["w", "through W"], ["z_slerp", "through Z (slerp)"], ["z_lerp", "through Z (lerp)"]];
const STRIP = 10;

class FilmPanel {
  constructor(studio, root) {
    this.studio = studio;
    this.second = 0;
    this.keys = { k: ["the current picture becomes a keyframe", () => this.add()], " ": ["play or pause the film", () => this.toggle()] };
    const head = make("h2", "", "Film ");
    this.length = make("small");
    head.append(this.length);
    const change = (fields) => this.change((film) => Object.assign(film, fields));
    this.play = button("▶ Play", "Play or pause (Space)", () => this.toggle());
    this.space = menu("Way between keyframes", FILM_SPACES, "w", (space) => change({ space }));
    this.curve = menu("Curve", [["linear", "straight lines"], ["cubic", "smooth curve"]], "linear", (curve) => change({ curve }));
    this.loop = make("input");
    this.loop.type = "checkbox";
    this.loop.onchange = () => change({ loop: this.loop.checked });
    const loop = make("label");
    loop.append(this.loop, " loop");
    this.scrub = make("input");
    this.scrub.type = "range";
    this.scrub.min = 0;
    this.scrub.step = 0.01;
    this.scrub.setAttribute("aria-label", "Moment of the film");
    this.scrub.oninput = () => this.to(Number(this.scrub.value), true);
    this.scrub.onchange = () => this.to(Number(this.scrub.value), false);
    const take = button("Take this moment", "The moment on show becomes the current picture", () => this.take());
    this.cards = make("div", "studio-frames");
    this.strip = new Tiles(studio, make("div"), STRIP);
    this.tools = make("div");
    this.tools.append(line(this.play, this.scrub, take), line(this.space, this.curve, loop), this.strip.root, this.exports());
    root.append(head, line(button("+ Keyframe", "The current picture becomes a keyframe (K)", () => this.add(), "primary")), this.cards, this.tools);
    this.empty = make("p", "toy-hint", "Add the current picture as a keyframe, go to another one, add that too: the film goes from one to the next.");
    root.append(this.empty);
    this.show();
  }

  get film() {
    return this.studio.store.film;
  }

  get seconds() {
    const spans = this.film.keyframes.map((key) => key.seconds);
    return (this.film.loop && spans.length > 1 ? spans : spans.slice(0, -1)).reduce((a, b) => a + b, 0);
  }

  change(edit) {
    const film = copy(this.film);
    edit(film);
    this.studio.store.film = film;
    this.studio.store.save();
    this.show();
  }

  add() {
    if (this.film.keyframes.length >= 100) return this.studio.toast("A film has at most 100 keyframes.", "notice");
    const { store, stage } = this.studio;
    const key = { ...copy(store.defaults.keyframe), recipe: copy(store.recipe) };
    this.thumbs().set(JSON.stringify(key.recipe), stage.thumb());
    this.change((film) => film.keyframes.push(key));
  }

  thumbs() {
    if (!this.known) this.known = new Map();
    for (const node of this.studio.store.nodes.values()) if (node.thumb) this.known.set(JSON.stringify(node.recipe), node.thumb);
    return this.known;
  }

  show() {
    const { keyframes, loop, space, curve } = this.film;
    this.empty.hidden = keyframes.length > 1;
    this.tools.hidden = keyframes.length < 2;
    this.length.textContent = keyframes.length ? `${keyframes.length} keyframe${keyframes.length > 1 ? "s" : ""}, ${this.seconds.toFixed(1)} s` : "";
    this.loop.checked = loop;
    this.space.value = space;
    this.curve.value = curve;
    this.curve.disabled = space !== "w";
    this.scrub.max = this.seconds;
    const thumbs = this.thumbs();
    this.cards.replaceChildren(...keyframes.map((key, i) => this.card(key, i, thumbs.get(JSON.stringify(key.recipe)))));
    this.cards.hidden = !keyframes.length;
    this.settled();
  }

  card(key, i, thumb) {
    const card = make("div", "studio-frame-card");
    card.draggable = true;
    const picture = make("img");
    picture.alt = "";
    picture.draggable = false; // the card is what is dragged
    if (thumb) picture.src = thumb;
    else this.missing(key, picture);
    const go = button("", "Click to make it the current picture; drag to another place", () => this.studio.store.load(key.recipe), "studio-frame-picture");
    go.setAttribute("aria-label", `Keyframe ${i + 1}: make it the current picture`);
    go.append(picture);
    const seconds = make("input");
    seconds.type = "number";
    seconds.min = 0.05;
    seconds.max = 60;
    seconds.step = 0.25;
    seconds.value = key.seconds;
    seconds.title = "Seconds to the next keyframe";
    seconds.setAttribute("aria-label", `Seconds after keyframe ${i + 1}`);
    seconds.onchange = () => this.change((film) => (film.keyframes[i].seconds = Math.min(60, Math.max(0.05, Number(seconds.value) || 1))));
    const easing = menu(`Pace after keyframe ${i + 1}`, this.studio.schema.easings.map((name) => [name, name.replace("_", " ")]), key.easing, (v) => this.change((film) => (film.keyframes[i].easing = v)));
    const drop = button("×", `Remove keyframe ${i + 1}`, () => this.change((film) => film.keyframes.splice(i, 1)), "toy-x");
    const move = (text, title, to) => {
      const out = button(text, title, () => this.move(i, to));
      out.disabled = to < 0 || to >= this.film.keyframes.length;
      return out;
    };
    card.append(go, seconds, easing, line(move("‹", `Keyframe ${i + 1} earlier`, i - 1), move("›", `Keyframe ${i + 1} later`, i + 1)), drop);
    card.ondragstart = (event) => {
      this.dragged = i;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", String(i));
    };
    card.ondragover = (event) => {
      if (this.dragged == null) return;
      event.preventDefault();
      card.classList.add("over");
    };
    card.ondragleave = () => card.classList.remove("over");
    card.ondrop = (event) => {
      if (this.dragged == null) return;
      event.preventDefault();
      const from = this.dragged;
      this.dragged = null;
      this.move(from, i);
    };
    card.ondragend = () => (this.dragged = null);
    return card;
  }

  move(from, to) {
    this.change((film) => film.keyframes.splice(to, 0, ...film.keyframes.splice(from, 1)));
  }

  /** A keyframe that came by a link has no small picture yet. */
  async missing(key, picture) {
    try {
      await this.studio.line.ask({ do: "many", recipes: [key.recipe], side: 64 }, (_, blob) => {
        picture.src = URL.createObjectURL(blob);
        picture.onload = () => URL.revokeObjectURL(picture.src);
      }).answer;
    } catch {
      return; // without it then
    }
  }

  settled() {
    if (this.film.keyframes.length < 2 || !this.studio.facts) return;
    clearTimeout(this.stripping);
    this.stripping = setTimeout(() => {
      const times = Array.from({ length: STRIP }, (_, i) => Number(((this.seconds * i) / (this.film.loop ? STRIP : STRIP - 1)).toFixed(3)));
      const items = times.map((t) => ({ recipe: { t }, label: `${t.toFixed(1)} s`, title: `The moment at ${t.toFixed(1)} s` }));
      this.strip.fill(items, 96, (i) => this.to(times[i], false), { film: this.film, times });
    }, 150);
  }

  // playing

  toggle() {
    if (this.film.keyframes.length < 2) return this.studio.toast("A film needs two keyframes: press K on a picture to add it.", "notice");
    this.playing = !this.playing;
    this.play.textContent = this.playing ? "❚❚ Pause" : "▶ Play";
    this.studio.root.dataset.playing = this.playing;
    if (!this.playing) return;
    if (!this.film.loop && this.second >= this.seconds - 0.01) this.second = 0;
    let before = performance.now();
    const step = (now) => {
      if (!this.playing || !this.studio.root.isConnected) return;
      this.second += (now - before) / 1000;
      before = now;
      if (this.second >= this.seconds) {
        if (!this.film.loop) return this.toggle();
        this.second %= this.seconds;
      }
      this.to(this.second, true);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  to(second, preview) {
    this.second = second;
    this.scrub.value = second;
    this.studio.pump.want({ film: this.film, at: second, preview, since: performance.now() });
  }

  async take() {
    try {
      const [{ settings }] = await this.studio.line.ask({ do: "link", film: this.film, at: this.second }).answer;
      if (this.playing) this.toggle();
      this.studio.store.load(settings);
    } catch (error) {
      this.studio.fail(error);
    }
  }

  // the file

  exports() {
    const kind = menu("Kind of file", [["mp4", "MP4"], ["gif", "GIF"], ["webp", "WebP"]], "mp4", () => {});
    const fps = menu("Frames per second", [10, 15, 24, 30, 60].map((n) => [String(n), `${n} fps`]), "24", () => {});
    const side = menu("Size", [128, 256, 512, 1024].map((n) => [String(n), `${n} px`]), "256", () => {});
    const progress = new Progress();
    const go = button("Export", "Makes the film as a file", async () => {
      go.disabled = true;
      const about = { do: "film", film: this.film, kind: kind.value, fps: Number(fps.value), side: Number(side.value) };
      try {
        const [header, blob] = await progress.follow((part) => this.studio.line.ask(about, part));
        if (blob) this.studio.keep(header.name, blob);
        else this.studio.toast("The export was cancelled.", "notice");
      } catch (error) {
        this.studio.fail(error);
      }
      go.disabled = false;
    });
    const box = make("div");
    box.append(line("Export as", kind, fps, side, go), progress.root);
    return box;
  }
}
