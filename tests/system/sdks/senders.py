"""One function per SDK: send the events of one visitor, and return when the queue is empty."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from playwright.sync_api import Request, Route, sync_playwright
from rudderstack.analytics import Client as RudderClient
from segment.analytics import Client as SegmentClient

from tests.support.paths import ROOT
from tests.support.running import exclusive
from tools.setup import browser

HERE = Path(__file__).resolve().parent
INSTALLED = ROOT / ".meridian" / "sdk"
#: Node.js and npm are installed from PyPI.
NODE = ROOT / ".venv" / "bin" / "node"
NPM = ROOT / ".venv" / "bin" / "npm"
PACKAGES = (
    "@segment/analytics-node@3.1.0",
    "@segment/analytics-next@1.84.3",
    "@rudderstack/rudder-sdk-node@3.0.13",
    "@rudderstack/analytics-js@3.34.1",
    "analytics-node@6.2.0",
    "@customerio/cdp-analytics-node@0.5.9",
    "rudder-sdk-js@2.52.21",
    "@ht-sdks/events-sdk-js-browser@1.5.1",
)
TIMEOUT_S: Final = 240
#: A browser SDK has sent all its events after this time without a request.
QUIET_S: Final = 4
#: A request without an end after this time got no response.
OPEN_S: Final = 30
#: The intercepted page has no address space, so Chromium would block its requests to loopback.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-features=LocalNetworkAccessChecks"]


class Task(NamedTuple):
    """The collector's URL, the number of events, and the pause between them.

    Each event has a property with `text_bytes` characters.
    """

    host: str
    write_key: str
    visitor: str
    events: int
    pause_s: float = 0.0
    text_bytes: int = 0


type Sender = Callable[[Task], None]


def install() -> None:
    """Install the npm packages, unless this version of the list is installed."""
    wanted = json.dumps(PACKAGES)
    marker = INSTALLED / "packages.json"
    with exclusive(INSTALLED):
        if marker.exists() and marker.read_text() == wanted:
            return
        options = ("--silent", "--no-audit", "--no-fund", "--prefix", INSTALLED)
        subprocess.run(
            [NPM, "install", *options, *PACKAGES],
            env={**os.environ, "PATH": f"{NODE.parent}:{os.environ['PATH']}"},
            check=True,
            timeout=240,
        )
        marker.write_text(wanted)


def python(client: Any, **options: Any) -> Sender:
    """Return a sender for a Python SDK with options of its client."""

    def send(task: Task) -> None:
        sdk = client(task.write_key, host=task.host, on_error=lambda *_: None, **options)
        for number in range(task.events):
            properties = {"n": number, "text": "x" * task.text_bytes}
            # The SDK raises an error for an event over its own limit.
            with suppress(RuntimeError):
                sdk.track(anonymous_id=task.visitor, event=f"Step {number}", properties=properties)
            time.sleep(task.pause_s)
        # In this mode, the SDK has no queue.
        if not options.get("sync_mode"):
            sdk.flush()
            sdk.join()

    return send


def node(program: str, name: str = "@segment/analytics-node", **options: Any) -> Sender:
    """Return a sender for a Node.js SDK with options; `program` is a file in this folder."""

    def send(task: Task) -> None:
        arguments = {
            "host": task.host,
            "writeKey": task.write_key,
            "visitor": task.visitor,
            "events": task.events,
            "pauseMs": task.pause_s * 1_000,
            "textBytes": task.text_bytes,
            "name": name,
            "options": options,
        }
        subprocess.run(
            [NODE, HERE / program, json.dumps(arguments)],
            env={**os.environ, "NODE_PATH": str(INSTALLED / "node_modules")},
            check=True,
            capture_output=True,
            timeout=TIMEOUT_S,
        )

    return send


def page(script: str, html: str, **options: Any) -> Sender:
    """Return a sender for a browser SDK, in Chromium on a page of another origin."""

    def send(task: Task) -> None:
        site = task.host.replace("localhost", "127.0.0.1")
        host = task.host.partition("//")[2]
        body = html
        values = {"KEY": task.write_key, "URL": task.host, "HOST": host}
        for name, value in (values | {"OPTIONS": json.dumps(options)}).items():
            body = body.replace(f"${name}", value)

        def fulfill(route: Route) -> None:
            if route.request.url.endswith("/sdk.js"):
                route.fulfill(path=INSTALLED / "node_modules" / script)
            else:
                route.fulfill(body=body, content_type="text/html")

        with sync_playwright() as playwright:
            window = playwright.chromium.launch(executable_path=browser.find_chromium(), args=FLAGS)
            tab = window.new_page()
            tab.set_default_timeout(TIMEOUT_S * 1_000)
            open_requests: list[Request] = []
            ended = [time.monotonic()]

            def end(request: Request) -> None:
                if request in open_requests:
                    open_requests.remove(request)
                ended.append(time.monotonic())

            # A lambda, because Playwright can't wrap a built-in method.
            tab.on("request", lambda request: open_requests.append(request))
            tab.on("requestfinished", end)
            tab.on("requestfailed", end)
            tab.route(f"{site}/**", fulfill)
            tab.goto(f"{site}/lesson")
            tab.wait_for_function("window.sdk !== undefined")
            for number in range(task.events):
                tab.evaluate(
                    "([visitor, n, bytes]) => window.step(visitor, n, 'x'.repeat(bytes))",
                    [task.visitor, number, task.text_bytes],
                )
                tab.wait_for_timeout(task.pause_s * 1_000)
            # The SDK doesn't report an empty queue, so wait until it sends no more requests.
            # Chromium reports no end of some requests, for example of beacons.
            while time.monotonic() < ended[-1] + (OPEN_S if open_requests else QUIET_S):
                tab.wait_for_timeout(250)
            window.close()

    return send


SEGMENT_SCRIPT: Final = "@segment/analytics-next/dist/umd/index.js"
HIGHTOUCH_SCRIPT: Final = "@ht-sdks/events-sdk-js-browser/dist/umd/index.js"
EARLIER_RUDDER_SCRIPT: Final = "rudder-sdk-js/dist/npm/index.js"
RUDDER_SCRIPT: Final = "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js"

SEGMENT_PAGE = """<!doctype html><title>A lesson</title><script src="/sdk.js"></script><script>
const endpoint = {apiHost: "$HOST/v1", protocol: "http", ...$OPTIONS};
const sdk = AnalyticsNext.AnalyticsBrowser.load(
  {writeKey: "$KEY", cdnURL: "$URL"}, {integrations: {"Segment.io": endpoint}});
window.sdk = sdk;
window.step = (visitor, n, text) => {
  sdk.track(`Step ${n}`, {n, text}, {anonymousId: visitor});
};
</script>"""

HIGHTOUCH_PAGE = """<!doctype html><title>A lesson</title><script src="/sdk.js"></script><script>
const sdk = HtEvents.HtEventsBrowser.load(
  {writeKey: "$KEY"}, {apiHost: "$HOST", protocol: "http", ...$OPTIONS});
window.sdk = sdk;
window.step = (visitor, n, text) => {
  sdk.track(`Step ${n}`, {n, text}, {anonymousId: visitor});
};
</script>"""

RUDDER_PAGE = """<!doctype html><title>A lesson</title><script src="/sdk.js"></script><script>
const sdk = new rudderanalytics.RudderAnalytics();
sdk.load("$KEY", "$URL", {configUrl: "$URL", ...$OPTIONS});
window.sdk = sdk;
window.step = (visitor, n, text) => {
  sdk.setAnonymousId(visitor);
  sdk.track(`Step ${n}`, {n, text});
};
</script>"""

EARLIER_RUDDER_PAGE = """<!doctype html><title>A lesson</title>
<script src="/sdk.js"></script><script>
const sdk = rudderanalytics;
sdk.load("$KEY", "$URL", {configUrl: "$URL", ...$OPTIONS});
window.sdk = sdk;
window.step = (visitor, n, text) => {
  sdk.setAnonymousId(visitor);
  sdk.track(`Step ${n}`, {n, text});
};
</script>"""

SENDERS: dict[str, Sender] = {
    "segment-analytics-python": python(SegmentClient, gzip=False),
    "segment-analytics-python, gzip": python(SegmentClient, gzip=True),
    "rudder-sdk-python": python(RudderClient, gzip=False),
    "rudder-sdk-python, gzip": python(RudderClient, gzip=True),
    "@segment/analytics-node": node("segment.cjs"),
    "@rudderstack/rudder-sdk-node": node("rudder.cjs"),
}
BROWSERS: dict[str, Sender] = {
    "@segment/analytics-next": page(SEGMENT_SCRIPT, SEGMENT_PAGE),
    "@rudderstack/analytics-js": page(RUDDER_SCRIPT, RUDDER_PAGE),
}
#: Earlier SDKs and forks.
FURTHER: dict[str, Sender] = {
    "analytics-node": node("legacy-segment.cjs"),
    "@customerio/cdp-analytics-node": node("segment.cjs", "@customerio/cdp-analytics-node"),
}
FURTHER_BROWSERS: dict[str, Sender] = {
    "rudder-sdk-js": page(EARLIER_RUDDER_SCRIPT, EARLIER_RUDDER_PAGE),
    "@ht-sdks/events-sdk-js-browser": page(HIGHTOUCH_SCRIPT, HIGHTOUCH_PAGE),
}
ALL: Final = SENDERS | BROWSERS | FURTHER | FURTHER_BROWSERS
