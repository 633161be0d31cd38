// What a Region's data lake has: rows by hour, how fresh they are, what was refused, and the table's snapshots.
import { counted } from "./counted.js";
import { drawPlot, makePlot, showText } from "./plot.js";
import { places } from "./places.js";
import { $, showMessage } from "./portal.js";
import { run } from "./queries.js";

const DAY_MS = 86_400_000;
const MAX_REASONS = 20;
const VERDICTS = ["good", "bad", "duplicate", "erased"];
const number = new Intl.NumberFormat();
const share = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const utc = { timeZone: "UTC" };
const clock = new Intl.DateTimeFormat(undefined, { ...utc, timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { ...utc, month: "short", day: "numeric" });
const moment = new Intl.DateTimeFormat(undefined, { ...utc, dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { ...utc, dateStyle: "medium", timeStyle: "medium" });

// A row's wait: from its arrival at the edge to the time of its object.
const hoursSql = (first) => `SELECT date, hour, count(*) AS rows_in,
  sum(CASE WHEN verdict = 'good' THEN 1 ELSE 0 END) AS good,
  sum(CASE WHEN verdict = 'bad' THEN 1 ELSE 0 END) AS bad,
  sum(CASE WHEN verdict = 'duplicate' THEN 1 ELSE 0 END) AS duplicate,
  sum(CASE WHEN verdict = 'erased' THEN 1 ELSE 0 END) AS erased,
  count(DISTINCT "$path") AS objects, max(received_at) AS newest,
  CAST(round(avg(date_diff('millisecond', received_at, CAST("$file_modified_time" AS timestamp)))) AS bigint) AS average_ms,
  max(date_diff('millisecond', received_at, CAST("$file_modified_time" AS timestamp))) AS slowest_ms
FROM events WHERE date >= '${first}'
GROUP BY date, hour ORDER BY date, hour`;

const reasonsSql = (first) => `SELECT reason_code, count(*) AS bad
FROM events WHERE date >= '${first}' AND verdict = 'bad'
GROUP BY reason_code ORDER BY bad DESC, reason_code`;

const SNAPSHOTS_SQL = `SELECT committed_at, operation, element_at(summary, 'added-data-files') AS added,
  element_at(summary, 'deleted-data-files') AS removed, element_at(summary, 'total-data-files') AS files,
  element_at(summary, 'total-records') AS records, element_at(summary, 'total-files-size') AS bytes, snapshot_id
FROM "events_iceberg$snapshots" ORDER BY committed_at DESC`;

const CHARTS = [
  { name: "lake-rows", title: "Rows by hour of arrival", unit: "rows an hour, UTC", series: ["good", "bad", "duplicate"] },
  { name: "lake-waits", title: "From the edge to the lake", unit: "ms, UTC", series: ["average", "slowest"] },
  { name: "lake-duplicates", title: "Duplicates", unit: "% of an hour’s rows, UTC", series: ["share"] },
  { name: "lake-reasons", title: "Bad rows by reason", unit: "rows", kind: "bars", series: ["bad"] },
];
const plots = new Map(CHARTS.map((chart) => [
  chart.name,
  makePlot($("lake-charts"), { ...chart, series: chart.series.map((name) => ({ name, label: name === "share" ? "duplicates" : name })) }),
]));

const objectsOf = ({ columns, rows }) =>
  rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])));
// Athena's times are in UTC and have no zone, or its name.
const timeOf = (text) => Date.parse(`${text.replace(" UTC", "").replace(" ", "T")}Z`);
const countOf = (text) => (text === "" ? "–" : number.format(Number(text)));
const sum = (hours, name) => hours.reduce((total, hour) => total + hour[name], 0);

function hourOf(row) {
  const numbers = ["rows_in", ...VERDICTS, "objects"].map((name) => [name, Number(row[name])]);
  const waits = ["average_ms", "slowest_ms"].map((name) => [name, row[name] === "" ? null : Number(row[name])]);
  return {
    ...Object.fromEntries([...numbers, ...waits]),
    start: Date.parse(`${row.date}T${row.hour}:00:00Z`) / 1000,
    newest: row.newest && timeOf(row.newest),
  };
}

/** Returns the hours in which a row has none of the verdicts. */
export const broken = (hours) => hours.filter((hour) => hour.rows_in !== VERDICTS.reduce((total, name) => total + hour[name], 0));

function cells(texts) {
  const row = document.createElement("tr");
  row.append(...texts.map((text) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    return cell;
  }));
  return row;
}

function lines(name, hours, values, totals) {
  const isLong = hours.at(-1).start - hours[0].start > 2 * 86_400;
  drawPlot(plots.get(name), {
    data: [hours.map(({ start }) => start), ...values],
    kind: "lines",
    key: isLong,
    utc: true,
    unit: CHARTS.find((chart) => chart.name === name).unit,
    labelOf: (time) => (isLong ? day : clock).format(time * 1000),
    titleAt: (index) => moment.format(hours[index].start * 1000),
    totals,
  });
}

// An hour without rows has zero of them, and no wait.
function withGaps(hours) {
  const known = new Map(hours.map((hour) => [hour.start, hour]));
  const all = [];
  for (let start = hours[0].start; start <= hours.at(-1).start; start += 3600) {
    all.push(known.get(start) ?? { start, rows_in: 0, good: 0, bad: 0, duplicate: 0, average_ms: null, slowest_ms: null });
  }
  return all;
}

function drawHours(hours) {
  const all = withGaps(hours);
  const counts = ["good", "bad", "duplicate"];
  lines("lake-rows", all, counts.map((name) => all.map((hour) => hour[name])), counts.map((name) => number.format(sum(hours, name))));
  const waits = ["average_ms", "slowest_ms"].map((name) => all.map((hour) => hour[name]));
  const most = waits.map((values) => `${number.format(Math.max(0, ...values.filter((value) => value !== null)))} max`);
  lines("lake-waits", all, waits, most);
  const shares = all.map(({ rows_in: rows, duplicate }) => (rows ? (100 * duplicate) / rows : null));
  lines("lake-duplicates", all, [shares], [`${share.format((100 * sum(hours, "duplicate")) / sum(hours, "rows_in"))}% of all`]);
}

function drawFigures(hours) {
  const figures = { rows: sum(hours, "rows_in"), objects: sum(hours, "objects") };
  for (const name of VERDICTS) figures[name] = sum(hours, name);
  figures.share = figures.rows ? (100 * figures.duplicate) / figures.rows : null;
  const waits = hours.map((hour) => hour.slowest_ms).filter((value) => value !== null);
  figures.slowest = waits.length ? Math.max(...waits) : null;
  for (const element of document.querySelectorAll("[data-lake]")) {
    const value = figures[element.dataset.lake];
    if (value !== undefined) element.textContent = value === null ? "–" : share.format(value);
  }
  const newest = Math.max(...hours.map((hour) => hour.newest || 0));
  $("lake-newest").textContent = newest > 0 ? exact.format(newest) : "–";
}

function showHours(result) {
  const hours = objectsOf(result).map(hourOf);
  drawFigures(hours);
  $("lake-hours").replaceChildren(...hours.toReversed().map((hour) => cells([
    moment.format(hour.start * 1000),
    ...["rows_in", ...VERDICTS, "objects", "average_ms", "slowest_ms"].map((name) => (hour[name] === null ? "–" : number.format(hour[name]))),
  ])));
  const wrong = broken(hours);
  if (!hours.length) {
    for (const chart of CHARTS) showText(plots.get(chart.name), "Nothing in this time.");
    return showMessage($("lake-status"), "The lake has no rows of these days.");
  }
  drawHours(hours);
  if (!wrong.length) {
    const checked = hours.length === 1 ? "The hour" : `Each of the ${number.format(hours.length)} hours`;
    return showMessage($("lake-status"), `${checked} with rows obeys the conservation law: rows = good + bad + duplicate + erased.`, "good");
  }
  const which = wrong.map(({ start }) => moment.format(start * 1000)).join("; ");
  return showMessage($("lake-status"), `The conservation law doesn’t hold: there are rows without a verdict in these hours (UTC): ${which}.`, "bad");
}

function showReasons(result) {
  const reasons = objectsOf(result).slice(0, MAX_REASONS);
  const names = reasons.map((it) => it.reason_code || "none");
  drawPlot(plots.get("lake-reasons"), {
    data: [reasons.map((_reason, index) => index), reasons.map(({ bad }) => Number(bad))],
    kind: "bars",
    unit: "rows",
    labelOf: (index) => names[index],
    titleAt: (index) => names[index],
    totals: [number.format(objectsOf(result).reduce((total, { bad }) => total + Number(bad), 0))],
  });
}

function showSnapshots(result) {
  const snapshots = result.ok ? objectsOf(result) : [];
  $("snapshots").replaceChildren(...snapshots.map((it) => cells([
    exact.format(timeOf(it.committed_at)), it.operation,
    ...["added", "removed", "files", "records", "bytes"].map((name) => countOf(it[name])), it.snapshot_id,
  ])));
  const missing = !result.ok && /not.?found|does(n't| not) exist/i.test(result.text);
  const none = "The table has no snapshot yet. The workflow that runs every hour commits the first one; on a laptop, make table does.";
  if (missing || (result.ok && !snapshots.length)) return showMessage($("snapshots-status"), none);
  if (!result.ok) return showMessage($("snapshots-status"), result.text, "bad");
  return showMessage($("snapshots-status"),
    `${counted(snapshots.length, "snapshot")}; the newest has ${counted(Number(snapshots[0].records), "row")} in ${counted(Number(snapshots[0].files), "file")}.`);
}

let reading = 0;

async function read() {
  reading += 1;
  const turn = reading;
  const first = new Date(Date.now() - Number($("lake-days").value) * DAY_MS).toISOString().slice(0, 10);
  const place = $("lake-place").value;
  showMessage($("lake-status"), "Loading…");
  showMessage($("snapshots-status"), "Loading…");
  const [hours, reasons, snapshots] = await Promise.all([hoursSql(first), reasonsSql(first), SNAPSHOTS_SQL].map((sql) => run(sql, place)));
  // A newer choice has its own answers.
  if (turn !== reading) return;
  if (hours.ok) showHours(hours);
  else {
    showMessage($("lake-status"), hours.text, "bad");
    for (const name of ["lake-rows", "lake-waits", "lake-duplicates"]) showText(plots.get(name), hours.text);
  }
  if (reasons.ok) showReasons(reasons);
  else showText(plots.get("lake-reasons"), reasons.text);
  showSnapshots(snapshots);
}

// Each Region has a lake of its own.
async function namePlaces() {
  const [home, ...others] = await places();
  for (const select of [$("lake-place"), $("query-place")]) {
    select.options[0].text = home.regionName;
    select.append(...others.map(({ place, regionName }) => new Option(regionName, place)));
  }
}

$("choose-lake").addEventListener("change", read);
$("choose-lake").addEventListener("submit", (event) => {
  event.preventDefault();
  read();
});
// Each reading has a price, so it waits until someone comes to the section.
new IntersectionObserver((entries, observer) => {
  if (!entries.some((entry) => entry.isIntersecting)) return;
  observer.disconnect();
  read();
}).observe($("lake"));
namePlaces();
