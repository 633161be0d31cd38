"""Modified copies of the workflows, and assertions about their results."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.system.school.school_client import MACHINES, SchoolClient


@contextmanager
def modified_machine(school: SchoolClient, change: Any, name: str = "account") -> Iterator[str]:
    """Create a modified copy of a workflow, by default of the account workflow; yield its ARN."""
    described = school.stepfunctions.describe_state_machine(stateMachineArn=f"{MACHINES}-{name}")
    definition = json.loads(described["definition"])
    change(definition)
    created = school.stepfunctions.create_state_machine(
        name=f"meridian-local-{name}-{uuid.uuid4().hex[:12]}",
        definition=json.dumps(definition),
        roleArn=described["roleArn"],
        type=described["type"],
    )["stateMachineArn"]
    try:
        yield created
    finally:
        school.stepfunctions.delete_state_machine(stateMachineArn=created)


def run_to_end(school: SchoolClient, arn: str, execution_input: Any) -> dict[str, Any]:
    """Run an execution; return its description."""
    started = school.stepfunctions.start_execution(
        stateMachineArn=arn, input=json.dumps(execution_input)
    )
    return school.wait_for_end(started["executionArn"])


def last_inputs(school: SchoolClient, execution: str) -> dict[str, str]:
    """Return {state name: input of its last entry} from an execution's history."""
    events = school.stepfunctions.get_execution_history(executionArn=execution, maxResults=1000)[
        "events"
    ]
    entered = [it["stateEnteredEventDetails"] for it in events if "stateEnteredEventDetails" in it]
    return {it["name"]: it["input"] for it in entered}


def stored_request(
    school: SchoolClient, email: str, *, marked: bool = False, **fields: str
) -> dict[str, str]:
    """Store a request without starting its creation; return the workflow's input.

    Without its mark, as after the account workflow took it over: the sweep leaves it alone.
    """
    described = school.stepfunctions.describe_state_machine(stateMachineArn=f"{MACHINES}-admit")
    definition = json.loads(described["definition"])
    definition["States"]["StoreRow"].update(Next="Accepted")
    # The output of the whole execution is the workflow's input.
    del definition["States"]["StoreRow"]["Output"]["trusted"]
    definition["States"]["Accepted"] = {"Type": "Pass", "End": True}
    created = school.stepfunctions.create_state_machine(
        name=f"meridian-local-admit-{uuid.uuid4().hex[:12]}",
        definition=json.dumps(definition),
        roleArn=described["roleArn"],
        type="EXPRESS",
    )["stateMachineArn"]
    body = {"requestId": str(uuid.uuid4()), "email": email, "name": "Anna", **fields}
    answer = school.stepfunctions.start_sync_execution(
        stateMachineArn=created, input=json.dumps({"trusted": True, "form": body})
    )
    school.stepfunctions.delete_state_machine(stateMachineArn=created)
    document: dict[str, str] = json.loads(answer["output"])
    assert document["requestId"] == body["requestId"]
    if not marked:
        school.unmark(body["requestId"])
    return document


def assert_created_once(school: SchoolClient, request: dict[str, str], email: str) -> None:
    """Assert that the request led to one account, one user and one email."""
    assert school.wait_for_outcome(request["requestId"]) == {"status": "created", "codes": []}
    assert len(school.wait_for_emails(email)) == 1
    assert len(school.users_with(email)) == 1
    rows = [it for it in school.items() if it["pk"]["S"] == f"ACCOUNT#{request['accountId']}"]
    by_kind = {row["sk"]["S"]: row for row in rows}
    assert by_kind.keys() == {"ACCOUNT", "OUTBOX#AccountCreated", "PERSON"}
    assert by_kind["ACCOUNT"]["status"]["S"] == "active"
    assert "expires_at" not in by_kind["PERSON"]
    key = by_kind["ACCOUNT"]["email_key"]["S"]
    email_item = school.item(f"EMAIL#{key}", "EMAIL")
    assert email_item is not None
    assert email_item["account_id"]["S"] == request["accountId"]
