// What every page shares: asking the API, saying what went wrong, who is signed in, page views.

/** The element with this id. */
export const $ = (id) => document.getElementById(id);

/** Waits for so many milliseconds. */
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// --- asking ------------------------------------------------------------------------------------

// Longer than the API waits for what is behind it.
const PATIENCE_MS = 35_000;

async function send(method, path, body) {
  const asked = { method, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) };
  if (body !== undefined) {
    asked.headers = { "Content-Type": "application/json" };
    asked.body = JSON.stringify(body);
  }
  try {
    const answer = await fetch(`/api${path}`, asked);
    const text = await answer.text();
    const retryAfter = Number(answer.headers.get("Retry-After")) || 0;
    return { ok: answer.ok, status: answer.status, data: parsed(text), retryAfter };
  } catch {
    // No network, or no answer in time.
    return { ok: false, status: 0, data: {}, retryAfter: 0 };
  }
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    // Nothing (204), or the page of somebody between the API and here.
    return {};
  }
}

let renewing = null;

// One renewal for however many calls found the token expired at once.
function renewed() {
  renewing ??= fetch("/auth/refresh", { method: "POST", cache: "no-store" })
    .then((answer) => answer.ok, () => false)
    .finally(() => { renewing = null; });
  return renewing;
}

/**
 * Asks the API: {ok, status, data, retryAfter}; status 0 where nobody answered. A session whose
 * token has expired is renewed once, and what was typed into the page stays.
 */
export async function call(method, path, body) {
  const answer = await send(method, path, body);
  return answer.status === 401 && (await renewed()) ? send(method, path, body) : answer;
}

// --- saying ------------------------------------------------------------------------------------

const WORDS = {
  appointment_unknown: "You have no such appointment any more.",
  body_invalid: "Something in this form cannot be sent. Look at what you wrote, and try again.",
  signed_out: "You are signed out. Sign in and try again.",
  slot_taken: "Somebody else has this half hour. Choose another.",
  throttled: "Many people are asking at this moment. Try again in a few seconds.",
  timed_out: "That took too long. Try again in a moment.",
  token_expired: "You are signed out. Sign in and try again.",
  too_large: "That is too much at once. Write less, and try again.",
  unavailable: "The school does not answer at this moment. Try again in a few seconds.",
};

/** What went wrong with an answer, in words for a person. */
export function words(answer) {
  const known = WORDS[answer.data.code];
  if (known) return known;
  if (answer.status === 0) return "No connection. Look at your network, and try again.";
  if (answer.status === 401) return WORDS.signed_out;
  if (answer.status === 403) return "That was refused. Write it in other words, and try again.";
  if (answer.status === 413) return WORDS.too_large;
  if (answer.status === 429) return WORDS.throttled;
  if (answer.status >= 500) return WORDS.unavailable;
  return "That did not work. Try again, or write to the school.";
}

/** Puts words into a note; `kind` is "good", "bad" or nothing. */
export function say(note, text, kind = "") {
  note.className = `note ${kind}`.trim();
  note.textContent = text;
}

/** Says what went wrong, and offers the sign-in where that is what helps. */
export function complain(note, answer) {
  say(note, words(answer), "bad");
  if (answer.status !== 401) return;
  const link = document.createElement("a");
  link.href = `/auth/sign-in?return_to=${encodeURIComponent(location.pathname)}`;
  link.textContent = "Sign in";
  note.append(" ", link);
}

/** Marks a field as wrong, with words next to it; empty words make it right again. */
export function mark(field, text) {
  $(`${field.id}-error`).textContent = text;
  if (text) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

/** Runs the work of a form once at a time, however often its button is pressed. */
export function onSubmit(form, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button:not([type=button])");
    if (button.disabled) return;
    button.disabled = true;
    try {
      await work();
    } finally {
      button.disabled = false;
    }
  });
}

// --- who is signed in --------------------------------------------------------------------------

async function showAccount() {
  try {
    const answer = await fetch("/auth/session", { cache: "no-store" });
    const session = await answer.json();
    if (!session.signed_in && !session.renewable) return;
  } catch {
    return;
  }
  const account = $("account");
  account.textContent = "Sign out";
  account.href = "/auth/sign-out";
}

// --- page views --------------------------------------------------------------------------------

// A visitor is one tab: nothing is remembered when it is closed.
function visitor() {
  const known = sessionStorage.getItem("visitor");
  if (known) return known;
  const made = crypto.randomUUID();
  sessionStorage.setItem("visitor", made);
  return made;
}

// Without queries: an address to come back to is nobody's business.
function withoutQuery(address) {
  const found = address ? new URL(address) : null;
  return found ? found.origin + found.pathname : "";
}

async function reportView() {
  if (navigator.globalPrivacyControl || navigator.doNotTrack === "1") return;
  const { writeKey } = await (await fetch("/portal.json")).json();
  const page = {
    path: location.pathname,
    url: withoutQuery(location.href),
    referrer: withoutQuery(document.referrer),
    title: document.title,
  };
  const now = new Date().toISOString();
  const view = {
    type: "page",
    messageId: crypto.randomUUID(),
    anonymousId: visitor(),
    name: document.title,
    properties: page,
    context: { page, locale: navigator.language, library: { name: "meridian-portal", version: "1" } },
    timestamp: now,
    sentAt: now,
    writeKey,
  };
  await fetch("/v1/page", {
    method: "POST",
    credentials: "omit",
    keepalive: true,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(view),
  });
}

showAccount();
// A view that is not counted is no visitor's trouble.
reportView().catch(() => {});
