"""What cannot be finished is undone; what cannot be undone waits for a person."""

import json
from typing import Any

import pytest

from tests.system.school.machines import check_one_end, machine, only_row, run
from tests.system.school.world import EXECUTIONS, MACHINES, World, someone

pytestmark = pytest.mark.integration


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
    # Started again there is nothing to do, and what was said stays said.
    assert run(world, f"{MACHINES}-account:live", given)["status"] == "SUCCEEDED"
    assert world.outcome(given["requestId"]) == {"status": "failed", "codes": ["internal"]}
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
