// Sends events with Segment's earlier Node.js SDK, then flushes it.
const Analytics = require("analytics-node");
const { setTimeout: pause } = require("node:timers/promises");

const { host, writeKey, visitor, events, pauseMs, textBytes, options } = JSON.parse(process.argv[2]);

(async () => {
  // The recorder counts failed requests. Without a handler an error would end the process.
  const errorHandler = () => {};
  const sdk = new Analytics(writeKey, { host, flushInterval: 500, errorHandler, ...options });
  const text = "x".repeat(textBytes);
  for (let n = 0; n < events; n += 1) {
    try {
      sdk.track({ anonymousId: visitor, event: `Step ${n}`, properties: { n, text } });
    } catch (error) {
      // An assertion of the SDK: "Your message must be < 32kb."
      if (!error.message.includes("32kb")) throw error;
    }
    await pause(pauseMs);
  }
  await sdk.flush();
})();
