// Lists the verdicts of a source's newest events and updates them every five seconds.
import { counted } from "./counted.js";
import { $, call, onSubmit, pause, setFieldError, showError, showLoaded, showMessage } from "./portal.js";

const INTERVAL_MS = 5_000;
const SOURCE = /^[A-Za-z0-9_.-]{1,64}$/;
const VERDICTS = { good: "accepted", bad: "rejected", duplicate: "duplicate" };
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

function cell(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

function row({ receivedAt, verdict, type, code, reason, requestId, index }) {
  const element = document.createElement("tr");
  const why = code && reason ? `${code}: ${reason}` : code;
  element.append(
    cell("td", clock.format(new Date(receivedAt))),
    cell("td", VERDICTS[verdict] ?? verdict),
    cell("td", type),
    cell("td", why),
    cell("td", requestId ? `${requestId} #${index}` : ""),
  );
  return element;
}

// Each shard of the stream has a list.
function draw(verdicts) {
  const wanted = $("verdict").value;
  const chosen = verdicts
    .filter(({ verdict }) => !wanted || verdict === wanted)
    .sort((a, b) => b.receivedAt.localeCompare(a.receivedAt) || b.index - a.index);
  $("rows").replaceChildren(...chosen.map(row));
  const time = new Date().toLocaleTimeString();
  showMessage($("events-status"), `${counted(chosen.length, "event")}. Updated at ${time}.`);
}

async function refresh() {
  const source = $("source").value.trim();
  const valid = SOURCE.test(source);
  setFieldError($("source"), valid ? "" : "Enter the id of a source, such as portal.");
  if (!valid) return null;
  const answer = await call("GET", `/verdicts?source=${encodeURIComponent(source)}`);
  if (answer.ok) {
    draw(answer.data.verdicts);
  } else {
    $("rows").replaceChildren();
    showError($("events-status"), answer);
  }
  showLoaded("rows");
  return answer;
}

onSubmit($("choose"), refresh);
$("verdict").addEventListener("change", refresh);

for (;;) {
  // Skip the update while the page is in the background.
  if (!document.hidden) {
    const answer = await refresh();
    if (answer?.status === 403) break;
    await pause(1000 * (answer?.retryAfter ?? 0));
  }
  await pause(INTERVAL_MS);
}
