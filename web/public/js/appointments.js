// The appointments of the account page: free slots, booking, moving, cancelling.
import { locale, t } from "./i18n.js";
import {
  $, beforeDate, call, itemButton, listItem, localDate, onSubmit, readAdvisors, setFieldError,
  showError, showLoaded, showMessage,
} from "./portal.js";

const HALF_HOUR_MS = 1_800_000;
const DAY_MS = 86_400_000;
const SEARCHED_WEEKS = 5;

const status = $("appointments-status");
const advisors = new Map();
let timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
let when = null;
let clock = null;
let next = null;
let moving = null;
let offers = 0;

// Formats a time as the API expects it: UTC without fractions, at a multiple of five minutes.
const toApiTime = (time) =>
  `${new Date(Math.floor(time / 300_000) * 300_000).toISOString().slice(0, 19)}Z`;

// Returns the date in the student's time zone.
const dateOf = (time) => localDate(time, timeZone);

// A time zone of the preferences that this browser doesn't know leaves the browser's own.
function useTimeZone(name) {
  try {
    when = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short", timeZone: name });
    clock = new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone: name });
    timeZone = name;
  } catch {
    return;
  }
  $("zone").textContent = t("Your time zone: {0}", timeZone);
}

// --- the list ------------------------------------------------------------------------------------

function advisorName(id) {
  const advisor = advisors.get(id);
  return advisor ? `${advisor.name}, ${advisor.subject}` : id;
}

function appointmentItem(appointment) {
  const title = when.format(new Date(appointment.start));
  const more = [
    advisorName(appointment.advisorId), t("{0} minutes", appointment.minutes), appointment.note,
    appointment.reason && t("Moved by the school: {0}", appointment.reason),
  ].filter(Boolean).join(" · ");
  const label = `${title}, ${more}`;
  const buttons = document.createElement("div");
  buttons.className = "buttons";
  const item = listItem(title, more, buttons);
  item.dataset.link = appointment.link;
  const cancel = itemButton(t("Cancel"), label, () => cancelAppointment(appointment, item, cancel));
  if (advisors.size > 0) buttons.append(itemButton(t("Move"), label, () => startMove(appointment)));
  buttons.append(cancel);
  return item;
}

async function cancelAppointment(appointment, item, cancel) {
  if (!confirm(t("Cancel this appointment? Other students can then book this time."))) return;
  cancel.disabled = true;
  const answer = await call("DELETE", appointment.link.replace(/^\/api/, ""));
  cancel.disabled = false;
  if (!answer.ok && answer.status !== 404) return showError(status, answer);
  if (moving?.link === appointment.link) endMove();
  item.remove();
  $("none").hidden = $("booked").children.length > 0;
  await offerTimes();
  return showMessage(status, t("Your appointment was cancelled."), "good");
}

async function list(query) {
  const answer = await call("GET", `/appointments?${new URLSearchParams(query)}`);
  if (!answer.ok) return showError(status, answer);
  if (!query.after) $("booked").replaceChildren();
  $("booked").append(...answer.data.appointments.map(appointmentItem));
  next = answer.data.next ?? null;
  $("more").hidden = next === null;
  $("none").hidden = $("booked").children.length > 0;
  return answer;
}

// Includes an appointment that has started.
const reloadAppointments = () => list({ from: toApiTime(Date.now() - HALF_HOUR_MS) });

// --- free slots ----------------------------------------------------------------------------------

// Reads the free slots of the week after a time.
async function freeSlots(time) {
  const query = new URLSearchParams({ from: toApiTime(time) });
  return call("GET", `/advisors/${$("advisor").value}/slots?${query}`);
}

// Offers the free slots on the chosen date in the student's time zone.
async function offerTimes() {
  const day = $("day").value;
  offers += 1;
  const own = offers;
  $("start").replaceChildren();
  $("start-hint").textContent = "";
  if (!day || !$("advisor").value) return;
  const answer = await freeSlots(beforeDate(day));
  // The student has chosen another date or advisor meanwhile.
  if (own !== offers) return;
  if (!answer.ok) {
    showError(status, answer);
    return;
  }
  const times = answer.data.slots.map((text) => new Date(text));
  const ofDay = times.filter((time) => dateOf(time) === day);
  $("start").replaceChildren(...ofDay.map((time) => new Option(clock.format(time), toApiTime(time))));
  const later = times.find((time) => dateOf(time) > day);
  if (ofDay.length === 0) {
    $("start-hint").textContent = later
      ? t("No free times on this date. The next one: {0}.", when.format(later))
      : t("No free times on this date or in the following days.");
  }
}

// Chooses the first date with a free slot.
async function offerFirstDay() {
  let from = Date.now();
  offers += 1;
  const own = offers;
  for (let week = 0; week < SEARCHED_WEEKS; week += 1, from += 7 * DAY_MS) {
    const answer = await freeSlots(from);
    // The student has chosen a date or another advisor meanwhile.
    if (own !== offers) return;
    if (!answer.ok) {
      showError(status, answer);
      return;
    }
    if (answer.data.slots.length > 0) {
      $("day").value = dateOf(new Date(answer.data.slots[0]));
      break;
    }
  }
  $("day").value ||= dateOf(Date.now());
  await offerTimes();
}

async function loadAdvisors() {
  const answer = await readAdvisors();
  if (!answer.ok) {
    showError(status, answer);
    return;
  }
  for (const advisor of answer.advisors) advisors.set(advisor.advisorId, advisor);
  const options = [...advisors.keys()].map((id) => new Option(advisorName(id), id));
  $("advisor").replaceChildren(...options);
  $("book").hidden = options.length === 0;
  $("no-advisors").hidden = options.length > 0;
}

// --- booking and moving --------------------------------------------------------------------------

function startMove(appointment) {
  moving = appointment;
  if (advisors.has(appointment.advisorId)) $("advisor").value = appointment.advisorId;
  $("moved").textContent = t("Choose a new time for {0}.", when.format(new Date(appointment.start)));
  for (const id of ["moved", "keep"]) $(id).hidden = false;
  $("note-field").hidden = true;
  $("book-button").textContent = t("Move appointment");
  $("advisor").focus();
  offerFirstDay();
}

function endMove() {
  moving = null;
  for (const id of ["moved", "keep"]) $(id).hidden = true;
  $("note-field").hidden = false;
  $("book-button").textContent = t("Book appointment");
}

function sendBooking(booking) {
  if (moving) return call("PUT", moving.link.replace(/^\/api/, ""), booking);
  const note = $("note").value.trim();
  return call("POST", "/appointments", note ? { ...booking, note } : booking);
}

onSubmit($("book"), async () => {
  showMessage(status, "");
  setFieldError($("day"), $("start").value ? "" : t("Choose a date with a free time."));
  if (!$("start").value) return $("day").focus();
  const booking = { advisorId: $("advisor").value, start: $("start").value };
  const answer = await sendBooking(booking);
  if (!answer.ok) {
    // Another student may have been faster.
    if (answer.status === 409) await offerTimes();
    return showError(status, answer);
  }
  const booked = when.format(new Date(booking.start));
  const words = moving ? t("Moved to {0}.", booked) : t("Booked: {0}.", booked);
  endMove();
  $("note").value = "";
  if (!(await reloadAppointments())?.ok) return undefined;
  await offerTimes();
  return showMessage(status, words, "good");
});

$("keep").addEventListener("click", endMove);
$("more").addEventListener("click", () => list({ after: next }));
$("advisor").addEventListener("change", offerFirstDay);
$("day").addEventListener("input", () => { setFieldError($("day"), ""); offerTimes(); });
document.addEventListener("time-zone", (event) => {
  useTimeZone(event.detail);
  reloadAppointments();
  // Without a date yet, the search for the first one begins again.
  if ($("day").value) offerTimes();
  else if (advisors.size > 0) offerFirstDay();
});

useTimeZone(timeZone);
await loadAdvisors();
// The student may have chosen a date already.
if (advisors.size > 0 && !$("day").value) offerFirstDay();
await reloadAppointments();
showLoaded("booked");
