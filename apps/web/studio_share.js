// Files in and out: PNG with its recipe, JSON, link, Python; what is dropped on the page or chosen from the disk.

class StudioFiles {
  constructor(studio) {
    this.studio = studio;
    const find = studio.find;
    const dialog = find("share-dialog");
    const click = (name, act) => (find(name).onclick = act);
    click("share", () => this.open(dialog));
    for (const shut of studio.root.querySelectorAll("[data-close]")) shut.onclick = () => shut.closest("dialog").close();
    for (const other of studio.root.querySelectorAll("dialog")) other.onclick = (event) => event.target === other && other.close();
    for (const button of dialog.querySelectorAll("[data-copy]")) button.onclick = () => copyField(find(button.dataset.copy), button);
    click("save", () => this.png());
    click("save-2", () => this.png());
    click("save-json", () => studio.keep("recipe.json", new Blob([JSON.stringify(studio.store.recipe, null, 1)], { type: "application/json" })));
    click("use-json", () => this.json(find("json").value).then((done) => done && dialog.close()));
    click("film-link", () => this.filmLink());
    const open = find("open");
    open.onchange = () => {
      for (const file of open.files) this.take(file);
      open.value = "";
    };
    this.dropping();
  }

  async open(dialog) {
    const { studio } = this;
    const find = studio.find;
    const recipe = studio.signed();
    find("json").value = JSON.stringify(recipe, null, 1);
    find("link").value = "…";
    find("python").textContent = "";
    dialog.showModal();
    const about = { recipe };
    try {
      const [header] = await studio.line.ask({ do: "python", ...about }).answer;
      find("python").textContent = header.text;
      const [settings] = await studio.line.ask({ do: "link", want: "link", ...about }).answer;
      find("link").value = this.at("recipe", settings.link);
    } catch (error) {
      find("link").value = "";
      studio.fail(error);
    }
  }

  at(name, text) {
    return `${location.origin}${location.pathname}?${name}=${text}`;
  }

  async filmLink() {
    const { studio } = this;
    try {
      const [settings] = await studio.line.ask({ do: "link", want: "link", film: studio.store.film }).answer;
      studio.find("link").value = this.at("film", settings.link);
      studio.toast("The link now holds the film.", "notice");
    } catch (error) {
      studio.fail(error);
    }
  }

  async png() {
    const { studio } = this;
    try {
      const [header, blob] = await studio.line.ask({ do: "png", ...(studio.moment || { recipe: studio.store.recipe }) }).answer;
      studio.keep(header.name, blob);
    } catch (error) {
      studio.fail(error);
    }
  }

  /** A recipe as text: checked by the server before it is shown. */
  async json(text) {
    let recipe;
    try {
      recipe = JSON.parse(text);
    } catch {
      return this.studio.toast("This is not valid JSON.", "error");
    }
    return this.use({ recipe });
  }

  /** A link's recipe or film, or a recipe as an object. */
  async use(about) {
    const { studio } = this;
    try {
      const [{ settings }] = await studio.line.ask({ do: "link", ...about }).answer;
      if (about.kind === "film") {
        studio.store.film = settings;
        studio.store.changed("film");
        return await studio.adopt(settings.keyframes[0].recipe);
      }
      return await studio.adopt(settings);
    } catch (error) {
      studio.fail(error);
      return false;
    }
  }

  /** A file of any kind that the labs know. */
  async take(file) {
    const name = file.name.toLowerCase();
    if (name.endsWith(".json")) return file.size > 1e6 ? this.studio.toast("This file is too large to be a recipe.", "error") : this.json(await file.text());
    const model = /\.(safetensors|pkl|pth)$/.test(name) || (name.endsWith(".pt") && file.size > 20e6);
    const kind = model ? "model" : /\.(npz|npy|pt)$/.test(name) ? "latent" : "picture";
    const url = serverUrl("studio/upload");
    url.searchParams.set("kind", kind);
    url.searchParams.set("name", file.name);
    if (kind === "model") this.studio.toast("Opening the model; a large one takes a minute…", "notice", true);
    try {
      const answer = await fetch(url, { method: "POST", body: file });
      const told = await answer.json();
      this.studio.toast("", "notice", true);
      if (told.error && kind === "picture" && this.unread) return await this.unread(file); // a lab that has a use for it
      if (told.error) return this.studio.toast(told.error, "error");
      if (told.recipe) return await this.use({ recipe: told.recipe });
      if (told.model) return await this.studio.openModel(told.model);
      this.latents(file.name, told.latents);
    } catch {
      this.studio.toast("The file could not be sent: it may be too large, or the server is gone.", "error");
    }
  }

  latents(name, latents) {
    const { store } = this.studio;
    latents.forEach((latent, i) => store.latents.push({ name: latents.length > 1 ? `${name} ${i + 1}` : name, latent }));
    store.latents = store.latents.slice(-24);
    store.edit((recipe) => {
      recipe.space = "w";
      recipe.sources = [store.source({ latent: latents[0] })];
    });
    this.studio.toast(`${latents.length === 1 ? "The latents are" : `${latents.length} latents are`} in the menu of sources now; the first is on show.`, "notice");
  }

  dropping() {
    const { root } = this.studio;
    let depth = 0;
    const files = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
    const mark = (on) => root.classList.toggle("dropping", on);
    document.addEventListener("dragenter", (event) => files(event) && mark(++depth > 0));
    document.addEventListener("dragleave", (event) => files(event) && mark(--depth > 0));
    document.addEventListener("dragover", (event) => files(event) && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      mark((depth = 0));
      for (const file of event.dataTransfer.files) this.take(file);
    });
  }
}
