// The language of a sign-in page: the one that the application's link names in its fragment (#lang=hi),
// the one that was chosen here, or the browser's. A cookie remembers it for the next page.
(() => {
  const TEXTS = __TEXTS__;
  const NAMES = { en: "English", hi: "हिन्दी", vi: "Tiếng Việt" };
  const YEAR_S = 31536000;
  const main = document.querySelector("main");
  const english = new Map();

  function wantedLanguage() {
    const named = location.hash.match(/^#lang=(\w+)$/)?.[1];
    if (named in NAMES) remember(named);
    const chosen = document.cookie.match(/(?:^|; )lang=(\w+)/)?.[1];
    const tags = [chosen, ...navigator.languages.map((tag) => tag.split("-")[0])];
    return tags.find((tag) => tag in NAMES) ?? "en";
  }

  function remember(language) {
    document.cookie = `lang=${language}; path=/; max-age=${YEAR_S}; samesite=lax`;
  }

  // {0} stands for a value within a text.
  function translated(text, texts) {
    if (text in texts) return texts[text];
    for (const [message, translation] of Object.entries(texts)) {
      const [before, after] = message.split("{0}");
      if (after === undefined || !text.startsWith(before) || !text.endsWith(after)) continue;
      const value = text.slice(before.length, text.length - after.length);
      return translation.replace("{0}", () => value);
    }
    return text;
  }

  function apply(language) {
    const texts = TEXTS[language] ?? {};
    document.documentElement.lang = language;
    for (const [node, text] of english) node.data = translated(text, texts);
    row.setAttribute("aria-label", translated("Language of this page", texts));
    for (const button of row.children) {
      button.setAttribute("aria-pressed", String(button.lang === language));
    }
  }

  for (const root of [document.querySelector("title"), main]) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      const text = node.data.trim();
      if (text && !node.parentElement.closest("script")) english.set(node, text);
    }
  }
  const row = document.createElement("div");
  row.id = "languages";
  row.setAttribute("role", "group");
  for (const [tag, name] of Object.entries(NAMES)) {
    const button = document.createElement("button");
    button.type = "button";
    button.lang = tag;
    button.textContent = name;
    button.addEventListener("click", () => {
      remember(tag);
      apply(tag);
    });
    row.append(button);
  }
  main.append(row);
  apply(wantedLanguage());
})();
