// One chart by uPlot, whose script makes the global `uPlot`: caption, axes, legend, tooltip, keys, states.
const HEIGHT = 190;
// Bars have names below them. operator.css has both heights, for a chart that has no values yet.
const BARS_HEIGHT = 270;
const COLOURS = ["--accent", "--bad", "--warm", "--good"];
const DASHES = [[], [6, 3], [2, 3], [10, 3, 2, 3]];
/** The most series that a chart can tell apart. */
export const MAX_SERIES = COLOURS.length;
const LABEL_LENGTH = 18;
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const made = new Set();

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function element(name, className, text = "") {
  const created = document.createElement(name);
  created.className = className;
  created.textContent = text;
  return created;
}

const textAt = ({ series, content }, index) => [
  content.titleAt(index),
  ...series.map(({ label }, at) => {
    const value = content.data[at + 1][index];
    return `${label}: ${value === null ? "no value" : number.format(value)}`;
  }),
];

// Bars are at 0, 1, 2 …, and their names below them.
function barAxis({ data, labelOf }) {
  const last = data[0].length - 1;
  const names = data[0].map((index) => {
    const name = labelOf(index);
    return name.length > LABEL_LENGTH ? `${name.slice(0, LABEL_LENGTH - 1)}…` : name;
  });
  // Half of a rotated name's pixels are below the axis, and more of it beside the last bar.
  const longest = 6 * Math.max(...names.map((name) => name.length));
  return {
    right: 0.6 * longest,
    scale: { time: false, range: () => [-0.6, last + 0.6] },
    axis: {
      space: 26, incrs: [1, 2, 5, 10, 20, 50], rotate: -40, size: 24 + 0.64 * longest, grid: { show: false },
      values: (_plot, splits) => splits.map((index) => names[index] ?? ""),
    },
  };
}

function options(state, width, tooltip) {
  const { series, content } = state;
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, font: "12px Manrope, system-ui, sans-serif" };
  const bars = content.kind === "bars" ? barAxis(content) : null;
  // A single time is in the middle of two hours; uPlot would begin a day with it.
  const [only, ...others] = content.data[0];
  const around = (_plot, low, high) => (others.length ? [low, high] : [only - 3_600, only + 3_600]);
  const times = { space: 64, values: (_plot, splits) => splits.map(content.labelOf) };
  return {
    width,
    height: bars ? BARS_HEIGHT : HEIGHT,
    padding: [12, bars?.right ?? 24, 0, 0],
    legend: { show: false },
    tzDate: content.utc ? (time) => uPlot.tzDate(new Date(time * 1000), "Etc/UTC") : undefined,
    cursor: { drag: { x: false, y: false }, y: false },
    scales: { x: bars?.scale ?? { time: true, range: around }, y: { range: (_plot, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, ...(bars?.axis ?? times) },
      { ...axis, size: 56, values: (_plot, splits) => splits.map((value) => compact.format(value)) },
    ],
    series: [{}, ...series.map(({ label }, index) => ({
      label, stroke: colour(COLOURS[index]), width: 2, dash: DASHES[index], spanGaps: false,
      points: { show: !bars && content.data[0].length < 3 },
      ...(bars && { fill: colour(COLOURS[index]), width: 0, paths: uPlot.paths.bars({ size: [0.7, 48] }) }),
    }))],
    hooks: {
      setCursor: [(plot) => {
        const { idx } = plot.cursor;
        tooltip.hidden = idx === null || idx === undefined;
        if (tooltip.hidden) return;
        tooltip.textContent = textAt(state, idx).join("\n");
        tooltip.classList.toggle("before", plot.cursor.left > plot.bbox.width / devicePixelRatio / 2);
      }],
    },
  };
}

// The arrow keys move from value to value, and the text is read aloud.
function moveByKeys(state, event) {
  const { plot } = state;
  const last = plot.data[0].length - 1;
  const at = plot.cursor.idx ?? (event.key === "ArrowRight" ? -1 : last + 1);
  const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
  if (!(event.key in moves)) return;
  event.preventDefault();
  const index = Math.min(last, Math.max(0, moves[event.key]));
  plot.setCursor({ left: plot.valToPos(plot.data[0][index], "x"), top: 0 });
  state.readout.textContent = textAt(state, index).join(", ");
}

/** Adds a chart without values to `place`; `series` has the name and the label of each, `kind` is as below. */
export function makePlot(place, { name, title, series, kind = "lines" }) {
  const figure = element("figure", `chart ${kind}`);
  figure.dataset.chart = name;
  const caption = element("figcaption", "", title);
  const unit = element("span", "quiet");
  caption.append(unit);
  const area = element("div", "plot");
  area.tabIndex = 0;
  area.hidden = true;
  area.setAttribute("role", "group");
  area.setAttribute("aria-label", `${title}. The arrow keys read the values.`);
  const legend = element("ul", "legend");
  const totals = series.map((one, index) => {
    const item = element("li", `series-${index}`, `${one.label} `);
    const total = element("b");
    total.dataset.total = one.name;
    item.append(total);
    legend.append(item);
    return total;
  });
  const empty = element("p", "quiet empty", "Loading…");
  const readout = element("p", "quiet readout");
  readout.setAttribute("role", "status");
  figure.append(caption, area, empty, legend, readout);
  place.append(figure);
  const state = { series, figure, area, unit, totals, empty, readout, content: null, plot: null, key: "" };
  area.addEventListener("keydown", (event) => state.plot && moveByKeys(state, event));
  state.observer = new ResizeObserver(() => {
    if (state.plot && area.clientWidth) state.plot.setSize({ width: area.clientWidth, height: state.plot.height });
  });
  state.observer.observe(area);
  made.add(state);
  return state;
}

/** Removes a chart. */
export function removePlot(state) {
  state.observer.disconnect();
  state.plot?.destroy();
  state.figure.remove();
  made.delete(state);
}

/** Shows a text instead of values: that they load, that there are none, or why they can't be read. */
export function showText(state, text) {
  state.empty.textContent = text;
  state.area.hidden = true;
}

/**
 * Draws values. `content` has `data` (the times in seconds, or the indexes of bars, then each series),
 * `kind` ("lines" or "bars"), `unit`, `labelOf` and `titleAt` (texts of a place on the axis, and of an
 * index), `totals` (a text for each series), and a `key` that changes with everything but the data.
 */
export function drawPlot(state, content) {
  const key = `${content.kind} ${content.key ?? ""}`;
  state.content = content;
  state.unit.textContent = content.unit;
  state.totals.forEach((total, index) => { total.textContent = content.totals[index]; });
  const isEmpty = content.data.slice(1).every((values) => values.every((value) => !value));
  state.empty.textContent = isEmpty ? "Nothing in this time." : "";
  state.area.hidden = isEmpty;
  if (isEmpty) return;
  if (state.plot && state.key === key && content.kind === "lines") {
    state.plot.setData(content.data);
    return;
  }
  state.plot?.destroy();
  const tooltip = element("div", "tooltip");
  tooltip.hidden = true;
  state.plot = new uPlot(options(state, state.area.clientWidth, tooltip), content.data, state.area);
  state.key = key;
  state.plot.root.querySelector(".u-cursor-x").append(tooltip);
}

// The canvas has the colours of the mode in which it was drawn.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const state of made) {
    state.key = "";
    if (state.content) drawPlot(state, state.content);
  }
});
