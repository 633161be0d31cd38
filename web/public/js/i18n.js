// The visitor's language. Pages and scripts are in English; a catalogue of /lang/ maps English texts to
// those of another language, and is loaded only if the visitor has chosen it. Pages for staff stay English.

/** Languages by their tag, with their own names. */
export const LANGUAGES = new Map([["en", "English"], ["hi", "हिन्दी"], ["vi", "Tiếng Việt"]]);

const KEY = "language";
const isTranslated = document.documentElement.hasAttribute("data-translated");
let catalogue = {};

// Without storage, the browser's languages decide on each page.
function savedLanguage() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function chosenLanguage() {
  const wanted = [savedLanguage(), ...navigator.languages.map((tag) => tag.split("-")[0])];
  return wanted.find((tag) => LANGUAGES.has(tag)) ?? "en";
}

/** Remembers a language; the next page has it. */
export function saveLanguage(tag) {
  try {
    localStorage.setItem(KEY, tag);
  } catch {
    // The browser's languages decide again.
  }
}

async function load(tag) {
  const answer = await fetch(new URL(`../lang/${tag}.json`, import.meta.url)).catch(() => null);
  if (!answer?.ok) return false;
  catalogue = await answer.json();
  return true;
}

/** Returns an English text in the visitor's language; {0}, {1} and so on stand for the values. */
export function t(text, ...values) {
  return (catalogue[text] ?? text).replace(/\{(\d)\}/g, (_, index) => values[index]);
}

// --- the page's own texts ----------------------------------------------------------------------

const ATTRIBUTES = ["alt", "aria-label", "placeholder"];
const IGNORED = "script, style, noscript, code, [translate=no], body [lang]";
const isText = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "";

// A message is an element's children from its first to its last text; {0} is an element between.
function translateMessage(element) {
  const nodes = [...element.childNodes];
  const first = nodes.findIndex(isText);
  if (first < 0) return;
  const message = nodes.slice(first, nodes.findLastIndex(isText) + 1);
  const inner = message.filter((node) => node.nodeType === Node.ELEMENT_NODE);
  const key = message.map((node) => (inner.includes(node) ? `{${inner.indexOf(node)}}` : node.data)).join("");
  const translated = catalogue[key.replace(/\s+/g, " ").trim()];
  if (!translated) return;
  const [before] = key.match(/^\s*/);
  const [after] = key.match(/\s*$/);
  const parts = translated.split(/\{(\d)\}/).map((part, index) => (index % 2 ? inner[part] : part));
  const rest = message.at(-1).nextSibling;
  for (const node of message) node.remove();
  for (const part of [before, ...parts, after]) {
    element.insertBefore(typeof part === "string" ? document.createTextNode(part) : part, rest);
  }
}

function translatePage() {
  for (const element of [...document.querySelectorAll("title, body, body *")]) {
    if (element.closest(IGNORED)) continue;
    for (const name of ATTRIBUTES) {
      const translated = catalogue[element.getAttribute(name)];
      if (translated) element.setAttribute(name, translated);
    }
    translateMessage(element);
  }
}

// --- the choice --------------------------------------------------------------------------------

function languageButton([tag, name], current) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "second";
  button.lang = tag;
  button.textContent = name;
  button.setAttribute("aria-pressed", String(tag === current));
  button.addEventListener("click", () => {
    saveLanguage(tag);
    location.reload();
  });
  return button;
}

function offerLanguages(current) {
  const section = document.createElement("section");
  section.id = "languages";
  section.setAttribute("aria-label", t("Language of this site"));
  const row = document.createElement("div");
  row.className = "buttons";
  row.append(...[...LANGUAGES].map((entry) => languageButton(entry, current)));
  section.append(row);
  document.querySelector("footer").prepend(section);
}

/** The tag of the page's language. */
export const language = isTranslated ? chosenLanguage() : "en";
/** The locale for dates and numbers: in English, that of the browser. */
export const locale = language === "en" ? undefined : language;

if (language !== "en" && (await load(language))) {
  document.documentElement.lang = language;
  translatePage();
}
if (isTranslated) {
  offerLanguages(document.documentElement.lang);
  // A redirect keeps the fragment, so the sign-in pages of a local system have the language, too.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="/auth/sign-in"]');
    if (link) link.hash = `lang=${language}`;
  });
}
