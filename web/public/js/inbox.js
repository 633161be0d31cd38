// Lists the students' feedback, and marks it.
import { $, call, itemButton, listItem, showError, showLoaded, showMessage } from "./portal.js";

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const NEXT = new Map([["new", "read"], ["read", "answered"], ["answered", "new"]]);
const LABELS = new Map([["read", "Mark as read"], ["answered", "Mark as answered"], ["new", "Mark as new"]]);

const countText = (count) => {
  if (count === 0) return "No messages.";
  return count === 1 ? "1 message." : `${count} messages.`;
};

let entries = [];
let after = "";

function item(entry) {
  const title = [moment.format(new Date(entry.sentAt)), entry.topic, entry.mark].filter(Boolean).join(" · ");
  const controls = document.createElement("div");
  controls.className = "buttons";
  const next = NEXT.get(entry.mark);
  controls.append(itemButton(LABELS.get(next), title, () => mark(entry, next)));
  const student = document.createElement("a");
  student.className = "button second";
  student.href = `/app/students.html#${entry.studentId}`;
  student.textContent = "Open student";
  student.setAttribute("aria-label", `Open student ${title}`);
  controls.append(student);
  const who = entry.by ? ` (${entry.mark} by ${entry.by})` : "";
  return listItem(title, `${entry.message}${who}`, controls);
}

function draw() {
  const wanted = $("mark").value;
  const shown = entries.filter((it) => !wanted || it.mark === wanted);
  $("inbox").replaceChildren(...shown.map(item));
  $("more").hidden = !after;
  return shown.length;
}

async function mark(entry, value) {
  const answer = await call("PUT", `/feedback/${entry.feedbackId}`, { mark: value });
  if (!answer.ok) {
    showError($("inbox-status"), answer);
    return;
  }
  entries = entries.map((it) => (it.feedbackId === entry.feedbackId ? answer.data : it));
  draw();
  showMessage($("inbox-status"), `Marked as ${value}.`, "good");
}

async function load() {
  const answer = await call("GET", after ? `/feedback?after=${after}` : "/feedback");
  if (!answer.ok) {
    showError($("inbox-status"), answer);
    return;
  }
  const { feedback, missing, next } = answer.data;
  entries.push(...feedback);
  after = next ?? "";
  const count = draw();
  const lost = missing.length ? ` The newest ones from ${missing.join(", ")} can’t be read now. Reload the page in some minutes.` : "";
  showMessage($("inbox-status"), countText(count) + lost, missing.length ? "bad" : "");
}

$("more").addEventListener("click", load);
$("mark").addEventListener("change", () => {
  const count = draw();
  showMessage($("inbox-status"), countText(count));
});

await load();
showLoaded("inbox");
