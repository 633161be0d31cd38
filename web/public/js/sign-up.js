// The sign-up form: sends an account request idempotently, and tells the visitor to read the email.
import { language, t } from "./i18n.js";
import {
  $, callRepeatedly, errorMessage, onSubmit, reasonMessage, setFieldError, showMessage, waitForOutcome,
} from "./portal.js";

const FIELDS = ["email", "name", "dateOfBirth", "programme", "guardianEmail", "locale"];
const STORAGE_KEY = "account-request";

const form = $("sign-up");
const status = $("status");
// From this age in years a student needs no guardian, unless the school's vocabularies say another one.
let adultAge = 18;

function isMinor() {
  const [year, month, day] = $("dateOfBirth").value.split("-").map(Number);
  if (!day) return false;
  const today = new Date();
  const birthdayIsAhead = today.getUTCMonth() + 1 < month
    || (today.getUTCMonth() + 1 === month && today.getUTCDate() < day);
  const age = today.getUTCFullYear() - year - birthdayIsAhead;
  return age >= 0 && age < adultAge;
}

// The field of a hidden question isn't sent.
function askForGuardian() {
  $("guardian").hidden = !isMinor();
  $("guardianEmail").required = isMinor();
}

function formValues() {
  const found = {};
  for (const field of FIELDS) {
    if (field === "guardianEmail" && !isMinor()) continue;
    const value = $(field).value.trim();
    if (value) found[field] = value;
  }
  return found;
}

// The choices of the school: the file that the account workflow validates with. Without it the form
// works, too: both fields are optional, and the workflow knows the ages.
async function offerChoices() {
  const answer = await fetch("/vocabularies.json").catch(() => null);
  if (!answer?.ok) return;
  const { programmes, emailLanguages, ageYears } = await answer.json();
  for (const [id, name] of Object.entries(programmes)) $("programme").append(new Option(t(name), id));
  const languages = Object.entries(emailLanguages).map(([id, name]) => {
    const option = new Option(name, id);
    option.lang = id;
    return option;
  });
  $("locale").replaceChildren(...languages);
  if (language in emailLanguages) $("locale").value = language;
  const year = new Date().getUTCFullYear();
  adultAge = ageYears.adult;
  $("adult").textContent = adultAge;
  $("dateOfBirth").min = `${year - ageYears.max - 1}-01-01`;
  $("dateOfBirth").max = `${year - ageYears.min}-12-31`;
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
  if (!body.email) reasons.push({ field: "email", message: t("Email address is required.") });
  if (!body.name) reasons.push({ field: "name", message: t("Name is required.") });
  // An incomplete date input has no value.
  if ($("dateOfBirth").validity.badInput) {
    reasons.push({ field: "dateOfBirth", message: t("Enter a complete date.") });
  } else if (!body.dateOfBirth) {
    reasons.push({ field: "dateOfBirth", message: t("Date of birth is required.") });
  }
  if (isMinor() && !body.guardianEmail) {
    reasons.push({ field: "guardianEmail", message: t("The email of a parent or guardian is required.") });
  }
  return reasons;
}

function showReasons(reasons) {
  // The workflow's today is another day for a while than the browser's clock may say.
  if (reasons.some(({ field }) => field === "guardianEmail")) $("guardian").hidden = false;
  const others = [];
  for (const { field, message } of reasons) {
    if (FIELDS.includes(field)) setFieldError($(field), message);
    else others.push(message);
  }
  const first = FIELDS.find((field) => $(field).getAttribute("aria-invalid"));
  showMessage(status, others.join(" ") || t("Check the highlighted fields."), "bad");
  (first ? $(first) : status).focus();
}

// The API answers 409 if the requestId was used with other values: the next attempt has a new one.
function sendRequest(body, note) {
  return callRepeatedly("POST", "/accounts", () => ({ requestId: requestFor(body), ...body }), note,
    (answer) => {
      if (answer.status === 409) forgetRequest();
      return answer.status === 409;
    });
}

function show(answer, body) {
  if (answer.data.status === "rejected" || answer.data.status === "failed") {
    // The request is decided: the next submission needs a new requestId.
    forgetRequest();
    showReasons(answer.data.reasons.map((it) => ({ ...it, message: reasonMessage(it) })));
  } else if (answer.ok && answer.data.status !== "pending") {
    $("to").textContent = body.email;
    form.hidden = true;
    $("done").hidden = false;
    $("sent").focus();
  } else if (answer.ok || answer.status >= 500) {
    // The request is accepted: while the home Region is lost, it waits, and its outcome can't be read.
    showMessage(status, t("This is taking longer than usual. Your request is saved. Press the button to check again."), "bad");
  } else {
    showMessage(status, errorMessage(answer), "bad");
  }
}

onSubmit(form, async () => {
  clearErrors();
  const body = formValues();
  const reasons = localReasons(body);
  if (reasons.length) return showReasons(reasons);
  showMessage(status, t("Sending…"));
  const answer = await sendRequest(body, status);
  // AWS WAF answers 405 without a valid token of its puzzle, which this page shows when it loads.
  if (answer.status === 405) {
    return showMessage(status, t("Please reload this page, solve the puzzle, and send the form again."), "bad");
  }
  if (!answer.ok) return showMessage(status, errorMessage(answer), "bad");
  return show(await waitForOutcome(answer.data.link), body);
});

// A new request with the same values sends a new email. The links of earlier emails stay valid.
$("resend").addEventListener("click", async () => {
  const note = $("resend-status");
  $("resend").disabled = true;
  forgetRequest();
  showMessage(note, t("Sending…"));
  const answer = await sendRequest(formValues(), note);
  $("resend").disabled = false;
  showMessage(note, answer.ok ? t("Sent. It can take a few minutes.") : errorMessage(answer), answer.ok ? "good" : "bad");
});

$("change").addEventListener("click", () => {
  showMessage(status, "");
  showMessage($("resend-status"), "");
  $("done").hidden = true;
  form.hidden = false;
  $("email").focus();
});

$("dateOfBirth").addEventListener("input", askForGuardian);

await offerChoices();
askForGuardian();
