// Finds students, shows one, and grants or ends the paid access and courses.
import {
  $, call, callRepeatedly, erasureLines, itemButton, listItem, onSubmit, pause, setFieldError,
  showError, showMessage,
} from "./portal.js";

const MIN_CHARS = 3;
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const STATES = new Map([
  ["active", "active"],
  ["pending", "being created"],
  ["withdrawn", "withdrawn"],
  ["none", "none: the user was created by hand"],
]);

let shown = null;
// The same id for a repeated click: the office's change happens once.
let attempt = null;
let courseAttempt = null;

const fact = (title, text) => listItem(title, text, "");

// An interrupted change is repeated, not reversed.
const lastOfPages = (student) => student.changes.find((it) => it.course === "");
const nextPaid = (student) => (student.unfinished ? lastOfPages(student).paid : !student.paid);
const what = (change) => (change.course ? `course ${change.course}` : "paid access");

function foundItem(student) {
  const title = student.name || student.email;
  const more = student.enabled ? student.email : `${student.email} · disabled`;
  return listItem(title, more, itemButton("Open", `${title}, ${student.email}`, () => open(student.studentId)));
}

function erasureText({ status, at }) {
  const time = moment.format(new Date(at));
  return status === "erased"
    ? `The student with this address was erased on ${time}.`
    : `The student with this address is being erased since ${time}.`;
}

onSubmit($("search"), async () => {
  const text = $("text").value.trim();
  const isLong = text.length >= MIN_CHARS;
  setFieldError($("text"), isLong ? "" : `Enter at least ${MIN_CHARS} characters.`);
  if (!isLong) return $("text").focus();
  $("students").replaceChildren();
  $("student-card").hidden = true;
  const answer = await call("POST", "/students/searches", { text });
  if (!answer.ok) return showError($("search-status"), answer);
  const { students, more, erasure } = answer.data;
  $("students").append(...students.map(foundItem));
  const count = students.length === 1 ? "1 student." : `${students.length} students.`;
  const found = more ? `The first ${count} Enter more of the address or name.` : count;
  return showMessage($("search-status"), erasure ? `${found} ${erasureText(erasure)}` : found);
});

// --- one student -------------------------------------------------------------------------------

async function open(studentId) {
  const answer = await call("GET", `/students/${studentId}`);
  if (!answer.ok) {
    showError($("search-status"), answer);
    return;
  }
  draw(answer.data);
  showMessage($("access-status"), "");
  showMessage($("course-status"), "");
  showMessage($("erase-status"), "");
  showMessage($("export-status"), "");
  $("erase-report").replaceChildren();
  for (const name of ["why", "course", "course-why", "erase-email", "erase-why"]) {
    $(name).value = "";
    setFieldError($(name), "");
  }
  $("student-card").hidden = false;
  $("student-name").focus();
}

function draw(student) {
  shown = student;
  attempt = null;
  courseAttempt = null;
  $("student-name").textContent = student.name || student.email;
  const created = student.createdAt ? `, since ${moment.format(new Date(student.createdAt))}` : "";
  $("facts").replaceChildren(
    fact("Email address", student.email),
    fact("Account", `${STATES.get(student.account) ?? student.account}${created}`),
    fact("Sign-in", student.enabled ? "allowed" : "disabled"),
    fact("Groups", student.groups.join(", ") || "none"),
    fact("Id", student.studentId),
  );
  const state = student.paid ? "This student has paid access." : "This student has no paid access.";
  const unfinished = student.unfinished ? " The last change was interrupted. Repeat it." : "";
  $("access-state").textContent = state + unfinished;
  $("apply").textContent = nextPaid(student) ? "Grant paid access" : "End paid access";
  $("no-courses").hidden = student.courses.length > 0;
  $("courses").replaceChildren(...student.courses.map((it) => fact(it, `/courses/${it}/`)));
  // The page of appointments has the advisor's time zone.
  $("zone").textContent = `Times in ${moment.resolvedOptions().timeZone}`;
  $("no-appointments").hidden = student.appointments.length > 0;
  $("coming").replaceChildren(
    ...student.appointments.map((it) => fact(moment.format(new Date(it.start)), it.advisorId)),
  );
  $("no-changes").hidden = student.changes.length > 0;
  $("changes").replaceChildren(...student.changes.map((it) => fact(
    `${moment.format(new Date(it.at))} · ${what(it)} ${it.paid ? "granted" : "ended"}`,
    `${it.reason} · ${it.by}`,
  )));
}

const isBusy = (answer) => answer.data.code === "access_changing";
// A refused change was not recorded; another one may be applied and keep its id.
const isRefused = (answer) => answer.status >= 400 && answer.status < 500 && !isBusy(answer);

function reasonIn(field) {
  const reason = field.value.trim();
  setFieldError(field, reason ? "" : "Enter a reason.");
  if (!reason) field.focus();
  return reason;
}

onSubmit($("access"), async () => {
  const reason = reasonIn($("why"));
  if (!reason) return;
  const paid = nextPaid(shown);
  attempt ??= { requestId: crypto.randomUUID(), paid };
  const path = `/students/${shown.studentId}`;
  const answer = await callRepeatedly(
    "POST", `${path}/access`, { ...attempt, reason }, $("access-status"), isBusy,
  );
  if (!answer.ok) {
    if (isRefused(answer)) attempt = null;
    showError($("access-status"), answer);
    return;
  }
  const seconds = answer.data.effectiveWithinSeconds;
  const done = paid
    ? "Paid access granted. The student sees the lessons after “Refresh access”."
    : `Paid access ended. The student is signed out within ${seconds} seconds.`;
  const text = answer.data.changed ? done : "Nothing to change: someone else did it before.";
  const student = await call("GET", path);
  if (student.ok) draw(student.data);
  $("why").value = "";
  showMessage($("access-status"), text, "good");
});

onSubmit($("course-access"), async (event) => {
  const course = $("course").value.trim();
  const isName = /^[a-z0-9][a-z0-9-]*$/.test(course);
  setFieldError($("course"), isName ? "" : "Enter a course: lower-case letters, digits and hyphens.");
  if (!isName) {
    $("course").focus();
    return;
  }
  const reason = reasonIn($("course-why"));
  if (!reason) return;
  const paid = event.submitter !== $("end-course");
  if (courseAttempt?.paid !== paid || courseAttempt?.course !== course) {
    courseAttempt = { requestId: crypto.randomUUID(), paid, course };
  }
  const path = `/students/${shown.studentId}`;
  const answer = await callRepeatedly(
    "POST", `${path}/access`, { ...courseAttempt, reason }, $("course-status"), isBusy,
  );
  if (!answer.ok) {
    if (isRefused(answer)) courseAttempt = null;
    showError($("course-status"), answer);
    return;
  }
  const seconds = answer.data.effectiveWithinSeconds;
  const done = paid
    ? "Course granted. The student sees it after “Refresh access”."
    : `Course ended. The student is signed out within ${seconds} seconds.`;
  const text = answer.data.changed ? done : "Nothing to change: someone else did it before.";
  const student = await call("GET", path);
  if (student.ok) draw(student.data);
  $("course-why").value = "";
  showMessage($("course-status"), text, "good");
});

// --- export ------------------------------------------------------------------------------------

onSubmit($("export"), async () => {
  const note = $("export-status");
  const { studentId } = shown;
  const answer = await callRepeatedly("POST", `/students/${studentId}/export`, { requestId: crypto.randomUUID() }, note);
  if (!answer.ok) return showError(note, answer);
  const text = answer.data.status === "ready"
    ? "The email was sent within the last hour."
    : "The file is being made. Then the email goes out; you can leave the page.";
  return showMessage(note, text, "good");
});

// --- erasure -----------------------------------------------------------------------------------

const POLL_MS = 3_000;

onSubmit($("erase"), async () => {
  const email = $("erase-email").value.trim();
  const isSame = email.toLowerCase() === shown.email.toLowerCase();
  setFieldError($("erase-email"), isSame ? "" : "Enter the address that is shown above.");
  if (!isSame) return $("erase-email").focus();
  const reason = reasonIn($("erase-why"));
  if (!reason) return undefined;
  const note = $("erase-status");
  const { studentId } = shown;
  const body = { requestId: crypto.randomUUID(), email, reason };
  for (;;) {
    const answer = await callRepeatedly("POST", `/students/${studentId}/erasure`, body, note);
    if (!answer.ok) return showError(note, answer);
    if (answer.data.status === "erased") {
      $("erase-report").replaceChildren(...erasureLines(answer.data));
      return showMessage(note, "The student is erased.", "good");
    }
    showMessage(note, "The student is signed out and is being erased. This takes some minutes; you can leave the page.");
    await pause(POLL_MS);
  }
});

// A link of the inbox names a student.
const linked = location.hash.slice(1);
if (/^[0-9a-f-]{36}$/.test(linked)) await open(linked);
