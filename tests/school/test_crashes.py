"""A crash after any state, a state that ran twice, a machine that was started again: one end."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.school.world import EXECUTIONS, MACHINES, World, someone, until

pytestmark = pytest.mark.integration

PATH = ("Validate", "CheckExisting", "Create", "CreateIdentity", "Activate")


@contextmanager
def machine(world: World, change: Any) -> Iterator[str]:
    """A copy of the account machine, changed: its ARN."""
    described = world.machines.describe_state_machine(stateMachineArn=f"{MACHINES}-account")
    definition = json.loads(described["definition"])
    change(definition)
    made = world.machines.create_state_machine(
        name=f"meridian-local-account-{uuid.uuid4().hex[:12]}",
        definition=json.dumps(definition),
        roleArn=described["roleArn"],
    )["stateMachineArn"]
    try:
        yield made
    finally:
        world.machines.delete_state_machine(stateMachineArn=made)


def run(world: World, arn: str, given: Any) -> dict[str, Any]:
    started = world.machines.start_execution(stateMachineArn=arn, input=json.dumps(given))
    return world.ended(started["executionArn"])


def history(world: World, execution: str) -> dict[str, str]:
    """Return the input of each state that an execution entered last."""
    events = world.machines.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    entered = [it["stateEnteredEventDetails"] for it in events if "stateEnteredEventDetails" in it]
    return {it["name"]: it["input"] for it in entered}


def only_row(world: World, email: str, **fields: str) -> dict[str, str]:
    """Admit a request whose execution never starts; return what it would be started with."""
    described = world.machines.describe_state_machine(stateMachineArn=f"{MACHINES}-admit")
    definition = json.loads(described["definition"])
    definition["States"]["Store"].update(
        Next="Accepted", Output=definition["States"]["Store"]["Output"]
    )
    definition["States"]["Accepted"] = {"Type": "Pass", "End": True}
    made = world.machines.create_state_machine(
        name=f"meridian-local-admit-{uuid.uuid4().hex[:12]}",
        definition=json.dumps(definition),
        roleArn=described["roleArn"],
        type="EXPRESS",
    )["stateMachineArn"]
    body = {"requestId": str(uuid.uuid4()), "email": email, "name": "Anna", **fields}
    answer = world.machines.start_sync_execution(stateMachineArn=made, input=json.dumps(body))
    world.machines.delete_state_machine(stateMachineArn=made)
    given: dict[str, str] = json.loads(answer["output"])
    assert given["requestId"] == body["requestId"]
    return given


def check_one_end(world: World, given: dict[str, str], email: str) -> None:
    assert world.outcome(given["requestId"]) == {"status": "created", "codes": []}
    assert len(world.heard(email)) == 1
    assert len(world.users_with(email)) == 1
    rows = [it for it in world.rows() if it["pk"]["S"] == f"ACCOUNT#{given['accountId']}"]
    by_kind = {row["sk"]["S"]: row for row in rows}
    assert by_kind.keys() == {"ACCOUNT", "OUTBOX#AccountCreated", "PERSON"}
    assert by_kind["ACCOUNT"]["status"]["S"] == "active"
    assert "expires_at" not in by_kind["PERSON"]
    key = by_kind["ACCOUNT"]["email_key"]["S"]
    sentinel = world.row(f"EMAIL#{key}", "EMAIL")
    assert sentinel is not None
    assert sentinel["account_id"]["S"] == given["accountId"]


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


@pytest.mark.parametrize("after", ["Validate", "Create", "CreateIdentity"])
def test_a_stopped_execution_is_redriven(world: World, after: str) -> None:
    email = someone()
    request = world.ask(email)
    execution = world.executions(request)

    def reached() -> bool | None:
        return after in history(world, execution) or None

    until(reached, f"state {after}")
    # "Execution is not running": it was quicker.
    with suppress(ClientError):
        world.machines.stop_execution(executionArn=execution)
    if world.ended(execution)["status"] == "ABORTED":
        world.machines.redrive_execution(executionArn=execution)
        assert world.ended(execution)["status"] == "SUCCEEDED"
    check_one_end(world, {"requestId": request, "accountId": world.account_of(request)}, email)


# --- compensation ---------------------------------------------------------------------------------


def check_nothing_is_left(world: World, given: dict[str, str], email: str) -> None:
    rows = [it for it in world.rows() if it["pk"]["S"] == f"ACCOUNT#{given['accountId']}"]
    assert [(row["sk"]["S"], row["status"]["S"]) for row in rows] == [("ACCOUNT", "withdrawn")]
    owned = [it for it in world.rows() if it.get("account_id", {}).get("S") == given["accountId"]]
    assert owned == []
    assert world.users_with(email) == []
    assert world.letters(email) == []


def test_an_address_that_somebody_else_signs_in_with_is_rejected(world: World) -> None:
    email = someone()
    world.users.admin_create_user(
        UserPoolId=world.pool,
        Username=email,
        MessageAction="SUPPRESS",
        UserAttributes=[{"Name": "email", "Value": email}],
    )
    request = world.ask(email)
    assert world.outcome(request) == {"status": "rejected", "codes": ["taken"]}
    account = world.account_of(request)
    rows = [row["sk"]["S"] for row in world.rows() if row["pk"]["S"] == f"ACCOUNT#{account}"]
    assert rows == ["ACCOUNT"]
    assert len(world.users_with(email)) == 1
    assert world.letters(email) == []


def broken(*names: str) -> Any:
    """Tasks that fail for good: there is no such function, there is no such table."""

    def change(definition: Any) -> None:
        for name in names:
            arguments = definition["States"][name]["Arguments"]
            if "FunctionName" in arguments:
                arguments["FunctionName"] += "-that-is-not-there"
            else:
                (part,) = arguments["TransactItems"][0].values()
                part["TableName"] += "-that-is-not-there"

    return change


@pytest.mark.parametrize("name", ["CreateIdentity", "Activate"])
def test_what_cannot_be_finished_is_undone(world: World, name: str) -> None:
    email = someone()
    given = only_row(world, email)
    with machine(world, broken(name)) as arn:
        assert run(world, arn, given)["status"] == "FAILED"
    assert world.outcome(given["requestId"]) == {"status": "failed", "codes": ["internal"]}
    check_nothing_is_left(world, given, email)
    # The address is free again.
    assert world.outcome(world.ask(email))["status"] == "created"


@pytest.mark.parametrize(
    ("names", "undone"),
    [(("Activate", "DeleteIdentity"), "nothing"), (("Activate", "DeleteAccount"), "identity")],
)
def test_what_cannot_be_undone_is_parked_and_then_finished(
    world: World, names: tuple[str, ...], undone: str
) -> None:
    email = someone()
    given = only_row(world, email)
    with machine(world, broken(*names)) as arn:
        assert run(world, arn, given)["status"] == "FAILED"
    assert world.outcome(given["requestId"])["status"] == "failed"
    (parked,) = [json.loads(it) for it in world.taken("parked")]
    assert parked == {**given, "error": parked["error"], "undone": undone}
    assert email not in json.dumps(parked)
    # A person repairs what was broken, and starts the machine again under another name.
    run(world, f"{MACHINES}-account:live", given)
    assert world.outcome(given["requestId"])["status"] == "failed"
    check_nothing_is_left(world, given, email)


def test_an_account_that_is_active_is_not_undone(world: World) -> None:
    """The answer of Activate was lost; the account was not."""
    email = someone()
    given = only_row(world, email)

    def unheard(definition: Any) -> None:
        activate = definition["States"]["Activate"]
        del activate["End"]
        activate.update(Next="Withdraw", Output="{% $states.input %}")

    with machine(world, unheard) as arn:
        assert run(world, arn, given)["status"] == "SUCCEEDED"
    check_one_end(world, given, email)


def test_executions_names_are_requests(world: World) -> None:
    request = world.ask(someone())
    assert world.ended(f"{EXECUTIONS}-account:{request}")["status"] == "SUCCEEDED"
