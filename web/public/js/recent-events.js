// Lists the newest events of a source in each Region with their verdicts, every five seconds, for operators.
import { showPath } from "./event-path.js";
import { places } from "./places.js";
import { $, call, itemButton, pause, showError, showMessage } from "./portal.js";

const INTERVAL_MS = 5_000;
const MOST = 50;
const VERDICTS = { good: "accepted", bad: "rejected", duplicate: "duplicate" };
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const number = new Intl.NumberFormat();

function cell(text, className = "") {
  const element = document.createElement("td");
  element.className = className;
  element.textContent = text;
  return element;
}

function row(event) {
  const { receivedAt, regionName, verdict, type, code, reason, requestId, index } = event;
  const element = document.createElement("tr");
  const tag = document.createElement("span");
  tag.className = { good: "tag good", bad: "tag bad", duplicate: "tag sun" }[verdict] ?? "tag";
  tag.textContent = VERDICTS[verdict] ?? verdict;
  const words = cell("");
  words.append(tag);
  const why = code && reason ? `${code}: ${reason}` : code;
  const id = requestId ? `${requestId} #${index}` : "";
  element.append(cell(clock.format(new Date(receivedAt))), cell(regionName), words, cell(type), cell(why), cell(id));
  const path = cell("");
  if (requestId) path.append(itemButton("Show path", `of event ${id}`, () => showPath(event)));
  element.append(path);
  return element;
}

function draw(verdicts, missing) {
  const wanted = $("event-verdict").value;
  const counts = { good: 0, bad: 0, duplicate: 0 };
  for (const { verdict } of verdicts) counts[verdict] += 1;
  const chosen = verdicts
    .filter(({ verdict }) => !wanted || verdict === wanted)
    .sort((a, b) => b.receivedAt.localeCompare(a.receivedAt) || b.index - a.index);
  $("event-rows").replaceChildren(...chosen.slice(0, MOST).map(row));
  const parts = Object.entries(counts).map(([name, count]) => `${number.format(count)} ${VERDICTS[name]}`);
  const text = verdicts.length
    ? `Of the newest ${number.format(verdicts.length)} events: ${parts.join(", ")}.`
    : "No events of this source yet.";
  const lost = missing.length ? ` No answer from ${missing.join(", ")}.` : "";
  showMessage($("event-status"), text + lost, lost ? "bad" : "");
}

async function refresh() {
  const source = $("event-source").value.trim();
  const read = await Promise.all((await places()).map(async (region) => {
    const answer = await call("GET", `/operator/verdicts/${region.place}?source=${encodeURIComponent(source)}`);
    return { region, answer };
  }));
  const answers = read.filter(({ answer }) => answer.ok);
  if (!answers.length) {
    showError($("event-status"), read[0].answer);
    return read[0].answer;
  }
  const verdicts = answers.flatMap(({ region, answer }) => answer.data.verdicts.map((verdict) => ({ ...verdict, ...region })));
  draw(verdicts, read.filter(({ answer }) => !answer.ok).map(({ region }) => region.regionName));
  return answers[0].answer;
}

$("choose-events").addEventListener("change", refresh);
$("choose-events").addEventListener("submit", (event) => event.preventDefault());
showMessage($("event-status"), "Loading…");

for (;;) {
  // Skip the update while the page is in the background.
  if (!document.hidden) {
    const answer = await refresh();
    if (answer.status === 403) break;
    await pause(1000 * answer.retryAfter);
  }
  await pause(INTERVAL_MS);
}
