// Small line charts over the steps, one colour a GAN; earlier branches stay behind as thin lines.

const CHARTS = [
  { title: "Losses", note: "D solid, G dashed", lines: ["d_loss", "g_loss"] },
  { title: "Gradient norms", note: "D solid, G dashed; log scale", lines: ["d_grad", "g_grad"], log: true },
  { title: "Modes covered", lines: ["covered"], from: 0 },
  { title: "High quality", note: "share of samples within 3 σ of a mode", lines: ["high_quality"], from: 0, to: 1 },
  { title: "JS divergence", note: "0 equal, 0.693 disjoint", lines: ["js"], from: 0, to: Math.LN2 },
  { title: "Sliced Wasserstein", lines: ["sliced_w"], from: 0 },
  { title: "D's scores", note: "on real solid, on fakes dashed", lines: ["real_score", "fake_score"] },
  { title: "Singular values of D", note: "largest of each layer of the chosen GAN", singular: true },
];

class Charts {
  constructor(root) {
    this.items = CHARTS.map((chart) => {
      const box = make("figure", "toy-chart");
      box.innerHTML = `<figcaption><b>${chart.title}</b> <span>${chart.note || ""}</span></figcaption><canvas></canvas>`;
      root.append(box);
      const canvas = box.querySelector("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", chart.title);
      return { ...chart, box, canvas };
    });
  }

  /** histories: branch number -> rows [[step, [[...] of each GAN]]]; live: the branch on show. */
  draw(names, histories, live, gans, step, singular, selected) {
    const style = getComputedStyle(this.items[0].box);
    for (const chart of this.items) {
      const { context, width, height, ratio } = fit(chart.canvas);
      context.clearRect(0, 0, width, height);
      const area = { left: 46 * ratio, top: 6 * ratio, right: width - 6 * ratio, bottom: height - 16 * ratio };
      const ink = { text: style.color, grid: "rgba(128,128,128,.25)", ratio };
      if (chart.singular) this.drawSingular(context, area, ink, singular && singular[selected]);
      else this.drawLines(chart, context, area, ink, names, histories, live, gans, step);
    }
  }

  drawLines(chart, context, area, ink, names, histories, live, gans, step) {
    const columns = chart.lines.map((line) => names.indexOf(line));
    const value = (row, k, column) => (row[1][k] ? row[1][k][column] : null);
    let last = Math.max(step, 1);
    const each = Array.from({ length: gans }, () => []);
    for (const rows of histories.values()) {
      const stride = Math.max(1, Math.floor(rows.length / 300));
      rows.forEach((row, r) => {
        last = Math.max(last, row[0]);
        if (r % stride) return;
        for (let k = 0; k < gans; k++)
          for (const column of columns) {
            const v = value(row, k, column);
            if (v != null && !(chart.log && v <= 0)) each[k].push(v);
          }
      });
    }
    const [low, high] = commonRange(each.filter((values) => values.length).map((values) => usualRange(values, chart.log)));
    if (low > high) {
      context.fillStyle = ink.text;
      context.font = `${11 * ink.ratio}px sans-serif`;
      context.globalAlpha = 0.6;
      context.fillText(step ? chart.title.startsWith("Modes") || chart.title.startsWith("High") ? "no modes to count" : "not measured yet" : "press Play", area.left + 8 * ink.ratio, (area.top + area.bottom) / 2);
      context.globalAlpha = 1;
      return;
    }
    const scale = chart.log ? Math.log10 : (v) => v;
    const from = scale(chart.from !== undefined ? Math.min(chart.from, low) : low);
    let to = scale(chart.to !== undefined ? Math.max(chart.to, high) : high);
    if (to - from < 1e-9) to = from + 1;
    const x = (s) => area.left + (s / last) * (area.right - area.left);
    const y = (v) => area.bottom - ((scale(v) - from) / (to - from)) * (area.bottom - area.top);
    axes(context, area, ink, chart.log ? 10 ** from : from, chart.log ? 10 ** to : to, last);
    context.save();
    context.beginPath();
    context.rect(area.left, area.top - 2 * ink.ratio, area.right - area.left, area.bottom - area.top + 4 * ink.ratio);
    context.clip();
    for (const [branch, rows] of histories) {
      const now = branch === live;
      for (let k = 0; k < gans; k++)
        columns.forEach((column, i) => {
          context.strokeStyle = COLOURS[k % COLOURS.length];
          context.globalAlpha = now ? 1 : 0.35;
          context.lineWidth = (now ? 1.6 : 1) * ink.ratio;
          context.setLineDash(i ? [4 * ink.ratio, 3 * ink.ratio] : []);
          context.beginPath();
          const stride = Math.max(1, Math.floor(rows.length / 400));
          for (let r = 0; r < rows.length; r += stride) {
            const v = value(rows[r], k, column);
            if (v != null && !(chart.log && v <= 0)) context.lineTo(x(rows[r][0]), y(v));
          }
          context.stroke();
        });
    }
    context.restore();
    context.globalAlpha = 0.5;
    context.strokeStyle = ink.text;
    context.lineWidth = ink.ratio;
    context.beginPath();
    context.moveTo(x(step), area.top);
    context.lineTo(x(step), area.bottom);
    context.stroke();
    context.globalAlpha = 1;
  }

  drawSingular(context, area, ink, layers) {
    if (!layers || !layers.length) return;
    const most = Math.max(...layers.flat(), 1e-9);
    axes(context, area, ink, 0, most, null);
    const slot = (area.right - area.left) / layers.length;
    context.font = `${10 * ink.ratio}px sans-serif`;
    layers.forEach((values, i) => {
      const wide = (slot * 0.8) / values.length;
      values.forEach((v, j) => {
        context.fillStyle = COLOURS[i];
        const h = (v / most) * (area.bottom - area.top);
        context.fillRect(area.left + i * slot + j * wide + 4 * ink.ratio, area.bottom - h, Math.max(wide - 1, 1), h);
      });
      context.fillStyle = ink.text;
      context.fillText(`layer ${i + 1}`, area.left + i * slot + 4 * ink.ratio, area.bottom + 12 * ink.ratio);
    });
  }
}

/** The range of all GANs but those that blow up: one must not flatten all others. */
function commonRange(ranges) {
  const spreads = ranges.map(([low, high]) => high - low).sort((a, b) => a - b);
  const usual = spreads[Math.floor((spreads.length - 1) / 2)];
  const calm = ranges.filter(([low, high]) => high - low <= 30 * usual + 1e-9);
  return [Math.min(...calm.map((r) => r[0])), Math.max(...calm.map((r) => r[1]))];
}

/** Where most values of one GAN lie. */
function usualRange(values, log) {
  const sorted = values.slice().sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const [low, high, q1, q3] = [at(0), at(1), at(0.1), at(0.9)];
  if (log) return [Math.max(low, q1 / 1e3), Math.min(high, q3 * 1e3)];
  const reach = 2.5 * Math.max(q3 - q1, 1e-9);
  return [Math.max(low, q1 - reach), Math.min(high, q3 + reach)];
}

function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(50, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(50, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  return { context: canvas.getContext("2d"), width, height, ratio };
}

function axes(context, area, ink, low, high, last) {
  context.font = `${10 * ink.ratio}px sans-serif`;
  context.fillStyle = ink.text;
  context.strokeStyle = ink.grid;
  context.lineWidth = ink.ratio;
  context.beginPath();
  for (const at of [area.top, (area.top + area.bottom) / 2, area.bottom]) {
    context.moveTo(area.left, at);
    context.lineTo(area.right, at);
  }
  context.stroke();
  context.textAlign = "right";
  context.fillText(short(high), area.left - 3 * ink.ratio, area.top + 8 * ink.ratio);
  context.fillText(short(low), area.left - 3 * ink.ratio, area.bottom);
  if (last != null) context.fillText(`step ${last.toLocaleString("en")}`, area.right, area.bottom + 12 * ink.ratio);
  context.textAlign = "left";
}

function short(v) {
  const size = Math.abs(v);
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return v.toExponential(0);
  return String(Number(v.toPrecision(3)));
}
