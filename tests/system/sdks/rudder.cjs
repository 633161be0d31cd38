// RudderStack's Node SDK, as npm has it: some events, with pauses between, and the end of the queue.
const RudderAnalytics = require("@rudderstack/rudder-sdk-node");
const { setTimeout: pause } = require("node:timers/promises");

const { host, key, visitor, events, pauseMs } = JSON.parse(process.argv[2]);

(async () => {
  // What is told as an error is counted from outside; unheard, it would end the process.
  const errorHandler = () => {};
  const options = { dataPlaneUrl: host, flushInterval: 500, retryCount: 6, errorHandler };
  const sdk = new RudderAnalytics(key, options);
  const told = [];
  for (let n = 0; n < events; n += 1) {
    told.push(new Promise((done) => {
      sdk.track({ anonymousId: visitor, event: `Step ${n}`, properties: { n } }, done);
    }));
    await pause(pauseMs);
  }
  sdk.flush();
  await Promise.all(told);
  process.exit(0);
})();
