// Sends events with RudderStack's Node.js SDK, then waits until each event's callback has run.
const RudderAnalytics = require("@rudderstack/rudder-sdk-node");
const { setTimeout: pause } = require("node:timers/promises");

const { host, writeKey, visitor, events, pauseMs, textBytes, options: more } = JSON.parse(process.argv[2]);

(async () => {
  // The recorder counts failed requests. Without a handler an error would end the process.
  const errorHandler = () => {};
  const options = { dataPlaneUrl: host, flushInterval: 500, retryCount: 6, errorHandler, ...more };
  const sdk = new RudderAnalytics(writeKey, options);
  const callbacks = [];
  const text = "x".repeat(textBytes);
  for (let n = 0; n < events; n += 1) {
    callbacks.push(new Promise((done) => {
      sdk.track({ anonymousId: visitor, event: `Step ${n}`, properties: { n, text } }, done);
    }));
    await pause(pauseMs);
  }
  sdk.flush();
  await Promise.all(callbacks);
  process.exit(0);
})();
