"""Crashes, repeated states and restarted executions of the account workflow have one result.

The tests don't kill Step Functions itself, because the emulator keeps executions in memory. They
stop executions and kill the processes of functions.
"""

import json
from typing import Any

import pytest

from tests.support.waiting import wait_until
from tests.system.school.school_client import MACHINES, SchoolClient, unique_email
from tests.system.school.workflows import (
    assert_created_once,
    last_inputs,
    modified_machine,
    run_to_end,
    stored_request,
)

pytestmark = pytest.mark.integration

PATH = ("Validate", "CheckExisting", "Create", "CreateIdentity", "Activate")


@pytest.mark.parametrize("last", PATH)
def test_repeating_state_after_crash_creates_one_account(school: SchoolClient, last: str) -> None:
    """Like a redrive: the interrupted state runs again with its input, then the following ones."""
    email = unique_email()
    request = stored_request(school, email)

    def cut(definition: Any) -> None:
        state = definition["States"][last]
        for name in ("Next", "Choices", "Default"):
            state.pop(name, None)
        if state["Type"] == "Choice":
            state.update(Type="Pass")
        state.update(End=True)

    with modified_machine(school, cut) as arn:
        started = school.stepfunctions.start_execution(
            stateMachineArn=arn, input=json.dumps(request)
        )
        assert school.wait_for_end(started["executionArn"])["status"] == "SUCCEEDED"
        lost = json.loads(last_inputs(school, started["executionArn"])[last])
    with modified_machine(school, lambda definition: definition.update(StartAt=last)) as arn:
        assert run_to_end(school, arn, lost)["status"] == "SUCCEEDED"
    assert_created_once(school, request, email)


@pytest.mark.parametrize("last", ["Create", "CreateIdentity", "Activate"])
def test_repeating_workflow_after_crash_creates_one_account(
    school: SchoolClient, last: str
) -> None:
    email = unique_email()
    request = stored_request(school, email)

    def cut(definition: Any) -> None:
        definition["States"][last].pop("Next", None)
        definition["States"][last].update(End=True)

    with modified_machine(school, cut) as arn:
        assert run_to_end(school, arn, request)["status"] == "SUCCEEDED"
    again = f"{MACHINES}-account:live"
    assert run_to_end(school, again, request)["status"] == "SUCCEEDED"
    assert_created_once(school, request, email)


@pytest.mark.parametrize("after", PATH[:-1])
def test_redrive_after_stop_between_states_creates_one_account(
    school: SchoolClient, after: str
) -> None:
    """An inserted Wait state keeps the execution running until the test stops it."""
    email = unique_email()
    request = stored_request(school, email)

    def hold(definition: Any) -> None:
        state = definition["States"][after]
        leads = state if "Next" in state else next(
            it for it in state["Choices"] if it["Next"] == PATH[PATH.index(after) + 1]
        )  # fmt: skip
        definition["States"]["Hold"] = {"Type": "Wait", "Seconds": 2, "Next": leads["Next"]}
        leads["Next"] = "Hold"

    with modified_machine(school, hold) as arn:
        started = school.stepfunctions.start_execution(
            stateMachineArn=arn, input=json.dumps(request)
        )
        stop_and_redrive(school, started["executionArn"], "Hold")
    assert_created_once(school, request, email)


@pytest.mark.parametrize(
    ("state", "service", "operation"),
    [
        ("Validate", "dynamodb", "GetItem"),
        ("CreateIdentity", "cognito-idp", "AdminCreateUser"),
    ],
)
def test_redrive_after_stop_during_state_creates_one_account(
    school: SchoolClient, state: str, service: str, operation: str
) -> None:
    """The delayed AWS call of the function succeeds after the stop."""
    email = unique_email()
    request = stored_request(school, email)
    with school.fault(service=service, operation=operation, kind="late", seconds="2", times="1"):
        stop_and_redrive(school, started(school, request), state)
    assert_created_once(school, request, email)


def started(school: SchoolClient, request: dict[str, str]) -> str:
    """Start the account workflow for a stored request; return the execution's ARN."""
    answer = school.stepfunctions.start_execution(
        stateMachineArn=f"{MACHINES}-account:live",
        name=request["requestId"],
        input=json.dumps(request),
    )
    return str(answer["executionArn"])


def stop_and_redrive(school: SchoolClient, execution: str, state: str) -> None:
    """Stop an execution while it is in a state, and redrive it."""
    wait_until(lambda: state in last_inputs(school, execution), f"state {state}")
    school.stepfunctions.stop_execution(executionArn=execution)
    assert school.wait_for_end(execution)["status"] == "ABORTED"
    school.stepfunctions.redrive_execution(executionArn=execution)
    assert school.wait_for_end(execution)["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("function", "service", "operation"),
    [
        ("validate", "dynamodb", "GetItem"),
        ("identity", "cognito-idp", "AdminCreateUser"),
    ],
)
def test_workflow_retries_killed_function(
    school: SchoolClient, function: str, service: str, operation: str
) -> None:
    """The delayed AWS call succeeds although the function's process was killed."""
    email = unique_email()
    request = stored_request(school, email)
    with school.fault(service=service, operation=operation, kind="late", seconds="1", times="1"):
        execution = started(school, request)
        wait_until(lambda: school.faulted_calls(), "the call")
        assert school.kill_function(f"stepfunctions.{function}.lambda_handler") >= 1
        assert school.wait_for_end(execution)["status"] == "SUCCEEDED"
    events = school.stepfunctions.get_execution_history(executionArn=execution)["events"]
    errors = [it["taskFailedEventDetails"]["error"] for it in events
              if "taskFailedEventDetails" in it]  # fmt: skip
    assert errors == ["Runtime.ExitError"]
    assert_created_once(school, request, email)
