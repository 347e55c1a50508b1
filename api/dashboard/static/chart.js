// Plots that grow: reads the points of a plot from its own table, adds what arrives, and draws it as the server does.
const INTERVALS = 4;
const POINTS = 240;

const ticks = (low, high) => {
  if (high - low < 1e-12 * Math.max(1, Math.abs(high))) [low, high] = low ? [low - Math.abs(low) / 2, high + Math.abs(high) / 2] : [0, 1];
  const rough = (high - low) / INTERVALS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough * (1 - 1e-9));
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => (first + place) * step);
};

const decimals = (axis, factor = 1) => {
  const step = (factor * (axis.at(-1) - axis[0])) / (axis.length - 1);
  return step < 10 ? Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(step)))) : 0;
};

const short = (value, digits) => {
  if (value && Math.abs(value) < 1e-4) return value.toPrecision(3);
  const shown = digits ?? (Number.isInteger(value) ? 0 : 4);
  return value.toLocaleString("en", { minimumFractionDigits: digits ?? 0, maximumFractionDigits: shown });
};

export class Plot {
  constructor(figure) {
    this.figure = figure;
    this.percent = "percent" in figure.dataset;
    this.points = new Map();
    for (const row of figure.querySelectorAll("tbody tr[data-x]")) this.points.set(Number(row.dataset.x), Number(row.dataset.y));
    figure.querySelector(".plot").addEventListener("pointermove", (event) => this.read(event));
    figure.querySelector(".plot").addEventListener("pointerleave", () => this.say());
  }

  /** One more point; drawn with the next frame. */
  add(x, y) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) return;
    this.points.set(x, y);
    this.figure.hidden = false;
    this.drawing ??= requestAnimationFrame(() => { this.drawing = undefined; this.draw(); });
  }

  sorted() {
    const all = [...this.points].sort((one, other) => one[0] - other[0]);
    const stride = Math.ceil(all.length / POINTS) || 1;
    return all.filter((_, place) => place % stride === 0 || place === all.length - 1);
  }

  draw() {
    const points = this.sorted();
    if (!points.length) return;
    const ys = points.map((point) => point[1]);
    const x = ticks(0, points.at(-1)[0]);
    const y = ticks(Math.min(...ys), Math.max(...ys));
    const at = (axis, value) => Number(((100 * (value - axis[0])) / (axis.at(-1) - axis[0])).toFixed(2));
    const alone = points.length === 1; // a single point is a short line
    const path = points.map(([u, v]) => `${at(x, u) - alone} ${Number((100 - at(y, v)).toFixed(2))}`);
    this.figure.querySelector("path.line").setAttribute("d", `M${path.join("L")}${alone ? "h2" : ""}`);
    const grid = y.map((v) => `M0 ${100 - at(y, v)}H100`);
    this.figure.querySelector("path.rules").setAttribute("d", grid.join(""));
    this.labels(".ys", [...y].reverse().map((v) => this.written(v, y)));
    this.labels(".xs", x.map((v) => short(v)));
    this.y = y;
    this.table(points);
    this.describe(points);
    this.say();
    for (const level of this.figure.querySelectorAll(".level")) level.remove(); // of a report that no longer holds
  }

  /** The plot in words, as the server says it, for people who cannot see it. */
  describe(points) {
    const name = this.figure.querySelector("figcaption strong").textContent;
    const [[first, begin], [last, end]] = [points[0], points.at(-1)];
    const told = `from ${this.written(begin)} at ${short(first)} to ${this.written(end)} at ${short(last)}`;
    this.figure.querySelector("desc").textContent = `${name} over ${this.figure.querySelector(".xname").textContent}. ${name}: ${told}.`;
  }

  written(v, axis = this.y ?? ticks(0, 1)) {
    return this.percent ? `${(100 * v).toFixed(decimals(axis, 100))} %` : short(v, decimals(axis));
  }

  labels(where, texts) {
    this.figure.querySelector(where).replaceChildren(...texts.map((text) => Object.assign(document.createElement("span"), { textContent: text })));
  }

  table(points) {
    const body = this.figure.querySelector("tbody");
    body.replaceChildren(...points.map(([x, y]) => {
      const row = document.createElement("tr");
      row.dataset.x = x;
      row.dataset.y = y;
      const step = Object.assign(document.createElement("th"), { scope: "row", textContent: short(x), className: "number" });
      row.append(step, Object.assign(document.createElement("td"), { textContent: this.written(y), className: "number" }));
      return row;
    }));
  }

  say(point = this.sorted().at(-1)) {
    const readout = this.figure.querySelector(".readout");
    if (readout && point) readout.textContent = `${this.written(point[1])} at ${short(point[0])}`;
  }

  read(event) {
    const points = this.sorted();
    if (!points.length) return;
    const box = event.currentTarget.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * ticks(0, points.at(-1)[0]).at(-1);
    this.say(points.reduce((best, each) => (Math.abs(each[0] - x) < Math.abs(best[0] - x) ? each : best)));
  }
}
