"""The execution that accepts a proof creates the account; others finish what it couldn't.

A synchronous Express execution can end anywhere, as one does that a test cuts after a state.
"""

import json
from typing import Any

import httpx
import pytest

from tests.support.waiting import wait_until
from tests.system.school.school_client import MACHINES, SchoolClient, unique_email
from tests.system.school.test_creation import assert_unmarked, create, cut, fail, passed_on, sweep
from tests.system.school.test_proofs import prove, read, submit
from tests.system.school.workflows import modified_machine, stored_request

pytestmark = pytest.mark.integration

CREATED = {"status": "created", "codes": []}


def run(school: SchoolClient, arn: str, state_input: Any) -> dict[str, Any]:
    """Run a copy of the workflow to its end."""
    return dict(
        school.stepfunctions.start_sync_execution(
            stateMachineArn=arn, input=json.dumps(state_input)
        )
    )


def assert_one_account(school: SchoolClient, body: dict[str, str]) -> None:
    """Assert that the form led to one account, one user, one proof and one welcome email."""
    assert school.wait_for_outcome(body["requestId"]) == CREATED
    assert len(school.wait_for_emails(body["email"], 2)) == 2
    assert len(school.users_with(body["email"])) == 1
    assert_unmarked(school, body)


def test_account_exists_when_the_proof_is_answered(school: SchoolClient) -> None:
    email = unique_email()
    body = submit(school, email)
    proof = school.proof_in_email(email)
    assert prove(school, proof) == (202, "")
    assert read(school, body) == CREATED
    assert school.mark(body["requestId"]) is None
    assert_one_account(school, body)
    assert not passed_on(school, body)


@pytest.mark.parametrize("last", ["Create", "CreateIdentity", "Activate"])
def test_interrupted_proof_is_finished_by_the_sweep(school: SchoolClient, last: str) -> None:
    """Until then a repeated proof is accepted and calls nothing: the first run may still work."""
    email = unique_email()
    body = submit(school, email)
    proof = school.proof_in_email(email)
    with modified_machine(school, lambda it: cut(it, last), "prove") as arn:
        assert run(school, arn, proof)["status"] == "SUCCEEDED"
    users = len(school.users_with(email))
    assert prove(school, proof) == (202, "")
    assert len(school.users_with(email)) == users
    assert not passed_on(school, body)
    if last != "Activate":
        assert read(school, body) == {"status": "pending", "codes": []}
        sweep(school, body)
    assert_one_account(school, body)


@pytest.mark.parametrize("state", ["Create", "CreateIdentity", "Activate", "PassOn"])
def test_failed_state_of_a_proof_loses_nothing(school: SchoolClient, state: str) -> None:
    email = unique_email()
    body = submit(school, email)
    proof = school.proof_in_email(email)

    def change(definition: Any) -> None:
        if state == "PassOn":
            definition["States"]["PassOn"]["Arguments"]["StateMachineArn"] += "-missing"
            fail(definition, "CreateIdentity")
        else:
            fail(definition, state)

    with modified_machine(school, change, "prove") as arn:
        answer = run(school, arn, proof)
    assert json.loads(answer["output"]) == {"outcome": "accepted"}
    if state == "PassOn":
        sweep(school, body)
    assert_one_account(school, body)
    assert passed_on(school, body) == (state in {"CreateIdentity", "Activate", "PassOn"})


def test_transaction_is_repeated_after_a_lost_response(school: SchoolClient) -> None:
    """Step Functions repeats the state with the same input; DynamoDB recognizes the request."""
    email = unique_email()
    body = submit(school, email)
    proof = school.proof_in_email(email)

    def repeat(definition: Any) -> None:
        states = definition["States"]
        states["Again"] = {**states["Create"], "Next": "CreateIdentity"}
        states["Create"]["Next"] = "Again"

    with modified_machine(school, repeat, "prove") as arn:
        answer = run(school, arn, proof)
    assert json.loads(answer["output"]) == {"outcome": "accepted"}
    assert read(school, body) == CREATED
    assert_one_account(school, body)


def test_address_that_a_row_took_before_the_proof_is_rejected(school: SchoolClient) -> None:
    email = unique_email()
    body = submit(school, email)
    proof = school.proof_in_email(email)
    create(school, stored_request(school, email, marked=True))
    assert prove(school, proof) == (202, "")
    assert school.wait_for_outcome(body["requestId"]) == {"status": "rejected", "codes": ["taken"]}
    assert_unmarked(school, body)
    assert len(school.users_with(email)) == 1


def test_throttled_cognito_leaves_the_account_to_the_account_workflow(school: SchoolClient) -> None:
    email = unique_email()
    body = submit(school, email)
    proof = school.proof_in_email(email)
    with school.fault(
        service="cognito-idp", operation="AdminCreateUser", kind="throttled", times="30"
    ):
        assert prove(school, proof) == (202, "")
        assert passed_on(school, body)
    assert_one_account(school, body)


def test_killed_function_of_a_proof_creates_one_account(school: SchoolClient) -> None:
    """The delayed AWS call succeeds although the function's process was killed."""
    email = unique_email()
    body = submit(school, email)
    proof = school.proof_in_email(email)
    with school.fault(
        service="cognito-idp", operation="AdminCreateUser", kind="late", seconds="1", times="1"
    ):
        school.stepfunctions.start_execution(
            stateMachineArn=f"{MACHINES}-prove", input=json.dumps(proof)
        )
        wait_until(lambda: school.faulted_calls(), "the call")
        assert school.kill_function("stepfunctions.identity.lambda_handler") >= 1
        assert school.wait_for_outcome(body["requestId"]) == CREATED
    assert_one_account(school, body)


def test_proofs_of_two_forms_for_one_address_create_one_account(school: SchoolClient) -> None:
    email = unique_email()
    bodies = [submit(school, email) for _ in range(2)]
    wait_until(lambda: len(school.proofs_in_emails(email)) == 2, "two proofs")
    proofs = {it["requestId"]: it for it in school.proofs_in_emails(email)}
    for body in bodies:
        assert prove(school, proofs[body["requestId"]]) == (202, "")
    outcomes = [school.wait_for_outcome(it["requestId"])["status"] for it in bodies]
    assert outcomes == ["created", "rejected"]
    assert len(school.users_with(email)) == 1
    assert (
        httpx.get(
            f"{school.running.url}/api/accounts/requests/{bodies[1]['requestId']}", timeout=30
        ).json()["reasons"][0]["code"]
        == "taken"
    )
