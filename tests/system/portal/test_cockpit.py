"""The operators' page on the running portal: figures by their source, alarms, a lost Region."""

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support import axe, page_audit
from tests.support.access_tokens import access_token_of
from tests.support.paths import ROOT
from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_journey import assert_fits, sign_in
from tests.system.school.school_client import SchoolClient, upload_roster
from tests.system.test_journey import event
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.browser

QUERIES = ROOT / "lake" / "queries"


@contextmanager
def outage(meridian: System, service: str) -> Iterator[None]:
    """Take a service of the home Region away."""
    where = f"{meridian.target.endpoint}/_local/outage"
    which = {"region": meridian.target.region, "service": service}
    httpx.post(where, params={**which, "on": "1"}, timeout=30).raise_for_status()
    try:
        yield
    finally:
        httpx.post(where, params={**which, "on": "0"}, timeout=30).raise_for_status()


def read(
    meridian: System, user: Student, path: str, body: dict[str, str] | None = None
) -> httpx.Response:
    """Call an operation of the API with the user's token."""
    token = access_token_of(meridian, user.email, user.password)
    headers = {"Authorization": f"Bearer {token}"}
    method = "GET" if body is None else "POST"
    address = f"{meridian.url}/api{path}"
    return httpx.request(method, address, headers=headers, json=body, timeout=60)


def flow(meridian: System, user: Student, start: int) -> dict[str, float]:
    """Return the sum of each metric since a time."""
    answer = read(meridian, user, f"/operator/flow/home?start={start}&period=3600")
    assert answer.status_code == 200, answer.text
    assert answer.json()["regionName"] == meridian.target.region
    return {name: sum(it["values"]) for name, it in answer.json()["metrics"].items()}


def send_events(meridian: System) -> str:
    """Send an event, its duplicate and a bad one; return the request's ID."""
    good = event("track", "cockpit", event="cockpit", userId="cockpit")
    bad = event("teleport", "cockpit", event="cockpit")
    answer = httpx.post(
        f"{meridian.url}/v1/batch",
        auth=("portal-write-key", ""),
        json={"batch": [good, good, bad]},
        timeout=60,
    )
    assert (answer.json()["accepted"], len(answer.json()["rejected"])) == (2, 1)
    return answer.headers["x-amz-cf-id"]


def test_flow_counts_records_and_rows_of_sent_events(meridian: System, operator: Student) -> None:
    start = int(time.time()) // 3600 * 3600
    before = flow(meridian, operator, start)
    send_events(meridian)

    def grown() -> bool:
        after = flow(meridian, operator, start)
        return all(after[it] >= before[it] + 1 for it in ("good", "bad", "duplicate", "batches"))

    wait_until(grown, "rows of each verdict in the metrics of the stream function", 60)
    after = flow(meridian, operator, start)
    # Other pages send events, too, so that there may be more.
    assert after["records"] > before["records"]
    assert after["requests"] > before["requests"]
    assert after["written"] > before["written"]
    assert after["conservation"] == 0
    assert after["good"] + after["bad"] + after["duplicate"] >= 3


def test_operations_are_for_operators_only(
    meridian: System, student: Callable[[], Student], operator: Student
) -> None:
    other, start = student(), int(time.time()) - 900
    paths = (f"/operator/flow/home?start={start}&period=60", "/operator/alarms/edge")
    for path in paths:
        assert read(meridian, operator, path).status_code == 200
        refused = read(meridian, other, path)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_operator")
    invalid = read(meridian, operator, f"/operator/flow/home?start={start}&period=61")
    assert (invalid.status_code, invalid.json()["code"]) == (400, "parameters_invalid")


def test_alarms_of_the_api_are_those_that_are_deployed(meridian: System, operator: Student) -> None:
    listed: dict[str, Any] = {}
    after = ""
    while True:
        answer = read(meridian, operator, f"/operator/alarms/home{after}").json()
        listed |= {it["name"]: it for it in answer["alarms"]}
        if "next" not in answer:
            break
        after = f"?after={answer['next']}"
    pages = client("cloudwatch", meridian.target).get_paginator("describe_alarms").paginate()
    deployed = {it["AlarmName"]: it for page in pages for it in page["MetricAlarms"]}
    assert listed.keys() == {it for it in deployed if it.startswith("meridian-local-")}
    for name, alarm in listed.items():
        assert alarm["description"] == deployed[name]["AlarmDescription"]
        assert "docs/runbook.md#" in alarm["description"]


def test_operator_sees_flow_alarms_and_a_lost_region(
    visit: Callable[..., Page], meridian: System, operator: Student, page_errors: list[str]
) -> None:
    page = visit()
    page_audit.observe(page)
    sign_in(page, operator, "/app/operator.html")
    expect(page.locator("#cockpit-status")).to_contain_text("Updated at", timeout=60_000)
    # Figures and texts come without moving what is below them.
    assert page_audit.faults(page) == []
    card = page.locator("#regions .region")
    expect(card).to_have_count(1)
    expect(card.get_by_role("heading")).to_have_text(meridian.target.region)
    expect(card.locator("dd[data-metric=requests]")).to_have_text(re.compile(r"^[\d,]+$"))
    expect(page.locator("#alarms-status")).to_contain_text("alarms")
    page.get_by_text("All alarms").click()
    rows, links = page.locator("#alarms tr"), page.locator("#alarms a")
    expect(links).to_have_count(rows.count())
    entry = links.first.get_attribute("href")
    assert entry is not None
    assert_fits(page)
    assert axe.violations(page) == []
    with outage(meridian, "monitoring"):
        page.get_by_label("Time range").select_option("3600")
        expect(card).to_have_class("card region lost", timeout=60_000)
        expect(card.locator("[data-state]")).to_contain_text("answer. Its figures")
        expect(page.locator("#cockpit-status")).to_contain_text(
            f"No answer from {meridian.target.region}.", timeout=60_000
        )
        assert axe.violations(page) == []
    page.get_by_label("Time range").select_option("86400")
    expect(card.locator("[data-state]")).to_contain_text("This Region answers.", timeout=60_000)
    expect(card).to_have_class("card region")
    page.goto(entry)
    expect(page.locator(":target + p")).to_contain_text("Alarm")
    assert page_audit.faults(page) == []
    assert axe.violations(page) == []
    assert page_errors == []


def number_of(page: Page, selector: str) -> float:
    """Return the number that an element shows; -1 without one."""
    words = page.locator(selector).inner_text().replace(",", "")
    match = re.search(r"[\d.]+", words)
    return float(match[0]) if match else -1


def priced(prices: dict[str, dict[str, float]], counts: dict[str, float]) -> float:
    counts = counts | {"billedBytes": max(counts["bytes"], 1024 * counts["records"])}
    return sum(
        rate * counts.get(name, 0) for rates in prices.values() for name, rate in rates.items()
    )


def test_operator_sees_events_charts_and_prices_that_match_the_counts(
    visit: Callable[..., Page], meridian: System, operator: Student, page_errors: list[str]
) -> None:
    page = visit()
    sign_in(page, operator, "/app/operator.html")
    request_id = send_events(meridian)
    rows = page.locator("#event-rows tr").filter(has_text=request_id)
    expect(rows).to_have_count(3, timeout=60_000)
    page.get_by_label("Verdict").select_option("bad")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("invalid_type")
    page.get_by_label("Time range").select_option("86400")
    card = page.locator("#regions .region")
    prices = json.loads((ROOT / "web/members/app/prices.json").read_text())

    def shows_counts() -> bool:
        counts = flow(meridian, operator, int(time.time()) - 86_400)
        page.locator("#range").dispatch_event("change")
        names = ("good", "bad", "duplicate", "written")
        charted = {it: number_of(page, f"#regions [data-total={it}]") for it in names}
        metrics = ("objects", "duplicateShare")
        objects, share = (number_of(page, f"#regions dd[data-metric={it}]") for it in metrics)
        rows = counts["good"] + counts["bad"] + counts["duplicate"]
        return (
            bool(counts["bad"])
            and charted == {it: counts[it] for it in names}
            and objects == counts["objects"]
            and share == pytest.approx(100 * counts["duplicate"] / rows, abs=0.051)
        )

    wait_until(shows_counts, "charts with the counts of CloudWatch", 90)
    chart = card.locator("[data-chart=rows]")
    expect(chart.locator("canvas")).to_be_visible()
    area = chart.get_by_role("group")
    area.focus()
    area.press("End")
    expect(chart.get_by_role("status")).to_contain_text(re.compile(r"good: [\d,]+, bad: [\d,]+"))
    expect(chart.locator(".tooltip")).to_be_visible()
    mailbox = page.get_by_role("link", name="open the emails")
    expect(mailbox).to_have_attribute("href", re.compile(r"/_local/mailbox$"))
    month = int(datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0).timestamp())
    counts = flow(meridian, operator, month)
    for name in ("sent", "delivered", "bounced", "complained"):
        assert number_of(page, f"[data-email={name}]") == counts[name]
    page.reload()
    expect(page.locator("#money-million")).to_have_text(re.compile(r"\d"), timeout=60_000)
    counts = flow(meridian, operator, month)
    events = counts["good"] + counts["bad"] + counts["duplicate"]
    expected = 1_000_000 * priced(prices["events"], counts) / events
    assert number_of(page, "#money-million") == pytest.approx(expected, rel=0.02)
    page.get_by_text("By component").click()
    expect(page.locator("#money-rows tr").filter(has_text="Kinesis")).to_be_visible()
    assert_fits(page)
    assert axe.violations(page) == []
    assert page_errors == []


def test_student_sees_no_figures(
    visit: Callable[..., Page], student: Callable[[], Student]
) -> None:
    page = visit()
    sign_in(page, student(), "/app/operator.html")
    expect(page.locator("#cockpit-status")).to_contain_text("Only operators can use this page.")
    expect(page.locator("#regions .region")).to_have_count(0)
    assert axe.violations(page) == []


def test_operator_sees_steps_of_execution_and_retries_only_failed_ones(
    visit: Callable[..., Page],
    meridian: System,
    school: SchoolClient,
    operator: Student,
    page_errors: list[str],
) -> None:
    before = read(meridian, operator, "/operator/executions/import").json()["executions"]
    known = {it["name"] for it in before}
    upload_roster(school, f"cockpit-{uuid.uuid4().hex[:8]}", b"name,email\nNobody,no address\n")

    def succeeded() -> list[dict[str, Any]]:
        path = "/operator/executions/import?status=SUCCEEDED"
        answer = read(meridian, operator, path).json()
        return [it for it in answer["executions"] if it["name"] not in known]

    wait_until(succeeded, "the execution of the roster's import", 60)
    (execution,) = succeeded()
    address = f"/operator/executions/import/{execution['name']}"
    steps = read(meridian, operator, address).json()["steps"]
    assert steps[0]["type"] == "ExecutionSucceeded"
    assert "no address" not in str(steps)
    body = {"requestId": str(uuid.uuid4())}
    refused = read(meridian, operator, f"{address}/redrive", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "execution_not_redrivable")
    unknown = read(meridian, operator, "/operator/executions/account/no-such-execution")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "execution_unknown")
    page = visit()
    sign_in(page, operator, "/app/operator.html")
    page.get_by_label("Workflow", exact=True).select_option("import")
    row = page.locator("#executions li").filter(has_text=execution["name"][:36])
    row.get_by_role("button", name="Show steps").click()
    expect(row).to_contain_text(steps[1]["state"])
    drawing = row.get_by_role("img")
    expect(drawing).to_have_attribute("aria-label", re.compile("States entered: Inspect, IsValid"))
    expect(drawing.locator(".state.last.good")).to_have_count(1)
    assert_fits(page)
    assert axe.violations(page) == []
    assert page_errors == []


def test_executions_are_for_operators_only(
    meridian: System, student: Callable[[], Student]
) -> None:
    other, body = student(), {"requestId": str(uuid.uuid4())}
    for path, sent in (
        ("/operator/executions/account", None),
        ("/operator/executions/account/no-such-execution", None),
        ("/operator/executions/account/no-such-execution/redrive", body),
        ("/operator/machines/account", None),
        ("/operator/queries", body | {"sql": "SELECT 1"}),
        (f"/operator/queries/{body['requestId']}", None),
        (f"/operator/queries/{body['requestId']}/rows", None),
        ("/operator/saved-queries", None),
        (f"/operator/saved-queries/{body['requestId']}", None),
    ):
        refused = read(meridian, other, path, sent)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_operator")


def test_operator_queries_the_lake_and_sees_the_path_of_an_event(
    visit: Callable[..., Page], meridian: System, operator: Student, page_errors: list[str]
) -> None:
    page = visit()
    sign_in(page, operator, "/app/operator.html")
    request_id = send_events(meridian)
    rows = page.locator("#event-rows tr").filter(has_text=request_id)
    expect(rows).to_have_count(3, timeout=60_000)
    # The list and the rows are written by one batch, the list first or last.
    bad = rows.filter(has_text="rejected")
    status = page.locator("#path-status")
    for _ in range(10):
        bad.get_by_role("button", name="Show path").click()
        expect(status).to_contain_text(re.compile(r"Event \d|home Region"), timeout=60_000)
        if "Event" in status.inner_text().split()[:1]:
            break
    steps = page.locator("#path-steps li")
    expect(steps).to_have_count(3)
    expect(steps.nth(0)).to_contain_text(request_id)
    expect(steps.nth(1)).to_contain_text("shardId-")
    expect(steps.nth(2)).to_contain_text(re.compile(r"ms after the edge"))
    expect(steps.nth(2)).to_contain_text("bad invalid_type")
    bucket = meridian.deployed.outputs["LakeBucket"]
    (path,) = re.findall(rf"s3://{bucket}/(events/\S+)", steps.nth(2).inner_text())
    client("s3", meridian.target).head_object(Bucket=bucket, Key=path)
    page.get_by_label("SQL").fill(
        f"SELECT verdict, count(*) AS events FROM events WHERE request_id = '{request_id}'"
        " GROUP BY verdict ORDER BY verdict"
    )
    page.get_by_role("button", name="Run query").click()
    expect(page.locator("#query-status")).to_contain_text("3 rows", timeout=60_000)
    results = page.locator("#result-rows tr")
    assert [it.split() for it in results.all_inner_texts()] == [
        [verdict, "1"] for verdict in ("bad", "duplicate", "good")
    ]
    saved = page.get_by_label("Saved query")
    expect(saved.locator("option")).to_have_count(1 + len(list(QUERIES.glob("*.sql"))))
    saved.select_option("bad_reasons")
    page.get_by_role("button", name="Run query").click()
    expect(results.filter(has_text="invalid_type").first).to_be_visible(timeout=60_000)
    page.get_by_label("SQL").fill("SELECT nothing FROM nowhere")
    page.get_by_role("button", name="Run query").click()
    expect(page.locator("#query-status")).to_have_class("note bad", timeout=60_000)
    assert_fits(page)
    assert axe.violations(page) == []
    assert page_errors == []
