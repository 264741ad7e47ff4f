// The panels: real points, fakes, D as a heatmap, arrows, the manifold's grid; curves for 1D data.

const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B58900", "#56B4E9", "#8C564B", "#6B7280"];
const UNIT = 16384; // coordinates come in units of extent / UNIT
const REAL = "#12703c";
const FAKE = "#7b1fa2";
const SCORE = "#1565c0";

// purple where D says fake, white at one half, green where it says real (readable for the colour-blind)
const HEAT = new Uint32Array(256).map((_, i) => {
  const t = i / 255;
  const mix = (from, to, s) => Math.round(from + (to - from) * s);
  const [r, g, b] = t < 0.5 ? [158, 97, 190].map((c) => mix(255, c, 0.8 * (1 - 2 * t))) : [62, 160, 95].map((c) => mix(255, c, 0.8 * (2 * t - 1)));
  return (255 << 24) | (b << 16) | (g << 8) | r;
});

class Panel {
  constructor(k, on) {
    this.k = k;
    this.root = make("div", "toy-panel");
    this.root.innerHTML = `<div class="toy-panel-head"><button class="toy-name" title="Show this GAN's settings"><i></i><span></span></button>
      <button class="toy-remove" aria-label="Remove this GAN" title="Remove from the race">×</button></div>
      <canvas></canvas>
      <div class="toy-meter"></div><div class="toy-phase" hidden></div>
      <button class="toy-alarm" hidden></button><div class="toy-why" hidden></div>`;
    this.canvas = this.root.querySelector("canvas");
    this.canvas.setAttribute("role", "img");
    this.context = this.canvas.getContext("2d");
    this.meter = this.root.querySelector(".toy-meter");
    this.phase = this.root.querySelector(".toy-phase");
    this.alarm = this.root.querySelector(".toy-alarm");
    this.why = this.root.querySelector(".toy-why");
    this.root.querySelector("i").style.background = COLOURS[k % COLOURS.length];
    this.root.querySelector(".toy-name").onclick = () => on.select(k);
    this.root.querySelector(".toy-remove").onclick = () => on.remove(k);
    this.canvas.onclick = () => on.select(k);
    this.meter.onclick = () => this.explain("meter", this.meter.title);
    this.alarm.onclick = () => this.explain(this.alarm.dataset.why, this.alarm.dataset.why);
    this.why.onclick = () => (this.why.hidden = true);
    this.cells = document.createElement("canvas");
  }

  name(text, selected, alone) {
    this.root.querySelector(".toy-name span").textContent = text;
    this.root.querySelector(".toy-name").title = `${text}: show its settings`;
    this.root.classList.toggle("selected", selected && !alone);
    this.root.querySelector(".toy-remove").hidden = alone;
    this.canvas.setAttribute("aria-label", `Samples of ${text}`);
  }

  /** Opens the text under the panel, or closes it if it was this one. It stays while alarms come and go. */
  explain(about, text) {
    this.why.hidden = (!this.why.hidden && this.about === about) || !text;
    this.about = about;
    this.why.textContent = text || "";
  }

  /** The newest alarm up to the step on show. */
  warn(alarm) {
    this.alarm.hidden = !alarm;
    if (!alarm) return;
    this.alarm.textContent = (alarm.tone === "good" ? "✓ " : "⚠ ") + alarm.text;
    this.alarm.className = "toy-alarm " + alarm.tone;
    this.alarm.dataset.why = `${alarm.text[0].toUpperCase()}${alarm.text.slice(1)}. ${alarm.why}`;
  }

  /** In slow motion: whose turn it is. */
  turn(phase, formulas) {
    this.phase.hidden = !phase;
    if (!phase) return;
    const who = phase === "d" ? "D learns, G holds still" : "G learns, D holds still";
    this.phase.className = "toy-phase " + phase;
    this.phase.textContent = `${who}: minimise ${plainFormula(formulas[phase === "d" ? 0 : 1])}`;
  }

  measure(gan) {
    const parts = [];
    const bar = (label, share, text) =>
      `<span class="toy-bar"><b>${label}</b><s><i style="width:${Math.round(100 * share)}%"></i></s><em>${text}</em></span>`;
    if (gan.modes) {
      parts.push(bar("modes", gan.covered / gan.modes, `${gan.covered} / ${gan.modes}`));
      parts.push(bar("quality", gan.high_quality, `${Math.round(100 * gan.high_quality)} %`));
      parts.push(bar("balance", gan.balance, gan.balance.toFixed(2)));
    } else if (gan.js != null) {
      parts.push(bar("JS", 1 - gan.js / Math.LN2, gan.js.toFixed(3)));
      parts.push(bar("sliced W", Math.exp(-2 * gan.sliced_w), gan.sliced_w.toFixed(3)));
    }
    this.meter.innerHTML = parts.join("");
    this.meter.title = gan.modes
      ? `Of 2,500 samples ${Math.round(100 * gan.high_quality)} % lie within 3 σ of a mode; they reach ${gan.covered} of ${gan.modes} modes. ` +
        `Balance is 1 minus the total variation between their shares and the data's. JS divergence ${fixed(gan.js)}, sliced Wasserstein ${fixed(gan.sliced_w)}; ` +
        `D puts ${Math.round(100 * gan.d_wins)} % of (real, fake) pairs in the right order.`
      : `Jensen-Shannon divergence ${fixed(gan.js)} (0: equal, ${Math.LN2.toFixed(3)}: disjoint), sliced Wasserstein distance ${fixed(gan.sliced_w)} in the data's units.`;
    if (this.about === "meter") this.why.textContent = this.meter.title;
  }

  paint(scene, sections) {
    const ratio = window.devicePixelRatio || 1;
    const side = Math.max(80, Math.round(this.canvas.clientWidth * ratio));
    const height = scene.dim === 1 ? Math.round(side * 0.8) : side;
    this.canvas.style.aspectRatio = scene.dim === 1 ? "5 / 4" : "1";
    if (this.canvas.width !== side || this.canvas.height !== height) {
      this.canvas.width = side;
      this.canvas.height = height;
      this.reals = null;
    }
    if (scene.dim === 1) return this.paintCurves(scene, sections, ratio);
    const c = this.context;
    c.fillStyle = "#fff";
    c.fillRect(0, 0, side, side);
    if (sections.heat) this.paintHeat(sections.heat(this.k), scene.side, side);
    if (this.scene !== scene || !this.reals) this.drawReals(scene, side, ratio);
    c.drawImage(this.reals, 0, 0);
    if (sections.lattice) this.paintLattice(sections.lattice(this.k), scene.lattice, side, ratio);
    this.paintFakes(sections.fakes(this.k), side, ratio);
    if (sections.arrows) this.paintArrows(sections.arrows(this.k), side, ratio);
  }

  paintHeat(values, n, side) {
    if (this.cells.width !== n) {
      this.cells.width = this.cells.height = n;
      this.image = new ImageData(n, n);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) this.pixels[(n - 1 - y) * n + x] = HEAT[values[y * n + x]];
    this.cells.getContext("2d").putImageData(this.image, 0, 0);
    this.context.imageSmoothingEnabled = true;
    this.context.drawImage(this.cells, 0, 0, side, side);
  }

  /** Real points stay where they are: drawn once. */
  drawReals(scene, side, ratio) {
    this.scene = scene;
    this.reals = document.createElement("canvas");
    this.reals.width = this.reals.height = side;
    const c = this.reals.getContext("2d");
    c.fillStyle = REAL;
    c.globalAlpha = 0.55;
    const r = 1.1 * ratio;
    for (let i = 0; i < scene.real.length; i += 2) {
      c.beginPath();
      c.arc(...place(scene.real[i], scene.real[i + 1], side), r, 0, 7);
      c.fill();
    }
  }

  paintFakes(points, side, ratio) {
    const c = this.context;
    const r = (side / ratio < 260 ? 1.4 : 1.9) * ratio;
    c.fillStyle = FAKE;
    c.globalAlpha = 0.75;
    c.beginPath();
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = place(points[i], points[i + 1], side);
      c.moveTo(x + r, y);
      c.arc(x, y, r, 0, 7);
    }
    c.fill();
    c.globalAlpha = 1;
  }

  paintArrows(values, side, ratio) {
    const c = this.context;
    c.strokeStyle = "#d84315";
    c.lineWidth = 1.2 * ratio;
    c.beginPath();
    for (let i = 0; i < values.length; i += 4) {
      const [x, y] = place(values[i], values[i + 1], side);
      const dx = (values[i + 2] / UNIT / 2) * side;
      const dy = (-values[i + 3] / UNIT / 2) * side;
      const angle = Math.atan2(dy, dx);
      const tip = Math.min(4 * ratio, Math.hypot(dx, dy) / 2);
      c.moveTo(x, y);
      c.lineTo(x + dx, y + dy);
      for (const turn of [2.6, -2.6]) {
        c.moveTo(x + dx, y + dy);
        c.lineTo(x + dx + tip * Math.cos(angle + turn), y + dy + tip * Math.sin(angle + turn));
      }
    }
    c.stroke();
  }

  paintLattice(values, n, side, ratio) {
    const c = this.context;
    c.strokeStyle = "rgba(123, 31, 162, 0.45)";
    c.lineWidth = ratio;
    c.beginPath();
    const at = (i) => place(values[2 * i], values[2 * i + 1], side);
    for (let a = 0; a < n; a++)
      for (let b = 0; b < n; b++) {
        const draw = b === 0 ? "moveTo" : "lineTo";
        c[draw](...at(a * n + b));
      }
    for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) c[b === 0 ? "moveTo" : "lineTo"](...at(b * n + a));
    c.stroke();
  }

  /** 1D: p_data, p_g and D over x, and below them where each z goes (Goodfellow et al. 2014, figure 1). */
  paintCurves(scene, sections, ratio) {
    const c = this.context;
    const { width, height } = this.canvas;
    const floor = height * 0.72;
    c.fillStyle = "#fff";
    c.fillRect(0, 0, width, height);
    const top = 1.25 * Math.max(...scene.p_data);
    const curve = (values, most, colour, dash) => {
      c.strokeStyle = colour;
      c.setLineDash(dash.map((d) => d * ratio));
      c.lineWidth = 2 * ratio;
      c.beginPath();
      values.forEach((v, i) => c.lineTo(((i + 0.5) / values.length) * width, floor - Math.min(v / most, 1) * (floor - 6)));
      c.stroke();
      c.setLineDash([]);
    };
    c.strokeStyle = "rgba(0,0,0,.25)";
    c.lineWidth = ratio;
    const z = scene.z_lines[this.k];
    const span = Math.max(...z.map(Math.abs));
    c.beginPath();
    sections.lines(this.k).forEach((x, i) => {
      c.moveTo(((z[i] / span) * 0.9 + 1) * 0.5 * width, height - 14 * ratio);
      c.lineTo((x / UNIT + 1) * 0.5 * width, floor);
    });
    c.moveTo(0, floor);
    c.lineTo(width, floor);
    c.moveTo(0, height - 14 * ratio);
    c.lineTo(width, height - 14 * ratio);
    c.stroke();
    curve(Array.from(scene.p_data), top, REAL, []);
    curve(Array.from(sections.p_g(this.k)), top, FAKE, []);
    if (sections.heat) curve(Array.from(sections.heat(this.k)), 255 * 1.12, SCORE, [5, 4]);
    c.font = `${11 * ratio}px sans-serif`;
    const labels = [["p data", REAL], ["p g", FAKE], [this.kind === "optimal" ? "optimal D" : "D(x)", SCORE]];
    labels.forEach(([text, colour], i) => {
      c.fillStyle = colour;
      c.fillText(text, (8 + 52 * i) * ratio, 14 * ratio);
    });
    c.fillStyle = "#555";
    c.fillText("x", 3 * ratio, floor + 12 * ratio);
    c.fillText("z", 3 * ratio, height - 2 * ratio);
  }
}

function place(x, y, side) {
  return [((x / UNIT + 1) / 2) * side, ((1 - y / UNIT) / 2) * side];
}

function fixed(value, digits = 3) {
  return value == null ? "–" : value.toFixed(digits);
}

/** LaTeX of a loss as plain text, for the line under a panel. */
function plainFormula(tex) {
  const words = [
    [/\\mathbb\{E\}(_\{[^}]*\}|_[a-z])?/g, "E"], [/\\tfrac12|\\tfrac\{1\}\{2\}/g, "½"], [/\\tfrac\{\\gamma\}\{2\}/g, "γ/2 "],
    [/\\overline\{([^{}]*)\}/g, "mean $1"], [/\\sigma/g, "σ"], [/\\zeta/g, "ζ"], [/\\log/g, "log "], [/\\max/g, "max"],
    [/\\lambda/g, "λ"], [/\\gamma/g, "γ"], [/\\mathrm\{AE\}/g, "AE"], [/\\\|/g, "‖"], [/\^2/g, "²"], [/_\{t\+1\}/g, "ₜ₊₁"], [/_t/g, "ₜ"],
    [/\\,|\\ |\\!/g, " "], [/[{}]/g, ""], [/\^t/g, "ᵗ"], [/\^/g, ""],
  ];
  return words.reduce((text, [from, to]) => text.replace(from, to), tex);
}
