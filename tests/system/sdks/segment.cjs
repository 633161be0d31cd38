// Sends events with Segment's Node.js SDK or a fork of it, then closes it.
const { setTimeout: pause } = require("node:timers/promises");

const { host, writeKey, visitor, events, pauseMs, textBytes, name, options } = JSON.parse(process.argv[2]);
const { Analytics } = require(name);

(async () => {
  const sdk = new Analytics({ host, writeKey, flushInterval: 500, maxRetries: 10, ...options });
  // The recorder counts failed requests. Without a handler an error would end the process.
  sdk.on("error", () => {});
  const text = "x".repeat(textBytes);
  for (let n = 0; n < events; n += 1) {
    sdk.track({ anonymousId: visitor, event: `Step ${n}`, properties: { n, text } });
    await pause(pauseMs);
  }
  await sdk.closeAndFlush({ timeout: 40_000 });
})();
