"""A form creates an account only with the proof from an email to its address."""

import hashlib
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.system.school.school_client import MACHINES, TABLE, SchoolClient, unique_email
from tests.system.school.workflows import modified_machine

pytestmark = pytest.mark.integration


def submit(school: SchoolClient, email: str, **fields: str) -> dict[str, str]:
    """Send the form through CloudFront; return it."""
    body = {"requestId": str(uuid.uuid4()), "email": email, "name": "Anna", **fields}
    assert (
        httpx.post(f"{school.running.url}/api/accounts", json=body, timeout=30).status_code == 202
    )
    return body


def prove(school: SchoolClient, proof: dict[str, str]) -> tuple[int, str]:
    """Send a proof; return the response's status and error code."""
    url = f"{school.running.url}/api/accounts/proofs"
    answer = httpx.post(url, json=proof, timeout=30)
    return answer.status_code, answer.json().get("code", "")


def read(school: SchoolClient, body: dict[str, str]) -> dict[str, Any]:
    """Return the status and the codes that the API returns for a request."""
    url = f"{school.running.url}/api/accounts/requests/{body['requestId']}"
    answer = httpx.get(url, timeout=30).json()
    return {"status": answer["status"], "codes": [it["code"] for it in answer["reasons"]]}


UNPROVED = {"status": "unproved", "codes": []}
INVALID = (404, "proof_invalid")


def test_first_email_is_neutral_and_creates_nothing(school: SchoolClient) -> None:
    email = unique_email()
    body = submit(school, email, name="Visit https://example.org now", programme="mathematics")
    (message,) = school.wait_for_emails(email)
    assert "example.org" not in json.dumps(message)
    assert read(school, body) == UNPROVED
    assert school.users_with(email) == []
    account = hashlib.sha256(f"account/{body['requestId']}".encode()).hexdigest()[:32]
    assert school.item(f"ACCOUNT#{account}", "ACCOUNT") is None
    person = school.item(f"ACCOUNT#{account}", "PERSON")
    assert person is not None
    assert "expires_at" in person


def test_address_with_account_gets_same_response_and_another_email(school: SchoolClient) -> None:
    taken, free = unique_email(), unique_email()
    assert school.wait_for_outcome(school.request_account(taken))["status"] == "created"
    assert len(school.wait_for_emails(taken)) == 1
    bodies = [submit(school, email) for email in (taken, free)]
    assert [read(school, body) for body in bodies] == [UNPROVED, UNPROVED]
    assert school.wait_for_emails(taken, 2)[-1]["Subject"] == "You already have an account"
    assert school.proofs_in_emails(taken) == []
    # The same response to a guessed proof, too.
    for body in bodies:
        assert prove(school, {"requestId": body["requestId"], "token": "t" * 43}) == INVALID
    assert [read(school, body) for body in bodies] == [UNPROVED, UNPROVED]


def test_proof_of_another_request_is_refused(school: SchoolClient) -> None:
    emails = [unique_email(), unique_email()]
    for email in emails:
        submit(school, email)
    mine, theirs = (school.proof_in_email(email) for email in emails)
    assert prove(school, {**theirs, "token": mine["token"]}) == INVALID
    assert prove(school, {**mine, "requestId": str(uuid.uuid4())}) == INVALID
    assert [len(school.users_with(email)) for email in emails] == [0, 0]


def test_concurrent_and_repeated_proofs_create_one_account(school: SchoolClient) -> None:
    email = unique_email()
    body = submit(school, email)
    proof = school.proof_in_email(email)
    with ThreadPoolExecutor(8) as executor:
        answers = set(executor.map(lambda _: prove(school, proof), range(16)))
    # Busy: the proof can safely be sent again.
    assert answers <= {(202, ""), (503, "unavailable")}
    assert school.wait_for_outcome(body["requestId"]) == {"status": "created", "codes": []}
    assert prove(school, proof) == (202, "")
    # A repeated form doesn't ask for a second proof.
    assert (
        httpx.post(f"{school.running.url}/api/accounts", json=body, timeout=30).status_code == 202
    )
    assert len(school.wait_for_emails(email, 2)) == 2
    assert len(school.users_with(email)) == 1


def test_expired_proof_is_refused(school: SchoolClient) -> None:
    email = unique_email()
    body = submit(school, email)
    proof = school.proof_in_email(email)
    school.dynamodb.update_item(
        TableName=TABLE,
        Key={"pk": {"S": f"REQUEST#{body['requestId']}"}, "sk": {"S": "REQUEST"}},
        UpdateExpression="SET proof_expires_at = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    assert prove(school, proof) == INVALID
    assert read(school, body) == UNPROVED


def stop_after_prove(definition: Any) -> None:
    """End the workflow before it starts `create`."""
    definition.update(StartAt="Prove")
    del definition["States"]["Prove"]["Next"]
    definition["States"]["Prove"]["End"] = True


def test_proof_interrupted_before_the_start_is_continued(school: SchoolClient) -> None:
    email = unique_email()
    body = submit(school, email)
    proof = school.proof_in_email(email)
    with modified_machine(school, stop_after_prove, "prove") as arn:
        school.stepfunctions.start_sync_execution(stateMachineArn=arn, input=json.dumps(proof))
    assert school.mark(body["requestId"]) is not None
    assert prove(school, proof) == (202, "")
    assert school.wait_for_outcome(body["requestId"])["status"] == "created"


def test_sixth_form_for_an_address_in_a_day_sends_no_email(school: SchoolClient) -> None:
    email = unique_email()
    bodies = [submit(school, email) for _ in range(7)]
    assert len(school.wait_for_emails(email, 5)) == 5
    assert [read(school, body) for body in bodies] == [UNPROVED] * 7
    # The withheld requests have no proof.
    assert {it["requestId"] for it in school.proofs_in_emails(email)} == {
        it["requestId"] for it in bodies[:5]
    }


def test_invalid_form_is_rejected_with_every_reason_and_deleted(school: SchoolClient) -> None:
    body = submit(school, "no-domain", name="7", dateOfBirth="1800-01-01", locale="x-")
    assert read(school, body) == {
        "status": "rejected",
        "codes": ["invalid", "invalid", "out_of_range", "invalid"],
    }
    account = hashlib.sha256(f"account/{body['requestId']}".encode()).hexdigest()[:32]
    assert [row for row in school.items() if row["pk"]["S"] == f"ACCOUNT#{account}"] == []


def test_form_cannot_claim_to_come_from_a_roster(school: SchoolClient) -> None:
    email = unique_email()
    body = {"requestId": str(uuid.uuid4()), "email": email, "name": "Anna"}
    url = f"{school.running.url}/api/accounts"
    for more in ({"trusted": True}, {"form": body}):
        assert httpx.post(url, json=body | more, timeout=30).status_code == 400
    # The workflow reads the property next to the form only.
    answer = school.stepfunctions.start_sync_execution(
        stateMachineArn=f"{MACHINES}-admit", input=json.dumps({"form": {**body, "trusted": True}})
    )
    assert json.loads(answer["output"]) == {"outcome": "accepted"}
    assert read(school, body) == UNPROVED
