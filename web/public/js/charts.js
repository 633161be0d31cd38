// Charts of a Region's metrics over time, by uPlot, whose script makes the global `uPlot`.
const HEIGHT = 190;
const CHARTS = [
  { name: "rows", title: "Rows in the data lake", unit: "rows", series: ["good", "bad", "duplicate"] },
  { name: "api", title: "API requests", unit: "requests", series: ["requests", "refused", "failed"] },
  { name: "waits", title: "Longest waits", unit: "ms", series: ["lag", "latency"] },
  { name: "written", title: "Bytes into the data lake", unit: "bytes", series: ["written"] },
];
const NAMES = { lag: "oldest batch", latency: "API, p99", written: "written" };
// A count without a value is zero; a duration without one is unknown.
const DURATIONS = new Set(["lag", "latency"]);
const COLOURS = ["--accent", "--bad", "--warm"];
const DASHES = [[], [6, 3], [2, 3]];
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const number = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });
const drawn = new Map();

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const perPeriod = (length) => ({ 60: "a minute", 300: "in 5 minutes", 3600: "an hour" })[length];
const unitOf = (chart, length) => (chart.name === "waits" ? chart.unit : `${chart.unit} ${perPeriod(length)}`);

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

// One value for each period, as uPlot needs: the times, then each series.
function columns(chart, metrics, { start, end, length }) {
  const times = [];
  for (let time = start; time <= end; time += length) times.push(time);
  const series = chart.series.map((name) => {
    const values = new Map(metrics[name].times.map((time, index) => [time, metrics[name].values[index]]));
    return times.map((time) => values.get(time) ?? (DURATIONS.has(name) ? null : 0));
  });
  return [times, ...series];
}

function summary(name, values) {
  const known = values.filter((value) => value !== null);
  if (!DURATIONS.has(name)) return number.format(known.reduce((sum, value) => sum + value, 0));
  return known.length ? `${number.format(Math.round(Math.max(...known)))} at most` : "–";
}

const textAt = (chart, data, index) => [
  moment.format(data[0][index] * 1000),
  ...chart.series.map((name, at) => {
    const value = data[at + 1][index];
    return `${NAMES[name] ?? name}: ${value === null ? "no value" : number.format(Math.round(value))}`;
  }),
];

function options(chart, range, width, tooltip) {
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, font: "12px Manrope, system-ui, sans-serif" };
  const format = range.end - range.start > 2 * 86_400 ? day : clock;
  return {
    width,
    height: HEIGHT,
    padding: [12, 12, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false },
    scales: { x: { time: true }, y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, space: 64, values: (_plot, splits) => splits.map((time) => format.format(time * 1000)) },
      { ...axis, size: 56, values: (_plot, splits) => splits.map((value) => compact.format(value)) },
    ],
    series: [{}, ...chart.series.map((name, index) => ({
      label: NAMES[name] ?? name, stroke: colour(COLOURS[index]), width: 2, dash: DASHES[index], points: { show: false }, spanGaps: false,
    }))],
    hooks: {
      setCursor: [(plot) => {
        const { idx } = plot.cursor;
        tooltip.hidden = idx === null || idx === undefined;
        if (tooltip.hidden) return;
        tooltip.textContent = textAt(chart, plot.data, idx).join("\n");
        tooltip.classList.toggle("before", plot.cursor.left > plot.bbox.width / devicePixelRatio / 2);
      }],
    },
  };
}

// The arrow keys move from period to period, and the text is read aloud.
function moveByKeys(state, event) {
  const { plot } = state;
  const last = plot.data[0].length - 1;
  const at = plot.cursor.idx ?? (event.key === "ArrowRight" ? -1 : last + 1);
  const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
  if (!(event.key in moves)) return;
  event.preventDefault();
  const index = Math.min(last, Math.max(0, moves[event.key]));
  plot.setCursor({ left: plot.valToPos(plot.data[0][index], "x"), top: 0 });
  state.readout.textContent = textAt(state.chart, plot.data, index).join(", ");
}

function frame(chart, place) {
  const figure = element("figure", "chart");
  figure.dataset.chart = chart.name;
  const caption = element("figcaption", "", chart.title);
  const unit = element("span", "quiet");
  caption.append(unit);
  const area = element("div", "plot");
  area.tabIndex = 0;
  area.setAttribute("role", "group");
  area.setAttribute("aria-label", `${chart.title}. The arrow keys read the values.`);
  const legend = element("ul", "legend");
  chart.series.forEach((name, index) => {
    const item = element("li", `series-${index}`, `${NAMES[name] ?? name} `);
    const total = element("b", "", "–");
    total.dataset.total = name;
    item.append(total);
    legend.append(item);
  });
  const empty = element("p", "quiet empty", "Loading…");
  const readout = element("p", "quiet readout");
  readout.setAttribute("role", "status");
  figure.append(caption, area, empty, legend, readout);
  place.append(figure);
  return { chart, figure, area, unit, empty, readout };
}

function drawOne(state, metrics, range) {
  const data = columns(state.chart, metrics, range);
  state.unit.textContent = unitOf(state.chart, range.length);
  state.chart.series.forEach((name, index) => {
    state.figure.querySelector(`[data-total="${name}"]`).textContent = summary(name, data[index + 1]);
  });
  const empty = data.slice(1).every((values) => values.every((value) => !value));
  state.empty.textContent = empty ? "Nothing in this time." : "";
  state.area.hidden = empty;
  state.last = [metrics, range];
  if (empty) return;
  const key = `${range.end - range.start > 2 * 86_400}`;
  if (state.plot && state.key === key) return state.plot.setData(data);
  state.plot?.destroy();
  const tooltip = element("div", "tooltip");
  tooltip.hidden = true;
  state.plot = new uPlot(options(state.chart, range, state.area.clientWidth, tooltip), data, state.area);
  state.key = key;
  state.plot.root.querySelector(".u-cursor-x").append(tooltip);
}

/** Draws the charts of a Region in `place`; `range` has its start, end and period in seconds. */
export function drawCharts(place, metrics, range) {
  if (!drawn.has(place)) {
    const states = CHARTS.map((chart) => frame(chart, place));
    drawn.set(place, states);
    for (const state of states) {
      state.area.addEventListener("keydown", (event) => state.plot && moveByKeys(state, event));
      new ResizeObserver(() => {
        if (state.plot && state.area.clientWidth) state.plot.setSize({ width: state.area.clientWidth, height: HEIGHT });
      }).observe(state.area);
    }
  }
  for (const state of drawn.get(place)) drawOne(state, metrics, range);
}

// The canvas has the colours of the mode in which it was drawn.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const states of drawn.values()) {
    for (const state of states) {
      state.key = "";
      if (state.last) drawOne(state, ...state.last);
    }
  }
});
