// A student's own place: appointments, preferences, feedback.
import { $, call, complain, mark, onSubmit, say } from "./portal.js";

// --- appointments --------------------------------------------------------------------------------

const HALF_HOUR_MS = 1_800_000;
const FIRST_HOUR = 7;
const LAST_HOUR = 21;

const noted = $("appointments-said");
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
let next = null;

// The API's one spelling of a time.
const spelled = (time) => `${time.toISOString().slice(0, 19)}Z`;

function advisorName(id) {
  const known = [...$("advisor").options].find((option) => option.value === id);
  return known ? known.textContent : id;
}

function line(appointment) {
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
  cancel.addEventListener("click", () => giveBack(appointment, item, cancel));
  item.append(about, cancel);
  return item;
}

async function giveBack(appointment, item, button) {
  if (!confirm("Cancel this appointment? Somebody else may take it.")) return;
  button.disabled = true;
  const answer = await call("DELETE", appointment.link.replace(/^\/api/, ""));
  button.disabled = false;
  if (!answer.ok && answer.status !== 404) return complain(noted, answer);
  item.remove();
  $("none").hidden = $("booked").children.length > 0;
  return say(noted, "The appointment is cancelled.", "good");
}

async function list(from) {
  const answer = await call("GET", `/appointments?from=${encodeURIComponent(from)}`);
  if (!answer.ok) return complain(noted, answer);
  if (from !== next) $("booked").replaceChildren();
  // A page begins at the time with which the one before ended: its last ones may come again.
  const there = new Set([...$("booked").children].map((item) => item.dataset.link));
  const further = answer.data.appointments.filter(({ link }) => !there.has(link));
  $("booked").append(...further.map(line));
  next = answer.data.next ?? null;
  $("more").hidden = next === null;
  $("none").hidden = $("booked").children.length > 0;
  return answer;
}

// One that has begun is still there.
const listAgain = () => list(spelled(new Date(Date.now() - HALF_HOUR_MS)));

// The half hours of UTC that begin on this day of the visitor, by the visitor's clock.
function offerTimes() {
  const [year, month, day] = $("day").value.split("-").map(Number);
  const options = [];
  if (year) {
    const from = new Date(year, month - 1, day, FIRST_HOUR).getTime();
    const end = new Date(year, month - 1, day, LAST_HOUR).getTime();
    let time = Math.ceil(Math.max(from, Date.now()) / HALF_HOUR_MS) * HALF_HOUR_MS;
    for (; time < end; time += HALF_HOUR_MS) {
      options.push(new Option(clock.format(time), spelled(new Date(time))));
    }
  }
  $("start").replaceChildren(...options);
}

function prepareBooking() {
  const tomorrow = new Date(Date.now() + 86_400_000);
  const text = [tomorrow.getFullYear(), tomorrow.getMonth() + 1, tomorrow.getDate()]
    .map((part) => String(part).padStart(2, "0")).join("-");
  $("day").value = text;
  $("zone").textContent = `By your clock (${Intl.DateTimeFormat().resolvedOptions().timeZone}).`;
  offerTimes();
  $("day").addEventListener("input", () => { mark($("day"), ""); offerTimes(); });
}

onSubmit($("book"), async () => {
  say(noted, "");
  mark($("day"), $("start").value ? "" : "Choose a day that is still to come.");
  if (!$("start").value) return $("day").focus();
  const wanted = { advisorId: $("advisor").value, start: $("start").value };
  const note = $("note").value.trim();
  const answer = await call("POST", "/appointments", note ? { ...wanted, note } : wanted);
  if (!answer.ok) return complain(noted, answer);
  $("note").value = "";
  if (!(await listAgain())?.ok) return undefined;
  return say(noted, `Booked: ${when.format(new Date(wanted.start))}.`, "good");
});

$("more").addEventListener("click", () => list(next));

// --- preferences ---------------------------------------------------------------------------------

const profile = $("profile");
const profileNote = $("profile-said");
const ZONE = /^[A-Za-z_]+(\/[A-Za-z0-9_+-]+){0,2}$/;

function show(preferences) {
  $("displayName").value = preferences.displayName ?? "";
  $("locale").value = preferences.locale;
  $("timeZone").value = preferences.timeZone;
  $("emailReminders").checked = preferences.emailReminders ?? false;
  for (const box of profile.querySelectorAll("[name=interests]")) {
    box.checked = preferences.interests?.includes(box.value) ?? false;
  }
}

function chosen() {
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
  if (answer.ok) return show(answer.data);
  if (answer.status !== 404) return complain(profileNote, answer);
  $("timeZone").value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return say(profileNote, "We know nothing of you yet. Fill in what you like.");
}

onSubmit(profile, async () => {
  const preferences = chosen();
  const good = ZONE.test(preferences.timeZone);
  mark($("timeZone"), good ? "" : "This is no time zone, such as Asia/Kolkata.");
  if (!good) return $("timeZone").focus();
  const answer = await call("PUT", "/profile", preferences);
  return answer.ok ? say(profileNote, "Kept.", "good") : complain(profileNote, answer);
});

// --- feedback ------------------------------------------------------------------------------------

onSubmit($("say"), async () => {
  const note = $("feedback-said");
  const message = $("message").value.trim();
  mark($("message"), message ? "" : "There is nothing here yet.");
  if (!message) return $("message").focus();
  const answer = await call("POST", "/feedback", { message, topic: $("topic").value });
  if (!answer.ok) return complain(note, answer);
  $("message").value = "";
  return say(note, "Thank you. Somebody at the school will read it.", "good");
});

prepareBooking();
listAgain();
loadProfile();
