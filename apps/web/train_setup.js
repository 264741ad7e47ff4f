// Before a training: images as cards or files, the GAN, ready experiments.

const LARGEST = 20 * 2 ** 20; // bytes of a file
const THUMBS = 24;

class TrainSetup {
  constructor(lab) {
    this.lab = lab;
    this.schema = lab.schema;
    this.find = lab.find;
    this.data = this.schema.data[0].name;
    this.set = ""; // the server's name for uploaded images
    this.count = 0;
    this.cards();
    this.menus();
    this.files();
    this.experiments();
    this.find("start").onclick = () => this.start(this.wish());
    this.find("start-linked").onclick = () => this.start({ run: this.link, set: this.set });
    this.find("forget-linked").onclick = () => this.linked("");
    this.choose(this.data);
  }

  linked(link) {
    this.link = link;
    this.find("linked").hidden = !link;
  }

  cards() {
    const box = this.find("data");
    for (const row of this.schema.data) {
      const card = make("button", "train-card");
      card.setAttribute("role", "radio");
      card.dataset.name = row.name;
      if (row.name === "folder") card.insertAdjacentHTML("beforeend", '<svg viewBox="0 0 240 30" aria-hidden="true"><path d="M120 6v17M113 13l7-7 7 7" stroke="currentColor" stroke-width="2" fill="none"/></svg>');
      else {
        const image = make("img");
        image.alt = "";
        const url = serverUrl("train/strip");
        url.searchParams.set("data", row.name);
        image.src = url;
        card.append(image);
      }
      card.append(make("b", "", row.title), make("span", "", row.text));
      card.onclick = () => this.choose(row.name);
      box.append(card);
    }
  }

  choose(name) {
    this.data = name;
    for (const card of this.find("data").children) card.setAttribute("aria-checked", card.dataset.name === name);
    this.find("files").hidden = name !== "folder";
    const labels = this.schema.data.find((row) => row.name === name).labels;
    this.find("labels").replaceChildren(new Option("none", ""), ...labels.map(([key, text]) => new Option(text, key)));
    this.conditional();
  }

  menus() {
    const preset = this.find("preset");
    for (const [key, row] of Object.entries(this.schema.presets)) if (!row.experiment) preset.append(new Option(row.title, key));
    preset.value = this.schema.first;
    preset.onchange = () => this.conditional();
    for (const side of this.schema.resolutions) this.find("resolution").append(new Option(`${side} × ${side} pixels`, side));
    this.find("resolution").onchange = () => this.conditional();
    for (const batch of this.schema.batches) this.find("batch").append(new Option(batch, batch));
    this.find("batch").value = this.schema.batch;
  }

  // a preset that another page has named; one that is not in the menu leaves it as it is
  prefer(key) {
    const preset = this.find("preset");
    if (![...preset.options].some((option) => option.value === key)) return;
    preset.value = key;
    preset.onchange();
  }

  conditional() {
    const row = this.schema.presets[this.find("preset").value];
    const side = Number(this.find("resolution").value);
    const slow = side > 32 ? ` At ${side} × ${side} pixels a step takes about ${(side / 32) ** 2} times as long as at 32 × 32.` : "";
    this.find("preset-text").textContent = `${row.text} (${row.paper}).${slow}`;
    const none = this.find("labels").options.length < 2 || !row.conditional;
    this.find("labels-row").hidden = none;
    if (none) this.find("labels").value = "";
    else if (row.labels && !this.find("labels").value) this.pick(row.labels);
  }

  // A GAN that is about classes begins with some: those of its row, or what the images have.
  pick(labels) {
    const menu = this.find("labels");
    const there = [...menu.options].map((option) => option.value);
    menu.value = there.includes(labels) ? labels : there[1];
  }

  wish() {
    const number = (name) => Number(this.find(name).value) || 0;
    return {
      preset: this.find("preset").value,
      data: this.data,
      set: this.set,
      resolution: number("resolution"),
      labels: this.find("labels").value,
      batch: number("batch"),
      count: number("count"),
      seed: number("seed"),
      mirror: this.find("mirror").checked,
    };
  }

  experiments() {
    for (const [key, row] of Object.entries(this.schema.presets)) {
      if (!row.experiment) continue;
      const card = make("button", "train-card");
      card.append(make("b", "", row.title), make("span", "", row.text));
      card.onclick = () => this.start({ preset: key, data: "faces", resolution: 32, batch: this.schema.batch });
      this.find("experiments").append(card);
    }
  }

  problem(text) {
    const box = this.find("problem");
    box.hidden = !text;
    box.textContent = text;
    if (text) box.scrollIntoView({ block: "nearest" });
  }

  async start(wish) {
    if (this.busy) return;
    if (this.uploading) return this.problem("Your images are still on their way; start when the bar is full.");
    this.problem("");
    this.busy = true;
    try {
      const answer = await fetch(serverUrl("train/start"), { method: "POST", body: JSON.stringify(wish) });
      const found = await answer.json();
      if (found.error) this.problem(found.error);
      else this.lab.enter(found.room, found.key);
    } catch {
      this.problem("The server does not answer. Try again in a moment.");
    } finally {
      this.busy = false;
    }
  }

  // the visitor's own images

  files() {
    const box = this.find("files");
    this.find("pick").onchange = (event) => {
      const files = [...event.target.files];
      event.target.value = "";
      this.take(files);
    };
    this.find("clear").onclick = () => {
      this.set = "";
      this.count = 0;
      this.find("thumbs").replaceChildren();
      this.find("clear").hidden = true;
      this.find("files-text").textContent = "Taken away. Choose others.";
    };
    const setup = this.find("setup");
    setup.addEventListener("dragover", (event) => {
      event.preventDefault();
      box.classList.add("over");
    });
    setup.addEventListener("dragleave", () => box.classList.remove("over"));
    setup.addEventListener("drop", (event) => {
      event.preventDefault();
      box.classList.remove("over");
      this.choose("folder");
      this.take([...event.dataTransfer.files]);
    });
  }

  async take(files) {
    if (!files.length) return;
    if (this.uploading) return this.problem("Your images are still on their way; add more when the bar is full.");
    this.problem("");
    this.uploading = true;
    const [bar, refused] = [this.find("files-bar"), []];
    bar.hidden = false;
    for (const [i, file] of files.entries()) {
      bar.firstChild.style.width = `${(100 * i) / files.length}%`;
      this.find("files-text").textContent = `${i} of ${files.length} files sent…`;
      const problem = await this.send(file);
      if (problem) refused.push(problem);
    }
    bar.hidden = true;
    this.uploading = false;
    this.find("clear").hidden = !this.count;
    this.find("files-text").textContent = this.count ? `${this.count.toLocaleString("en")} image${this.count === 1 ? "" : "s"} sent. What cannot be read is skipped, and named when the training starts.` : "No image yet.";
    if (refused.length) this.problem(refused.slice(0, 3).join(" ") + (refused.length > 3 ? ` And ${refused.length - 3} more.` : ""));
  }

  /** Sends one file; a sentence if it was refused. */
  async send(file) {
    if (file.size > LARGEST) return `“${file.name}” is larger than 20 MB.`;
    const url = serverUrl("train/upload");
    url.searchParams.set("name", file.name);
    if (this.set) url.searchParams.set("set", this.set);
    try {
      const answer = await (await fetch(url, { method: "POST", body: file })).json();
      if (answer.set) this.set = answer.set;
      if (answer.error) return answer.error;
      this.count = answer.count;
    } catch {
      return `“${file.name}” did not arrive.`;
    }
    this.thumb(file);
    return "";
  }

  thumb(file) {
    const box = this.find("thumbs");
    if (box.children.length >= THUMBS) return;
    if (!file.type.startsWith("image/")) return box.append(make("span", "", file.name));
    const image = make("img");
    image.alt = "";
    image.onload = () => URL.revokeObjectURL(image.src);
    image.onerror = () => image.replaceWith(make("span", "", `${file.name}: not readable`));
    image.src = URL.createObjectURL(file);
    box.append(image);
  }
}
