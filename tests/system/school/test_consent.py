"""A minor's form creates an account only with the consent of a guardian, who proves an address."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.support.waiting import wait_until
from tests.system.school.school_client import CONSENT_LINK, TABLE, SchoolClient, unique_email
from tests.system.school.test_proofs import INVALID, prove, read, submit
from tests.system.school.workflows import modified_machine
from tools.dev.system import System
from tools.operations import person
from tools.operations.stage import Stage
from tools.stack import client

pytestmark = pytest.mark.integration

NAME = "Visit https://example.org now"
AWAITED = {"status": "consent", "codes": []}
CONSENT = {"decision": "consent", "consentText": "1"}
REFUSAL = {"decision": "refuse"}


def born(age: int) -> str:
    """Return a date of birth; the birthday of this year is over."""
    return f"{datetime.now(UTC).year - age}-01-01"


def asked(school: SchoolClient, email: str, guardian: str) -> tuple[dict[str, str], dict[str, str]]:
    """Send a minor's form and the student's proof; return the form and the guardian's proof."""
    body = submit(school, email, name=NAME, dateOfBirth=born(12), guardianEmail=guardian)
    # The guardian hears nothing before.
    proof = school.proof_in_email(email)
    assert school.emails(guardian) == []
    assert prove(school, proof) == (202, "")
    assert read(school, body) == AWAITED
    return body, school.proof_in_email(guardian, CONSENT_LINK)


def form_of(school: SchoolClient, body: dict[str, str]) -> dict[str, Any] | None:
    return school.item(f"ACCOUNT#{school.account_of(body['requestId'])}", "PERSON")


def test_account_of_a_minor_is_created_after_the_consent(
    school: SchoolClient, meridian: System
) -> None:
    email, guardian = unique_email(), unique_email()
    body, proof = asked(school, email, guardian)
    (message,) = school.wait_for_emails(guardian)
    assert not {it for it in ("example.org", email) if it in json.dumps(message)}
    # The link shows the student's address, and creates nothing.
    url = f"{school.running.url}/api/accounts/proofs"
    answer = httpx.post(url, json=proof, timeout=30)
    assert (answer.status_code, answer.json()) == (
        200,
        {"requestId": body["requestId"], "status": "consent", "studentEmail": email},
    )
    assert read(school, body) == AWAITED
    assert school.users_with(email) == []

    with ThreadPoolExecutor(8) as executor:
        answers = set(executor.map(lambda _: prove(school, {**proof, **CONSENT}), range(12)))
    # Busy: the decision can safely be sent again.
    assert answers <= {(202, ""), (503, "unavailable")}
    assert prove(school, {**proof, **CONSENT}) == (202, "")
    assert school.wait_for_outcome(body["requestId"]) == {"status": "created", "codes": []}
    assert len(school.users_with(email)) == 1
    # The proof and the welcome to the student, one question to the guardian.
    assert len(school.wait_for_emails(email, 2)) == 2
    assert len(school.emails(guardian)) == 1
    # A later refusal changes nothing.
    assert prove(school, {**proof, **REFUSAL}) == (202, "")
    assert read(school, body) == {"status": "created", "codes": []}

    stage = Stage("local", "us-east-1", lambda service: client(service, meridian.target))
    exported = person.export(stage, person.find(stage, email), datetime.now(UTC))
    (form,) = [it for it in exported["account"] if it["sk"] == "PERSON"]
    assert (form["guardian_email"], form["consent_text"]) == (guardian, "1")
    assert datetime.fromisoformat(form["consent_at"]) <= datetime.now(UTC)
    assert proof["token"] not in json.dumps(exported)


def test_refusal_ends_the_request_and_deletes_the_form(school: SchoolClient) -> None:
    email, guardian = unique_email(), unique_email()
    body, proof = asked(school, email, guardian)
    assert prove(school, {**proof, **REFUSAL}) == (202, "")
    for later in (REFUSAL, CONSENT, {}):
        assert prove(school, {**proof, **later}) == (202, "")
        assert read(school, body) == {"status": "rejected", "codes": ["refused"]}
    assert form_of(school, body) is None
    assert school.mark(body["requestId"]) is None
    assert school.users_with(email) == []


def test_silence_ends_the_request(school: SchoolClient) -> None:
    email, guardian = unique_email(), unique_email()
    body, proof = asked(school, email, guardian)
    school.dynamodb.update_item(
        TableName=TABLE,
        Key={"pk": {"S": f"REQUEST#{body['requestId']}"}, "sk": {"S": "REQUEST"}},
        UpdateExpression="SET consent_expires_at = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    for decision in ({}, CONSENT, REFUSAL):
        assert prove(school, {**proof, **decision}) == INVALID
    form = form_of(school, body)
    # DynamoDB deletes it.
    assert form is not None
    assert "expires_at" in form
    assert school.mark(body["requestId"]) is None


def test_guardian_cannot_decide_before_the_student_has_proved(school: SchoolClient) -> None:
    email, guardian = unique_email(), unique_email()
    body = submit(school, email, dateOfBirth=born(17), guardianEmail=guardian)
    proof = school.proof_in_email(email)
    account = f"ACCOUNT#{school.account_of(body['requestId'])}"
    held = school.item(account, "OUTBOX#ConsentRequested")
    assert held is not None
    request_id, _, token = held["proof"]["S"].partition(".")
    assert prove(school, {"requestId": request_id, "token": token, **CONSENT}) == INVALID
    # The student's own proof can't decide, either.
    assert prove(school, {**proof, **CONSENT}) == (202, "")
    assert prove(school, {**proof, **CONSENT}) == (202, "")
    assert read(school, body) == AWAITED


def test_minor_with_the_address_of_an_account_gets_the_same_response(school: SchoolClient) -> None:
    taken, free, guardian = unique_email(), unique_email(), unique_email()
    assert school.wait_for_outcome(school.request_account(taken))["status"] == "created"
    forms = [
        submit(school, it, dateOfBirth=born(9), guardianEmail=guardian) for it in (taken, free)
    ]
    assert len({json.dumps(read(school, body)) for body in forms}) == 1
    wait_until(
        lambda: "You already have an account" in {it["Subject"] for it in school.emails(taken)},
        "the email about the account",
    )
    assert school.proofs_in_emails(taken) == []
    assert school.emails(guardian) == []


def test_only_a_form_of_an_adult_or_a_row_needs_no_guardian(school: SchoolClient) -> None:
    bodies = [submit(school, unique_email(), dateOfBirth=born(age)) for age in (12, 17, 18)]
    missing = {"status": "rejected", "codes": ["missing"]}
    unproved = {"status": "unproved", "codes": []}
    assert [read(school, body) for body in bodies] == [missing, missing, unproved]
    # The office has the consent for its list.
    row = school.request_account(unique_email(), dateOfBirth=born(12))
    assert school.wait_for_outcome(row) == {"status": "created", "codes": []}


def test_consent_interrupted_before_the_start_is_continued(school: SchoolClient) -> None:
    email, guardian = unique_email(), unique_email()
    body, proof = asked(school, email, guardian)

    def stop_after_consent(definition: Any) -> None:
        del definition["States"]["Consent"]["Next"]
        definition["States"]["Consent"]["End"] = True

    decided = {**proof, **CONSENT}
    with modified_machine(school, stop_after_consent, "prove") as arn:
        school.stepfunctions.start_sync_execution(stateMachineArn=arn, input=json.dumps(decided))
    assert school.mark(body["requestId"]) is not None
    assert prove(school, decided) == (202, "")
    assert school.wait_for_outcome(body["requestId"])["status"] == "created"
