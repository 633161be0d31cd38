"""A stopped or timed-out execution doesn't leave its request pending."""

import json
from typing import Any

import pytest

from tests.support.waiting import wait_until
from tests.system.school.school_client import EXECUTIONS, MACHINES, SchoolClient, unique_email
from tests.system.school.test_crashes import started
from tests.system.school.workflows import (
    assert_created_once,
    last_inputs,
    run_to_end,
    stored_request,
)

pytestmark = pytest.mark.integration


def recover(school: SchoolClient, request: dict[str, str], name: str, status: str) -> Any:
    """Run the recovery workflow with the detail of an event, to its end."""
    detail = {"name": name, "status": status, "input": json.dumps(request)}
    return run_to_end(school, f"{MACHINES}-recover:live", detail)


def restarted(request: dict[str, str]) -> str:
    """Return the ARN of the execution that the recovery workflow starts for a request."""
    return f"{EXECUTIONS}-account:stopped-{request['requestId']}"


def test_stopped_execution_is_started_again_and_creates_one_account(school: SchoolClient) -> None:
    email = unique_email()
    request = stored_request(school, email)
    with school.fault(
        service="cognito-idp", operation="AdminCreateUser", kind="late", seconds="2", times="1"
    ):
        execution = started(school, request)
        wait_until(lambda: "CreateIdentity" in last_inputs(school, execution), "CreateIdentity")
        school.stepfunctions.stop_execution(executionArn=execution)
        assert_created_once(school, request, email)
    assert school.stepfunctions.describe_execution(executionArn=execution)["status"] == "ABORTED"
    again = school.wait_for_end(restarted(request))
    assert again["status"] == "SUCCEEDED"
    # The operator's execution names no request of CloudFront.
    expected = {**request, "correlationId": request["accountId"], "trusted": False}
    assert json.loads(again["input"]) == expected


@pytest.mark.parametrize("status", ["ABORTED", "FAILED", "TIMED_OUT"])
def test_pending_request_of_ended_execution_is_started_again(
    school: SchoolClient, status: str
) -> None:
    email = unique_email()
    request = stored_request(school, email)
    assert recover(school, request, request["requestId"], status)["status"] == "SUCCEEDED"
    assert_created_once(school, request, email)


def test_request_stopped_twice_is_parked(school: SchoolClient) -> None:
    request = stored_request(school, unique_email())
    name = f"stopped-{request['requestId']}"
    assert recover(school, request, name, "TIMED_OUT")["status"] == "SUCCEEDED"
    assert school.wait_for_outcome(request["requestId"]) == {
        "status": "failed",
        "codes": ["internal"],
    }
    parked = [json.loads(body) for body in school.drain("parked")]
    assert [it for it in parked if it["requestId"] == request["requestId"]] == [
        {
            "requestId": request["requestId"],
            "accountId": request["accountId"],
            "correlationId": request["accountId"],
            "error": "Execution TIMED_OUT",
            "undone": "nothing",
            "trusted": False,
        }
    ]
    # The form stays: the operator can start the workflow again.
    assert school.item(f"ACCOUNT#{request['accountId']}", "PERSON") is not None


def test_recovery_of_decided_request_changes_nothing(school: SchoolClient) -> None:
    email = unique_email()
    request_id = school.request_account(email)
    request = {"requestId": request_id, "accountId": school.account_of(request_id)}
    assert school.wait_for_outcome(request_id)["status"] == "created"
    for name in (request_id, f"stopped-{request_id}"):
        assert recover(school, request, name, "ABORTED")["status"] == "SUCCEEDED"
    assert_created_once(school, request, email)
    executions = school.stepfunctions.list_executions(
        stateMachineArn=f"{MACHINES}-account", maxResults=1000
    )["executions"]
    assert restarted(request) not in {it["executionArn"] for it in executions}
