// Charts of a Region's metrics over time.
import { drawPlot, makePlot, showText } from "./plot.js";

const CHARTS = [
  { name: "rows", title: "Rows in the data lake", unit: "rows", series: ["good", "bad", "duplicate"] },
  { name: "api", title: "API requests", unit: "requests", series: ["requests", "refused", "failed"] },
  { name: "waits", title: "Longest waits", unit: "ms", series: ["lag", "latency"] },
  { name: "written", title: "Bytes into the data lake", unit: "bytes", series: ["written"] },
];
const NAMES = { lag: "stream lag", latency: "API, p99", written: "written" };
// A count without a value is zero; a duration without one is unknown.
const DURATIONS = new Set(["lag", "latency"]);
const number = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });
const drawn = new Map();

const perPeriod = (length) => ({ 60: "a minute", 300: "in 5 minutes", 3600: "an hour" })[length];
const unitOf = (chart, length) => (chart.name === "waits" ? chart.unit : `${chart.unit} ${perPeriod(length)}`);

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
  return known.length ? `${number.format(Math.round(Math.max(...known)))} max` : "–";
}

/** Makes the charts of a Region in `place`, without values yet. */
export function makeCharts(place) {
  if (drawn.has(place)) return;
  drawn.set(place, CHARTS.map((chart) =>
    makePlot(place, { ...chart, series: chart.series.map((name) => ({ name, label: NAMES[name] ?? name })) })));
}

/** Says in the charts of a Region that it doesn't answer; those with values keep them. */
export function showNoAnswer(place) {
  for (const state of drawn.get(place)) if (!state.content) showText(state, "No answer.");
}

/** Draws the charts of a Region in `place`; `range` has its start, end and period in seconds. */
export function drawCharts(place, metrics, range) {
  makeCharts(place);
  const isLong = range.end - range.start > 2 * 86_400;
  const format = isLong ? day : clock;
  drawn.get(place).forEach((state, index) => {
    const chart = CHARTS[index];
    const data = columns(chart, metrics, range);
    drawPlot(state, {
      data,
      kind: "lines",
      key: isLong,
      unit: unitOf(chart, range.length),
      labelOf: (time) => format.format(time * 1000),
      titleAt: (at) => moment.format(data[0][at] * 1000),
      totals: chart.series.map((name, at) => summary(name, data[at + 1])),
    });
  });
}
