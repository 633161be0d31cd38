// Draws the collector's event counts of the last hour and updates them every ten seconds.
import { locale, t } from "./i18n.js";
import { $, call, pause, showError, showMessage } from "./portal.js";

const MINUTES = 60;
const MINUTE_MS = 60_000;
const INTERVAL_MS = 10_000;
const SVG = "http://www.w3.org/2000/svg";

const toMinute = (time) => new Date(time).toISOString().slice(0, 16);
const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short" });
const number = new Intl.NumberFormat();

// The API returns one entry for each minute and shard.
function sumByMinute(minutes) {
  const found = new Map();
  for (const { minute, events, bots } of minutes) {
    const sum = found.get(minute) ?? { events: 0, bots: 0 };
    found.set(minute, { events: sum.events + events, bots: sum.bots + bots });
  }
  return found;
}

function bar(index, share, words) {
  const rect = document.createElementNS(SVG, "rect");
  rect.setAttribute("class", "bar");
  rect.setAttribute("x", String(index + 0.1));
  rect.setAttribute("width", "0.8");
  rect.setAttribute("y", String(100 - 100 * share));
  rect.setAttribute("height", String(100 * share));
  const title = document.createElementNS(SVG, "title");
  title.textContent = words;
  rect.append(title);
  return rect;
}

function draw(minutes, first) {
  const sums = sumByMinute(minutes);
  const hour = Array.from({ length: MINUTES }, (_, index) => {
    const time = first + index * MINUTE_MS;
    return { time, ...(sums.get(toMinute(time)) ?? { events: 0, bots: 0 }) };
  });
  const busiest = Math.max(...hour.map((minute) => minute.events));
  const total = (name) => hour.reduce((sum, minute) => sum + minute[name], 0);
  $("events").textContent = number.format(total("events"));
  $("bots").textContent = number.format(total("bots"));
  $("busiest").textContent = number.format(busiest);
  $("from").textContent = clock.format(first);
  $("bars").replaceChildren(
    ...hour.map(({ time, events }, index) =>
      bar(index, busiest ? events / busiest : 0, `${clock.format(time)}: ${number.format(events)}`)),
  );
  $("bars").setAttribute("aria-label",
    t("Events per minute since {0}: {1} in total, {2} at peak", clock.format(first), total("events"), busiest));
  $("as-of").textContent = t("Updated at {0}. New events appear after one to two minutes.", new Date().toLocaleTimeString(locale));
}

async function refresh() {
  const now = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  const first = now - (MINUTES - 1) * MINUTE_MS;
  const answer = await call("GET", `/live?since=${encodeURIComponent(toMinute(first))}`);
  if (!answer.ok) return showError($("live-status"), answer);
  showMessage($("live-status"), "");
  draw(answer.data.minutes, first);
  return answer;
}

for (;;) {
  // Skip the update while the page is in the background.
  if (!document.hidden) {
    const answer = await refresh();
    await pause(1000 * (answer?.retryAfter ?? 0));
  }
  await pause(INTERVAL_MS);
}
