"""A row is created by one Express execution; the account workflow takes over whatever ends it.

Express executions aren't durable: a test that cuts one after a state stands for a lost one.
"""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.support.waiting import wait_until
from tests.system.school.school_client import MACHINES, TABLE, SchoolClient, unique_email
from tests.system.school.test_compensation import assert_compensated
from tests.system.school.workflows import assert_created_once, modified_machine, stored_request

pytestmark = pytest.mark.integration

#: The states of a roster's row. A proved form needs no Validate.
PATH = (
    *("ReadAccount", "IsChecked", "Validate", "IsOrdinary", "Create", "CreateIdentity"),
    "Activate",
)


def create(school: SchoolClient, request: dict[str, str], machine: str = "") -> None:
    """Run an Express execution to its end."""
    school.stepfunctions.start_sync_execution(
        stateMachineArn=machine or f"{MACHINES}-create", input=json.dumps(request)
    )


def sweep(school: SchoolClient, request: dict[str, str], *, age_s: int = 400) -> Any:
    """Run the sweep when the request's mark has this age, in seconds."""
    school.dynamodb.update_item(
        TableName=TABLE,
        Key={"pk": {"S": "OPEN"}, "sk": {"S": request["requestId"]}},
        ConditionExpression="attribute_exists(pk)",
        UpdateExpression="ADD marked_at :age",
        ExpressionAttributeValues={":age": {"N": str(-age_s)}},
    )
    answer = school.stepfunctions.start_sync_execution(
        stateMachineArn=f"{MACHINES}-sweep", input="{}"
    )
    assert answer["status"] == "SUCCEEDED", answer
    return answer


def cut(definition: Any, last: str) -> None:
    """Let a workflow end after a state."""
    state = definition["States"][last]
    for name in ("Next", "Choices", "Default"):
        state.pop(name, None)
    if state["Type"] == "Choice":
        state.update(Type="Pass")
    state.update(End=True)


def proved_request(school: SchoolClient, email: str) -> dict[str, str]:
    """Prove a form without starting its creation; return the workflow's input."""
    body = {"requestId": str(uuid.uuid4()), "email": email, "name": "Anna"}
    url = f"{school.running.url}/api/accounts"
    assert httpx.post(url, json=body, timeout=30).status_code == 202
    proof = school.proof_in_email(email)

    def stop(definition: Any) -> None:
        definition["States"]["Prove"].update(Next="Accepted")
        definition.update(StartAt="Prove")

    with modified_machine(school, stop, "prove") as arn:
        answer = school.stepfunctions.start_sync_execution(
            stateMachineArn=arn, input=json.dumps(proof)
        )
    assert answer["status"] == "SUCCEEDED", answer
    request_id = body["requestId"]
    assert school.mark(request_id) is not None
    return {"requestId": request_id, "accountId": school.account_of(request_id)}


def passed_on(school: SchoolClient, request: dict[str, str]) -> bool:
    """Return whether the account workflow was started under the request's id."""
    pages = school.stepfunctions.get_paginator("list_executions").paginate(
        stateMachineArn=f"{MACHINES}-account"
    )
    names = [it["name"] for page in pages for it in page["executions"]]
    return request["requestId"] in names


def assert_unmarked(school: SchoolClient, request: dict[str, str]) -> None:
    wait_until(lambda: school.mark(request["requestId"]) is None, "the mark's end")


def test_proved_request_needs_no_standard_execution(school: SchoolClient) -> None:
    email = unique_email()
    body = {"requestId": str(uuid.uuid4()), "email": email, "name": "Anna"}
    url = f"{school.running.url}/api/accounts"
    assert httpx.post(url, json=body, timeout=30).status_code == 202
    assert school.mark(body["requestId"]) is None
    proof = school.proof_in_email(email)
    assert httpx.post(f"{url}/proofs", json=proof, timeout=30).status_code == 202
    assert school.wait_for_outcome(body["requestId"]) == {"status": "created", "codes": []}
    assert_unmarked(school, body)
    assert not passed_on(school, body)
    assert len(school.wait_for_emails(email, 2)) == 2
    assert len(school.users_with(email)) == 1


@pytest.mark.parametrize("last", ["", *PATH])
def test_sweep_finishes_creation_that_was_lost_after_a_state(
    school: SchoolClient, last: str
) -> None:
    """Nothing ran after this state: neither the next one nor passing on."""
    email = unique_email()
    request = stored_request(school, email, marked=True)

    if last:
        with modified_machine(school, lambda it: cut(it, last), "create") as arn:
            create(school, request, arn)
    sweep(school, request)
    assert_created_once(school, request, email)
    assert_unmarked(school, request)
    assert passed_on(school, request)


def test_sweep_leaves_new_creations_alone(school: SchoolClient) -> None:
    request = stored_request(school, unique_email(), marked=True)
    sweep(school, request, age_s=300)
    assert school.mark(request["requestId"]) is not None
    assert not passed_on(school, request)
    sweep(school, request, age_s=100)
    assert school.wait_for_outcome(request["requestId"])["status"] == "created"
    # A run that was interrupted is repeated: the name starts nothing a second time.
    assert_unmarked(school, request)


def test_concurrent_executions_create_one_account(school: SchoolClient) -> None:
    """Express executions run at least once, also at the same time."""
    email = unique_email()
    request = stored_request(school, email, marked=True)
    with ThreadPoolExecutor(6) as executor:
        list(executor.map(lambda _: create(school, request), range(6)))
    assert_created_once(school, request, email)
    assert_unmarked(school, request)
    assert not passed_on(school, request)
    create(school, request)
    assert_created_once(school, request, email)


@pytest.mark.parametrize("last", ["Claim", "Create", "CreateIdentity"])
def test_execution_leaves_claimed_request_to_the_sweep(school: SchoolClient, last: str) -> None:
    """The claim's owner may still run: it could call Cognito at the same time."""
    email = unique_email()
    request = stored_request(school, email, marked=True)

    def change(definition: Any) -> None:
        if last == "Claim":
            fail(definition, "Validate")
        cut(definition, last)

    with modified_machine(school, change, "create") as arn:
        create(school, request, arn)
    before = len(school.users_with(email))
    create(school, request)
    assert not passed_on(school, request)
    assert len(school.users_with(email)) == before
    sweep(school, request)
    assert_created_once(school, request, email)
    assert_unmarked(school, request)


def fail(definition: Any, state: str) -> None:
    """Let a state fail permanently."""
    arguments = definition["States"][state]["Arguments"]
    if "FunctionName" in arguments:
        arguments["FunctionName"] += "-missing"
        return
    if "TransactItems" in arguments:
        (arguments,) = arguments["TransactItems"][0].values()
    arguments["TableName"] += "-missing"


@contextmanager
def broken(school: SchoolClient, state: str) -> Iterator[str]:
    """Yield a copy whose state fails permanently: its function or table doesn't exist."""

    with modified_machine(school, lambda it: fail(it, state), "create") as arn:
        yield arn


@pytest.mark.parametrize(
    "state", ["ReadAccount", "Validate", "Create", "CreateIdentity", "Activate"]
)
def test_failed_creation_is_finished_by_the_account_workflow(
    school: SchoolClient, state: str
) -> None:
    email = unique_email()
    request = stored_request(school, email, marked=True)
    with broken(school, state) as arn:
        create(school, request, arn)
    assert_created_once(school, request, email)
    assert_unmarked(school, request)
    assert passed_on(school, request)


def test_proved_form_is_created_without_further_validation(school: SchoolClient) -> None:
    """`admit` has validated it: a failure of Validate doesn't matter any more."""
    email = unique_email()
    request = proved_request(school, email)
    with broken(school, "Validate") as arn:
        create(school, request, arn)
    assert school.wait_for_outcome(request["requestId"])["status"] == "created"
    assert_unmarked(school, request)
    assert not passed_on(school, request)
    assert len(school.users_with(email)) == 1


def test_address_that_was_taken_after_the_form_has_no_second_account(school: SchoolClient) -> None:
    """The form's address was free; a roster's row was faster than the proof."""
    email = unique_email()
    request = proved_request(school, email)
    create(school, stored_request(school, email, marked=True))
    create(school, request)
    assert passed_on(school, request)
    outcome = school.wait_for_outcome(request["requestId"])
    assert outcome == {"status": "rejected", "codes": ["taken"]}
    assert_unmarked(school, request)
    assert len(school.users_with(email)) == 1


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        pytest.param("dynamodb", "GetItem", marks=pytest.mark.nightly),
        ("cognito-idp", "AdminCreateUser"),
    ],
)
def test_throttled_creation_waits_in_the_account_workflow(
    school: SchoolClient, service: str, operation: str
) -> None:
    """Nothing is undone: more attempts than the Express execution has, and then capacity."""
    email = unique_email()
    request = stored_request(school, email, marked=True)
    with school.fault(service=service, operation=operation, kind="throttled", times="30"):
        create(school, request)
        assert passed_on(school, request)
        assert_unmarked(school, request)
    assert_created_once(school, request, email)


@pytest.mark.parametrize(
    ("function", "service", "operation"),
    [
        ("validate", "dynamodb", "GetItem"),
        ("identity", "cognito-idp", "AdminCreateUser"),
    ],
)
def test_creation_retries_killed_function(
    school: SchoolClient, function: str, service: str, operation: str
) -> None:
    """The delayed AWS call succeeds although the function's process was killed."""
    email = unique_email()
    with school.fault(service=service, operation=operation, kind="late", seconds="1", times="1"):
        request_id = school.request_account(email)
        wait_until(lambda: school.faulted_calls(), "the call")
        assert school.kill_function(f"stepfunctions.{function}.lambda_handler") >= 1
        request = {"requestId": request_id, "accountId": school.account_of(request_id)}
        assert_created_once(school, request, email)
    assert_unmarked(school, request)
    assert not passed_on(school, request)


def test_withdrawn_account_is_not_created_by_a_late_execution(school: SchoolClient) -> None:
    """The account workflow undid the request while the Express execution was on its way."""
    email = unique_email()
    request = stored_request(school, email, marked=True)

    with modified_machine(school, lambda it: fail(it, "CreateIdentity")) as arn:
        school.stepfunctions.start_execution(stateMachineArn=arn, input=json.dumps(request))
        assert school.wait_for_outcome(request["requestId"])["status"] == "failed"
    create(school, request)
    assert school.wait_for_outcome(request["requestId"])["status"] == "failed"
    assert_compensated(school, request, email)
    assert_unmarked(school, request)


def test_concurrent_proofs_create_one_account(school: SchoolClient) -> None:
    email = unique_email()
    body = {"requestId": str(uuid.uuid4()), "email": email, "name": "Anna"}
    url = f"{school.running.url}/api/accounts"
    assert httpx.post(url, json=body, timeout=30).status_code == 202
    proof = school.proof_in_email(email)
    with ThreadPoolExecutor(8) as executor:
        statuses = set(
            executor.map(
                lambda _: httpx.post(f"{url}/proofs", json=proof, timeout=60).status_code, range(8)
            )
        )
    # Busy: the proofs conflicted; none is refused as invalid.
    assert statuses <= {202, 503}
    assert 202 in statuses
    assert school.wait_for_outcome(body["requestId"])["status"] == "created"
    assert len(school.wait_for_emails(email, 2)) == 2
    assert len(school.users_with(email)) == 1
