"""A crash after any state, a state that ran twice, a machine that was started again: one end.

Step Functions itself is not killed: the emulator keeps executions in memory and has no restart to
go on after. What is killed is everything else.
"""

import json
from typing import Any

import pytest

from tests.support.waiting import wait_until
from tests.system.school.machines import check_one_end, history, machine, only_row, run
from tests.system.school.world import MACHINES, World, someone

pytestmark = pytest.mark.integration

PATH = ("Validate", "CheckExisting", "Create", "CreateIdentity", "Activate")


@pytest.mark.parametrize("last", PATH)
def test_a_crash_after_any_state_and_then_that_state_again(world: World, last: str) -> None:
    """What a redrive does: the state that was lost runs again with its input, and so on from it."""
    email = someone()
    given = only_row(world, email)

    def cut(definition: Any) -> None:
        state = definition["States"][last]
        for name in ("Next", "Choices", "Default"):
            state.pop(name, None)
        if state["Type"] == "Choice":
            state.update(Type="Pass")
        state.update(End=True)

    with machine(world, cut) as arn:
        started = world.machines.start_execution(stateMachineArn=arn, input=json.dumps(given))
        assert world.ended(started["executionArn"])["status"] == "SUCCEEDED"
        lost = json.loads(history(world, started["executionArn"])[last])
    with machine(world, lambda definition: definition.update(StartAt=last)) as arn:
        assert run(world, arn, lost)["status"] == "SUCCEEDED"
    check_one_end(world, given, email)


@pytest.mark.parametrize("last", ["Create", "CreateIdentity", "Activate"])
def test_a_crash_and_then_the_whole_machine_again(world: World, last: str) -> None:
    email = someone()
    given = only_row(world, email)

    def cut(definition: Any) -> None:
        definition["States"][last].pop("Next", None)
        definition["States"][last].update(End=True)

    with machine(world, cut) as arn:
        assert run(world, arn, given)["status"] == "SUCCEEDED"
    again = f"{MACHINES}-account:live"
    assert run(world, again, given)["status"] == "SUCCEEDED"
    check_one_end(world, given, email)


@pytest.mark.parametrize("after", PATH[:-1])
def test_a_stop_after_any_state_and_then_a_redrive(world: World, after: str) -> None:
    """The machine is held after the state, so that the stop cannot come too late."""
    email = someone()
    given = only_row(world, email)

    def hold(definition: Any) -> None:
        state = definition["States"][after]
        leads = state if "Next" in state else next(
            it for it in state["Choices"] if it["Next"] == PATH[PATH.index(after) + 1]
        )  # fmt: skip
        definition["States"]["Hold"] = {"Type": "Wait", "Seconds": 2, "Next": leads["Next"]}
        leads["Next"] = "Hold"

    with machine(world, hold) as arn:
        started = world.machines.start_execution(stateMachineArn=arn, input=json.dumps(given))
        stop_and_redrive(world, started["executionArn"], "Hold")
    check_one_end(world, given, email)


@pytest.mark.parametrize(
    ("state", "service", "operation"),
    [
        ("Validate", "dynamodb", "GetItem"),
        ("CreateIdentity", "cognito-idp", "AdminCreateUser"),
    ],
)
def test_a_stop_in_the_middle_of_a_state_and_then_a_redrive(
    world: World, state: str, service: str, operation: str
) -> None:
    """The machine itself; what its function asked for comes true after the stop."""
    email = someone()
    with world.fault(service=service, operation=operation, kind="late", seconds="2", times="1"):
        request = world.ask(email)
        stop_and_redrive(world, world.executions(request), state)
    check_one_end(world, {"requestId": request, "accountId": world.account_of(request)}, email)


def stop_and_redrive(world: World, execution: str, state: str) -> None:
    """Stop an execution while it is in a state, and let it go on."""
    wait_until(lambda: state in history(world, execution), f"state {state}")
    world.machines.stop_execution(executionArn=execution)
    assert world.ended(execution)["status"] == "ABORTED"
    world.machines.redrive_execution(executionArn=execution)
    assert world.ended(execution)["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("function", "service", "operation"),
    [
        ("validate", "dynamodb", "GetItem"),
        ("identity", "cognito-idp", "AdminCreateUser"),
    ],
)
def test_a_function_that_is_killed_is_called_again(
    world: World, function: str, service: str, operation: str
) -> None:
    """Its call comes true all the same, when its process is no more."""
    email = someone()
    with world.fault(service=service, operation=operation, kind="late", seconds="1", times="1"):
        request = world.ask(email)
        execution = world.executions(request)
        wait_until(lambda: world.acted(), "the call")
        assert world.kill_function(f"stepfunctions.{function}.lambda_handler") >= 1
        assert world.ended(execution)["status"] == "SUCCEEDED"
    events = world.machines.get_execution_history(executionArn=execution)["events"]
    errors = [it["taskFailedEventDetails"]["error"] for it in events
              if "taskFailedEventDetails" in it]  # fmt: skip
    assert errors == ["Runtime.ExitError"]
    check_one_end(world, {"requestId": request, "accountId": world.account_of(request)}, email)
