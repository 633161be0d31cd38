// Shared by the pages of the course catalogue: its answers, its messages, its formats.
import { LANGUAGES as SITE_LANGUAGES, language, locale, t } from "./i18n.js";
import { refreshSession } from "./portal.js";

const TIMEOUT_MS = 25_000;
export const LANGUAGES = new Map([["en", "English"], ["hi", "हिन्दी"], ["vi", "Tiếng Việt"], ["es", "Español"]]);
// Subjects with a picture, and their names in English.
const SUBJECTS = new Map([
  ["computing", "Computing"],
  ["history", "History"],
  ["languages", "Languages"],
  ["maps", "Maps"],
  ["mathematics", "Mathematics"],
  ["music", "Music"],
  ["sciences", "Sciences"],
  ["sky", "The sky"],
  ["time", "Time"],
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
  if (code in further) return further[code];
  if (code in MESSAGES) return t(MESSAGES[code]);
  if (answer.status === 0) return t("No connection. Check your network and try again.");
  if (answer.isAbsent) return t("The course catalogue isn’t available here.");
  if (answer.status >= 500) return t(MESSAGES.catalogue_unavailable);
  return t("Something went wrong. Reload the page and try again.");
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
export const artOf = (subject) => new URL(`../art/${SUBJECTS.has(subject) ? subject : "other"}.svg`, import.meta.url).pathname;

/** Returns the name of a subject. The visitor's language has those of the school's own subjects. */
export const subjectName = ({ id, name }) => (SUBJECTS.get(id) === name ? t(name) : name);

// The catalogue has more languages than the site: for these, the browser's language counts.
const spoken = navigator.language.slice(0, 2).toLowerCase();

/** The tag of the language in which a visitor sees courses first. */
export const courseLanguage = LANGUAGES.has(spoken) && !SITE_LANGUAGES.has(spoken) ? spoken : language;

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
  const format = new Intl.NumberFormat(locale, { style: "currency", currency });
  return format.format(amount / 10 ** decimalPlaces(currency));
}
