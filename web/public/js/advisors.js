// Lists the advisors, and changes their availability.
import {
  $, call, itemButton, listItem, onSubmit, readAdvisors, setFieldError, showError, showLoaded, showMessage,
} from "./portal.js";

const ID = /^[a-z0-9][a-z0-9-]{0,39}$/;
const DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const TEXTS = ["name", "subject", "timeZone", "daysOff", "extraHours"];
const NUMBERS = ["slotMinutes", "noticeHours", "cancelHours", "bookAheadDays", "maxBookings"];
const REQUIRED = ["name", "subject", "timeZone"];

const revisions = new Map();

function show(advisor) {
  $("advisorId").value = advisor.advisorId;
  for (const name of [...TEXTS, ...NUMBERS]) $(name).value = advisor[name] ?? "";
  for (const day of DAYS) $(day).value = advisor.hours[day] ?? "";
  $("email").value = "";
  for (const name of ["advisorId", ...REQUIRED, ...NUMBERS]) setFieldError($(name), "");
  showMessage($("change-status"), "");
  $("name").focus();
}

function advisorItem(advisor) {
  return listItem(
    `${advisor.name}, ${advisor.subject}`,
    `${advisor.timeZone} · ${advisor.slotMinutes} minutes`,
    itemButton("Change", advisor.name, () => show(advisor)),
  );
}

async function load() {
  const answer = await readAdvisors();
  if (!answer.ok) {
    showError($("advisors-status"), answer);
    return;
  }
  const { advisors } = answer;
  for (const { advisorId, revision } of advisors) revisions.set(advisorId, revision);
  $("advisors").replaceChildren(...advisors.map(advisorItem));
  const none = "No advisors yet. Students can book appointments as soon as you save the first one below.";
  const count = advisors.length === 1 ? "1 advisor." : `${advisors.length} advisors.`;
  showMessage($("advisors-status"), advisors.length > 0 ? count : none);
}

// Returns the first field with an error.
function check() {
  const errors = new Map();
  if (!ID.test($("advisorId").value.trim())) errors.set("advisorId", "Enter an id, such as asha-menon.");
  for (const name of REQUIRED) if (!$(name).value.trim()) errors.set(name, "Enter a value.");
  for (const name of NUMBERS) {
    const field = $(name);
    if (!field.value || !field.checkValidity()) {
      errors.set(name, `Enter a number from ${field.min} to ${field.max}.`);
    }
  }
  for (const name of ["advisorId", ...REQUIRED, ...NUMBERS]) {
    setFieldError($(name), errors.get(name) ?? "");
  }
  return errors.size ? $(errors.keys().next().value) : null;
}

onSubmit($("change"), async () => {
  const note = $("change-status");
  const invalid = check();
  if (invalid) return invalid.focus();
  const id = $("advisorId").value.trim();
  const email = $("email").value.trim();
  const hours = DAYS.map((day) => [day, $(day).value.trim()]).filter(([, text]) => text);
  const answer = await call("PUT", `/advisors/${id}`, {
    ...Object.fromEntries(TEXTS.map((name) => [name, $(name).value.trim()])),
    ...Object.fromEntries(NUMBERS.map((name) => [name, Number($(name).value)])),
    hours: Object.fromEntries(hours),
    ...(email ? { email } : {}),
    revision: revisions.get(id) ?? 0,
  });
  if (!answer.ok) {
    // The API's explanation names the invalid part.
    if (answer.data.code === "availability_invalid") return showMessage(note, answer.data.detail, "bad");
    return showError(note, answer);
  }
  await load();
  return showMessage(note, `Saved: ${answer.data.name}.`, "good");
});

$("zones").append(...(Intl.supportedValuesOf?.("timeZone") ?? []).map((zone) => new Option(zone, zone)));
await load();
showLoaded("advisors");
