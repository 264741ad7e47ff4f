// Inside the network: the channels of any layer, or their spectrum.

class LayerViewer {
  constructor(studio) {
    this.studio = studio;
    this.box = studio.find("layers");
    this.canvas = studio.find("layer-picture");
    this.page = 0;
    const again = () => this.draw();
    this.box.ontoggle = again;
    studio.find("layer").onchange = () => {
      this.page = 0;
      this.draw();
    };
    studio.find("layer-fft").onchange = again;
    const turn = (step) => () => {
      this.page = Math.max(0, Math.min(this.pages - 1, this.page + step));
      this.draw();
    };
    studio.find("layer-back").onclick = turn(-1);
    studio.find("layer-next").onclick = turn(1);
  }

  facts(facts) {
    const menu = this.studio.find("layer");
    menu.replaceChildren(...facts.layers.map((layer) => new Option(`${layer.name}: ${layer.channels} channels of ${layer.resolution} px`, layer.index)));
    menu.value = facts.layers[Math.floor(facts.layers.length / 2)].index;
    this.page = 0;
  }

  async draw() {
    if (!this.box.open || !this.studio.facts) return;
    const { find, line, store } = this.studio;
    const fft = find("layer-fft").checked;
    const ask = (this.asked = line.ask({ do: "layer", recipe: store.recipe, layer: Number(find("layer").value), page: this.page, fft }));
    try {
      const [header, blob] = await ask.answer;
      const bitmap = await createImageBitmap(blob);
      if (ask !== this.asked) return;
      this.pages = header.pages;
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
      this.canvas.getContext("2d").drawImage(bitmap, 0, 0);
      this.canvas.dataset.painted = Number(this.canvas.dataset.painted || 0) + 1;
      find("layer-pages").hidden = fft || header.pages < 2;
      find("layer-page").textContent = `page ${this.page + 1} of ${header.pages}`;
      find("layer-text").textContent = fft
        ? `Power spectrum, mean of ${header.channels} channels: ${header.low.toFixed(0)} dB dark to ${header.high.toFixed(0)} dB bright; slow waves in the middle, pixel by pixel at the edges.`
        : `Each channel from its smallest value (dark) to its largest (bright); all together ${header.low.toFixed(2)} to ${header.high.toFixed(2)}.`;
    } catch (error) {
      this.studio.fail(error);
    }
  }
}
