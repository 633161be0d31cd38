// Lists executions of a state machine with their steps, and retries those that failed.
import { drawMachine } from "./machine.js";
import { $, call, itemButton, showError, showMessage } from "./portal.js";

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });
const STATUSES = { RUNNING: "running", SUCCEEDED: "succeeded", FAILED: "failed", TIMED_OUT: "timed out", ABORTED: "stopped" };
const RETRYABLE = new Set(["FAILED", "TIMED_OUT", "ABORTED"]);
const when = (seconds) => clock.format(seconds * 1000);
const pathOf = (name) => `/operator/executions/${$("machine").value}/${encodeURIComponent(name)}`;

function line(text, kind = "quiet") {
  const element = document.createElement("p");
  element.className = kind;
  element.textContent = text;
  return element;
}

const definitions = new Map();

// The definition of a state machine changes only with a deployment.
async function definitionOf(machine) {
  if (!definitions.has(machine)) {
    const answer = await call("GET", `/operator/machines/${machine}`);
    if (!answer.ok) return null;
    definitions.set(machine, JSON.parse(answer.data.definition));
  }
  return definitions.get(machine);
}

function drawing(definition, steps, status) {
  const states = steps.filter(({ state, type }) => type.endsWith("StateEntered") && state in definition.States);
  const box = document.createElement("div");
  box.className = "scroll";
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "State machine");
  const outcome = RETRYABLE.has(status) ? "bad" : status === "SUCCEEDED" ? "good" : "";
  box.append(drawMachine(definition, states.map(({ state }) => state), outcome));
  return box;
}

// The states in the order of their entry, and what failed.
async function showSteps(name, status, place) {
  const answer = await call("GET", pathOf(name));
  if (!answer.ok) return showError($("executions-status"), answer);
  const definition = await definitionOf($("machine").value);
  const steps = answer.data.steps.toReversed().filter(({ state, error, type }) =>
    (state && type.endsWith("StateEntered")) || error);
  const texts = steps.map(({ state, error, at }) => `${when(at)} ${error ? `failed: ${error}` : state}`);
  place.replaceChildren(...(texts.length ? texts : ["No steps yet."]).map((text) => line(text)));
  return definition && place.prepend(drawing(definition, answer.data.steps.toReversed(), status));
}

async function retry(name) {
  const answer = await call("POST", `${pathOf(name)}/redrive`, { requestId: crypto.randomUUID() });
  if (!answer.ok) return showError($("executions-status"), answer);
  await refresh();
  return showMessage($("executions-status"), "The execution runs again.", "good");
}

function item({ name, status, startedAt, endedAt }) {
  const element = document.createElement("li");
  const about = document.createElement("div");
  const steps = document.createElement("div");
  const end = endedAt ? `, ended ${when(endedAt)}` : "";
  about.append(
    line(`${name.slice(0, 36)}: ${STATUSES[status]}`, `alarm-state ${RETRYABLE.has(status) ? "in-alarm" : ""}`.trim()),
    line(`Started ${when(startedAt)}${end}`),
    steps,
  );
  element.append(about, itemButton("Show steps", `of ${name}`, () => showSteps(name, status, steps)));
  if (RETRYABLE.has(status)) element.append(itemButton("Retry", name, () => retry(name)));
  return element;
}

let newest = 0;

// An answer that comes after that of a later question is ignored.
async function refresh() {
  const number = (newest += 1);
  const status = $("execution-status").value;
  const answer = await call("GET", `/operator/executions/${$("machine").value}${status ? `?status=${status}` : ""}`);
  if (number !== newest) return null;
  if (!answer.ok) return showError($("executions-status"), answer);
  const { executions } = answer.data;
  $("executions").replaceChildren(...executions.map(item));
  return showMessage($("executions-status"), executions.length ? `The newest ${executions.length}.` : "No executions.");
}

$("choose-executions").addEventListener("change", () => {
  $("executions").replaceChildren();
  showMessage($("executions-status"), "Loading…");
  return refresh();
});
$("choose-executions").addEventListener("submit", (event) => event.preventDefault());
refresh();
