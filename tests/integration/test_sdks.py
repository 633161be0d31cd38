"""Analytics SDKs as they come from their makers, pointed at the running system."""

import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright
from rudderstack.analytics import Client as RudderClient
from segment.analytics import Client as SegmentClient

from local import browser, system
from tests.conftest import ROOT
from tests.integration.test_journey import stored

pytestmark = pytest.mark.integration

EVENTS = 30
#: A page that was made up lies in no address space, and may not ask one of the loopback's.
FLAGS = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]
BROWSER_SDK = "@segment/analytics-next@1.84.3"


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("client", [SegmentClient, RudderClient])
def test_a_server_side_sdk(
    client: Any, gzip: bool, meridian: system.System, tmp_path: Path
) -> None:
    visitor = str(uuid.uuid4())
    errors: list[object] = []
    sdk = client(
        meridian.deployed.write_key,
        host=meridian.url,
        gzip=gzip,
        on_error=lambda error, _items: errors.append(error),
        max_retries=1,
    )
    for number in range(EVENTS):
        sdk.track(anonymous_id=visitor, event=f"Step {number}", properties={"n": number})
    sdk.flush()
    sdk.join()
    assert errors == []
    rows = stored(meridian, f"anonymous_id = '{visitor}'", EVENTS, tmp_path)
    assert [row["verdict"] for row in rows] == ["good"] * EVENTS
    assert {row["event"] for row in rows} == {f"Step {number}" for number in range(EVENTS)}


@pytest.fixture(scope="module")
def browser_sdk() -> str:
    """The script of Segment's browser SDK, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("NO NPM ON THIS MACHINE: THE BROWSER SDK WAS NOT RUN")
    folder = ROOT / ".meridian" / "sdk"
    script = folder / "node_modules/@segment/analytics-next/dist/umd/index.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", BROWSER_SDK]
        subprocess.run(command, cwd=folder, check=True, timeout=240)
    return script.read_text()


PAGE = """<!doctype html><title>A lesson</title><script src="/sdk.js"></script><script>
const endpoint = {{apiHost: "{host}/v1", protocol: "http"}};
window.sdk = AnalyticsNext.AnalyticsBrowser.load(
  {{writeKey: "{key}", cdnURL: "{url}"}}, {{integrations: {{"Segment.io": endpoint}}}});
window.done = Promise.all([
  sdk.page("Lesson"), sdk.track("Opened", {{advisor: "अनु"}}), sdk.identify("u-7")]);
</script>"""


def test_a_browser_sdk(meridian: system.System, browser_sdk: str, tmp_path: Path) -> None:
    chromium = browser.found()
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("NO CHROMIUM ON THIS MACHINE")
        pytest.skip("NO CHROMIUM ON THIS MACHINE: THE BROWSER SDK WAS NOT RUN")
    host = meridian.url.partition("//")[2]
    # Another origin than the collector's, so that the browser asks for permission first.
    site = meridian.url.replace("localhost", "127.0.0.1")
    text = PAGE.format(key=meridian.deployed.write_key, url=meridian.url, host=host)
    with sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = window.new_page()
        page.route(f"{site}/lesson", lambda it: it.fulfill(body=text, content_type="text/html"))
        page.route(f"{site}/sdk.js", lambda it: it.fulfill(body=browser_sdk))
        answers: list[tuple[str, int]] = []
        page.on("response", lambda it: answers.append((it.url.partition("/v1/")[2], it.status)))
        page.goto(f"{site}/lesson")
        page.wait_for_function("window.done.then(() => true)", timeout=20_000)
        visitor = page.evaluate("sdk.user().then(user => user.anonymousId())")
        page.wait_for_timeout(1_500)
        window.close()
    sent = [status for path, status in answers if len(path) == 1]
    assert sent == [200, 200, 200], answers
    rows = stored(meridian, f"anonymous_id = '{visitor}'", 3, tmp_path)
    assert sorted((row["type"], row["verdict"]) for row in rows) == [
        ("identify", "good"),
        ("page", "good"),
        ("track", "good"),
    ]
