"""What an operator sees and does on the page while something fails."""

import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_cockpit import read
from tests.system.portal.test_journey import assert_fits, sign_in
from tests.system.school.school_client import SchoolClient, unique_email
from tests.system.school.test_crashes import started
from tests.system.school.workflows import assert_created_once, last_inputs, stored_request
from tools.dev.system import System

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
