"""What an operator sees and does on the page while something fails."""

import time
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_cockpit import flow, read, send_events
from tests.system.portal.test_journey import assert_fits, sign_in
from tests.system.school.school_client import SchoolClient, unique_email
from tests.system.school.test_crashes import started
from tests.system.school.workflows import assert_created_once, last_inputs, stored_request
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.browser


def test_operator_retries_a_stopped_workflow_and_its_account_is_created_once(
    visit: Callable[..., Page],
    meridian: System,
    school: SchoolClient,
    operator: Student,
    page_errors: list[str],
) -> None:
    email = unique_email()
    request = stored_request(school, email)
    name = request["requestId"]
    with school.fault(
        service="cognito-idp", operation="AdminCreateUser", kind="late", seconds="2", times="1"
    ):
        execution = started(school, request)
        wait_until(lambda: "CreateIdentity" in last_inputs(school, execution), "CreateIdentity")
        school.stepfunctions.stop_execution(executionArn=execution)
        assert school.wait_for_end(execution)["status"] == "ABORTED"
    page = visit()
    sign_in(page, operator, "/app/operator.html")
    page.get_by_label("Status").select_option("ABORTED")
    row = page.locator("#executions li").filter(has_text=f"{name}: stopped")
    row.get_by_role("button", name="Show steps").click()
    # The drawing shows where it stopped.
    expect(row.locator(".state.last.bad")).to_contain_text("CreateIdentity")
    assert_fits(page)
    assert axe.violations(page) == []
    row.get_by_role("button", name="Retry").click()
    expect(page.locator("#executions-status")).to_have_text("The execution runs again.")
    assert school.wait_for_end(execution)["status"] == "SUCCEEDED"
    assert_created_once(school, request, email)
    page.get_by_label("Status").select_option("SUCCEEDED")
    done = page.locator("#executions li").filter(has_text=f"{name}: succeeded")
    expect(done).to_have_count(1)
    expect(done.get_by_role("button", name="Retry")).to_have_count(0)
    # It isn't retried twice, by another page that still shows the button.
    address = f"/operator/executions/account/{name}/redrive"
    refused = read(meridian, operator, address, {"requestId": str(uuid.uuid4())})
    assert (refused.status_code, refused.json()["code"]) == (409, "execution_not_redrivable")
    assert page_errors == []


def test_failing_writer_is_red_and_its_alarm_leads_to_the_runbook(
    visit: Callable[..., Page], meridian: System, school: SchoolClient, operator: Student
) -> None:
    start, name = int(time.time()) // 3600 * 3600 - 3600, f"meridian-local-{uuid.uuid4().hex[:8]}"
    before = flow(meridian, operator, start)
    cloudwatch = client("cloudwatch", meridian.target)
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmDescription="A batch failed. Runbook: docs/runbook.md#events-older-than-1h",
        Namespace=name,
        MetricName="Errors",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    try:
        cloudwatch.put_metric_data(
            Namespace=name, MetricData=[{"MetricName": "Errors", "Value": 1}]
        )
        with school.fault(service="s3", operation="PUT", kind="refused"):
            send_events(meridian)
            wait_until(
                lambda: flow(meridian, operator, start)["batchErrors"] > before["batchErrors"],
                "a failed batch",
                interval_s=0.5,
            )
            page = visit()
            sign_in(page, operator, "/app/operator.html")
            card = page.locator("#regions .region")
            expect(card.locator("[data-state]")).to_contain_text("failed batch", timeout=60_000)
            expect(card.locator(".flow:visible [data-node=writer]")).to_have_class("node failing")
        alarm = page.locator("#active-alarms li").filter(has_text=name)
        expect(alarm).to_contain_text("A batch failed.", timeout=60_000)
        expect(page.locator("#cockpit-status")).to_have_class("note bad")
        assert_fits(page)
        assert axe.violations(page) == []
        alarm.get_by_role("link").click()
        expect(page.locator(":target")).to_have_text("Events older than 1h")
        expect(page.locator("main")).to_contain_text("First command.")
    finally:
        cloudwatch.delete_alarms(AlarmNames=[name])
    # The batch is tried again until its rows are in the lake.
    wait_until(
        lambda: flow(meridian, operator, start)["bad"] > before["bad"],
        "rows of the batch",
        interval_s=0.5,
    )
