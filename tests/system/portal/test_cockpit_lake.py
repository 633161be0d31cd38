"""The data lake on the operators' page, each figure by its source, and charts of query results."""

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlparse

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_cockpit import number_of, read, send_events
from tests.system.portal.test_journey import assert_fits, sign_in
from tools.dev.system import System
from tools.operations import commands as operations
from tools.stack import client

pytestmark = pytest.mark.browser

VERDICTS = ("good", "bad", "duplicate", "erased")
#: S3 lists an object's time in seconds.
LISTED_MS = 1_000


def stored(meridian: System) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of today's and yesterday's objects, each with its wait, and their number."""
    s3, bucket = client("s3", meridian.target), meridian.deployed.outputs["LakeBucket"]
    rows, objects = [], 0
    for ago in (1, 0):
        prefix = f"events/date={datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}/"
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                objects += 1
                body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
                names = ["verdict", "reason_code", "received_at"]
                for row in pq.read_table(pa.BufferReader(body), columns=names).to_pylist():
                    wait = item["LastModified"] - row["received_at"]
                    rows.append({**row, "wait_ms": 1_000 * wait.total_seconds()})
    return rows, objects


def snapshots(meridian: System) -> list[dict[str, Any]]:
    """Return the snapshots in the metadata of the Iceberg table, the newest first."""
    table = client("glue", meridian.target).get_table(
        DatabaseName=f"meridian_{meridian.target.stage}", Name="events_iceberg"
    )["Table"]
    location = urlparse(table["Parameters"]["metadata_location"])
    s3 = client("s3", meridian.target)
    body = s3.get_object(Bucket=location.netloc, Key=location.path[1:])["Body"].read()
    listed: list[dict[str, Any]] = json.loads(body)["snapshots"]
    return sorted(listed, key=lambda it: -it["timestamp-ms"])


def test_operator_sees_rows_waits_reasons_and_snapshots_of_the_lake(
    visit: Callable[..., Page], meridian: System, operator: Student, page_errors: list[str]
) -> None:
    send_events(meridian)
    wait_until(
        lambda: "bad" in {it["verdict"] for it in stored(meridian)[0]}, "a bad row", interval_s=1
    )
    stack = operations.local_stack(meridian.target)
    published = operations.run(stack, "table", capture=True)
    assert published.returncode == 0, published.stderr
    page = visit()
    sign_in(page, operator, "/app/operator.html")
    page.locator("#lake").scroll_into_view_if_needed()
    status = page.locator("#lake-status")
    shown: dict[str, Any] = {}

    def shows_lake() -> bool:
        # Pages send events, so that the lake may have more rows than at the last reading.
        page.get_by_role("button", name="Read again").click()
        expect(status).not_to_have_text("Loading…", timeout=60_000)
        rows, objects = stored(meridian)
        counts = Counter(it["verdict"] for it in rows)
        expected: dict[str, Any] = {it: counts[it] for it in VERDICTS}
        expected |= {"rows": len(rows), "objects": objects}
        shown.update({it: number_of(page, f"[data-lake={it}]") for it in expected})
        shown["rows of the lake"] = rows
        return {it: shown[it] for it in expected} == expected

    wait_until(shows_lake, "the counts of the lake's objects", interval_s=2)
    assert status.inner_text().endswith("rows = good + bad + duplicate + erased.")
    rows = shown["rows of the lake"]
    share = 100 * shown["duplicate"] / shown["rows"]
    assert number_of(page, "[data-lake=share]") == pytest.approx(share, abs=0.0051)
    slowest = max(it["wait_ms"] for it in rows)
    assert number_of(page, "[data-lake=slowest]") == pytest.approx(slowest, abs=LISTED_MS)
    newest = max(it["received_at"] for it in rows)
    expect(page.locator("#lake-newest")).to_contain_text(f"{newest:%H:%M:%S}")
    reasons = Counter(it["reason_code"] for it in rows if it["verdict"] == "bad")
    bars = page.locator("[data-chart=lake-reasons]")
    expect(bars.locator("[data-total=bad]")).to_have_text(f"{sum(reasons.values()):,}")
    area = bars.get_by_role("group")
    area.focus()
    area.press("Home")
    most = max(reasons.values())
    expect(bars.get_by_role("status")).to_have_text(re.compile(rf"^\w+, bad: {most:,}$"))
    for name in ("lake-rows", "lake-waits", "lake-duplicates"):
        expect(page.locator(f"[data-chart={name}] canvas")).to_have_count(1)
    listed = snapshots(meridian)
    cells = [it.split("\t") for it in page.locator("#snapshots tr").all_inner_texts()]
    assert [it[-1] for it in cells] == [str(it["snapshot-id"]) for it in listed]
    assert cells[0][-3].replace(",", "") == listed[0]["summary"]["total-records"]
    assert_fits(page)
    assert axe.violations(page) == []
    assert page_errors == []


def test_result_of_a_query_is_a_chart_with_its_numbers(
    visit: Callable[..., Page], meridian: System, operator: Student, page_errors: list[str]
) -> None:
    send_events(meridian)
    wait_until(lambda: stored(meridian)[0], "a row in the lake", interval_s=1)
    page = visit()
    sign_in(page, operator, "/app/operator.html")
    charts = page.locator("[data-chart=result]")

    def run(sql: str) -> None:
        page.get_by_label("SQL").fill(sql)
        page.get_by_role("button", name="Run query").click()
        expect(page.locator("#query-status")).to_contain_text(" rows, ", timeout=60_000)

    run(
        "SELECT date, hour, count(*) AS events FROM (SELECT date, hour FROM events UNION ALL"
        " SELECT '2026-01-01', '07') AS two GROUP BY date, hour"
    )
    area = charts.get_by_role("group")
    area.focus()
    area.press("Home")
    readout = charts.get_by_role("status")
    expect(readout).to_have_text(re.compile(r"2026.*07:00, events: 1$"))
    expect(charts.locator("figcaption .quiet")).to_have_text("events, UTC")
    run("SELECT 'a' AS word, 3 AS first, 5 AS second_ms UNION ALL SELECT 'b', 4, 6 ORDER BY word")
    expect(charts).to_have_count(2)
    second = charts.nth(1)
    second.get_by_role("group").press("End")
    expect(second.get_by_role("status")).to_have_text("b, second_ms: 6")
    expect(second.locator("figcaption .quiet")).to_have_text("ms")
    page.emulate_media(color_scheme="dark")
    expect(second.locator("canvas")).to_be_visible()
    run("SELECT 1 AS only")
    expect(charts).to_contain_text("No chart: it needs two rows")
    assert_fits(page)
    assert axe.violations(page) == []
    assert page_errors == []


def kind_of(page: Page, types: dict[str, str], rows: list[list[str]]) -> Any:
    """Return the kind and the axis of the chart that the page makes of a result."""
    columns = [{"name": name, "type": kind} for name, kind in types.items()]
    return page.evaluate(
        "async result => { const made = (await import('/js/result-chart.js')).chartOf(result);"
        " return made && [made.kind, made.labels ?? made.axis]; }",
        {"columns": columns, "rows": rows},
    )


def test_chart_of_a_result_is_chosen_by_its_columns(visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto("/")
    number = {"n": "bigint"}
    rows = [["2026-11-28 09:00:00.000", "1"], ["2026-11-28 08:00:00.000 UTC", "2"]]
    nine = datetime(2026, 11, 28, 9, tzinfo=UTC).timestamp()
    times = ["lines", [nine - 3600, nine]]
    assert kind_of(page, {"at": "timestamp"} | number, rows) == times
    hours = [["2026-11-28", "09", "1"], ["2026-11-28", "08", "2"]]
    assert kind_of(page, {"date": "varchar", "hour": "varchar"} | number, hours) == times
    # Two rows of one time are parts of it.
    parts = [["2026-11-28", "a", "1"], ["2026-11-28", "", "2"]]
    expected = ["bars", ["2026-11-28 · a", "2026-11-28 · none"]]
    assert kind_of(page, {"date": "date", "word": "varchar"} | number, parts) == expected
    assert kind_of(page, {"word": "varchar"}, [["a"], ["b"]]) is None
    assert kind_of(page, number, [["1"]]) is None
    assert kind_of(page, {"word": "varchar"} | number, [["a", ""], ["b", ""]]) is None


def test_failed_reading_of_the_lake_says_why(
    visit: Callable[..., Page], meridian: System, operator: Student
) -> None:
    page = visit()
    page.route(
        re.compile(r"/api/operator/queries$"),
        lambda route: route.fulfill(status=400, json={"code": "query_invalid", "detail": "Why."}),
    )
    sign_in(page, operator, "/app/operator.html")
    page.locator("#lake").scroll_into_view_if_needed()
    for name in ("#lake-status", "#snapshots-status", "[data-chart=lake-reasons]"):
        expect(page.locator(name)).to_contain_text("Why.", timeout=60_000)
    assert read(meridian, operator, "/operator/saved-queries").status_code == 200
