// The account page: appointments, preferences, feedback.
import { $, call, onSubmit, setFieldError, showError, showMessage } from "./portal.js";

// --- appointments --------------------------------------------------------------------------------

const HALF_HOUR_MS = 1_800_000;
const FIRST_HOUR = 7;
const LAST_HOUR = 21;

const appointmentsStatus = $("appointments-status");
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
let next = null;

// Formats a time as the API expects it: UTC without fractions.
const toApiTime = (time) => `${time.toISOString().slice(0, 19)}Z`;

function advisorName(id) {
  const known = [...$("advisor").options].find((option) => option.value === id);
  return known ? known.textContent : id;
}

function listItem(appointment) {
  const item = document.createElement("li");
  item.dataset.link = appointment.link;
  const about = document.createElement("div");
  const title = document.createElement("p");
  title.textContent = when.format(new Date(appointment.start));
  const more = document.createElement("p");
  more.className = "quiet";
  more.textContent = [advisorName(appointment.advisorId), appointment.note]
    .filter(Boolean).join(" · ");
  about.append(title, more);
  const cancel = document.createElement("button");
  cancel.type = "button";
  cancel.className = "second";
  cancel.textContent = "Cancel";
  cancel.setAttribute("aria-label", `Cancel ${title.textContent}, ${more.textContent}`);
  cancel.addEventListener("click", () => cancelAppointment(appointment, item, cancel));
  item.append(about, cancel);
  return item;
}

async function cancelAppointment(appointment, item, button) {
  if (!confirm("Cancel this appointment? Other students can then book this time.")) return;
  button.disabled = true;
  const answer = await call("DELETE", appointment.link.replace(/^\/api/, ""));
  button.disabled = false;
  if (!answer.ok && answer.status !== 404) return showError(appointmentsStatus, answer);
  item.remove();
  $("none").hidden = $("booked").children.length > 0;
  return showMessage(appointmentsStatus, "Your appointment was cancelled.", "good");
}

async function list(query) {
  const answer = await call("GET", `/appointments?${new URLSearchParams(query)}`);
  if (!answer.ok) return showError(appointmentsStatus, answer);
  if (!query.after) $("booked").replaceChildren();
  $("booked").append(...answer.data.appointments.map(listItem));
  next = answer.data.next ?? null;
  $("more").hidden = next === null;
  $("none").hidden = $("booked").children.length > 0;
  return answer;
}

// Includes an appointment that has started.
const reloadAppointments = () => list({ from: toApiTime(new Date(Date.now() - HALF_HOUR_MS)) });

// Offers the half hours in UTC that start on the chosen date in the visitor's time zone.
function offerTimes() {
  const [year, month, day] = $("day").value.split("-").map(Number);
  const options = [];
  if (year) {
    const from = new Date(year, month - 1, day, FIRST_HOUR).getTime();
    const end = new Date(year, month - 1, day, LAST_HOUR).getTime();
    let time = Math.ceil(Math.max(from, Date.now()) / HALF_HOUR_MS) * HALF_HOUR_MS;
    for (; time < end; time += HALF_HOUR_MS) {
      options.push(new Option(clock.format(time), toApiTime(new Date(time))));
    }
  }
  $("start").replaceChildren(...options);
}

function prepareBooking() {
  const tomorrow = new Date(Date.now() + 86_400_000);
  const text = [tomorrow.getFullYear(), tomorrow.getMonth() + 1, tomorrow.getDate()]
    .map((part) => String(part).padStart(2, "0")).join("-");
  $("day").value = text;
  $("zone").textContent = `Your time zone: ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
  offerTimes();
  $("day").addEventListener("input", () => { setFieldError($("day"), ""); offerTimes(); });
}

onSubmit($("book"), async () => {
  showMessage(appointmentsStatus, "");
  setFieldError($("day"), $("start").value ? "" : "Choose a date in the future.");
  if (!$("start").value) return $("day").focus();
  const booking = { advisorId: $("advisor").value, start: $("start").value };
  const note = $("note").value.trim();
  const answer = await call("POST", "/appointments", note ? { ...booking, note } : booking);
  if (!answer.ok) return showError(appointmentsStatus, answer);
  $("note").value = "";
  if (!(await reloadAppointments())?.ok) return undefined;
  return showMessage(appointmentsStatus, `Booked: ${when.format(new Date(booking.start))}.`, "good");
});

$("more").addEventListener("click", () => list({ after: next }));

// --- preferences ---------------------------------------------------------------------------------

const profile = $("profile");
const profileStatus = $("profile-status");
const ZONE = /^[A-Za-z_]+(\/[A-Za-z0-9_+-]+){0,2}$/;

function showPreferences(preferences) {
  $("displayName").value = preferences.displayName ?? "";
  $("locale").value = preferences.locale;
  $("timeZone").value = preferences.timeZone;
  $("emailReminders").checked = preferences.emailReminders ?? false;
  for (const box of profile.querySelectorAll("[name=interests]")) {
    box.checked = preferences.interests?.includes(box.value) ?? false;
  }
}

function formPreferences() {
  const boxes = [...profile.querySelectorAll("[name=interests]:checked")];
  const name = $("displayName").value.trim();
  return {
    ...(name && { displayName: name }),
    locale: $("locale").value,
    timeZone: $("timeZone").value.trim(),
    emailReminders: $("emailReminders").checked,
    interests: boxes.map((box) => box.value),
  };
}

async function loadProfile() {
  const zones = Intl.supportedValuesOf?.("timeZone") ?? [];
  $("zones").append(...zones.map((zone) => new Option(zone, zone)));
  const answer = await call("GET", "/profile");
  if (answer.ok) return showPreferences(answer.data);
  if (answer.status !== 404) return showError(profileStatus, answer);
  $("timeZone").value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return showMessage(profileStatus, "You haven’t saved any preferences yet.");
}

onSubmit(profile, async () => {
  const preferences = formPreferences();
  const valid = ZONE.test(preferences.timeZone);
  setFieldError($("timeZone"), valid ? "" : "Enter a valid time zone, such as Asia/Kolkata.");
  if (!valid) return $("timeZone").focus();
  const answer = await call("PUT", "/profile", preferences);
  return answer.ok ? showMessage(profileStatus, "Saved.", "good") : showError(profileStatus, answer);
});

// --- feedback ------------------------------------------------------------------------------------

onSubmit($("feedback-form"), async () => {
  const note = $("feedback-status");
  const message = $("message").value.trim();
  setFieldError($("message"), message ? "" : "Enter a message.");
  if (!message) return $("message").focus();
  const answer = await call("POST", "/feedback", { message, topic: $("topic").value });
  if (!answer.ok) return showError(note, answer);
  $("message").value = "";
  return showMessage(note, "Thank you for your feedback.", "good");
});

prepareBooking();
reloadAppointments();
loadProfile();
