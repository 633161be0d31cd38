// Adds, changes and archives courses of the catalogue, for staff.
import { $, itemButton, listItem, onSubmit, pause, setFieldError, showMessage } from "./portal.js";
import {
  LANGUAGES, callCatalogue, catalogueMessage, decimalPlaces, pageOf, priceText, textElement,
} from "./catalogue-api.js";

const PAGE_ROWS = 20;
const MAX_ATTEMPTS = 3;
const FIELDS = ["title", "summary", "language", "subject", "teacher"];
const NAMES = new Map([
  ["title", "Title"], ["summary", "Summary"], ["language", "Language"], ["subject", "Subject"],
  ["teacher", "Teacher"], ["terms", "Terms"], ["prices", "Prices"],
]);

// Codes that only the staff's requests can get.
const STAFF_MESSAGES = {
  changes_unavailable: "Courses can’t be changed right now. Your text is still here. Try again in half a minute.",
  course_exists: "Another course has this id. Choose a different one.",
  id_malformed: "An id has lower-case letters, digits and hyphens.",
  not_signed_in: "You’re signed out. Sign in and try again.",
  not_staff: "Only staff can use this page. Ask an operator for membership of the group staff.",
  prices_malformed: "Check the prices: a code such as GBP and an amount, each currency once.",
  reference_unknown: "The subject or the teacher doesn’t exist anymore. Reload the page.",
  request_reused: "This was saved before with another text. Save again.",
  summary_malformed: "A summary has at most 4,000 characters.",
  terms_malformed: "Check the terms: a name of its own, a start, and an end that isn’t earlier.",
  title_malformed: "Enter a title of at most 200 characters.",
  too_large: "This course is too long. Shorten its summary.",
  version_outdated: "Someone else changed this course meanwhile.",
};

let next = null;
// The course as it was read, or null for a new one.
let shown = null;
// The same key for the same content: a repeated request changes the course once.
let attempt = { content: "", key: "" };

const readStaff = (path) => callCatalogue("GET", `/staff/courses${path}`, { fresh: true });

function showFailure(note, answer) {
  const isSignedOut = answer.status === 401;
  const text = isSignedOut ? STAFF_MESSAGES.not_signed_in : catalogueMessage(answer, STAFF_MESSAGES);
  showMessage(note, text, "bad");
  if (!isSignedOut) return;
  const link = textElement("a", "", "Sign in");
  link.href = `/auth/sign-in?return_to=${encodeURIComponent(location.pathname)}`;
  note.append(" ", link);
}

// --- the list ----------------------------------------------------------------------------------

function foundItem(course) {
  const more = `${course.id} · ${course.subject.name} · ${LANGUAGES.get(course.language) ?? course.language}`;
  const item = listItem(course.title, more, itemButton("Edit", course.title, () => open(course.id)));
  item.querySelector("p").lang = course.language;
  return item;
}

let searches = 0;

async function search({ isNext = false } = {}) {
  const mine = ++searches;
  const query = new URLSearchParams({ q: $("q").value.trim(), limit: PAGE_ROWS });
  if (isNext) query.set("after", next);
  const answer = await readStaff(`?${query}`);
  // A later search has other words.
  if (mine !== searches) return;
  $("more").hidden = true;
  if (!answer.ok) {
    $("courses").replaceChildren();
    showFailure($("search-status"), answer);
    return;
  }
  const items = answer.data.courses.map(foundItem);
  if (isNext) $("courses").append(...items);
  else $("courses").replaceChildren(...items);
  next = answer.data.next;
  $("more").hidden = !next;
  const count = $("courses").childElementCount;
  showMessage($("search-status"), `${next ? "The first " : ""}${count === 1 ? "1 course" : `${count} courses`}.`);
  if (isNext) items[0]?.querySelector("button").focus();
}

// --- rows of terms and prices --------------------------------------------------------------------

function input(label, type, value, attributes = {}) {
  const field = document.createElement("input");
  Object.assign(field, { type, value, ...attributes });
  field.setAttribute("aria-label", label);
  return field;
}

function entry(...fields) {
  const row = document.createElement("div");
  row.className = "entry";
  const remove = textElement("button", "second", "Remove");
  remove.type = "button";
  remove.setAttribute("aria-label", `Remove ${fields[0].value || "this row"}`);
  remove.addEventListener("click", () => {
    const button = row.closest("fieldset").querySelector("fieldset > button");
    row.remove();
    button.focus();
  });
  row.append(...fields, remove);
  return row;
}

const termRow = ({ name = "", starts = "", ends = "" } = {}) => entry(
  input("Name of the term", "text", name, { maxLength: 100 }),
  input("First day", "date", starts),
  input("Last day", "date", ends),
);

function priceRow({ currency = "", amount = null } = {}) {
  const value = amount === null ? "" : String(amount / 10 ** decimalPlaces(currency));
  return entry(
    input("Currency", "text", currency, { maxLength: 3, placeholder: "GBP", autocapitalize: "characters" }),
    input("Amount", "text", value, { inputMode: "decimal" }),
  );
}

const rowValues = (list) => [...$(list).children].map((row) => [...row.querySelectorAll("input")].map((it) => it.value.trim()));

// A price in the smallest unit of its currency; NaN for one that isn't an amount.
function smallest(currency, text) {
  const places = decimalPlaces(currency);
  const [whole, part = ""] = text.replace(",", ".").split(".");
  const isAmount = /^\d{1,10}$/.test(whole) && /^\d*$/.test(part) && part.length <= places;
  return isAmount ? Number(whole + part.padEnd(places, "0")) : NaN;
}

function prices() {
  return rowValues("prices").map(([text, amount]) => {
    const currency = text.toUpperCase();
    return { currency, amount: /^[A-Z]{3}$/.test(currency) ? smallest(currency, amount) : NaN };
  });
}

// --- the form ----------------------------------------------------------------------------------

/** Returns the content of the form, as the catalogue stores it. */
function content() {
  const course = Object.fromEntries(FIELDS.map((it) => [it, $(it).value.trim()]));
  course.terms = rowValues("terms").map(([name, starts, ends]) => ({ name, starts, ends }));
  course.prices = prices();
  return course;
}

function stored(course) {
  const { title, summary, language, subject, teacher, terms, prices: amounts } = course;
  return { title, summary, language, subject: subject.id, teacher: teacher.id, terms, prices: amounts };
}

function fill(course) {
  for (const name of ["id", ...FIELDS]) {
    if ($(`${name}-error`)) setFieldError($(name), "");
  }
  for (const name of ["title", "summary", "language"]) $(name).value = course?.[name] ?? "";
  $("subject").value = course?.subject.id ?? "";
  $("teacher").value = course?.teacher.id ?? "";
  if (!course) for (const name of ["language", "subject", "teacher"]) $(name).selectedIndex = 0;
  $("terms").replaceChildren(...(course?.terms ?? []).map(termRow));
  $("prices").replaceChildren(...(course?.prices ?? []).map(priceRow));
  for (const name of ["terms-error", "prices-error"]) $(name).textContent = "";
}

function edit(course) {
  shown = course;
  $("editor-title").textContent = course ? course.title : "New course";
  $("editor-title").lang = course?.language ?? "en";
  $("id").value = course?.id ?? "";
  $("id-field").hidden = Boolean(course);
  $("archive").hidden = !course;
  $("archive").textContent = "Archive";
  $("view").hidden = !course;
  if (course) $("view").href = pageOf(course);
  $("conflict").hidden = true;
  showMessage($("edit-status"), "");
  fill(course);
  $("editor").hidden = false;
}

async function open(id) {
  const answer = await readStaff(`/${encodeURIComponent(id)}`);
  if (!answer.ok) {
    showFailure($("search-status"), answer);
    return;
  }
  edit(answer.data);
  $("editor-title").focus();
}

const isTerm = ({ name, starts, ends }) => name && starts && ends && starts <= ends;
const hasTwice = (values) => new Set(values).size < values.length;

// Shows what is wrong, and returns whether the form can be sent.
function check(course) {
  const isId = shown !== null || /^[a-z0-9-]{1,64}$/.test($("id").value);
  setFieldError($("id"), isId ? "" : "Enter lower-case letters, digits and hyphens.");
  setFieldError($("title"), course.title ? "" : "Enter a title.");
  const areTerms = course.terms.every(isTerm) && !hasTwice(course.terms.map((it) => it.name));
  $("terms-error").textContent = areTerms ? "" : "Each term needs a name of its own, a first day and a last day.";
  const arePrices = course.prices.every((it) => Number.isInteger(it.amount))
    && !hasTwice(course.prices.map((it) => it.currency));
  $("prices-error").textContent = arePrices ? "" : "Each price needs a currency such as GBP, once, and an amount.";
  const first = [[isId, "id"], [course.title, "title"]].find(([isRight]) => !isRight);
  if (first) $(first[1]).focus();
  return isId && course.title && areTerms && arePrices;
}

/** Sends a change, with the key of the first attempt as long as the content is the same. */
async function change(method, path, body) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const sent = `${method} ${path} ${text}`;
  if (attempt.content !== sent) attempt = { content: sent, key: crypto.randomUUID() };
  for (let count = 1; ; count += 1) {
    const answer = await callCatalogue(method, `/staff/courses${path}`, { body: text, key: attempt.key, fresh: true });
    if (answer.status !== 0 && answer.status < 500) {
      attempt = { content: "", key: "" };
      return answer;
    }
    if (count === MAX_ATTEMPTS) return answer;
    showMessage($("edit-status"), "Not saved yet. Trying again…");
    await pause(500 * 2 ** count);
  }
}

async function save(version) {
  const course = content();
  if (!check(course)) return;
  const answer = shown
    ? await change("PUT", `/${shown.id}`, { ...course, version })
    : await change("POST", "", { ...course, id: $("id").value });
  if (answer.data.code === "version_outdated") {
    await showConflict();
    return;
  }
  if (!answer.ok) {
    showFailure($("edit-status"), answer);
    return;
  }
  edit(answer.data.course);
  showMessage($("edit-status"), "Saved. Visitors see it within about a minute.", "good");
  await search();
}

onSubmit($("edit"), () => save(shown?.version));

// --- someone else's change -----------------------------------------------------------------------

const named = (list, id) => [...$(list).options].find((it) => it.value === id)?.text ?? id;

function valueText(name, value) {
  if (name === "terms") return value.map((it) => `${it.name}, ${it.starts} to ${it.ends}`).join("; ") || "none";
  if (name === "prices") return value.map(priceText).join("; ") || "none";
  return name === "language" || name === "subject" || name === "teacher" ? named(name, value) : `“${value}”`;
}

let theirs = null;

async function showConflict() {
  const answer = await readStaff(`/${encodeURIComponent(shown.id)}`);
  if (!answer.ok) {
    showFailure($("edit-status"), answer);
    return;
  }
  theirs = answer.data;
  const [before, now] = [stored(shown), stored(theirs)];
  const changed = [...NAMES.keys()].filter((it) => JSON.stringify(before[it]) !== JSON.stringify(now[it]));
  $("differences").replaceChildren(
    ...changed.map((it) => textElement("li", "", `${NAMES.get(it)} is now ${valueText(it, now[it])}`)),
  );
  showMessage($("edit-status"), "");
  $("conflict").hidden = false;
  $("conflict-title").focus();
}

$("theirs").addEventListener("click", () => {
  edit(theirs);
  $("editor-title").focus();
});
$("mine").addEventListener("click", () => {
  $("conflict").hidden = true;
  shown = theirs;
  save(theirs.version);
});

// --- further buttons -----------------------------------------------------------------------------

$("archive").addEventListener("click", async () => {
  // A second click confirms.
  if ($("archive").textContent === "Archive") {
    $("archive").textContent = "Yes, archive";
    showMessage($("edit-status"), "Visitors won’t find this course anymore. Its text stays in the records.");
    return;
  }
  const answer = await change("DELETE", `/${shown.id}`);
  if (!answer.ok) {
    showFailure($("edit-status"), answer);
    return;
  }
  $("editor").hidden = true;
  await search();
  showMessage($("search-status"), "Archived.", "good");
  $("q").focus();
});
$("new").addEventListener("click", () => {
  edit(null);
  $("id").focus();
});
for (const [button, list, row] of [["add-term", "terms", termRow], ["add-price", "prices", priceRow]]) {
  $(button).addEventListener("click", () => {
    $(list).append(row());
    $(list).lastElementChild.querySelector("input").focus();
  });
}
$("more").addEventListener("click", () => search({ isNext: true }));
onSubmit($("search"), () => search());

async function fillChoices(list) {
  const answer = await callCatalogue("GET", `/${list}s`);
  if (!answer.ok) return;
  $(list).append(...answer.data[`${list}s`].map(({ id, name }) => {
    const option = textElement("option", "", name);
    option.value = id;
    return option;
  }));
}

// A form that is sent before this script has loaded has its words in the address.
$("q").value = new URLSearchParams(location.search).get("q") ?? "";
await Promise.all([fillChoices("subject"), fillChoices("teacher"), search()]);
