// Lists an advisor's appointments of a day, and cancels or moves them.
import { $, call, onSubmit, setFieldError, showError, showMessage } from "./portal.js";

// The clock of a place differs from UTC by at most 14 hours.
const MAX_OFFSET_MS = 14 * 3_600_000;

const advisors = new Map();
let changed = null;
let listed = 0;
let offered = 0;

// Returns the date that the clock of a time zone shows, as 2026-12-01.
function localDate(time, timeZone) {
  const parts = new Intl.DateTimeFormat("en", {
    timeZone, calendar: "iso8601", numberingSystem: "latn",
    year: "numeric", month: "2-digit", day: "2-digit",
  }).formatToParts(time);
  const part = (type) => parts.find((it) => it.type === type).value;
  return `${part("year")}-${part("month")}-${part("day")}`;
}

const clockOf = (timeZone) => new Intl.DateTimeFormat(undefined, { timeStyle: "short", timeZone });

const zone = () => advisors.get($("advisor").value).timeZone;

function listItem(appointment, clock) {
  const item = document.createElement("li");
  const about = document.createElement("div");
  const title = document.createElement("p");
  title.textContent = `${clock.format(new Date(appointment.start))} · ${appointment.student}`;
  const more = document.createElement("p");
  more.className = "quiet";
  more.textContent = [`${appointment.minutes} minutes`, appointment.note].filter(Boolean).join(" · ");
  about.append(title, more);
  const change = document.createElement("button");
  change.type = "button";
  change.className = "second";
  change.textContent = "Change";
  change.setAttribute("aria-label", `Change ${title.textContent}`);
  change.addEventListener("click", () => open(appointment, title.textContent));
  item.append(about, change);
  return item;
}

async function list() {
  listed += 1;
  const own = listed;
  const day = $("day").value;
  close();
  $("appointments").replaceChildren();
  if (!day || !$("advisor").value) return;
  $("zone").textContent = `Times in ${zone()}`;
  const answer = await call("GET", `/advisors/${$("advisor").value}/appointments?day=${day}`);
  // Another advisor or date was chosen meanwhile.
  if (own !== listed) return;
  if (!answer.ok) {
    showError($("day-status"), answer);
    return;
  }
  const { appointments, timeZone } = answer.data;
  const clock = clockOf(timeZone);
  $("appointments").append(...appointments.map((it) => listItem(it, clock)));
  const count = appointments.length;
  showMessage($("day-status"), count === 1 ? "1 appointment." : `${count} appointments.`);
}

// --- a change --------------------------------------------------------------------------------

function open(appointment, title) {
  changed = appointment;
  $("change-card").hidden = false;
  $("change-title").textContent = `Change ${title}`;
  $("newDay").value = $("day").value;
  $("reason").value = "";
  setFieldError($("reason"), "");
  setFieldError($("newStart"), "");
  showMessage($("change-status"), "");
  showNewTime();
  $("change-title").focus();
}

function close() {
  changed = null;
  $("change-card").hidden = true;
}

function showNewTime() {
  $("new-time").hidden = $("action").value !== "move";
  if (!$("new-time").hidden) offerTimes();
}

async function offerTimes() {
  offered += 1;
  const own = offered;
  const day = $("newDay").value;
  $("newStart").replaceChildren();
  if (!day) return;
  const from = new Date(Date.parse(`${day}T00:00:00Z`) - MAX_OFFSET_MS);
  const query = new URLSearchParams({ from: `${from.toISOString().slice(0, 19)}Z` });
  const answer = await call("GET", `/advisors/${$("advisor").value}/slots?${query}`);
  if (own !== offered) return;
  if (!answer.ok) {
    showError($("change-status"), answer);
    return;
  }
  const clock = clockOf(zone());
  const times = answer.data.slots.filter((text) => localDate(new Date(text), zone()) === day);
  $("newStart").append(...times.map((text) => new Option(clock.format(new Date(text)), text)));
}

onSubmit($("change"), async () => {
  const moves = $("action").value === "move";
  const reason = $("reason").value.trim();
  setFieldError($("reason"), reason ? "" : "Enter a reason.");
  const missing = moves && !$("newStart").value;
  setFieldError($("newStart"), missing ? "Choose a date with a free time." : "");
  if (missing) return $("newDay").focus();
  if (!reason) return $("reason").focus();
  const body = moves ? { reason, newStart: $("newStart").value } : { reason };
  const path = `/advisors/${$("advisor").value}/appointments/${changed.start}`;
  const answer = await call("POST", path, body);
  if (!answer.ok) {
    if (answer.status === 409) await offerTimes();
    return showError($("change-status"), answer);
  }
  await list();
  return showMessage($("day-status"), moves ? "The appointment was moved." : "The appointment was cancelled.", "good");
});

$("close").addEventListener("click", close);
$("action").addEventListener("change", showNewTime);
$("newDay").addEventListener("input", offerTimes);
$("advisor").addEventListener("change", list);
$("day").addEventListener("input", list);

async function loadAdvisors() {
  let after = "";
  do {
    const answer = await call("GET", after ? `/advisors?after=${after}` : "/advisors");
    if (!answer.ok) {
      showError($("day-status"), answer);
      return;
    }
    for (const advisor of answer.data.advisors) advisors.set(advisor.advisorId, advisor);
    after = answer.data.next ?? "";
  } while (after);
  const options = [...advisors.values()].map((it) => new Option(`${it.name}, ${it.subject}`, it.advisorId));
  $("advisor").replaceChildren(...options);
}

await loadAdvisors();
if (advisors.size > 0) {
  $("day").value ||= localDate(new Date(), zone());
  await list();
}
