// Uploads a roster, shows the progress of its import, and its report.
import {
  $, call, callRepeatedly, itemButton, listItem, onSubmit, pause, setFieldError, showError, showLoaded, showMessage,
} from "./portal.js";

// The API takes 2,800,000 characters of Base64.
const MAX_BYTES = 2_000_000;
const POLL_MS = 2000;

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const number = new Intl.NumberFormat();
const STATUSES = new Map([
  ["created", "created"],
  ["exists", "already there"],
  ["updated", "updated"],
  ["rejected", "rejected"],
  ["failed", "not processed"],
  ["pending", "still being processed"],
  ["left", "left the list"],
]);

// The shown list: a newer one ends the polls of the one before.
let shown = null;

// A name for keys and paths, from the file's name.
const nameOf = (fileName) => fileName.replace(/\.[^.]*$/, "").normalize("NFKD")
  .replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^[-_]+|-+$/g, "").slice(0, 60);

async function base64(file) {
  const url = await new Promise((done, failed) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(reader.result));
    reader.addEventListener("error", () => failed(reader.error));
    reader.readAsDataURL(file);
  });
  return url.slice(url.indexOf(",") + 1);
}

function lineItem(line) {
  const title = line.row ? `Row ${line.row} · ${STATUSES.get(line.status) ?? line.status}` : "Left the list";
  const field = line.row && line.field ? `${line.field}: ` : "";
  return listItem(title, `${field}${line.message}`, document.createElement("div"));
}

function showProgress(roster) {
  const bar = $("progress");
  bar.parentElement.hidden = roster.state === "done" || roster.state === "refused";
  if (roster.rows) {
    bar.max = roster.rows;
    bar.value = roster.decided;
  } else {
    bar.removeAttribute("value");
  }
}

function showRoster(roster) {
  $("roster-card").hidden = false;
  $("roster-title").textContent = `List “${roster.name}”`;
  showProgress(roster);
  const note = $("roster-status");
  if (roster.state === "reading") {
    showMessage(note, "The file is being read…");
  } else if (roster.state === "importing") {
    showMessage(note, `About ${number.format(roster.decided)} of ${number.format(roster.rows)} rows are done…`);
  } else if (roster.state === "refused") {
    showMessage(note, `No account was created. ${roster.message}`, "bad");
  } else {
    const counts = Object.entries(roster.counts).map(([status, count]) => `${number.format(count)} ${STATUSES.get(status) ?? status}`);
    const more = roster.more ? ` ${number.format(roster.more)} further lines aren’t shown.` : "";
    const wrong = (roster.counts.rejected ?? 0) + (roster.counts.failed ?? 0) > 0;
    showMessage(note, `${number.format(roster.rows)} rows: ${counts.join(", ")}.${more}`, wrong ? "bad" : "good");
  }
  $("lines").replaceChildren(...roster.lines.map(lineItem));
}

// Polls until the import has ended, or another list is shown.
async function follow(name) {
  shown = name;
  $("roster-title").focus();
  while (shown === name) {
    const answer = await call("GET", `/rosters/${name}`);
    if (shown !== name) return;
    if (answer.ok) {
      showRoster(answer.data);
      if (answer.data.state === "done" || answer.data.state === "refused") return;
    } else {
      showError($("roster-status"), answer);
      if (answer.status < 500 && answer.status !== 0 && answer.status !== 429) return;
    }
    await pause(POLL_MS);
  }
}

async function list() {
  const answer = await call("GET", "/rosters");
  if (!answer.ok) return showError($("list-status"), answer);
  const { rosters, more } = answer.data;
  $("rosters").replaceChildren(...rosters.map((it) => listItem(
    it.name, moment.format(new Date(it.uploadedAt)), itemButton("Open", `list ${it.name}`, () => open(it.name)),
  )));
  const text = rosters.length ? "" : "No list was uploaded in the last 30 days.";
  return showMessage($("list-status"), more ? "Only the newest lists are shown." : text);
}

function open(name) {
  showMessage($("roster-status"), "");
  $("lines").replaceChildren();
  $("roster-card").hidden = false;
  return follow(name);
}

function fileError(file) {
  if (!file) return "Choose a file.";
  if (file.size > MAX_BYTES) return "The file is larger than 2 MB. Divide the list.";
  return file.size ? "" : "The file is empty.";
}

$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) $("name").value = nameOf(file.name);
});

onSubmit($("upload"), async () => {
  const [file] = $("file").files;
  const name = $("name").value.trim();
  setFieldError($("file"), fileError(file));
  const valid = /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name);
  setFieldError($("name"), valid ? "" : "Enter a name of letters, digits, hyphens and underscores.");
  if (fileError(file)) return $("file").focus();
  if (!valid) return $("name").focus();
  showMessage($("upload-status"), "Uploading…");
  const body = { name, content: await base64(file) };
  const answer = await callRepeatedly("POST", "/rosters", body, $("upload-status"));
  if (!answer.ok) return showError($("upload-status"), answer);
  showMessage($("upload-status"), "Uploaded.", "good");
  showRoster(answer.data);
  void follow(name);
  return list();
});

$("reload").addEventListener("click", list);

await list();
showLoaded("rosters");
