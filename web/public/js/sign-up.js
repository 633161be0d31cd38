// The form for an account: sent once however often it is sent, and watched until there is one.
import { $, call, mark, onSubmit, pause, say, words } from "./portal.js";

const FIELDS = ["email", "name", "dateOfBirth", "programme", "locale"];
const WATCHED_MS = 60_000;
const ATTEMPTS = 4;
const KEPT = "account-request";

const form = $("sign-up");
const said = $("said");

function written() {
  const found = {};
  for (const field of FIELDS) {
    const value = $(field).value.trim();
    if (value) found[field] = value;
  }
  return found;
}

// The same words keep their id, in this tab, across a reload too: sent again they are the same
// request. Other words are another request.
function requestFor(body) {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  if (JSON.stringify(kept.body) === JSON.stringify(body)) return kept.requestId;
  const requestId = crypto.randomUUID();
  sessionStorage.setItem(KEPT, JSON.stringify({ requestId, body }));
  return requestId;
}

function forget() {
  sessionStorage.removeItem(KEPT);
}

function clear() {
  for (const field of FIELDS) mark($(field), "");
  say(said, "");
}

// What only the browser can say before it asks: an empty text is no request at all.
function missing(body) {
  const reasons = [];
  if (!body.email) reasons.push({ field: "email", message: "An e-mail address is needed." });
  if (!body.name) reasons.push({ field: "name", message: "A name is needed." });
  // What is half typed into a day has no value.
  if ($("dateOfBirth").validity.badInput) {
    reasons.push({ field: "dateOfBirth", message: "This is no day." });
  }
  return reasons;
}

function showReasons(reasons) {
  const others = [];
  for (const { field, message } of reasons) {
    if (FIELDS.includes(field)) mark($(field), message);
    else others.push(message);
  }
  const first = FIELDS.find((field) => $(field).getAttribute("aria-invalid"));
  say(said, others.join(" ") || "Please look at what is marked.", "bad");
  (first ? $(first) : said).focus();
}

async function ask(body) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await call("POST", "/accounts", { requestId: requestFor(body), ...body });
    const later = answer.status === 0 || answer.status === 429 || answer.status >= 500;
    if (answer.status === 409) forget();
    else if (!later) return answer;
    if (attempt === ATTEMPTS) return answer;
    say(said, "The school is busy. We try again…");
    await pause(Math.max(1000 * answer.retryAfter, 500 * 2 ** attempt));
  }
}

async function outcome(link) {
  const end = Date.now() + WATCHED_MS;
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
    forget();
    $("to").textContent = body.email;
    form.hidden = true;
    $("done").hidden = false;
    $("ready").focus();
  } else if (answer.data.status === "rejected" || answer.data.status === "failed") {
    // This request has its answer; the next one is another.
    forget();
    showReasons(answer.data.reasons);
  } else if (answer.ok) {
    say(said, "This takes longer than usual. Nothing is lost: press the button to look again.", "bad");
  } else {
    say(said, words(answer), "bad");
  }
}

onSubmit(form, async () => {
  clear();
  const body = written();
  const reasons = missing(body);
  if (reasons.length) return showReasons(reasons);
  say(said, "One moment…");
  const answer = await ask(body);
  if (!answer.ok) return say(said, words(answer), "bad");
  return show(await outcome(answer.data.link), body);
});
