"""One account for each email address, for any number, timing and format of requests."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import idna
import pytest

from tests.support.waiting import wait_until
from tests.system.school.school_client import SchoolClient, unique_email

pytestmark = pytest.mark.integration


def test_submitted_form_creates_account_and_sends_one_email(school: SchoolClient) -> None:
    email = unique_email()
    body = {
        "requestId": str(uuid.uuid4()),
        "email": email.upper(),
        "name": 'O\'Brien "Ngọc" 🎒',
        "dateOfBirth": "2004-02-29",
        "programme": "mathematics",
        "locale": "vi",
    }
    url = f"{school.running.url}/api/accounts"
    answer = httpx.post(url, json=body, timeout=30)
    assert answer.status_code == 202, answer.text
    assert answer.json() == {
        "requestId": body["requestId"],
        "status": "pending",
        "link": f"/api/accounts/requests/{body['requestId']}",
    }
    # Neither the body nor the headers contain an ARN with the account number.
    assert "arn:" not in str(answer.headers) + answer.text
    link = f"{school.running.url}{answer.json()['link']}"
    assert httpx.get(link, timeout=30).json()["status"] == "unproved"
    proof = school.proof_in_email(email)
    assert proof["requestId"] == body["requestId"]
    assert httpx.post(f"{url}/proofs", json=proof, timeout=30).json() == answer.json()

    def ready() -> dict[str, Any] | None:
        request_status: dict[str, Any] = httpx.get(link, timeout=30).json()
        return request_status if request_status["status"] != "pending" else None

    assert wait_until(ready, "the account")["status"] == "created"
    account = school.account_of(body["requestId"])
    _, message = school.wait_for_emails(email, 2)
    assert message["Subject"] == "Chào mừng bạn đến với trường"
    assert 'O\'Brien "Ngọc" 🎒' in message["BodyText"]
    (user,) = school.users_with(email)
    attributes = {it["Name"]: it["Value"] for it in user["Attributes"]}
    assert attributes["preferred_username"] == account
    row = school.item(f"ACCOUNT#{account}", "ACCOUNT")
    assert row is not None
    assert (row["status"]["S"], row["student"]["S"]) == ("active", attributes["sub"])
    person = school.item(f"ACCOUNT#{account}", "PERSON")
    assert person is not None
    assert "expires_at" not in person


def test_repeated_request_gets_same_response(school: SchoolClient) -> None:
    email = unique_email()
    body = {"requestId": str(uuid.uuid4()), "email": email, "name": "Anna"}
    url = f"{school.running.url}/api/accounts"
    answers = [httpx.post(url, json=body, timeout=30) for _ in range(2)]
    proof = school.proof_in_email(email)
    assert httpx.post(f"{url}/proofs", json=proof, timeout=30).status_code == 202
    assert school.wait_for_outcome(body["requestId"])["status"] == "created"
    answers.append(httpx.post(url, json=dict(reversed(body.items())), timeout=30))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    for other in ({"name": "Bert"}, {"email": unique_email()}, {"locale": "hi"}):
        assert httpx.post(url, json=body | other, timeout=30).status_code == 409
    # The proof and the welcome.
    assert len(school.wait_for_emails(email, 2)) == 2


def test_request_repeated_after_its_item_expired_gets_its_outcome(school: SchoolClient) -> None:
    email = unique_email()
    body = {"requestId": str(uuid.uuid4()), "email": email, "name": "Anna", "locale": "hi"}
    url = f"{school.running.url}/api/accounts"
    first = httpx.post(url, json=body, timeout=30)
    httpx.post(f"{url}/proofs", json=school.proof_in_email(email), timeout=30)
    assert school.wait_for_outcome(body["requestId"])["status"] == "created"
    school.forget_request(body["requestId"])
    assert httpx.post(url, json=body | {"name": "Bert"}, timeout=30).status_code == 409
    again = httpx.post(url, json=body, timeout=30)
    assert (again.status_code, again.text) == (202, first.text)
    assert school.wait_for_outcome(body["requestId"]) == {"status": "created", "codes": []}
    assert len(school.wait_for_emails(email, 2)) == 2


def test_concurrent_copies_of_one_request_create_one_account(school: SchoolClient) -> None:
    body = {"requestId": str(uuid.uuid4()), "email": unique_email(), "name": "Anna"}
    with ThreadPoolExecutor(12) as executor:
        outcomes = Counter(executor.map(lambda _: school.admit(body), range(24)))
    # Busy: the transaction conflicted with a concurrent one; repeating the request is safe.
    assert outcomes["accepted"] >= 1
    assert outcomes["conflict"] == 0
    assert school.wait_for_outcome(body["requestId"])["status"] == "created"
    assert len(school.wait_for_emails(body["email"])) == 1


def test_only_one_of_two_bodies_with_one_id_is_accepted(school: SchoolClient) -> None:
    request_id = str(uuid.uuid4())
    bodies = [{"requestId": request_id, "email": unique_email(), "name": "A"} for _ in range(2)]
    with ThreadPoolExecutor(8) as executor:
        outcomes = list(executor.map(lambda it: (it % 2, school.admit(bodies[it % 2])), range(16)))
    accepted = {number for number, outcome in outcomes if outcome == "accepted"}
    assert len(accepted) == 1
    assert school.wait_for_outcome(request_id)["status"] == "created"


FORMS = (
    "{0}@{1}.example",
    "{0}@{1}.EXAMPLE",
    " {0}@{1}.example ",
    "{0}\uff20{1}.example",
    "{0}@{1}\uff0eexample",
    "{0}@{1}\u3002example",
)


def full_width(text: str) -> str:
    """Return the text with full-width letters and digits."""
    return "".join(chr(ord(it) + 0xFEE0) if it.isalnum() else it for it in text)


def test_thirty_forms_of_one_address_create_one_account(school: SchoolClient) -> None:
    local, domain = f"fikra{uuid.uuid4().hex[:8]}", f"bücher-{uuid.uuid4().hex[:8]}"
    ascii_domain = idna.encode(domain).decode()
    normalized = f"{local}@{ascii_domain}.example"
    addresses = [
        form.format(part, host)
        for form in FORMS
        for part, host in (
            (local, domain),
            (local.upper(), domain.upper()),
            (local.replace("fi", "\ufb01").replace("k", "\u212a"), ascii_domain),
            (full_width(local), domain.replace("ü", "u\u0308")),
            (local.title(), ascii_domain.upper()),
        )
    ]
    assert len(addresses) == 30
    with ThreadPoolExecutor(15) as executor:
        requests = list(executor.map(school.request_account, addresses))
    outcomes = [school.wait_for_outcome(request) for request in requests]
    assert Counter(it["status"] for it in outcomes) == {"created": 1, "rejected": 29}
    assert all(it["codes"] == ["taken"] for it in outcomes if it["status"] == "rejected")
    assert len(school.wait_for_emails(normalized)) == 1
    assert len(school.users_with(normalized)) == 1
    accounts = {school.account_of(request) for request in requests}
    left = [row for row in school.items() if row["pk"]["S"].removeprefix("ACCOUNT#") in accounts]
    assert sorted(row["sk"]["S"] for row in left) == ["ACCOUNT", "OUTBOX#AccountCreated", "PERSON"]
    assert all(len(school.emails(it)) == 0 for it in addresses if it != normalized)


def test_concurrent_requests_through_cloudfront_create_one_account(school: SchoolClient) -> None:
    """Every response is 202, at most 5 emails are sent, and one of two proved requests succeeds."""
    local, domain = f"student-{uuid.uuid4().hex[:8]}", "école.example"
    normalized = f"{local}@{idna.encode(domain).decode()}"
    addresses = [
        form
        for form in (f"{local}@{domain}", f"{local.upper()}@{domain.upper()}", normalized.title(),
                     f"{full_width(local)}@{domain}", f" {local}\uff20{domain} ", normalized)
        for _ in range(4)
    ]  # fmt: skip
    bodies = [{"requestId": str(uuid.uuid4()), "email": it, "name": "Anna"} for it in addresses]
    with httpx.Client(base_url=school.running.url, timeout=60) as http:

        def send(body: dict[str, str]) -> int:
            answer = http.post("/api/accounts", json=body)
            # Busy: repeating the request is safe.
            return send(body) if answer.status_code == 503 else answer.status_code

        with ThreadPoolExecutor(24) as executor:
            assert set(executor.map(send, bodies)) == {202}
        statuses = {
            http.get(f"/api/accounts/requests/{it['requestId']}").json()["status"] for it in bodies
        }
        assert statuses == {"unproved"}
        assert len(school.wait_for_emails(normalized, 5)) == 5
        assert school.users_with(normalized) == []
        proofs = school.proofs_in_emails(normalized)[:2]
        for proof in proofs:
            assert http.post("/api/accounts/proofs", json=proof).status_code == 202
    outcomes = Counter(school.wait_for_outcome(it["requestId"])["status"] for it in proofs)
    assert outcomes == {"created": 1, "rejected": 1}
    assert len(school.wait_for_emails(normalized, 6)) == 6
    assert len(school.users_with(normalized)) == 1


def test_rejection_has_every_reason_and_deletes_the_form(school: SchoolClient) -> None:
    request = school.request_account("no-domain", "7", dateOfBirth="1800-01-01", locale="!")
    assert school.wait_for_outcome(request) == {
        "status": "rejected",
        "codes": ["invalid", "invalid", "out_of_range", "invalid"],
    }
    account = school.account_of(request)
    assert [row for row in school.items() if row["pk"]["S"] == f"ACCOUNT#{account}"] == []
    assert school.wait_for_end(school.execution_arn(request))["status"] == "SUCCEEDED"
