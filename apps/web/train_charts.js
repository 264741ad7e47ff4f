// Charts of one training over its steps: lines, bands of uncertainty, earlier branches thin.

const INKS = ["#0072b2", "#d55e00", "#009e73"];
const TRAIN_CHARTS = [
  { title: "Losses", lines: [["d_loss", "D"], ["g_loss", "G"]] },
  { title: "D's scores", lines: [["real", "on real images"], ["fake", "on generated ones"]] },
  { title: "Overfitting of D", lines: [["r_t", "r_t"], ["p", "p of ADA"], ["r_v", "r_v"]], from: 0, to: 1 },
  { title: "FD", quality: true, lines: [["fd", "lower is better"]], from: 0 },
  { title: "Precision and recall", quality: true, lines: [["precision", "precision"], ["recall", "recall"]], from: 0, to: 1 },
];

/** A row of a training's history with the figures of its system beside the others. */
const flat = (row) => ({ ...row, ...row.figures });

class TrainCharts {
  /** figures: name -> title of what a system may have of its own; its chart is there once it has. */
  constructor(root, figures) {
    const own = Object.entries(figures).map(([name, title]) => ({ title, own: true, lines: [[name, "now"]] }));
    this.items = [...TRAIN_CHARTS, ...own].map((chart) => {
      const box = make("figure", "toy-chart");
      const caption = make("figcaption");
      const title = make("b", "", chart.title + " ");
      caption.append(title);
      const keys = chart.lines.map(([, text], i) => {
        const key = make("span", "", `— ${text}  `);
        key.style.color = INKS[i];
        caption.append(key);
        return key;
      });
      const canvas = make("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", chart.title);
      box.append(caption, canvas);
      root.append(box);
      return { ...chart, box, canvas, keys, name: title };
    });
  }

  /** histories: branch -> {rows, quality}; live: the one on show; step: where the time line stands. */
  draw(histories, live, step, unmeasured) {
    const style = getComputedStyle(this.items[0].box);
    for (const chart of this.items) {
      const rowsOf = (history) => (chart.quality ? history.quality : history.rows);
      const mine = histories.get(live) ? rowsOf(histories.get(live)) : [];
      const last = mine[mine.length - 1] || {};
      const has = chart.lines.map(([name]) => mine.some((row) => row[name] != null));
      chart.keys.forEach((key, i) => {
        const value = mine.findLast((row) => row[chart.lines[i][0]] != null);
        key.textContent = `— ${chart.lines[i][1]}${value ? this.told(value[chart.lines[i][0]]) : ""}  `;
        key.hidden = !has[i] && has.some(Boolean);
      });
      chart.box.classList.toggle("empty", !has.some(Boolean));
      chart.box.hidden = Boolean(chart.own) && !has.some(Boolean);
      if (chart.box.hidden) continue;
      if (chart.title === "FD" && last.name) chart.name.textContent = `FD-${last.name} `;
      const { context, width, height, ratio } = fit(chart.canvas);
      context.clearRect(0, 0, width, height);
      const area = { left: 46 * ratio, top: 6 * ratio, right: width - 6 * ratio, bottom: height - 16 * ratio };
      const ink = { text: style.color, grid: "rgba(128,128,128,.25)", ratio };
      const empty = chart.quality ? unmeasured || "measured now and then, first after some 20 s" : "after the first steps";
      this.one(chart, context, area, ink, new Map([...histories].map(([id, history]) => [id, rowsOf(history)])), live, step, empty);
    }
  }

  told(value) {
    if (value == null) return "";
    return Array.isArray(value) ? ` ${short(value[0])} ± ${short(Number(((value[2] - value[1]) / 2).toPrecision(2)))}` : ` ${short(value)}`;
  }

  one(chart, context, area, ink, histories, live, step, empty) {
    const values = [];
    let last = Math.max(step, 1);
    for (const rows of histories.values())
      for (const row of rows) {
        last = Math.max(last, row.step);
        for (const [name] of chart.lines) if (row[name] != null) values.push(...[].concat(row[name]));
      }
    if (!values.length) {
      context.fillStyle = ink.text;
      context.globalAlpha = 0.65;
      this.wrapped(context, empty, area, ink);
      context.globalAlpha = 1;
      return;
    }
    const [low, high] = usualRange(values, false);
    const from = chart.from !== undefined ? Math.min(chart.from, low) : low;
    let to = chart.to !== undefined ? Math.max(chart.to, high) : high;
    if (to - from < 1e-9) to = from + 1;
    const x = (s) => area.left + (s / last) * (area.right - area.left);
    const y = (v) => area.bottom - ((v - from) / (to - from)) * (area.bottom - area.top);
    axes(context, area, ink, from, to, last);
    context.save();
    context.beginPath();
    context.rect(area.left, area.top - 2 * ink.ratio, area.right - area.left, area.bottom - area.top + 4 * ink.ratio);
    context.clip();
    for (const [branch, rows] of histories)
      chart.lines.forEach(([name], i) => {
        const points = rows.filter((row) => row[name] != null);
        if (chart.quality && branch === live) this.band(context, points, name, INKS[i], x, y);
        context.strokeStyle = context.fillStyle = INKS[i];
        context.globalAlpha = branch === live ? 1 : 0.3;
        context.lineWidth = (branch === live ? 1.7 : 1) * ink.ratio;
        context.beginPath();
        for (const row of points) context.lineTo(x(row.step), y([].concat(row[name])[0]));
        context.stroke();
        if (points.length < 12)
          for (const row of points) {
            context.beginPath();
            context.arc(x(row.step), y([].concat(row[name])[0]), 2.2 * ink.ratio, 0, 7);
            context.fill();
          }
      });
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

  band(context, points, name, colour, x, y) {
    context.globalAlpha = 0.18;
    context.fillStyle = colour;
    context.beginPath();
    for (const row of points) context.lineTo(x(row.step), y(row[name][2]));
    for (const row of points.slice().reverse()) context.lineTo(x(row.step), y(row[name][1]));
    context.fill();
    if (points.length === 1) context.fillRect(x(points[0].step) - 2, y(points[0][name][2]), 4, y(points[0][name][1]) - y(points[0][name][2]));
  }

  wrapped(context, text, area, ink) {
    context.font = `${11 * ink.ratio}px sans-serif`;
    let [line, y] = ["", area.top + 12 * ink.ratio];
    for (const word of text.split(" ")) {
      if (context.measureText(line + word).width > area.right - area.left) {
        context.fillText(line, area.left, y);
        [line, y] = ["", y + 15 * ink.ratio];
      }
      line += word + " ";
    }
    context.fillText(line, area.left, y);
  }
}
