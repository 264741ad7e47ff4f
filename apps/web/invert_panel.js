// A picture of one's own: read or drawn, looked for in the model, and put on the stage as latents.

const WHERE = [["w+", "W+: nearer, a w for each layer"], ["w", "W: one w, a typical picture"], ["w+ noise", "W+ and noise: with noise of its own, where that helps"]];
const LENGTHS = [["100", "quick"], ["300", "good"], ["1000", "thorough"]];
const LARGEST_SHOWN = 256;
const MOST_STARTS = 500; // random latents that are tried first
const TOO_LARGE = 20 << 20; // bytes that the server reads

class InvertPanel {
  constructor(studio) {
    this.studio = studio;
    studio.files.unread = (file) => this.take(file); // a dropped picture without a recipe
    this.count = 0;
    const upload = fileButton("Upload a picture…", "image/png,image/jpeg,image/webp", "Upload a picture of your own", (file) => this.take(file));
    this.draw = button("Draw a face", "A new cartoon face, which the model has not seen", () => this.drawn());
    this.space = menu("Where it is looked for", WHERE, "w+", () => this.begin());
    this.space.classList.add("studio-wide");
    this.steps = menu("How long it is looked for", LENGTHS, "300", () => this.begin());
    this.start = button("Find it", "Looks for the latents with which the model comes nearest", () => this.search());
    this.use = button("Use it", "Puts it on the stage: edits and the other labs work on it", () => this.put());
    this.progress = new Progress();
    this.progress.stop.textContent = "Stop";
    this.progress.stop.title = "Ends the search and keeps the best so far";
    this.target = this.picture("yours");
    this.found = this.picture("the model's");
    this.pair = make("div", "studio-tiles");
    this.pair.style.setProperty("--columns", 2);
    this.pair.append(this.target.box, this.found.box);
    this.told = make("p", "toy-hint");
    this.told.setAttribute("role", "status");
    this.work = make("div");
    this.work.append(this.pair, this.space, line(this.steps, this.start, this.use), this.progress.root);
    const hint = make("p", "toy-hint", "A picture becomes latents, which can be edited like any other. It can be dropped on the page, too; its middle square is taken.");
    this.root = block("A picture of your own", line(upload, this.draw), hint, this.work, this.told);
    this.root.dataset.st = "invert";
    this.begin();
  }

  picture(name) {
    const box = make("div", "studio-tile");
    const canvas = make("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", name);
    box.append(canvas, make("small", "", name));
    return { box, canvas };
  }

  /** Another model: what was found in the old one is no use there. */
  async facts(facts) {
    this.draw.hidden = true;
    const noisy = [...this.space.options].find((option) => option.value === "w+ noise");
    noisy.disabled = !facts.noises.length;
    if (noisy.disabled && this.space.value === "w+ noise") this.space.value = "w+";
    if (this.progress.job) this.progress.job.cancel();
    this.begin();
    if (this.photo) this.paint(this.target, this.image);
    try {
      const [{ faces }] = await this.ask({ do: "inversion" }).answer;
      if (facts !== this.studio.facts) return;
      this.draw.hidden = !faces;
      this.root.head.firstChild.textContent = faces ? "A face of your own" : "A picture of your own";
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  ask(message, part) {
    return this.studio.line.ask({ ...message, recipe: { model: this.studio.facts.name } }, part);
  }

  tell(text, wrong = false) {
    this.told.textContent = text;
    this.told.hidden = !text;
    this.told.classList.toggle("wrong", wrong);
  }

  /** Nothing was looked for yet. */
  begin() {
    this.made = null;
    this.use.hidden = true;
    this.work.hidden = !this.photo;
    this.found.canvas.width = this.found.canvas.height = 1;
    this.tell("");
  }

  /** A file of the visitor's. */
  async take(file) {
    if (file.size > TOO_LARGE) return this.tell("This picture is larger than 20 MB; make it smaller.", true);
    const url = serverUrl("studio/upload");
    url.searchParams.set("kind", "photo");
    url.searchParams.set("name", file.name);
    try {
      const told = await (await fetch(url, { method: "POST", body: file })).json();
      if (told.error) return this.tell(told.error, true);
      await this.show(told.photo);
    } catch {
      this.tell("The picture could not be sent: it may be too large, or the server is gone.", true);
    }
  }

  async drawn() {
    try {
      const [{ photo }] = await this.ask({ do: "draw", index: anySeed() % 2 ** 31 }).answer;
      await this.show(photo);
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  /** A picture to look for. */
  async show(photo) {
    if (this.progress.job) this.progress.job.cancel();
    this.image = new Image();
    this.image.src = photo;
    await this.image.decode();
    this.photo = photo;
    this.begin();
    this.paint(this.target, this.image);
    this.work.scrollIntoView({ block: matchMedia("(max-width: 760px)").matches ? "end" : "nearest" }); // a phone's stage stays at the top
  }

  /** As the model sees it. */
  paint({ canvas }, image) {
    canvas.width = canvas.height = Math.min(this.studio.facts.resolution, LARGEST_SHOWN);
    const at = canvas.getContext("2d");
    at.imageSmoothingQuality = "high";
    at.drawImage(image, 0, 0, canvas.width, canvas.height);
  }

  async search() {
    const { photo } = this;
    const steps = Number(this.steps.value);
    const [space, noise] = this.space.value.split(" ");
    const how = { space, noise: !!noise, steps, starts: Math.min(steps, MOST_STARTS) };
    this.begin();
    this.lock(true);
    try {
      const ask = (part) => this.ask({ do: "invert", photo, how }, (header, blob) => this.live(header, blob, part));
      const [answer] = await this.progress.follow(ask);
      if (photo === this.photo && answer.recipe && answer.recipe.model === this.studio.facts.name) this.settle(answer);
    } catch (error) {
      this.tell(error.message, true);
    } finally {
      this.lock(false);
    }
  }

  lock(on) {
    for (const part of [this.start, this.space, this.steps]) part.disabled = on;
  }

  async live(header, blob, part) {
    const { job } = this.progress;
    part(header);
    if (header.trying) this.progress.text.textContent = "looks where to begin";
    if (!blob) return;
    this.tell(`Off by ${(50 * header.error).toFixed(1)}% so far.`);
    const image = await createImageBitmap(blob);
    if (job && (job === this.progress.job || this.made)) this.paint(this.found, image);
  }

  settle(answer) {
    this.made = answer.recipe;
    this.use.hidden = false;
    this.tell(answer.stopped ? `Stopped early. ${answer.text}` : answer.text);
  }

  /** What was found becomes the picture, and one of the sources to choose from. */
  put() {
    const { store } = this.studio;
    const { sources, psi, cutoff, space, mixes, noise, place } = copy(this.made);
    const { latent } = sources[0];
    if (!store.latents.some((row) => row.latent === latent)) {
      store.latents.push({ name: `my picture ${++this.count}`, latent });
      store.latents = store.latents.slice(-24);
    }
    store.edit((recipe) => Object.assign(recipe, { sources: [store.source({ latent })], psi, cutoff, space, mixes, noise, place }));
  }
}
