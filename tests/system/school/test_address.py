"""A student changes the email address with a link to each of both addresses."""

import secrets
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.support.access_tokens import access_token_of
from tests.support.waiting import wait_until
from tests.system.school.school_client import EXECUTIONS, TIMEOUT_S, SchoolClient, unique_email
from tests.system.school.test_api import ApiClient
from tests.system.school.test_proofs import prove as prove_sign_up
from tests.system.school.test_proofs import submit
from tools.demo_students import put_user

pytestmark = pytest.mark.integration

LINK: Final = "/address.html#"
REVOCATIONS: Final = "meridian-local-revocations"
NOT_FOUND: Final = {"NotAuthorizedException", "UserNotFoundException"}


@dataclass
class Student:
    """A student with an account and a session; the password is for tests only."""

    school: SchoolClient
    email: str
    password: str
    account: str
    token: str = ""

    def sign_in(self, email: str) -> str:
        """Return an access token.

        Raises:
            ClientError: Cognito refused the sign-in.
        """
        return access_token_of(self.school.running, email, self.password)

    def ask(self, email: str, request_id: str = "") -> tuple[int, Any]:
        """Ask for another address through CloudFront."""
        api = ApiClient(self.school.running, self.token)
        body = {"requestId": request_id or str(uuid.uuid4()), "email": email}
        with api.http:
            return api.send("POST", "/address-changes", json=body)

    def proof(self, recipient: str) -> dict[str, str]:
        """Wait for the link in an email; return the newest proof."""

        def look() -> list[str]:
            texts = [str(it["BodyText"]) for it in self.school.emails(recipient)]
            return [it.partition(LINK)[2].split()[0] for it in texts if LINK in it]

        account, token = wait_until(look, f"a link for {recipient}", TIMEOUT_S)[-1].split(".")
        return {"accountId": account, "token": token}

    def change(self) -> dict[str, Any]:
        """Return the item of the change."""
        item = self.school.item(f"ACCOUNT#{self.account}", "ADDRESS")
        assert item is not None
        return item

    def status(self) -> str:
        return str(self.change()["status"]["S"])

    def wait_for(self, *statuses: str) -> str:
        """Wait until the change has one of the statuses; return it."""
        wait_until(lambda: self.status() in statuses, f"the status {statuses}", TIMEOUT_S)
        return self.status()

    def execution(self) -> str:
        """Return the ARN of the workflow's execution."""
        return f"{EXECUTIONS}-address:{self.change()['change_id']['S']}"


def new_student(school: SchoolClient) -> Student:
    email, password = unique_email(), secrets.token_urlsafe(12)
    request_id = school.request_account(email)
    assert school.wait_for_outcome(request_id)["status"] == "created"
    put_user(school.cognito, school.user_pool_id, email, password, paying=False)
    student = Student(school, email, password, school.account_of(request_id))
    student.token = student.sign_in(email)
    return student


def prove(school: SchoolClient, proof: dict[str, str]) -> tuple[int, str]:
    """Send a proof, as the page does after a click; return the status, and that of the change."""

    def send() -> httpx.Response | None:
        url = f"{school.running.url}/api/address-changes/proofs"
        answer = httpx.post(url, json=proof, timeout=60)
        return None if answer.status_code in (429, 503) else answer

    answer = wait_until(send, "an answer", TIMEOUT_S)
    body = answer.json()
    return answer.status_code, body.get("code") or body["status"]


def owner(school: SchoolClient, student: Student) -> list[str]:
    """Return the accounts that own the address of a student's account item."""
    item = school.item(f"ACCOUNT#{student.account}", "ACCOUNT")
    assert item is not None
    key = school.item(f"EMAIL#{item['email_key']['S']}", "EMAIL")
    return [] if key is None else [key["account_id"]["S"]]


@pytest.fixture
def student(school: SchoolClient) -> Student:
    return new_student(school)


def test_student_signs_in_with_new_address_after_both_links(student: Student) -> None:
    school, new = student.school, unique_email()
    former_key = student.school.item(f"ACCOUNT#{student.account}", "ACCOUNT")
    assert former_key is not None
    request_id = str(uuid.uuid4())
    assert student.ask(new.upper(), request_id) == (202, {"status": "waiting"})
    assert student.ask(new.upper(), request_id) == (202, {"status": "waiting"})
    # The first email to the new address has nothing of the account.
    proofs = [student.proof(it) for it in (new, student.email)]
    assert "Anna" not in str(school.emails(new))
    assert prove(school, proofs[0]) == (200, "waiting")
    assert [len(school.users_with(it)) for it in (student.email, new)] == [1, 0]
    assert prove(school, {**proofs[0], "token": "t" * 43}) == (404, "proof_invalid")
    assert prove(school, proofs[1])[0] == 200
    student.wait_for("changed")
    assert school.wait_for_end(student.execution())["status"] == "SUCCEEDED"
    assert prove(school, proofs[0]) == (200, "changed")

    (user,) = school.users_with(new)
    attributes = {it["Name"]: it["Value"] for it in user["Attributes"]}
    assert attributes["email_verified"] == "true"
    assert attributes["preferred_username"] == student.account
    assert student.sign_in(new)
    with pytest.raises(ClientError) as refused:
        student.sign_in(student.email)
    assert refused.value.response["Error"]["Code"] in NOT_FOUND
    # The sessions before the change have ended.
    with pytest.raises(ClientError):
        school.cognito.get_user(AccessToken=student.token)
    assert owner(school, student) == [student.account]
    assert school.item(f"EMAIL#{former_key['email_key']['S']}", "EMAIL") is None
    assert len(school.wait_for_emails(new, 2)) == 2
    # The former address is free: the answer and the email are those of an unknown address.
    other = submit(school, student.email)
    assert prove_sign_up(school, school.proof_in_email(student.email))[0] == 202
    assert school.wait_for_outcome(other["requestId"])["status"] == "created"


def test_response_does_not_tell_that_address_has_account(student: Student) -> None:
    school, other = student.school, new_student(student.school)
    assert student.ask(other.email) == (202, {"status": "waiting"})
    assert prove(school, student.proof(student.email)) == (200, "waiting")
    texts = [str(it["BodyText"]) for it in school.wait_for_emails(other.email, 2)]
    assert not any(LINK in it for it in texts)
    assert len(school.users_with(other.email)) == 1
    # Its own address, and one that isn't valid, aren't secrets.
    assert student.ask(student.email)[1]["code"] == "address_unchanged"
    assert student.ask("no address")[1]["code"] == "address_invalid"


@contextmanager
def unavailable(school: SchoolClient, function: str) -> Iterator[None]:
    """Let no request reach a function."""
    functions = school.functions
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=function)


def test_stopped_change_is_completed_by_redrive(student: Student) -> None:
    school, new = student.school, unique_email()
    student.ask(new)
    with unavailable(school, REVOCATIONS):
        for recipient in (student.email, new):
            assert prove(school, student.proof(recipient))[0] == 200
        student.wait_for("changed")
        # It can't end: the sign-out fails until the function has capacity.
        school.stepfunctions.stop_execution(executionArn=student.execution())
        assert school.wait_for_end(student.execution())["status"] == "ABORTED"
    school.stepfunctions.redrive_execution(executionArn=student.execution())
    assert school.wait_for_end(student.execution(), 2 * TIMEOUT_S)["status"] == "SUCCEEDED"
    with pytest.raises(ClientError):
        school.cognito.get_user(AccessToken=student.token)
    assert student.sign_in(new)


def test_of_two_changes_and_a_sign_up_one_gets_the_address(student: Student) -> None:
    school, other, new = student.school, new_student(student.school), unique_email()
    form = submit(school, new)
    sign_up = school.proof_in_email(new)
    proofs = []
    for one in (student, other):
        assert one.ask(new)[0] == 202
        proofs.append((one.proof(one.email), one.change()["change_id"]["S"]))
    # The new address has got a link of each: the accounts' ids tell them apart.
    texts = [str(it["BodyText"]) for it in school.wait_for_emails(new, 3)]
    links = [it.partition(LINK)[2].split()[0] for it in texts if LINK in it]
    received = [dict(zip(("accountId", "token"), it.split("."), strict=True)) for it in links]
    assert {it["accountId"] for it in received} == {student.account, other.account}
    for proof in received:
        assert prove(school, proof) == (200, "waiting")
    with ThreadPoolExecutor(3) as executor:
        running = [executor.submit(prove, school, proof) for proof, _ in proofs]
        signing_up = executor.submit(prove_sign_up, school, sign_up)
        assert [it.result()[0] for it in running] == [200, 200]
        assert signing_up.result()[0] in (202, 503)
    if signing_up.result()[0] == 503:
        prove_sign_up(school, sign_up)
    outcomes = [it.wait_for("changed", "refused") for it in (student, other)]
    created = school.wait_for_outcome(form["requestId"])["status"] == "created"
    assert outcomes.count("changed") + created == 1
    assert len(school.users_with(new)) == 1
    for one, outcome in ((student, outcomes[0]), (other, outcomes[1])):
        assert owner(school, one) == [one.account]
        assert one.sign_in(new if outcome == "changed" else one.email)
