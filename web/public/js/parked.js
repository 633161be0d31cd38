// Lists parked accounts, and finishes or undoes one.
import {
  $, call, callRepeatedly, itemButton, listItem, onSubmit, pause, setFieldError, showError, showLoaded, showMessage,
} from "./portal.js";

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const STATES = new Map([
  ["waiting", "waits for you"],
  ["undoing", "partly removed"],
  ["created", "created"],
  ["undone", "removed"],
  ["expired", "expired: nothing to do"],
]);
const POLLS = 20;

let chosen = null;

// The form of a removed account is deleted, and with it the address.
const nameOf = (it) => `account ${it.email || it.accountId}`;
const isOpen = (it) => it.state === "waiting" || it.state === "undoing";

function parkedItem(it) {
  const title = `${moment.format(new Date(it.parkedAt))} · ${STATES.get(it.state)}`;
  const acted = it.action ? `${it.action === "undo" ? "Undo" : "Finish"} by ${it.by}: ${it.reason}` : "";
  const buttons = document.createElement("div");
  buttons.className = "buttons";
  const name = nameOf(it);
  if (isOpen(it)) {
    const label = it.state === "undoing" ? "Finish removing" : "Finish";
    buttons.append(itemButton(label, name, () => choose(it, "finish", label)));
  }
  if (it.state === "waiting") buttons.append(itemButton("Undo", name, () => choose(it, "undo", "Undo")));
  const cause = it.error && `Cause, for operators: ${it.error}`;
  return listItem(title, [it.email, cause, `Account ${it.accountId}`, acted].filter(Boolean).join(" · "), buttons);
}

async function list() {
  const answer = await call("GET", "/parked");
  if (!answer.ok) {
    showError($("list-status"), answer);
    return [];
  }
  const { parked, more } = answer.data;
  $("parked").replaceChildren(...parked.map(parkedItem));
  const open = parked.filter(isOpen).length;
  const count = open === 0 ? "No account waits for you." : `${open} to finish or undo.`;
  showMessage($("list-status"), more ? `${count} Only the newest are listed.` : count);
  return parked;
}

function choose(it, action, label) {
  // The same id for a repeated click: the account workflow starts once.
  chosen = { parkedId: it.parkedId, action, requestId: crypto.randomUUID() };
  $("act-title").textContent = `${label}: ${nameOf(it)}`;
  $("apply").textContent = label;
  $("reason").value = "";
  setFieldError($("reason"), "");
  showMessage($("act-status"), "");
  $("act-card").hidden = false;
  $("act-title").focus();
}

function close() {
  chosen = null;
  $("act-card").hidden = true;
}

onSubmit($("act"), async () => {
  const reason = $("reason").value.trim();
  setFieldError($("reason"), reason ? "" : "Enter a reason.");
  if (!reason) return $("reason").focus();
  const { parkedId, action, requestId } = chosen;
  const path = `/parked/${parkedId}`;
  const answer = await callRepeatedly("POST", path, { requestId, action, reason }, $("act-status"));
  if (!answer.ok) {
    await list();
    return showError($("act-status"), answer);
  }
  close();
  let now = null;
  for (let poll = 0; poll < POLLS && (now === null || isOpen(now)); poll += 1) {
    if (poll > 0) await pause(1000);
    now = (await list()).find((it) => it.parkedId === parkedId) ?? null;
    if (now !== null && isOpen(now)) showMessage($("list-status"), "Working…");
  }
  const ended = now !== null && !isOpen(now);
  return showMessage(
    $("list-status"),
    ended ? `The account is ${STATES.get(now.state)}.` : "Started. Update the list in a minute.",
    ended ? "good" : "",
  );
});

$("close").addEventListener("click", close);
$("reload").addEventListener("click", list);

await list();
showLoaded("parked");
