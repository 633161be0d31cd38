// Runs SQL over a Region's data lake: saved queries, own ones, and the path of one event.
import { $, call, errorMessage, onSubmit, pause, showError, showMessage } from "./portal.js";
import { clearResult, drawResult } from "./result-chart.js";

const POLL_MS = 700;
const MAX_POLLS = 150;
const DOLLARS_PER_TB = 5;
const MIN_BILLED_BYTES = 10_000_000;
const number = new Intl.NumberFormat();
const small = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 2 });
const saved = new Map();

/** Runs a query of a place's lake; returns {ok, columns, rows, more, state}, or {ok: false, text}. */
export async function run(sql, place = "home") {
  const body = { requestId: crypto.randomUUID(), sql };
  const queries = place === "home" ? "/operator/queries" : `/operator/lakes/${place}/queries`;
  const started = await call("POST", queries, body);
  if (!started.ok) return { ok: false, text: failure(started) };
  const path = `${queries}/${started.data.queryId}`;
  for (let poll = 0; poll < MAX_POLLS; poll += 1) {
    const answer = await call("GET", path);
    if (!answer.ok && answer.status < 500 && answer.status !== 429) return { ok: false, text: failure(answer) };
    const { state, reason } = answer.data;
    if (state === "SUCCEEDED") return readRows(path, answer.data);
    if (state === "FAILED" || state === "CANCELLED") return { ok: false, text: reason || "The query was cancelled." };
    await pause(POLL_MS);
  }
  return { ok: false, text: "The query takes long. Run it in the Athena console." };
}

function failure(answer) {
  if (answer.data.code === "query_invalid") return answer.data.detail;
  const isLost = answer.status === 0 || answer.status >= 500;
  return isLost ? "Athena doesn’t answer in this Region. Try again in a moment." : errorMessage(answer);
}

async function readRows(path, state) {
  const answer = await call("GET", `${path}/rows`);
  if (!answer.ok) return { ok: false, text: failure(answer) };
  const { columns, rows, more } = answer.data;
  // The first row of Athena has the names of the columns.
  return { ok: true, columns, rows: rows.slice(1), more, state };
}

function cells(name, texts) {
  const row = document.createElement("tr");
  row.append(...texts.map((text) => {
    const cell = document.createElement(name);
    if (name === "th") cell.scope = "col";
    cell.textContent = text;
    return cell;
  }));
  return row;
}

// Athena charges at least 10 MB for a query.
function price(bytes) {
  return (Math.max(bytes, MIN_BILLED_BYTES) / 1e12) * DOLLARS_PER_TB;
}

async function runWritten() {
  showMessage($("query-status"), "Running…");
  $("result").hidden = true;
  $("result-charts").hidden = true;
  clearResult();
  const result = await run($("sql").value, $("query-place").value);
  if (!result.ok) return showMessage($("query-status"), result.text, "bad");
  $("result-head").replaceChildren(cells("th", result.columns.map(({ name }) => name)));
  $("result-rows").replaceChildren(...result.rows.map((row) => cells("td", row)));
  $("result").hidden = !result.rows.length;
  if (result.rows.length) drawResult($("result-charts"), result);
  const { scannedBytes = 0, milliseconds = 0 } = result.state;
  const count = `${number.format(result.rows.length)}${result.more ? " of more" : ""} rows`;
  return showMessage($("query-status"),
    `${count}, ${number.format(milliseconds)} ms, ${number.format(scannedBytes)} bytes read: $${small.format(price(scannedBytes))} on Athena.`, "good");
}

async function readSaved() {
  const list = await call("GET", "/operator/saved-queries");
  if (!list.ok) return showError($("query-status"), list);
  const answers = await Promise.all(list.data.queryIds.map((id) => call("GET", `/operator/saved-queries/${id}`)));
  const queries = answers.filter((answer) => answer.ok).map((answer) => answer.data);
  queries.sort((a, b) => a.name.localeCompare(b.name));
  for (const { name, description, sql } of queries) {
    saved.set(name, sql);
    const option = document.createElement("option");
    option.value = name;
    option.textContent = description || name;
    $("saved").append(option);
  }
  return showMessage($("query-status"), "");
}

$("saved").addEventListener("change", () => {
  if (saved.has($("saved").value)) $("sql").value = saved.get($("saved").value);
});
onSubmit($("query"), runWritten);
readSaved();
