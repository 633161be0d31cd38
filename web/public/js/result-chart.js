// Draws the result of a query: its numbers over time, or as bars by the texts of each row.
import { MAX_SERIES, drawPlot, makePlot, removePlot, showText } from "./plot.js";

const MAX_BARS = 40;
const NUMERIC = new Set(["tinyint", "smallint", "integer", "bigint", "real", "float", "double", "decimal"]);
const TIME = /^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?( UTC|Z)?$/;
const UNITS = [[/(_ms|milliseconds)$/, "ms"], [/(_s|seconds)$/, "s"], [/bytes/, "bytes"], [/(share|percent)/, "%"]];
const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const utc = { timeZone: "UTC" };
const clock = new Intl.DateTimeFormat(undefined, { ...utc, timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { ...utc, month: "short", day: "numeric" });
const moment = new Intl.DateTimeFormat(undefined, { ...utc, dateStyle: "medium", timeStyle: "short" });
const date = new Intl.DateTimeFormat(undefined, { ...utc, dateStyle: "medium" });

// Athena's times are in UTC; those of a partition are a day and an hour.
function secondsOf(text, hour) {
  if (!TIME.test(text)) return null;
  const [day, time = ""] = text.replace(/( UTC|Z)$/, "").split(/[ T]/);
  const moment = Date.parse(`${day}T${time || `${hour ?? "00"}:00`}${time.length === 5 || !time ? ":00" : ""}Z`);
  return Number.isNaN(moment) ? null : moment / 1000;
}

/**
 * Returns the times of rows in seconds, if a column has one for each row; the columns `date` and `hour`
 * are one time.
 */
function timesOf(columns, rows) {
  const hour = columns.findIndex(({ name }) => name === "hour");
  const at = columns.findIndex(({ type }, index) => !NUMERIC.has(type) && rows.every((row) => TIME.test(row[index])));
  if (at < 0) return null;
  const isDay = rows.every((row) => row[at].length === 10);
  const hours = isDay && hour >= 0 && rows.every((row) => /^\d{2}$/.test(row[hour]));
  const times = rows.map((row) => secondsOf(row[at], hours ? row[hour] : undefined));
  if (times.includes(null) || new Set(times).size < times.length) return null;
  return { times, isDay: isDay && !hours };
}

const valueOf = (text) => (text === "" ? null : Number(text));

function unitOf(names) {
  const units = new Set(names.map((name) => UNITS.find(([ending]) => ending.test(name))?.[1] ?? ""));
  return units.size === 1 && !units.has("") ? [...units][0] : names.length === 1 ? names[0] : "values";
}

/** Returns what can be drawn of a result: {kind, series, numbers …}, or null if nothing can. */
export function chartOf({ columns, rows }) {
  const found = columns.map(({ name, type }, index) => ({ name, type, index }))
    .filter(({ name, type, index }) => NUMERIC.has(type) && !name.endsWith("_id") && rows.some((row) => row[index] !== ""));
  if (!found.length || rows.length < 2) return null;
  const moments = timesOf(columns, rows);
  if (moments) {
    const order = moments.times.map((_time, index) => index).sort((a, b) => moments.times[a] - moments.times[b]);
    return {
      kind: "lines",
      numbers: found,
      isDay: moments.isDay,
      axis: order.map((index) => moments.times[index]),
      rows: order.map((index) => rows[index]),
    };
  }
  const shown = rows.slice(0, MAX_BARS);
  const texts = columns.map((_column, index) => index).filter((index) => !NUMERIC.has(columns[index].type));
  return {
    kind: "bars",
    numbers: found,
    axis: shown.map((_row, index) => index),
    rows: shown,
    labels: shown.map((row, index) => texts.map((at) => row[at] || "none").join(" · ") || `row ${index + 1}`),
    left: rows.length - shown.length,
  };
}

function contentOf(chart, chosen) {
  const data = [chart.axis, ...chosen.map(({ index }) => chart.rows.map((row) => valueOf(row[index])))];
  const span = chart.axis.at(-1) - chart.axis[0];
  const label = chart.isDay || span > 2 * 86_400 ? day : clock;
  const isTime = chart.kind === "lines";
  return {
    data,
    kind: chart.kind,
    key: `${isTime} ${span}`,
    utc: true,
    unit: unitOf(chosen.map(({ name }) => name)) + (isTime ? ", UTC" : ""),
    labelOf: (at) => (isTime ? label.format(at * 1000) : chart.labels[at]),
    titleAt: (index) => (isTime ? (chart.isDay ? date : moment).format(chart.axis[index] * 1000) : chart.labels[index]),
    totals: data.slice(1).map((values) => `${number.format(Math.max(...values.filter((value) => value !== null)))} max`),
  };
}

let plots = [];

/** Draws a result in `place`; without a chart, a text says why. */
export function drawResult(place, result) {
  clearResult();
  place.hidden = false;
  const chart = chartOf(result);
  const title = chart?.left ? `Result, the first ${MAX_BARS} rows` : "Result";
  if (!chart) {
    const state = makePlot(place, { name: "result", title, series: [] });
    showText(state, "No chart: it needs two rows and a column of numbers.");
    plots = [state];
    return;
  }
  // A bar has one value; so have columns of other sizes, such as rows and bytes.
  const groups = chart.kind === "bars" ? chart.numbers.slice(0, MAX_SERIES).map((it) => [it]) : grouped(chart.numbers);
  plots = groups.map((chosen) => {
    const name = chosen.map((it) => it.name).join(", ");
    const state = makePlot(place, {
      name: "result", kind: chart.kind, title: `${title}: ${name}`, series: chosen.map((it) => ({ name: it.name, label: it.name })),
    });
    drawPlot(state, contentOf(chart, chosen));
    return state;
  });
}

// Lines with one unit share a chart.
function grouped(numbers) {
  const byUnit = new Map();
  for (const it of numbers) {
    const unit = UNITS.find(([ending]) => ending.test(it.name))?.[1] ?? "";
    byUnit.set(unit, [...(byUnit.get(unit) ?? []), it]);
  }
  return [...byUnit.values()].map((group) => group.slice(0, MAX_SERIES));
}

/** Removes the charts of the result before. */
export function clearResult() {
  plots.forEach(removePlot);
  plots = [];
}
