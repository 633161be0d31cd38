"""One function per SDK: it sends events of one visitor, and returns when its queue has ended."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Route, sync_playwright
from rudderstack.analytics import Client as RudderClient
from segment.analytics import Client as SegmentClient

from tests.support.paths import ROOT
from tools.setup import browser

HERE = Path(__file__).resolve().parent
INSTALLED = ROOT / ".meridian" / "sdk"
#: Node.js and npm come from PyPI, as everything else does.
NODE = ROOT / ".venv" / "bin" / "node"
NPM = ROOT / ".venv" / "bin" / "npm"
PACKAGES = (
    "@segment/analytics-node@3.1.0",
    "@segment/analytics-next@1.84.3",
    "@rudderstack/rudder-sdk-node@3.0.13",
    "@rudderstack/analytics-js@3.34.1",
)
ENDED_WITHIN_S = 60
#: Seconds without an answer after which a browser's SDK has nothing left to send.
QUIET_S = 4
#: A page that was made up lies in no address space, and may not ask one of the loopback's.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-features=LocalNetworkAccessChecks"]


class Task(NamedTuple):
    """What a sender is to do; `pause_s` lies between two events."""

    host: str
    key: str
    visitor: str
    events: int
    pause_s: float = 0.0


type Sender = Callable[[Task], None]


def install() -> None:
    """Fetch the SDKs of npm, once."""
    wanted = json.dumps(PACKAGES)
    marker = INSTALLED / "packages.json"
    if marker.exists() and marker.read_text() == wanted:
        return
    INSTALLED.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [NPM, "install", "--silent", "--no-audit", "--no-fund", "--prefix", INSTALLED, *PACKAGES],
        env={**os.environ, "PATH": f"{NODE.parent}:{os.environ['PATH']}"},
        check=True,
        timeout=240,
    )
    marker.write_text(wanted)


def python(client: Any, *, gzip: bool) -> Sender:
    """An SDK of PyPI."""

    def send(task: Task) -> None:
        sdk = client(task.key, host=task.host, gzip=gzip, on_error=lambda *_: None)
        for number in range(task.events):
            sdk.track(anonymous_id=task.visitor, event=f"Step {number}", properties={"n": number})
            time.sleep(task.pause_s)
        sdk.flush()
        sdk.join()

    return send


def node(program: str) -> Sender:
    """An SDK of npm, in a program beside this file."""

    def send(task: Task) -> None:
        given = {
            "host": task.host,
            "key": task.key,
            "visitor": task.visitor,
            "events": task.events,
            "pauseMs": task.pause_s * 1_000,
        }
        subprocess.run(
            [NODE, HERE / program, json.dumps(given)],
            env={**os.environ, "NODE_PATH": str(INSTALLED / "node_modules")},
            check=True,
            capture_output=True,
            timeout=ENDED_WITHIN_S,
        )

    return send


def page(script: str, text: str) -> Sender:
    """A browser's SDK: in Chromium, on a page of another origin than the collector's."""

    def send(task: Task) -> None:
        site = task.host.replace("localhost", "127.0.0.1")
        host = task.host.partition("//")[2]
        body = text
        for name, given in {"KEY": task.key, "URL": task.host, "HOST": host}.items():
            body = body.replace(f"${name}", given)

        def answer(route: Route) -> None:
            if route.request.url.endswith("/sdk.js"):
                route.fulfill(path=INSTALLED / "node_modules" / script)
            else:
                route.fulfill(body=body, content_type="text/html")

        with sync_playwright() as playwright:
            window = playwright.chromium.launch(executable_path=browser.found(), args=FLAGS)
            tab = window.new_page()
            heard = [time.monotonic()]
            tab.on("response", lambda _: heard.append(time.monotonic()))
            tab.route(f"{site}/**", answer)
            tab.goto(f"{site}/lesson")
            tab.wait_for_function("window.sdk !== undefined")
            for number in range(task.events):
                tab.evaluate("([who, n]) => window.step(who, n)", [task.visitor, number])
                tab.wait_for_timeout(task.pause_s * 1_000)
            # The SDK says nothing of the end of its queue: it is quiet for a while.
            while time.monotonic() < heard[-1] + QUIET_S:
                tab.wait_for_timeout(250)
            window.close()

    return send


SEGMENT_PAGE = """<!doctype html><title>A lesson</title><script src="/sdk.js"></script><script>
const endpoint = {apiHost: "$HOST/v1", protocol: "http"};
const sdk = AnalyticsNext.AnalyticsBrowser.load(
  {writeKey: "$KEY", cdnURL: "$URL"}, {integrations: {"Segment.io": endpoint}});
window.sdk = sdk;
window.step = (who, n) => { sdk.track(`Step ${n}`, {n}, {anonymousId: who}); };
</script>"""

RUDDER_PAGE = """<!doctype html><title>A lesson</title><script src="/sdk.js"></script><script>
const sdk = new rudderanalytics.RudderAnalytics();
sdk.load("$KEY", "$URL", {configUrl: "$URL"});
window.sdk = sdk;
window.step = (who, n) => { sdk.setAnonymousId(who); sdk.track(`Step ${n}`, {n}); };
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
    "@segment/analytics-next": page("@segment/analytics-next/dist/umd/index.js", SEGMENT_PAGE),
    "@rudderstack/analytics-js": page(
        "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js", RUDDER_PAGE
    ),
}
