// Estimates the charges of this month from its counts and from dated list prices.
import { $, call, pause, showError, showMessage } from "./portal.js";
import { places } from "./places.js";

// The counts of a month change slowly, and each request has a price.
const INTERVAL_MS = 300_000;
const HOUR_S = 3_600;
const RECORD_BYTES = 1_024;
const usd = { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol" };
const dollars = new Intl.NumberFormat(undefined, usd);
const small = new Intl.NumberFormat(undefined, { ...usd, maximumFractionDigits: 4 });
const LEAST = 0.0001;

function format(amount) {
  if (amount > 0 && amount < LEAST) return `< ${small.format(LEAST)}`;
  return (amount >= 1 || amount === 0 ? dollars : small).format(amount);
}

function countsOf(answers) {
  const counts = {};
  for (const { data } of answers) {
    for (const [name, { values }] of Object.entries(data.metrics)) {
      counts[name] = (counts[name] ?? 0) + values.reduce((sum, value) => sum + value, 0);
    }
  }
  // Kinesis rounds each record up to 1 KB.
  counts.billedBytes = Math.max(counts.bytes, RECORD_BYTES * counts.records);
  return counts;
}

const charge = (rates, counts) =>
  Object.entries(rates).reduce((sum, [name, rate]) => sum + rate * (counts[name] ?? 0), 0);

function estimate(prices, counts, regions, elapsed, whole) {
  const rows = [];
  for (const [name, rates] of [...Object.entries(prices.events), ...Object.entries(prices.school)]) {
    const spent = charge(rates, counts);
    rows.push({ name, spent, month: (spent * whole) / elapsed });
  }
  for (const [name, amount] of Object.entries(prices.fixed)) {
    const monthly = amount + (regions - 1) * (prices.region[name] ?? 0);
    rows.push({ name, spent: (monthly * elapsed) / prices.monthHours, month: (monthly * whole) / prices.monthHours });
  }
  for (const [name, amount] of Object.entries(prices.region)) {
    if (regions < 2 || name in prices.fixed) continue;
    const monthly = (regions - 1) * amount;
    rows.push({ name, spent: (monthly * elapsed) / prices.monthHours, month: (monthly * whole) / prices.monthHours });
  }
  return rows;
}

function row({ name, spent, month }) {
  const element = document.createElement("tr");
  const title = name[0].toUpperCase() + name.slice(1);
  element.append(...[title, format(spent), format(month)].map((text) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    return cell;
  }));
  return element;
}

async function refresh() {
  const now = new Date();
  const start = Date.UTC(now.getUTCFullYear(), now.getUTCMonth()) / 1000;
  const whole = (Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1) / 1000 - start) / HOUR_S;
  const elapsed = (now / 1000 - start) / HOUR_S;
  const regions = await places();
  const [prices, ...answers] = await Promise.all([
    fetch("/app/prices.json").then((answer) => answer.json()),
    ...regions.map(({ place }) => call("GET", `/operator/flow/${place}?start=${start}&period=${HOUR_S}`)),
  ]);
  const read = answers.filter((answer) => answer.ok);
  if (!read.length) {
    showError($("money-status"), answers[0]);
    return answers[0];
  }
  const counts = countsOf(read);
  const rows = estimate(prices, counts, regions.length, elapsed, whole);
  const events = counts.good + counts.bad + counts.duplicate;
  const ofEvents = Object.values(prices.events).reduce((sum, rates) => sum + charge(rates, counts), 0);
  $("money-million").textContent = events ? format((1_000_000 * ofEvents) / events) : "–";
  $("money-spent").textContent = format(rows.reduce((sum, { spent }) => sum + spent, 0));
  $("money-month").textContent = format(rows.reduce((sum, { month }) => sum + month, 0));
  $("money-prices").textContent = prices.months.join(", ");
  $("money-rows").replaceChildren(...rows.map(row));
  // A lost Region's counts are missing, and its fixed charges go on.
  const lost = regions.filter((_region, index) => !answers[index].ok).map(({ regionName }) => regionName);
  const without = lost.length ? `Without the counts of ${lost.join(", ")}, which doesn’t answer.` : "";
  showMessage($("money-status"), without || (events ? "" : "No events in this month yet."), without && "bad");
  return read[0];
}

showMessage($("money-status"), "Loading…");
for (;;) {
  // Skip the update while the page is in the background.
  if (!document.hidden) {
    const answer = await refresh();
    if (answer.status === 403) break;
  }
  await pause(INTERVAL_MS);
}
