// Shared by all pages: API calls, messages, the sign-in state, visit statistics.
import { t } from "./i18n.js";
import { showAccount } from "./member.js";

/** Returns the element with an id. */
export const $ = (id) => document.getElementById(id);

/** Waits for a number of milliseconds. */
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// --- API calls ---------------------------------------------------------------------------------

// Longer than API Gateway's integration timeout of 29 s.
const TIMEOUT_MS = 35_000;

async function send(method, path, body) {
  const options = { method, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  try {
    const answer = await fetch(`/api${path}`, options);
    const text = await answer.text();
    const retryAfter = Number(answer.headers.get("Retry-After")) || 0;
    return { ok: answer.ok, status: answer.status, data: parseJson(text), retryAfter };
  } catch {
    // No network, or a timeout.
    return { ok: false, status: 0, data: {}, retryAfter: 0 };
  }
}

function parseJson(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    // No content (204), or an HTML error page of CloudFront.
    return {};
  }
}

let refreshing = null;

/** Refreshes the session, and returns whether that succeeded. Concurrent calls share one refresh. */
export function refreshSession() {
  refreshing ??= fetch("/auth/refresh", { method: "POST", cache: "no-store" })
    .then((answer) => answer.ok, () => false)
    .finally(() => { refreshing = null; });
  return refreshing;
}

/**
 * Calls the API; returns {ok, status, data, retryAfter}, with the status 0 without a response.
 * Refreshes an expired session once, without a page load, so that forms keep their input.
 */
export async function call(method, path, body) {
  const answer = await send(method, path, body);
  return answer.status === 401 && (await refreshSession()) ? send(method, path, body) : answer;
}

const MAX_ATTEMPTS = 4;

/**
 * Calls the API like `call`, and repeats a request that failed temporarily or that `repeat` names.
 * Only for requests that have the same result when they are repeated.
 */
export async function callRepeatedly(method, path, body, note, repeat = () => false) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await call(method, path, typeof body === "function" ? body() : body);
    const retryable = answer.status === 0 || answer.status === 429 || answer.status >= 500;
    if (!(retryable || repeat(answer)) || attempt === MAX_ATTEMPTS) return answer;
    showMessage(note, t("We’re busy right now. Trying again…"));
    await pause(Math.max(1000 * answer.retryAfter, 500 * 2 ** attempt));
  }
}

const POLL_TIMEOUT_MS = 60_000;

/** Reads an account request until it is no longer pending; returns the last answer. */
export async function waitForOutcome(link) {
  const end = Date.now() + POLL_TIMEOUT_MS;
  let wait = 400;
  let answer;
  do {
    await pause(wait);
    wait = Math.min(wait * 1.5, 4000);
    answer = await call("GET", link.replace(/^\/api/, ""));
  } while (Date.now() < end && (!answer.ok || answer.data.status === "pending"));
  return answer;
}

// A link of an email ends in "#<requestId>.<token>"; null for another one.
export function proofOfLink() {
  const [requestId, token] = location.hash.slice(1).split(".");
  return /^[0-9a-f-]{36}$/.test(requestId) && /^[\w-]{43,107}$/.test(token ?? "") ? { requestId, token } : null;
}

// --- messages ----------------------------------------------------------------------------------

// Pages for staff are in English.
const STAFF_MESSAGES = {
  course_limit: "This student has 100 courses, the most that are possible.",
  access_changing: "Someone else is changing this access. Try again in a minute.",
  address_differs: "The student has another address. Enter the one that is shown above.",
  availability_changed: "Someone else has changed this availability. Reload the page and try again.",
  availability_invalid: "A part of the availability isn’t valid. Check your input and try again.",
  execution_not_redrivable: "This execution can’t be retried: it runs, has succeeded, or ended too long ago.",
  execution_unknown: "This execution doesn’t exist anymore. Reload the page.",
  feedback_unknown: "This feedback doesn’t exist anymore. Reload the page.",
  not_operator: "Only operators can use this page. Ask for membership of the group operators.",
  not_staff: "Only staff can use this page. Ask an operator for membership of the group staff.",
  parked_settled: "This account has been finished or undone meanwhile.",
  parked_unknown: "This entry doesn’t exist anymore. Reload the page.",
  query_invalid: "This query isn’t valid. Check it and try again.",
  roster_invalid: "This file can’t be uploaded. Save it as “CSV UTF-8”.",
  roster_unknown: "This list doesn’t exist anymore. Reload the page.",
  student_unknown: "This student doesn’t exist anymore. Search again.",
};

const MESSAGES = {
  account_unknown: "This sign-in has no student’s account, so its address can’t be changed here.",
  address_changing: "Your address is being changed. Try again in a few minutes.",
  address_invalid: "This isn’t a valid email address. Check it and try again.",
  address_unchanged: "Your account has this address already.",
  advisor_unknown: "This advisor isn’t available anymore. Reload the page.",
  appointment_unknown: "You don’t have this appointment anymore.",
  body_invalid: "Something in this form isn’t valid. Check your input and try again.",
  notice_too_short: "This time is too soon for the advisor. Choose a later one.",
  erasure_proof_invalid: "This link doesn’t work. Ask for the erasure again.",
  export_proof_invalid: "This link doesn’t work. Ask for your data again.",
  not_entitled: "This video needs a paid account.",
  not_home: "Bookings are moving to another Region. Try again in a minute.",
  proof_invalid: "This link doesn’t work. Fill in the form again.",
  request_id_used: "This request was sent before for another address. Reload the page.",
  session_replaced: "Your account plays videos on other devices. Sign out and in again to play them here.",
  signed_out: "You’re signed out. Sign in and try again.",
  slot_not_offered: "The advisor doesn’t offer this time. Choose another one.",
  slot_taken: "This time is already booked. Choose another one.",
  throttled: "We’re very busy right now. Try again in a few seconds.",
  timed_out: "The request took too long. Try again in a moment.",
  token_expired: "You’re signed out. Sign in and try again.",
  token_revoked: "You’re signed out. Sign in and try again.",
  too_late_to_change: "It’s too late to move or cancel this appointment. Contact the school.",
  too_many_bookings: "You have as many appointments with this advisor as the school allows. Cancel one first.",
  too_large: "Your message is too long. Shorten it and try again.",
  unavailable: "This site is temporarily unavailable. Try again in a few seconds.",
};

/** Returns the message for a failed API call. */
export function errorMessage(answer) {
  const { code } = answer.data;
  if (code in STAFF_MESSAGES) return STAFF_MESSAGES[code];
  if (code in MESSAGES) return t(MESSAGES[code]);
  if (answer.status === 0) return t("No connection. Check your network and try again.");
  if (answer.status === 401) return t(MESSAGES.signed_out);
  if (answer.status === 403) return t("Your request was blocked. Rephrase your text and try again.");
  if (answer.status === 413) return t(MESSAGES.too_large);
  if (answer.status === 429) return t(MESSAGES.throttled);
  if (answer.status >= 500) return t(MESSAGES.unavailable);
  return t("Something went wrong. Try again or contact the school.");
}

/** Shows a message; `kind` is "good", "bad" or empty. */
export function showMessage(note, text, kind = "") {
  note.className = `note ${kind}`.trim();
  note.textContent = text;
}

/** Ends the loading state of the elements with these ids: lists, tables, parts of the page. */
export function showLoaded(...ids) {
  for (const id of ids) $(id).removeAttribute("aria-busy");
}

/** Shows the message for a failed API call, with a sign-in link after 401. */
export function showError(note, answer) {
  showMessage(note, errorMessage(answer), "bad");
  if (answer.status !== 401) return;
  const link = document.createElement("a");
  link.href = `/auth/sign-in?return_to=${encodeURIComponent(location.pathname)}`;
  link.textContent = t("Sign in");
  note.append(" ", link);
}

/** Returns the message of a reason why a form was rejected. */
export function reasonMessage({ field, code, message }) {
  const key = `${field} ${code}`;
  const translated = t(key);
  return translated === key ? message : translated;
}

/** Shows an error message next to a field; an empty text removes it. */
export function setFieldError(field, text) {
  $(`${field.id}-error`).textContent = text;
  if (text) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

/** Runs a form's submit handler, and ignores further clicks until it has finished. */
export function onSubmit(form, submit) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button:not([type=button])");
    if (button.disabled) return;
    button.disabled = true;
    try {
      await submit(event);
    } finally {
      button.disabled = false;
    }
  });
}

// --- advisors and their appointments ------------------------------------------------------------

/** Reads all advisors; returns {ok: true, advisors}, or the answer of a failed call. */
export async function readAdvisors() {
  const advisors = [];
  let after = "";
  do {
    const answer = await call("GET", after ? `/advisors?after=${after}` : "/advisors");
    if (!answer.ok) return answer;
    advisors.push(...answer.data.advisors);
    after = answer.data.next ?? "";
  } while (after);
  return { ok: true, advisors };
}

/** Returns an item of a list: a title, further text, and a control. */
export function listItem(title, more, control) {
  const item = document.createElement("li");
  const about = document.createElement("div");
  const heading = document.createElement("p");
  heading.textContent = title;
  const text = document.createElement("p");
  text.className = "quiet";
  text.textContent = more;
  about.append(heading, text);
  item.append(about, control);
  return item;
}

/** Returns the lines of the report of an erasure. */
export function erasureLines({ erasedAt, report }) {
  const time = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const line = (title, text) => listItem(title, text, "");
  const lakes = report.lakes.map((it) => line(
    t("Visits and changes ({0})", it.lake),
    t("{0} rows erased. A last reading of all {1} files found nothing. Copies on the stream expire until {2}.", it.rows, it.objectsRead, time.format(new Date(it.streamExpires))),
  ));
  return [
    line(t("Erased"), time.format(new Date(erasedAt))),
    line(t("Appointments"), t("{0} cancelled. {1} past ones keep their time only.", report.cancelledAppointments, report.pastAppointments)),
    line(t("Tables"), t("{0} entries deleted, and the sign-in.", report.items)),
    line(t("Lists of students"), t("{0} deleted.", report.rosters)),
    ...lakes,
    line(t("Email"), report.emailed ? t("Sent once. The address is deleted.") : t("Not delivered. The address is deleted.")),
  ];
}

/** Returns a button of a list's item; screen readers also read the `label`. */
export function itemButton(text, label, click) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = "second";
  element.textContent = text;
  element.setAttribute("aria-label", `${text} ${label}`);
  element.addEventListener("click", click);
  return element;
}

// The clock of a place differs from UTC by at most 14 hours.
const MAX_OFFSET_MS = 14 * 3_600_000;

/** Returns a time at or before the start of a date, such as 2026-12-01, in each time zone. */
export const beforeDate = (day) => Date.parse(`${day}T00:00:00Z`) - MAX_OFFSET_MS;

/** Returns the date that the clock of a time zone shows, such as 2026-12-01. */
export function localDate(time, timeZone) {
  const parts = new Intl.DateTimeFormat("en", {
    timeZone, calendar: "iso8601", numberingSystem: "latn",
    year: "numeric", month: "2-digit", day: "2-digit",
  }).formatToParts(time);
  const part = (type) => parts.find((it) => it.type === type).value;
  return `${part("year")}-${part("month")}-${part("day")}`;
}

// --- visit statistics --------------------------------------------------------------------------

const CHOICE_KEY = "visit-statistics";
const CHOICES = [["allowed", "Allow"], ["denied", "Don’t allow"]];
const STATISTICS = new Map([
  [null, "May we count your visits? The numbers help us improve this site. We set no cookies for it."],
  ["allowed", "You allow us to count your visits."],
  ["denied", "We don’t count your visits."],
  ["signal", "Your browser asks sites not to track you, so we don’t count your visits."],
]);

// The first entries wait in an array until meridian.js has loaded.
function tell(...entry) {
  window.meridian ??= [];
  window.meridian.push(entry);
}

// Without storage, the choice lasts until the next page.
function readChoice() {
  try {
    const choice = localStorage.getItem(CHOICE_KEY);
    return choice === "allowed" || choice === "denied" ? choice : null;
  } catch {
    return null;
  }
}

function saveChoice(choice) {
  try {
    localStorage.setItem(CHOICE_KEY, choice);
  } catch {
    // The page asks again.
  }
}

function choiceButton([value, label], choose) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "second";
  button.textContent = t(label);
  button.value = value;
  button.addEventListener("click", () => choose(value));
  return button;
}

// No visit is counted before the visitor has agreed.
function askForStatistics() {
  const section = document.createElement("section");
  section.setAttribute("aria-label", t("Visit statistics"));
  const text = document.createElement("p");
  text.setAttribute("role", "status");
  section.append(text);
  document.querySelector("footer").append(section);
  if (navigator.globalPrivacyControl || navigator.doNotTrack === "1") {
    text.textContent = t(STATISTICS.get("signal"));
    return;
  }
  const buttons = CHOICES.map((choice) => choiceButton(choice, choose));
  const row = document.createElement("div");
  row.className = "buttons";
  row.append(...buttons);
  section.append(row);
  show(readChoice());

  function show(choice) {
    text.textContent = t(STATISTICS.get(choice));
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.value === choice));
    if (choice) tell("consent", { analytics: choice === "allowed" });
  }

  function choose(choice) {
    saveChoice(choice);
    show(choice);
  }
}

async function countVisits() {
  const { writeKey } = await (await fetch("/portal.json")).json();
  tell("init", { writeKey, consent: "required" });
}

showAccount(call);
askForStatistics();
// A lost page view must not disturb the visitor.
countVisits().catch(() => {});
