"""States of the operators' page that a running system rarely has, with given API answers."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.support.axe import violations
from tests.support.portal_pages import ORIGIN, serve
from tests.system.portal.test_journey import assert_fits

pytestmark = pytest.mark.browser

VIEWPORT: Final[ViewportSize] = {"width": 1280, "height": 800}
HOME, FURTHER = "eu-west-2", "ap-south-1"
PLACES: Final = [
    {"place": "home", "regionName": HOME},
    {"place": "further-1", "regionName": FURTHER},
]
METRICS: Final = (
    *("requests", "refused", "failed", "latency", "records", "bytes", "batches", "batchErrors"),
    *("lag", "good", "bad", "duplicate", "objects", "written", "conservation", "accounts"),
    *("accountErrors", "workflows", "workflowErrors", "emails", "emailErrors", "sent"),
    *("delivered", "bounced", "complained"),
)
type Answer = tuple[int, Mapping[str, Any]]
LOST: Final[Answer] = (504, {"code": "unavailable"})


def alarm(name: str, state: str) -> dict[str, Any]:
    text = "Batches fail. Runbook: docs/runbook.md#failed-batches"
    return {
        "name": name, "state": state, "description": text, "reason": "1 > 0",
        "changedAt": int(time.time()),
    }  # fmt: skip


@dataclass
class Api:
    """The answers of the operators' operations."""

    counts: dict[str, float] = field(default_factory=dict)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    #: Places that don't answer, and those whose alarms can't be read.
    lost: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)

    def answer(self, method: str, path: str, sent: Any) -> Answer:
        """Answer one request."""
        if path == "/operator/regions":
            return 200, {"places": PLACES}
        if match := re.match(r"/operator/flow/([a-z0-9-]+)\?", path):
            return LOST if match[1] in self.lost else (200, self.flow(match[1]))
        if match := re.match(r"/operator/alarms/([a-z0-9-]+)", path):
            region = "us-east-1" if match[1] == "edge" else self.name(match[1])
            alarms = self.alarms if match[1] == "home" else []
            unread = match[1] in self.unread
            return LOST if unread else (200, {"regionName": region, "alarms": alarms})
        if re.search(r"/queries$", path) and method == "POST":
            missing = "$snapshots" in sent["sql"]
            failure = (400, {"code": "query_invalid", "detail": "The table does not exist."})
            return failure if missing else (202, {"queryId": "q"})
        if path.endswith("/queries/q"):
            return 200, {"state": "SUCCEEDED", "milliseconds": 1, "scannedBytes": 1}
        if path.endswith("/queries/q/rows"):
            names = [{"name": name, "type": kind} for name, kind in self.columns]
            return 200, {"columns": names, "rows": self.rows}
        return 200, {"executions": [], "queryIds": [], "verdicts": [], "displayName": "Maya"}

    @staticmethod
    def name(region: str) -> str:
        return HOME if region == "home" else FURTHER

    def flow(self, region: str) -> dict[str, Any]:
        now = int(time.time()) // 60 * 60
        metrics: dict[str, dict[str, list[float]]] = {
            name: {"times": [now], "values": [self.counts[name]]}
            if name in self.counts
            else {"times": [], "values": []}
            for name in METRICS
        }
        return {"regionName": self.name(region), "metrics": metrics}


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def cockpit(chromium: Browser, api: Api) -> Iterator[Page]:
    """Return a page on which a test opens the cockpit."""
    context = chromium.new_context(
        base_url=ORIGIN, locale="en-GB", timezone_id="Asia/Kolkata", viewport=VIEWPORT
    )
    serve(context, api.answer)
    yield context.new_page()
    context.close()


def test_lost_region_leaves_the_figures_and_charges_of_the_others(cockpit: Page, api: Api) -> None:
    api.counts = {"good": 2, "requests": 1}
    api.lost = api.unread = {"further-1"}
    api.alarms = [alarm("first", "ALARM"), alarm("second", "OK")]
    cockpit.goto("/app/operator.html")
    expect(cockpit.locator("#cockpit-status")).to_contain_text(
        f"No answer from {FURTHER}. 1 alarm is in ALARM state. The alarms of {FURTHER}"
    )
    expect(cockpit.locator("#alarms-status")).to_have_text(
        re.compile(f"^1 of 2 alarms is in ALARM state. The alarms of {FURTHER} can.t be read.$")
    )
    expect(cockpit.locator("#active-alarms li")).to_contain_text(f"first in {HOME}")
    lost = cockpit.locator("[data-place=further-1]")
    expect(lost.locator("[data-state]")).to_contain_text("There are no figures of it since")
    expect(lost.locator(".chart .empty").first).to_have_text("No answer.")
    expect(cockpit.locator("[data-place=home] dd[data-metric=good]")).to_have_text("2")
    expect(cockpit.locator("#money-status")).to_contain_text(
        f"Without the counts of {FURTHER}, which doesn"
    )
    expect(cockpit.locator("#money-month")).to_have_text(re.compile(r"^\$[\d,.]+$"))
    assert violations(cockpit) == []


def test_event_that_its_sender_made_wrong_is_no_failure_of_the_lake(
    cockpit: Page, api: Api
) -> None:
    api.counts = {"good": 3, "bad": 1, "records": 1, "batches": 1}
    cockpit.goto("/app/operator.html")
    card = cockpit.locator("[data-place=home]")
    state = card.locator("[data-state]")
    expect(state).to_have_text("This Region answers. In this time: 1 bad row.")
    expect(state).to_have_class("note")
    expect(card.locator(".node.failing")).to_have_count(0)
    expect(cockpit.locator("#alarms-status")).to_have_text("None of 0 alarms is in ALARM state.")
    # One of a thing has a noun in the singular.
    expect(card.locator("[data-noun=batches]").first).to_have_text("batch")
    expect(card.locator("[data-noun=rows]").first).to_have_text("rows")
    cockpit.route(re.compile(r"/api/operator/queries$"), lambda it: it.fulfill(status=503, json={}))
    cockpit.get_by_role("button", name="Run query").click()
    expect(cockpit.locator("#query-status")).to_contain_text("answer in this Region. Try again")


def test_failure_of_ours_is_red_in_both_drawings(cockpit: Page, api: Api) -> None:
    api.counts = {"batchErrors": 2, "conservation": 1}
    cockpit.goto("/app/operator.html")
    card = cockpit.locator("[data-place=home]")
    expect(card.locator("[data-state]")).to_have_text(
        "This Region answers. In this time: 2 failed batches, 1 failed conservation check."
    )
    for width, drawing in ((1280, ".flow:not(.tall)"), (360, ".flow.tall")):
        cockpit.set_viewport_size({"width": width, "height": 740})
        shown = card.locator(drawing)
        expect(shown).to_be_visible()
        expect(card.locator(".flow:visible")).to_have_count(1)
        for node in ("writer", "lake"):
            expect(shown.locator(f"[data-node={node}]")).to_have_class("node failing")
        assert_fits(cockpit)


def test_chart_of_one_hour_names_different_times(cockpit: Page, api: Api) -> None:
    counts = {"rows_in": "50", "good": "48", "bad": "1", "duplicate": "1", "erased": "0"}
    values = {
        "date": "2026-11-29", "hour": "09", **counts,
        "objects": "1", "newest": "2026-11-29 09:31:00", "average_ms": "9", "slowest_ms": "9",
    }  # fmt: skip
    api.columns = [(name, "varchar") for name in values]
    api.rows = [[*values], [*values.values()]]
    # The names of the axis are on a canvas.
    cockpit.add_init_script(
        "window.drawn = []; const fill = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {"
        " if (this.canvas.closest('[data-chart=lake-rows]')) drawn.push(text);"
        " return fill.call(this, text, ...more); }"
    )
    cockpit.goto("/app/operator.html")
    cockpit.locator("#lake").scroll_into_view_if_needed()
    expect(cockpit.locator("#lake-status")).to_contain_text("obeys the conservation law")
    expect(cockpit.locator("[data-chart=lake-rows] canvas")).to_be_visible()
    cockpit.wait_for_function("drawn.some(it => it.includes(':'))")
    times = [it for it in cockpit.evaluate("drawn") if ":" in it]
    assert {"08:30", "09:00", "09:30"} <= set(times)
    assert "00:00" not in times
