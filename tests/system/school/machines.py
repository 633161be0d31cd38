"""Changed copies of the machines, and what must be true at every end."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.system.school.world import MACHINES, World


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
