// Lists the collector's sources, and changes them and the suppressed persons.
import { counted } from "./counted.js";
import { $, call, onSubmit, setFieldError, showError, showLoaded, showMessage } from "./portal.js";

const SOURCE = /^[A-Za-z0-9_.-]{1,64}$/;
const WITH_SETTINGS = ["create", "configure"];
// The API's explanation names the setting or the state, and no person.
const EXPLAINED = ["invalid_request", "unknown_source", "source_conflict"];

function cell(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

function row({ id, enabled, keys, settings }) {
  const element = document.createElement("tr");
  const text = Object.keys(settings).length ? JSON.stringify(settings) : "defaults";
  const state = enabled ? "enabled" : "disabled";
  element.append(cell("td", id), cell("td", state), cell("td", String(keys)), cell("td", text));
  return element;
}

function draw({ sources, suppressed }) {
  $("rows").replaceChildren(...sources.map(row));
  showMessage($("sources-status"), `${counted(sources.length, "source")}, ${counted(suppressed, "suppressed id")}.`);
}

function explain(note, answer) {
  if (EXPLAINED.includes(answer.data.code)) showMessage(note, answer.data.detail, "bad");
  else showError(note, answer);
}

async function send(note, change) {
  const answer = await call("POST", "/sources", change);
  if (!answer.ok) {
    explain(note, answer);
    return;
  }
  const key = answer.data.writeKey;
  const shown = key ? ` Write key, shown only now: ${key}` : "";
  const seconds = answer.data.effectiveWithinSeconds;
  showMessage(note, `The change applies within ${seconds} seconds.${shown}`, "good");
  draw(answer.data);
}

function isJsonObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

onSubmit($("change"), async () => {
  const id = $("source").value.trim();
  const action = $("action").value;
  const settings = WITH_SETTINGS.includes(action) ? $("settings").value.trim() : "";
  const validId = SOURCE.test(id);
  const validSettings = !settings || isJsonObject(settings);
  setFieldError($("source"), validId ? "" : "Enter the id of a source, such as shop.");
  setFieldError($("settings"), validSettings ? "" : "Enter a JSON object, or nothing.");
  if (validId && validSettings) {
    await send($("change-status"), settings ? { action, id, settings } : { action, id });
  }
});

onSubmit($("suppress"), async () => {
  const person = $("person").value.trim();
  setFieldError($("person"), person ? "" : "Enter an id.");
  if (person) await send($("suppress-status"), { action: $("effect").value, person });
});

const answer = await call("GET", "/sources");
if (answer.ok) draw(answer.data);
else explain($("sources-status"), answer);
showLoaded("rows");
