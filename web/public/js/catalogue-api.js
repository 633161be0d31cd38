// Shared by the pages of the course catalogue: its answers, its messages, its formats.
import { refreshSession } from "./portal.js";

const TIMEOUT_MS = 25_000;
export const LANGUAGES = new Map([["en", "English"], ["hi", "हिन्दी"], ["vi", "Tiếng Việt"], ["es", "Español"]]);
const SUBJECTS_WITH_ART = new Set([
  "computing", "history", "languages", "maps", "mathematics", "music", "sciences", "sky", "time",
]);

const MESSAGES = {
  catalogue_unavailable: "The course search doesn’t answer right now. Try again in a few seconds.",
  course_unknown: "This course isn’t offered anymore.",
  query_too_slow: "This search took too long. Try more exact words.",
  search_too_long: "A search has at most 100 characters. Use fewer words.",
  search_too_many_words: "A search has at most 8 words. Use fewer.",
  search_without_words: "Enter a word to search for.",
  word_too_long: "A word has at most 40 characters. Use a shorter one.",
};

/** Returns the message for an answer that isn't a success; `further` are a page's own, by code. */
export function catalogueMessage(answer, further = {}) {
  const { code } = answer.data;
  if (further[code] ?? MESSAGES[code]) return further[code] ?? MESSAGES[code];
  if (answer.status === 0) return "No connection. Check your network and try again.";
  if (answer.isAbsent) return "The course catalogue isn’t available here.";
  if (answer.status >= 500) return MESSAGES.catalogue_unavailable;
  return "Something went wrong. Reload the page and try again.";
}

async function send(method, path, { signal, body, key, fresh }) {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const options = { method, signal: signal ? AbortSignal.any([signal, limit]) : limit, headers: {} };
  // Answers for everyone may come from the browser's cache, for the time that they allow.
  if (fresh) options.cache = "no-store";
  if (key) options.headers["Idempotency-Key"] = key;
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = body;
  }
  const answer = await fetch(`/catalogue${path}`, options);
  const isJson = (answer.headers.get("Content-Type") ?? "").startsWith("application/json");
  const data = isJson ? (await answer.json()) ?? {} : {};
  return {
    ok: answer.ok && isJson,
    status: answer.status,
    data,
    // Without a catalogue, the paths are those of a page or an operation that doesn't exist.
    isAbsent: answer.status < 500 && (!isJson || data.code === "operation_unknown" || data.code === undefined && !answer.ok),
    retryAfter: Number(answer.headers.get("Retry-After")) || 0,
  };
}

/**
 * Calls the catalogue; returns {ok, status, data, isAbsent, retryAfter}, with the status 0 without
 * a response, or null for a call that its `signal` ended.
 */
export async function callCatalogue(method, path, options = {}) {
  try {
    const answer = await send(method, path, options);
    if (answer.status !== 401 || !(await refreshSession())) return answer;
    return await send(method, path, options);
  } catch {
    if (options.signal?.aborted) return null;
    return { ok: false, status: 0, data: {}, isAbsent: false, retryAfter: 0 };
  }
}

/** Returns the address of the picture of a subject. */
export const artOf = (subject) => `/art/${SUBJECTS_WITH_ART.has(subject) ? subject : "other"}.svg`;

/** Returns the address of a course's page. */
export const pageOf = (course) => `/course.html?id=${encodeURIComponent(course.id)}`;

/** Returns an element with a class, and text in a language, if any. */
export function textElement(tag, className, text, language) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  if (language) element.lang = language;
  return element;
}

/** Returns the decimal places of a currency: 2 for GBP, 0 for VND. */
export function decimalPlaces(currency) {
  return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
}

/** Returns an amount in the smallest unit of its currency as a price. */
export function priceText({ currency, amount }) {
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  return format.format(amount / 10 ** decimalPlaces(currency));
}
