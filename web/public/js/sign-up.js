// The sign-up form: sends an account request idempotently and polls its outcome.
import { $, call, errorMessage, onSubmit, pause, setFieldError, showMessage } from "./portal.js";

const FIELDS = ["email", "name", "dateOfBirth", "programme", "locale"];
const POLL_TIMEOUT_MS = 60_000;
const MAX_ATTEMPTS = 4;
const STORAGE_KEY = "account-request";

const form = $("sign-up");
const status = $("status");

function formValues() {
  const found = {};
  for (const field of FIELDS) {
    const value = $(field).value.trim();
    if (value) found[field] = value;
  }
  return found;
}

// The same values keep their requestId in this tab, also after a reload, so that a repetition is the
// same request. Changed values are a new request.
function requestFor(body) {
  const kept = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "{}");
  if (JSON.stringify(kept.body) === JSON.stringify(body)) return kept.requestId;
  const requestId = crypto.randomUUID();
  sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ requestId, body }));
  return requestId;
}

function forgetRequest() {
  sessionStorage.removeItem(STORAGE_KEY);
}

function clearErrors() {
  for (const field of FIELDS) setFieldError($(field), "");
  showMessage(status, "");
}

// Checks required fields before the first request; the API validates everything else.
function localReasons(body) {
  const reasons = [];
  if (!body.email) reasons.push({ field: "email", message: "Email address is required." });
  if (!body.name) reasons.push({ field: "name", message: "Name is required." });
  // An incomplete date input has no value.
  if ($("dateOfBirth").validity.badInput) {
    reasons.push({ field: "dateOfBirth", message: "Enter a complete date." });
  }
  return reasons;
}

function showReasons(reasons) {
  const others = [];
  for (const { field, message } of reasons) {
    if (FIELDS.includes(field)) setFieldError($(field), message);
    else others.push(message);
  }
  const first = FIELDS.find((field) => $(field).getAttribute("aria-invalid"));
  showMessage(status, others.join(" ") || "Check the highlighted fields.", "bad");
  (first ? $(first) : status).focus();
}

async function sendRequest(body) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await call("POST", "/accounts", { requestId: requestFor(body), ...body });
    const retryable = answer.status === 0 || answer.status === 429 || answer.status >= 500;
    if (answer.status === 409) forgetRequest();
    else if (!retryable) return answer;
    if (attempt === MAX_ATTEMPTS) return answer;
    showMessage(status, "We’re busy right now. Trying again…");
    await pause(Math.max(1000 * answer.retryAfter, 500 * 2 ** attempt));
  }
}

async function waitForOutcome(link) {
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

function show(answer, body) {
  if (answer.data.status === "created") {
    forgetRequest();
    $("to").textContent = body.email;
    form.hidden = true;
    $("done").hidden = false;
    $("ready").focus();
  } else if (answer.data.status === "rejected" || answer.data.status === "failed") {
    // The request is decided: the next submission needs a new requestId.
    forgetRequest();
    showReasons(answer.data.reasons);
  } else if (answer.ok) {
    showMessage(status, "This is taking longer than usual. Your request is saved. Press the button to check again.", "bad");
  } else {
    showMessage(status, errorMessage(answer), "bad");
  }
}

onSubmit(form, async () => {
  clearErrors();
  const body = formValues();
  const reasons = localReasons(body);
  if (reasons.length) return showReasons(reasons);
  showMessage(status, "Creating your account…");
  const answer = await sendRequest(body);
  if (!answer.ok) return showMessage(status, errorMessage(answer), "bad");
  return show(await waitForOutcome(answer.data.link), body);
});
