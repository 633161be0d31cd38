// Segment's Node SDK, as npm has it: some events, with pauses between, and the end of the queue.
const { Analytics } = require("@segment/analytics-node");
const { setTimeout: pause } = require("node:timers/promises");

const { host, key, visitor, events, pauseMs } = JSON.parse(process.argv[2]);

(async () => {
  const sdk = new Analytics({ host, writeKey: key, flushInterval: 500, maxRetries: 10 });
  // What is told as an error is counted from outside; unheard, it would end the process.
  sdk.on("error", () => {});
  for (let n = 0; n < events; n += 1) {
    sdk.track({ anonymousId: visitor, event: `Step ${n}`, properties: { n } });
    await pause(pauseMs);
  }
  await sdk.closeAndFlush({ timeout: 40_000 });
})();
