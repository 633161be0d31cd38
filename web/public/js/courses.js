// Searches the course catalogue while the visitor types.
import { $ } from "./portal.js";
import {
  LANGUAGES, artOf, callCatalogue, catalogueMessage, pageOf, subjectName, textElement,
} from "./catalogue-api.js";
import { t } from "./i18n.js";

// Long enough for most typists' next key, short enough to feel immediate.
const DEBOUNCE_MS = 250;
// Every Region may be asked meanwhile; a shorter wait would only flicker.
const BUSY_AFTER_MS = 200;
const PAGE_ROWS = 9;

let timer = 0;
let running = null;
let next = null;

const chosen = () => ({ q: $("q").value.trim(), language: $("language").value, subject: $("subject").value });

function queryOf(values) {
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "" && value !== null));
}

function panel(course) {
  const item = document.createElement("li");
  item.className = "panel";
  const picture = document.createElement("img");
  Object.assign(picture, { className: "thumb", src: artOf(course.subject.id), alt: "", width: 72, height: 72, loading: "lazy" });
  const title = document.createElement("h2");
  const link = textElement("a", "", course.title, course.language);
  link.href = pageOf(course);
  title.append(link);
  const foot = document.createElement("p");
  foot.className = "foot";
  foot.append(
    textElement("span", "tag", subjectName(course.subject)),
    textElement("span", "", LANGUAGES.get(course.language) ?? course.language, course.language),
    textElement("span", "person", course.teacher.name),
  );
  item.append(picture, title, textElement("p", "about", course.summary, course.language), foot);
  return item;
}

function countText(shown, data, values) {
  if (!shown) return t("No course matches. Try another word, or fewer filters.");
  if (data.corrected) {
    const many = shown === 1 ? t("1 course") : t("{0} courses", shown);
    return t("No course has “{0}”. {1} for “{2}”.", values.q, many, data.corrected);
  }
  if (data.next) return t("The first {0} courses.", shown);
  return shown === 1 ? t("1 course.") : t("{0} courses.", shown);
}

function showFailure(answer) {
  $("again").hidden = answer.isAbsent || answer.status === 400;
  $("absent").hidden = !answer.isAbsent;
  $("search").hidden = answer.isAbsent;
  $("status").className = "note bad";
  $("status").textContent = answer.isAbsent ? "" : catalogueMessage(answer);
  $("more").hidden = true;
  $("clear").hidden = true;
  // After an error, the last results would belong to other words.
  $("results").replaceChildren();
}

/** Loads a page of results: the first one, or the one after those that are shown. */
async function load({ isNext = false } = {}) {
  clearTimeout(timer);
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const values = chosen();
  const query = queryOf({ ...values, limit: PAGE_ROWS, after: isNext ? next : "" });
  const busy = setTimeout(() => $("results").setAttribute("aria-busy", "true"), BUSY_AFTER_MS);
  const answer = await callCatalogue("GET", `/courses?${query}`, { signal: mine.signal });
  clearTimeout(busy);
  if (answer === null || running !== mine) return;
  $("results").removeAttribute("aria-busy");
  if (!answer.ok) {
    showFailure(answer);
    return;
  }
  $("absent").hidden = true;
  $("again").hidden = true;
  const panels = answer.data.courses.map(panel);
  if (isNext) $("results").append(...panels);
  else $("results").replaceChildren(...panels);
  next = answer.data.next;
  $("more").hidden = !next;
  const isFiltered = Object.values(values).some(Boolean);
  const shown = $("results").childElementCount;
  $("clear").hidden = shown > 0 || !isFiltered;
  $("status").className = "count";
  $("status").textContent = countText(shown, answer.data, values);
  // The button may be gone: the keyboard's place is the first new course.
  if (isNext) panels[0]?.querySelector("a").focus();
  const address = queryOf(values).toString();
  history.replaceState(null, "", address ? `?${address}` : location.pathname);
}

async function loadSubjects(selected) {
  const answer = await callCatalogue("GET", "/subjects");
  if (!answer?.ok) return;
  for (const subject of answer.data.subjects) {
    const option = textElement("option", "", `${subjectName(subject)} (${subject.courses})`);
    option.value = subject.id;
    $("subject").append(option);
  }
  $("subject").value = selected;
}

function schedule(event) {
  // A word of an input method isn't finished yet.
  if (event.isComposing) return;
  clearTimeout(timer);
  timer = setTimeout(load, DEBOUNCE_MS);
}

$("q").addEventListener("input", schedule);
$("q").addEventListener("compositionend", schedule);
$("language").addEventListener("change", () => load());
$("subject").addEventListener("change", () => load());
$("more").addEventListener("click", () => load({ isNext: true }));
$("again").addEventListener("click", () => load());
$("clear").addEventListener("click", () => {
  $("search").reset();
  $("q").focus();
  load();
});
$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  load();
});

const asked = new URLSearchParams(location.search);
$("q").value = asked.get("q") ?? "";
$("language").value = LANGUAGES.has(asked.get("language")) ? asked.get("language") : "";
const subject = asked.get("subject") ?? "";
if (subject) {
  await loadSubjects(subject);
  if ($("subject").selectedIndex < 0) $("subject").value = "";
} else {
  loadSubjects("");
}
load();
