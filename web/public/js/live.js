// The last hour of the collector, minute by minute, drawn anew every ten seconds.
import { $, call, complain, pause, say } from "./portal.js";

const MINUTES = 60;
const MINUTE_MS = 60_000;
const EVERY_MS = 10_000;
const SVG = "http://www.w3.org/2000/svg";

const spelled = (time) => new Date(time).toISOString().slice(0, 16);
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const number = new Intl.NumberFormat();

// A minute comes once for each shard of the stream.
function summed(minutes) {
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
  const sums = summed(minutes);
  const hour = Array.from({ length: MINUTES }, (_, index) => {
    const time = first + index * MINUTE_MS;
    return { time, ...(sums.get(spelled(time)) ?? { events: 0, bots: 0 }) };
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
    `Events by the minute since ${clock.format(first)}: ${total("events")}, at most ${busiest}`);
  $("as-of").textContent = `As of ${new Date().toLocaleTimeString()}. An event is here a minute or two after it happened.`;
}

async function look() {
  const now = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  const first = now - (MINUTES - 1) * MINUTE_MS;
  const answer = await call("GET", `/live?since=${encodeURIComponent(spelled(first))}`);
  if (!answer.ok) return complain($("live-said"), answer);
  say($("live-said"), "");
  draw(answer.data.minutes, first);
  return answer;
}

for (;;) {
  // Nobody looks at a page in the background.
  if (!document.hidden) {
    const answer = await look();
    await pause(1000 * (answer?.retryAfter ?? 0));
  }
  await pause(EVERY_MS);
}
