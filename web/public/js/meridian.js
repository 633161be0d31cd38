// Sends page views, web vitals and events to the collector of the site that serves this file, in
// batches of Segment's HTTP API. It sets no cookie. docs/sdks.md describes it ("Script tag").
(() => {
  "use strict";
  if (window.meridian?.push && !Array.isArray(window.meridian)) return; // included twice
  const script = document.currentScript;
  const LIBRARY = { name: "meridian.js", version: "1.0.0" };
  const ID_KEY = "meridian-visitor";
  const DELAY_MS = 1_000;
  const FIRST_RETRY_MS = 1_000;
  const MAX_RETRY_MS = 300_000;
  const MAX_EVENTS = 500;
  // Fetch Standard: the bodies of all requests with `keepalive`, and of beacons, have 64 KiB.
  const MAX_BODY_BYTES = 60_000;

  let options = null;
  let answer = null; // the visitor's consent by category; null before an answer
  let queue = [];
  let timer = 0;
  let sending = false;
  let failures = 0;
  let retryAt = 0;
  let visitor = null;
  let user = {};
  let seen = null; // path of the last page view
  let previous = ""; // address of the page before

  const optsOut = () => navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";
  const denied = () => optsOut() || (answer !== null && !Object.values(answer).includes(true));
  const permitted = () =>
    options !== null && !denied() && (answer !== null || options.consent !== "required");
  const newId = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (it) => it.toString(16).padStart(2, "0")).join("");

  // --- the visitor's id ----------------------------------------------------------------------

  // Reading the property fails if the browser blocks storage.
  function stored(use) {
    try {
      return options.storage === "none" ? null : use(window[`${options.storage}Storage`]);
    } catch {
      return null;
    }
  }

  function anonymousId() {
    if (visitor === null) {
      visitor = stored((it) => it.getItem(ID_KEY)) || newId();
      stored((it) => it.setItem(ID_KEY, visitor));
    }
    return visitor;
  }

  function forget() {
    visitor = null;
    user = {};
    if (options) stored((it) => it.removeItem(ID_KEY));
  }

  // --- events --------------------------------------------------------------------------------

  // Without user, query and fragment, which can contain personal data.
  function addressOf(text) {
    try {
      const { origin, pathname } = new URL(text);
      return origin === "null" ? "" : origin + pathname;
    } catch {
      return "";
    }
  }

  function pageFacts() {
    return {
      path: location.pathname, url: addressOf(location.href), referrer: previous, title: document.title,
    };
  }

  function campaign() {
    const found = {};
    for (const [name, value] of new URLSearchParams(location.search)) {
      if (name.startsWith("utm_")) found[name === "utm_campaign" ? "name" : name.slice(4)] = value;
    }
    return Object.keys(found).length ? { campaign: found } : {};
  }

  function add(type, fields) {
    if (denied()) return;
    const context = { page: pageFacts(), locale: navigator.language, library: LIBRARY, ...campaign() };
    const identity = permitted() ? { anonymousId: anonymousId(), ...user } : user;
    const timestamp = new Date().toISOString();
    queue.push({ type, messageId: newId(), timestamp, ...identity, ...fields, context });
    if (queue.length > MAX_EVENTS) queue.shift();
    schedule(DELAY_MS);
  }

  function page(name, properties) {
    add("page", { name: name ?? document.title, properties: { ...pageFacts(), ...properties } });
  }

  // --- sending -------------------------------------------------------------------------------

  function schedule(delay) {
    if (timer === 0) timer = setTimeout(flush, Math.max(delay, retryAt - Date.now()));
  }

  // Removes events from the queue. Returns them and the body of their request.
  function takeBatch() {
    const events = [];
    const texts = [];
    const consent = answer ? { consent: { categoryPreferences: answer } } : {};
    let size = 1_000;
    while (queue.length) {
      const { context, ...rest } = queue[0];
      const event = { anonymousId: anonymousId(), ...rest, context: { ...context, ...consent } };
      const text = JSON.stringify(event);
      size += new Blob([text]).size;
      if (texts.length && size > MAX_BODY_BYTES) break;
      texts.push(text);
      events.push(queue.shift());
    }
    const head = JSON.stringify({ writeKey: options.writeKey, sentAt: new Date().toISOString() });
    // A text is sent as text/plain, which needs no preflight.
    return { events, body: `${head.slice(0, -1)},"batch":[${texts.join(",")}]}`, small: size <= MAX_BODY_BYTES };
  }

  async function post(body, keepalive) {
    try {
      const url = `${options.host}/v1/batch`;
      const { status, headers } = await fetch(url, { method: "POST", body, keepalive, credentials: "omit" });
      if (status !== 429 && status < 500) return 0;
      const seconds = Number(headers.get("Retry-After"));
      if (seconds > 0) return seconds * 1_000;
    } catch {
      // No network, or a blocked request.
    }
    return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** failures) * (0.5 + Math.random() / 2);
  }

  async function flush() {
    clearTimeout(timer);
    timer = 0;
    if (sending || !queue.length || !permitted()) return;
    if (Date.now() < retryAt) return schedule(0);
    const { events, body, small } = takeBatch();
    sending = true;
    const wait = await post(body, small);
    sending = false;
    failures = wait ? failures + 1 : 0;
    retryAt = wait ? Date.now() + wait : 0;
    // The lake drops a second copy by its messageId.
    if (wait && !denied()) queue = [...events, ...queue].slice(0, MAX_EVENTS);
    if (queue.length) schedule(0);
  }

  // The page may not return. If the collector has failed, the events also stay in the queue.
  function leave() {
    viewed();
    reportVitals();
    if (!permitted()) return;
    const waiting = queue;
    let kept = failures ? waiting : [];
    queue = [...waiting];
    while (queue.length) {
      const { events, body } = takeBatch();
      if (!navigator.sendBeacon(`${options.host}/beacon/v1/batch`, body)) {
        kept = failures ? waiting : [...kept, ...events];
      }
    }
    queue = kept;
    if (queue.length) schedule(DELAY_MS);
  }

  // --- page views ----------------------------------------------------------------------------

  function viewed() {
    if (options?.pages === false || seen === null || seen.path === location.pathname) return;
    if (seen.url) previous = seen.url;
    seen = { path: location.pathname, url: addressOf(location.href) };
    page();
  }

  function watchHistory() {
    // After the page's own code, which sets the title. Two changes at once are one view.
    const later = () => setTimeout(viewed);
    for (const name of ["pushState", "replaceState"]) {
      const original = history[name];
      history[name] = function (...values) {
        original.apply(this, values);
        later();
      };
    }
    addEventListener("popstate", later);
    addEventListener("pageshow", ({ persisted }) => {
      if (!persisted) return;
      seen = {};
      viewed();
    });
  }

  // --- web vitals ----------------------------------------------------------------------------

  const vitals = {};
  const longest = new Map(); // interaction: its duration in milliseconds
  const observers = [];
  let shifts = { sum: 0, first: 0, last: 0 };

  function observe(type, report, settings) {
    try {
      const observer = new PerformanceObserver((list) => list.getEntries().forEach(report));
      observer.observe({ type, buffered: true, ...settings });
      observers.push([observer, report]);
    } catch {
      // The browser doesn't measure it.
    }
  }

  function watchVitals() {
    const navigation = performance.getEntriesByType("navigation")[0];
    const start = navigation?.activationStart ?? 0;
    const since = (time) => Math.max(0, Math.round(time - start));
    if (navigation) vitals.ttfb = since(navigation.responseStart);
    // A page that was loaded in the background has no meaningful times.
    if (document.visibilityState === "visible") {
      observe("paint", (it) => {
        if (it.name === "first-contentful-paint") vitals.fcp = since(it.startTime);
      });
      observe("largest-contentful-paint", (it) => { vitals.lcp = since(it.startTime); });
    }
    // web.dev, "CLS": the largest window of shifts less than 1 s apart, of at most 5 s.
    vitals.cls = 0;
    observe("layout-shift", ({ hadRecentInput, startTime, value }) => {
      if (hadRecentInput) return;
      const continues = startTime - shifts.last < 1_000 && startTime - shifts.first < 5_000;
      shifts = continues
        ? { ...shifts, sum: shifts.sum + value, last: startTime }
        : { sum: value, first: startTime, last: startTime };
      vitals.cls = Math.max(vitals.cls, Math.round(shifts.sum * 10_000) / 10_000);
    });
    // web.dev, "INP": the longest interaction, without one of each 50.
    observe("event", ({ interactionId, duration }) => {
      if (!interactionId) return;
      longest.set(interactionId, Math.max(duration, longest.get(interactionId) ?? 0));
    }, { durationThreshold: 16 });
  }

  // Once for each page, when it is hidden for the first time.
  function reportVitals() {
    if (!observers.length) return;
    for (const [observer, report] of observers.splice(0)) {
      observer.takeRecords().forEach(report);
      observer.disconnect();
    }
    const durations = [...longest.values()].sort((a, b) => b - a);
    if (durations.length) vitals.inp = Math.round(durations[Math.floor(durations.length / 50)]);
    api.track("Web Vitals", vitals);
  }

  // --- interface -----------------------------------------------------------------------------

  function start() {
    previous = addressOf(document.referrer);
    seen = {};
    watchHistory();
    viewed();
    if (options.vitals !== false) watchVitals();
    addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") leave(); });
    addEventListener("pagehide", leave);
    if (queue.length) schedule(DELAY_MS);
  }

  const api = {
    init(given) {
      if (options || !given?.writeKey) return;
      const host = script ? new URL(script.src).origin : location.origin;
      options = { host, storage: "session", ...given };
      // The id of an earlier visit can be stored.
      if (denied()) forget();
      if (optsOut()) return;
      if (document.prerendering) document.addEventListener("prerenderingchange", start, { once: true });
      else start();
    },
    consent(categories) {
      answer = { ...categories };
      if (!denied()) return schedule(0);
      queue = [];
      forget();
    },
    page,
    track: (event, properties) => add("track", { event, properties: { ...properties } }),
    identify(userId, traits) {
      user = { userId };
      add("identify", { traits: { ...traits } });
    },
    group: (groupId, traits) => add("group", { groupId, traits: { ...traits } }),
    reset: forget,
    flush,
  };
  const push = (...calls) => calls.forEach(([name, ...values]) => api[name]?.(...values));
  const early = window.meridian ?? [];
  window.meridian = { ...api, push };
  push(...early);
  const { writeKey, consent, storage = "session", vitals: measured, pages } = script?.dataset ?? {};
  api.init({ writeKey, consent, storage, vitals: measured !== "off", pages: pages !== "off" });
})();
