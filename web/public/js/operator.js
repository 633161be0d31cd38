// Shows what moves through each Region and which alarms are in ALARM state, and updates both every 15 seconds.
import { drawCharts, makeCharts, showNoAnswer } from "./charts.js";
import { counted } from "./counted.js";
import { places, stage } from "./places.js";
import { $, call, pause, showError, showMessage } from "./portal.js";

// CloudWatch has new values once a minute; each request costs a fraction of a cent.
const INTERVAL_MS = 15_000;
let regions = [{ place: "home", regionName: "Home Region" }];
// The alarms of CloudFront and of the edge functions, whatever the home is.
const EDGE = { place: "edge", regionName: "us-east-1" };
// When each card got its figures.
const answered = new Map();
// The home's card is there before its figures, so that nothing moves when they come.
const blank = document.querySelector(".region").cloneNode(true);
// Values that aren't counts: the greatest of the periods is shown.
const GREATEST = new Set(["lag", "latency"]);
// Where a count above zero is a failure, and the part of the drawing that fails.
const FAILURES = {
  failed: "api", batchErrors: "writer", conservation: "lake", bad: "lake",
  accountErrors: "workflow", workflowErrors: "workflow", emailErrors: "email",
};
const NAMES = {
  failed: ["failed request"], batchErrors: ["failed batch", "failed batches"], conservation: ["failed conservation check"],
  bad: ["bad row"], accountErrors: ["failed creation of an account", "failed creations of accounts"],
  workflowErrors: ["failed workflow"], emailErrors: ["failed email"],
};
// The nouns of the drawing.
const NOUNS = {
  requests: ["request"], records: ["record"], workflows: ["execution"], emails: ["email"], batches: ["batch", "batches"], rows: ["row"],
};
// Senders make bad rows; the others are failures of ours.
const SENDERS = "bad";
const number = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });

const period = (range) => (range <= 21_600 ? 60 : range <= 86_400 ? 300 : 3600);

// A period without data has no value, which is not the same as zero for a latency.
function figure(name, values) {
  if (GREATEST.has(name)) return values.length ? Math.round(Math.max(...values)) : null;
  return values.reduce((sum, value) => sum + value, 0);
}

function figuresOf(metrics) {
  const figures = {};
  for (const [name, { values }] of Object.entries(metrics)) figures[name] = figure(name, values);
  figures.rows = figures.good + figures.bad + figures.duplicate;
  figures.duplicateShare = figures.rows ? Math.round((1000 * figures.duplicate) / figures.rows) / 10 : null;
  return figures;
}

function cardOf({ place, regionName }) {
  const found = document.querySelector(`[data-place="${place}"]`);
  if (found) return found;
  const card = blank.cloneNode(true);
  card.dataset.place = place;
  card.querySelector("h2").textContent = regionName;
  $("regions").append(card);
  makeCharts(card.querySelector("[data-charts]"));
  return card;
}

function drawFlow(card, region, metrics, recent) {
  const figures = figuresOf(metrics);
  card.classList.remove("lost");
  answered.set(card, new Date());
  card.querySelector("h2").textContent = region;
  for (const element of card.querySelectorAll("[data-metric]")) {
    const value = figures[element.dataset.metric];
    element.textContent = value === null ? "–" : number.format(value);
    const failing = element.dataset.metric in FAILURES && value > 0;
    element.closest("div, g").classList.toggle("failing", failing);
  }
  for (const noun of card.querySelectorAll("[data-noun]")) {
    const { noun: name } = noun.dataset;
    const [one, many = `${one}s`] = NOUNS[name];
    noun.textContent = figures[name] === 1 ? one : many;
  }
  for (const edge of card.querySelectorAll("[data-moves]")) {
    const name = edge.dataset.moves;
    const parts = name === "rows" ? ["good", "bad", "duplicate"] : [name];
    const moves = parts.some((part) => metrics[part].times.some((time) => time >= recent));
    edge.classList.toggle("moving", moves && figures[name] > 0);
  }
  for (const [name, node] of Object.entries(FAILURES)) {
    if (!(figures[name] > 0) || name === SENDERS) continue;
    for (const drawn of card.querySelectorAll(`[data-node="${node}"]`)) drawn.classList.add("failing");
  }
  const failing = Object.keys(FAILURES).filter((name) => figures[name] > 0);
  const what = failing.map((name) => counted(figures[name], ...NAMES[name])).join(", ");
  const text = what ? `This Region answers. In this time: ${what}.` : "This Region answers.";
  const isOurs = failing.some((name) => name !== SENDERS);
  showMessage(card.querySelector("[data-state]"), text, isOurs ? "bad" : what ? "" : "good");
}

function drawEmails(metrics) {
  for (const element of document.querySelectorAll("[data-email]")) {
    const name = element.dataset.email;
    const value = figure(name, metrics[name].values);
    element.textContent = number.format(value);
    element.closest("div").classList.toggle("failing", value > 0 && (name === "bounced" || name === "complained"));
  }
}

// The figures of a lost Region are old: they stay, and the card turns red.
function drawLost(card) {
  card.classList.add("lost");
  showNoAnswer(card.querySelector("[data-charts]"));
  for (const edge of card.querySelectorAll(".moving")) edge.classList.remove("moving");
  const last = answered.get(card);
  const age = last ? `Its figures are those of ${last.toLocaleTimeString()}.` : "There are no figures of it since the page was opened.";
  showMessage(card.querySelector("[data-state]"), `This Region doesn’t answer. ${age}`, "bad");
}

async function listRegions() {
  regions = await places();
  for (const region of regions) cardOf(region);
  for (const card of document.querySelectorAll(".region")) {
    if (!regions.some(({ place }) => place === card.dataset.place)) card.remove();
  }
}

async function refreshFlow() {
  await listRegions();
  const range = Number($("range").value);
  const now = Math.floor(Date.now() / 1000);
  const length = period(range);
  // Whole periods, so that none is cut.
  const start = Math.floor((now - range) / length) * length;
  const answers = await Promise.all(
    regions.map(({ place }) => call("GET", `/operator/flow/${place}?start=${start}&period=${length}`)),
  );
  const refused = answers.find((answer) => answer.status === 401 || answer.status === 403);
  if (refused) return refused;
  answers.forEach((answer, index) => {
    const card = cardOf(regions[index]);
    if (!answer.ok) return drawLost(card);
    drawFlow(card, answer.data.regionName, answer.data.metrics, now - 3 * length);
    drawCharts(card.querySelector("[data-charts]"), answer.data.metrics, { start, end: now, length });
    if (regions[index].place === "home") drawEmails(answer.data.metrics);
    return card;
  });
  return answers.find((answer) => !answer.ok) ?? answers[0];
}

async function readAlarms({ place, regionName }) {
  const alarms = [];
  let after = "";
  do {
    const next = after ? `?after=${encodeURIComponent(after)}` : "";
    const answer = await call("GET", `/operator/alarms/${place}${next}`);
    if (!answer.ok) return { regionName, answer, alarms: [] };
    alarms.push(...answer.data.alarms.map((alarm) => ({ ...alarm, region: answer.data.regionName })));
    after = answer.data.next ?? "";
  } while (after);
  return { regionName, alarms };
}

function cell(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

let entries = {};

async function readEntries() {
  entries = await fetch("/app/runbook/entries.json").then((answer) => answer.json()).catch(() => ({}));
}

// A description ends with the alarm's entry in the runbook.
function described(name, description) {
  const element = document.createElement(name);
  const [text, entry] = description.split(/(?:Runbook: )?docs\/runbook\.md#/);
  element.append(text);
  if (entry) {
    const link = document.createElement("a");
    link.href = entries[entry.trim()] ?? "/app/runbook/";
    link.textContent = `Runbook: ${entry.trim().replaceAll("-", " ")}`;
    element.append(link);
  }
  return element;
}

// As the console of CloudWatch names them.
const STATES = { ALARM: "In alarm", OK: "OK", INSUFFICIENT_DATA: "Insufficient data" };

function alarmRow({ name, state, region, description, changedAt }) {
  const row = document.createElement("tr");
  const words = cell("td", STATES[state]);
  words.className = `alarm-state ${state === "ALARM" ? "in-alarm" : ""}`.trim();
  row.append(words, cell("td", name), cell("td", region), cell("td", clock.format(changedAt * 1000)), described("td", description));
  return row;
}

function alarmItem({ name, region, description, reason, changedAt }) {
  const item = document.createElement("li");
  const about = document.createElement("div");
  const title = cell("p", `${name} in ${region}, since ${clock.format(changedAt * 1000)}`);
  title.className = "alarm-state in-alarm";
  const quiet = cell("p", reason);
  quiet.className = "quiet";
  about.append(title, described("p", description), quiet);
  item.append(about);
  return item;
}

async function refreshAlarms() {
  const read = await Promise.all([...regions, EDGE].map(readAlarms));
  const byName = new Map();
  for (const { alarms } of read) for (const alarm of alarms) byName.set(`${alarm.region} ${alarm.name}`, alarm);
  const alarms = [...byName.values()].sort((a, b) => a.name.localeCompare(b.name));
  const active = alarms.filter(({ state }) => state === "ALARM");
  $("active-alarms").replaceChildren(...active.map(alarmItem));
  $("alarms").replaceChildren(...alarms.map(alarmRow));
  const missing = read.filter(({ answer }) => answer).map(({ regionName }) => regionName);
  const unread = missing.length ? ` The alarms of ${missing.join(", ")} can’t be read.` : "";
  const count = active.length ? active.length : "None";
  const text = `${count} of ${alarms.length} alarms ${active.length > 1 ? "are" : "is"} in ALARM state.`;
  showMessage($("alarms-status"), text + unread, active.length || unread ? "bad" : "good");
  return { active: active.length, missing };
}

const alarmsText = (count) => (count ? `${counted(count, "alarm is", "alarms are")} in ALARM state.` : "No alarm is in ALARM state.");

async function refresh() {
  const answer = await refreshFlow();
  if (answer.status === 401 || answer.status === 403) {
    $("regions").replaceChildren();
    showError($("cockpit-status"), answer);
    return answer;
  }
  const { active, missing } = await refreshAlarms();
  // What an operator must know first, without a look at each part.
  const lost = [...document.querySelectorAll(".region.lost h2")].map((heading) => heading.textContent);
  const parts = [
    `Updated at ${new Date().toLocaleTimeString()}.`,
    lost.length ? `No answer from ${lost.join(", ")}.` : "Each Region answers.",
    alarmsText(active),
    missing.length ? `The alarms of ${missing.join(", ")} can’t be read.` : "",
  ];
  showMessage($("cockpit-status"), parts.join(" ").trim(), lost.length || active || missing.length ? "bad" : "good");
  return answer;
}

async function readStage() {
  const { mailbox } = await stage();
  if (mailbox) {
    $("mailbox-link").href = mailbox;
    $("mailbox").hidden = false;
  }
}

$("range").addEventListener("change", refreshFlow);
$("choose").addEventListener("submit", (event) => event.preventDefault());
makeCharts(cardOf(regions[0]).querySelector("[data-charts]"));
await Promise.all([readStage(), readEntries()]);

for (;;) {
  // Skip the update while the page is in the background.
  if (!document.hidden) {
    const answer = await refresh();
    if (answer.status === 403) break;
    await pause(1000 * answer.retryAfter);
  }
  await pause(INTERVAL_MS);
}
