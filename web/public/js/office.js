// Lists an advisor's appointments of a day, and cancels or moves them.
import {
  $, call, itemButton, listItem, localDate, onSubmit, readAdvisors, setFieldError,
  showError, showLoaded, showMessage,
} from "./portal.js";

const LOADING = $("day-status").textContent;
const advisors = new Map();
let changed = null;
let listed = 0;
let offered = 0;

const clockOf = (timeZone) => new Intl.DateTimeFormat(undefined, { timeStyle: "short", timeZone });

const zone = () => advisors.get($("advisor").value).timeZone;

function appointmentItem(appointment, clock) {
  const title = `${clock.format(new Date(appointment.start))} · ${appointment.student}`;
  return listItem(
    title,
    [`${appointment.minutes} minutes`, appointment.note].filter(Boolean).join(" · "),
    itemButton("Change", title, () => open(appointment, title)),
  );
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
  $("appointments").append(...appointments.map((it) => appointmentItem(it, clock)));
  const count = appointments.length;
  const text = count === 1 ? "1 appointment." : `${count} appointments.`;
  showMessage($("day-status"), count ? text : "No appointments on this day.");
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
  // Times within the advisor's notice, too, which students can't choose.
  const answer = await call("GET", `/advisors/${$("advisor").value}/appointments?day=${day}`);
  if (own !== offered) return;
  if (!answer.ok) {
    showError($("change-status"), answer);
    return;
  }
  const { free, timeZone } = answer.data;
  const clock = clockOf(timeZone);
  $("newStart").append(...free.map((text) => new Option(clock.format(new Date(text)), text)));
  setFieldError($("newStart"), free.length ? "" : "The advisor has no free time on this date.");
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
  const answer = await readAdvisors();
  if (!answer.ok) {
    showError($("day-status"), answer);
    return;
  }
  for (const advisor of answer.advisors) advisors.set(advisor.advisorId, advisor);
  const options = answer.advisors.map((it) => new Option(`${it.name}, ${it.subject}`, it.advisorId));
  $("advisor").replaceChildren(...options);
}

await loadAdvisors();
if (advisors.size > 0) {
  $("day").value ||= localDate(new Date(), zone());
  await list();
} else if ($("day-status").textContent === LOADING) {
  showMessage($("day-status"), "");
  $("choice").hidden = true;
  $("no-advisors").hidden = false;
}
showLoaded("appointments");
