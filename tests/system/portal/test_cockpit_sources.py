"""Each figure of the operators' page by its source: objects, executions, emails, alarms, prices."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect

from tests.support.access_tokens import access_token_of
from tests.support.paths import ROOT
from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_cockpit import flow, number_of, priced, read, send_events
from tests.system.portal.test_journey import sign_in
from tests.system.school.school_client import MACHINES, SchoolClient, unique_email
from tests.system.school.test_crashes import started
from tests.system.school.workflows import stored_request
from tools.dev.system import System
from tools.gameday.emails import sent_emails
from tools.stack import EDGE_REGION, StackTarget, client

pytestmark = pytest.mark.browser

PERIOD_S: Final = 300
PREFIX: Final = "meridian-local"
#: Metrics of which the page shows the greatest value.
GREATEST: Final = frozenset({"lag", "latency"})
#: Counts of the stream function that the lake confirms.
OF_THE_LAKE: Final = ("good", "bad", "duplicate", "objects", "written")


def lake(meridian: System) -> dict[str, int]:
    """Return the numbers of rows, objects and bytes that are in the lake."""
    s3, bucket = client("s3", meridian.target), meridian.deployed.outputs["LakeBucket"]
    counts = dict.fromkeys(OF_THE_LAKE, 0)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="events/"):
        for item in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            counts["objects"] += 1
            counts["written"] += len(body)
            verdicts = pq.read_table(pa.BufferReader(body), columns=["verdict"]).column(0)
            for verdict in verdicts.to_pylist():
                counts[verdict] = counts.get(verdict, 0) + 1
    return counts


def grown(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in OF_THE_LAKE}


def test_rows_objects_and_bytes_are_those_of_the_lake(meridian: System, operator: Student) -> None:
    start = int(time.time()) // 3600 * 3600 - 3600

    def settled() -> tuple[dict[str, float], dict[str, int]] | None:
        """Return the counts and the lake, if no batch was written between them."""
        counts, stored = flow(meridian, operator, start), lake(meridian)
        later = flow(meridian, operator, start)
        return (counts, stored) if not any(grown(later, counts).values()) else None

    counts, stored = wait_until(settled, "counts while nothing is written", interval_s=1)
    send_events(meridian)

    def is_confirmed() -> bool:
        rows = grown(lake(meridian), stored)
        least = all(rows[it] >= 1 for it in ("good", "bad", "duplicate"))
        return least and grown(flow(meridian, operator, start), counts) == rows

    wait_until(is_confirmed, "counts that have grown as the lake has", interval_s=1)


def test_requests_are_those_that_were_sent(meridian: System, operator: Student) -> None:
    start = int(time.time()) // 3600 * 3600 - 3600
    headers = {
        "Authorization": f"Bearer {access_token_of(meridian, operator.email, operator.password)}"
    }
    path = f"{meridian.url}/api/operator/flow/home?start={start}&period=3600"

    def counts() -> dict[str, int]:
        metrics = httpx.get(path, headers=headers, timeout=60).json()["metrics"]
        return {it: sum(metrics[it]["values"]) for it in ("requests", "refused", "failed")}

    def settled() -> dict[str, int] | None:
        """Return the counts, if the only request since the read before is that read."""
        earlier = counts()
        later = counts()
        more = {name: later[name] - earlier[name] for name in later}
        return later if more == {"requests": 1, "refused": 0, "failed": 0} else None

    # A request is counted after its answer, so one of an earlier test may be missing yet.
    before = wait_until(settled, "counts without other requests", interval_s=1)
    other = f"{meridian.url}/api/operator/alarms/edge"
    for _ in range(3):
        assert httpx.get(other, headers=headers, timeout=60).is_success
    for token in ("", "none", "e30.e30.e30", "Bearer"):
        refused = {"Authorization": token}
        answer = httpx.get(other, headers=refused, timeout=60)
        assert answer.status_code == 401
    asked = 0

    def is_confirmed() -> bool:
        nonlocal asked
        asked += 1
        after = counts()
        # Reading the counts is a request, too: each is counted when it is answered.
        more = {name: after[name] - before[name] for name in after}
        return more == {"requests": 7 + asked, "refused": 4, "failed": 0}

    wait_until(is_confirmed, "counts of the requests that were sent", interval_s=1)


def stored_records(meridian: System) -> list[bytes]:
    """Return the data of all records of the event stream."""
    kinesis = client("kinesis", meridian.target)
    name, data = f"{PREFIX}-events", []
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            page = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            data += [it["Data"] for it in page["Records"]]
            if not page["Records"] and not page["MillisBehindLatest"]:
                break
            iterator = page["NextShardIterator"]
    return data


def test_records_are_those_of_the_stream(meridian: System, operator: Student) -> None:
    start = int(time.time()) // 3600 * 3600 - 3600

    def settled() -> tuple[dict[str, float], list[bytes]] | None:
        counts, records = flow(meridian, operator, start), stored_records(meridian)
        is_equal = flow(meridian, operator, start)["records"] == counts["records"]
        return (counts, records) if is_equal else None

    before, stored = wait_until(settled, "a stream to which nothing is written", interval_s=1)
    send_events(meridian)

    def is_confirmed() -> bool:
        after, records = flow(meridian, operator, start), stored_records(meridian)
        new = len(records) - len(stored)
        # AWS counts the partition key, too.
        least = sum(map(len, records)) - sum(map(len, stored))
        more = {name: after[name] - before[name] for name in ("records", "bytes")}
        return (
            1 <= more["records"] == new
            and least <= more["bytes"] <= least + 256 * new
            and after["batches"] > before["batches"]
        )

    wait_until(is_confirmed, "counts that have grown as the stream has", interval_s=1)


def test_workflows_and_emails_are_those_that_were_started_and_sent(
    meridian: System, operator: Student, school: SchoolClient
) -> None:
    start = int(time.time()) // 3600 * 3600 - 3600
    before = flow(meridian, operator, start)

    def executions() -> int:
        pages = school.stepfunctions.get_paginator("list_executions").paginate(
            stateMachineArn=f"{MACHINES}-account"
        )
        return sum(len(page["executions"]) for page in pages)

    def emails() -> int:
        return len(sent_emails(meridian.target.endpoint))

    listed, sent = executions(), emails()
    request_id = school.request_account(unique_email())
    assert school.wait_for_outcome(request_id)["status"] == "created"
    execution = started(school, stored_request(school, unique_email()))
    assert school.wait_for_end(execution)["status"] == "SUCCEEDED"

    def is_confirmed() -> bool:
        after = flow(meridian, operator, start)
        more = {name: after[name] - before[name] for name in after}
        return (
            more["workflows"] == executions() - listed >= 1
            and more["sent"] == emails() - sent >= 1
            and more["delivered"] >= 1
            and more["emails"] >= 1
            and more["accounts"] >= 1
        )

    wait_until(is_confirmed, "counts of executions and of emails", interval_s=1)


def figures(meridian: System, operator: Student) -> dict[str, float]:
    """Return the figures of a day as the page calculates them from the API's answer."""
    start = (int(time.time()) - 86_400) // PERIOD_S * PERIOD_S
    answer = read(meridian, operator, f"/operator/flow/home?start={start}&period={PERIOD_S}")
    counts = {}
    for name, metric in answer.json()["metrics"].items():
        values = metric["values"]
        counts[name] = max(values, default=-1) if name in GREATEST else sum(values)
    counts["rows"] = counts["good"] + counts["bad"] + counts["duplicate"]
    counts["duplicateShare"] = 100 * counts["duplicate"] / counts["rows"]
    return counts


def shown(page: Page) -> list[tuple[str, float]]:
    """Return each figure of the home's card, of the drawing, and of the emails."""
    texts = page.evaluate(
        "[...document.querySelectorAll('[data-place] [data-metric], [data-email]')]"
        ".map(it => [it.dataset.metric ?? it.dataset.email, it.textContent])"
    )
    return [
        (name, float(it.replace(",", "")) if any(map(str.isdigit, it)) else -1)
        for name, it in texts
    ]


def test_page_shows_each_figure_of_its_source(
    visit: Callable[..., Page], meridian: System, operator: Student
) -> None:
    send_events(meridian)
    page = visit()
    sign_in(page, operator, "/app/operator.html")
    expect(page.locator("#cockpit-status")).to_contain_text("Updated at", timeout=60_000)
    page.get_by_label("Time range").select_option("86400")

    def differing() -> list[str]:
        # The page asks between these two, and counts only grow.
        before = figures(meridian, operator)
        with page.expect_response(lambda it: "/operator/flow/home" in it.url):
            page.locator("#range").dispatch_event("change")
        after = figures(meridian, operator)
        return [
            name
            for name, value in shown(page)
            if not min(before[name], after[name]) - 0.51
            <= value
            <= max(before[name], after[name]) + 0.51
        ]

    wait_until(lambda: differing() == [], "figures between two answers of the API", interval_s=1)
    names = {name for name, _ in shown(page)}
    assert {"requests", "lag", "latency", "rows", "conservation", "emails", "bounced"} <= names

    alarms = set()
    for region in {meridian.target.region, EDGE_REGION}:
        cloudwatch = client("cloudwatch", StackTarget(meridian.target.endpoint, region))
        pages = cloudwatch.get_paginator("describe_alarms").paginate()
        alarms |= {it["AlarmName"] for one in pages for it in one["MetricAlarms"]}
    listed = page.locator("#alarms td:nth-child(2)").all_text_contents()
    assert set(listed) == {it for it in alarms if it.startswith("meridian-local-")}
    expect(page.locator("#alarms-status")).to_contain_text(f"of {len(listed)} alarms")


def test_money_is_the_counts_of_the_month_at_the_list_prices(
    visit: Callable[..., Page], meridian: System, operator: Student
) -> None:
    send_events(meridian)
    wait_until(
        lambda: flow(meridian, operator, int(time.time()) - 3600)["good"], "a row", interval_s=1
    )
    page = visit()
    sign_in(page, operator, "/app/operator.html")
    expect(page.locator("#money-month")).to_contain_text(".", timeout=60_000)
    now = datetime.now(UTC)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (
        first.replace(month=first.month + 1)
        if first.month < 12
        else first.replace(year=first.year + 1, month=1)
    )
    elapsed, whole = ((it - first).total_seconds() / 3600 for it in (now, following))
    counts = flow(meridian, operator, int(first.timestamp()))
    prices: dict[str, Any] = json.loads((ROOT / "web/members/app/prices.json").read_text())
    counted = priced(prices["events"] | prices["school"], counts)
    fixed = sum(prices["fixed"].values()) / prices["monthHours"]
    expected = {
        "#money-spent": counted + fixed * elapsed,
        "#money-month": counted * whole / elapsed + fixed * whole,
    }
    for selector, dollars in expected.items():
        assert number_of(page, selector) == pytest.approx(dollars, rel=0.02, abs=0.01)
