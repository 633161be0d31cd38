"""From a request to an account: one, whoever asks how often, in whatever spelling."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.waiting import wait_until
from tests.system.school.world import World, someone

pytestmark = pytest.mark.integration


def test_a_students_form_becomes_an_account_and_one_letter(world: World) -> None:
    email = someone()
    body = {
        "requestId": str(uuid.uuid4()),
        "email": email.upper(),
        "name": 'O\'Brien "Ngọc" 🎒',
        "dateOfBirth": "2010-02-28",
        "programme": "maths-2",
        "locale": "vi",
    }
    url = f"{world.running.url}/api/accounts"
    answer = httpx.post(url, json=body, timeout=30)
    assert answer.status_code == 202, answer.text
    assert answer.json() == {
        "requestId": body["requestId"],
        "status": "pending",
        "link": f"/api/accounts/requests/{body['requestId']}",
    }
    # No account number, no ARN: neither in the answer nor in its headers.
    assert "arn:" not in str(answer.headers) + answer.text
    link = f"{world.running.url}{answer.json()['link']}"

    def ready() -> dict[str, Any] | None:
        found: dict[str, Any] = httpx.get(link, timeout=30).json()
        return found if found["status"] != "pending" else None

    assert wait_until(ready, "the account")["status"] == "created"
    account = world.account_of(body["requestId"])
    (letter,) = world.heard(email)
    assert letter["Subject"] == "Chào mừng bạn đến với trường"
    assert 'O\'Brien "Ngọc" 🎒' in letter["BodyText"]
    (user,) = world.users_with(email)
    attributes = {it["Name"]: it["Value"] for it in user["Attributes"]}
    assert attributes["preferred_username"] == account
    row = world.row(f"ACCOUNT#{account}", "ACCOUNT")
    assert row is not None
    assert (row["status"]["S"], row["student"]["S"]) == ("active", attributes["sub"])
    person = world.row(f"ACCOUNT#{account}", "PERSON")
    assert person is not None
    assert "expires_at" not in person


def test_the_same_request_again_is_the_same_answer(world: World) -> None:
    email = someone()
    body = {"requestId": str(uuid.uuid4()), "email": email, "name": "Anna"}
    url = f"{world.running.url}/api/accounts"
    answers = [httpx.post(url, json=body, timeout=30) for _ in range(2)]
    assert world.outcome(body["requestId"])["status"] == "created"
    answers.append(httpx.post(url, json=dict(reversed(body.items())), timeout=30))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    for other in ({"name": "Bert"}, {"email": someone()}, {"locale": "hi"}):
        assert httpx.post(url, json=body | other, timeout=30).status_code == 409
    assert len(world.heard(email)) == 1


def test_one_request_sent_by_many_hands_at_once(world: World) -> None:
    body = {"requestId": str(uuid.uuid4()), "email": someone(), "name": "Anna"}
    with ThreadPoolExecutor(12) as hands:
        outcomes = Counter(hands.map(lambda _: world.admit(body), range(24)))
    # Busy: the transaction lost against one that was not decided; the same request again is safe.
    assert outcomes["accepted"] >= 1
    assert outcomes["conflict"] == 0
    assert world.outcome(body["requestId"])["status"] == "created"
    assert len(world.heard(body["email"])) == 1


def test_two_bodies_under_one_id_are_never_both_taken(world: World) -> None:
    request_id = str(uuid.uuid4())
    bodies = [{"requestId": request_id, "email": someone(), "name": "A"} for _ in range(2)]
    with ThreadPoolExecutor(8) as hands:
        outcomes = list(hands.map(lambda it: (it % 2, world.admit(bodies[it % 2])), range(16)))
    taken = {number for number, outcome in outcomes if outcome == "accepted"}
    assert len(taken) == 1
    assert world.outcome(request_id)["status"] == "created"


FORMS = (
    "{0}@{1}.example",
    "{0}@{1}.EXAMPLE",
    " {0}@{1}.example ",
    "{0}\uff20{1}.example",
    "{0}@{1}\uff0eexample",
    "{0}@{1}\u3002example",
)


def full_width(text: str) -> str:
    return "".join(chr(ord(it) + 0xFEE0) if it.isalnum() else it for it in text)


def test_thirty_requests_for_one_address_in_its_forms_give_one_account(world: World) -> None:
    local, domain = f"fikra{uuid.uuid4().hex[:8]}", f"bücher-{uuid.uuid4().hex[:8]}"
    ascii_domain = domain.encode("idna").decode()
    canonical = f"{local}@{ascii_domain}.example"
    writings = [
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
    assert len(writings) == 30
    with ThreadPoolExecutor(15) as hands:
        requests = list(hands.map(world.ask, writings))
    outcomes = [world.outcome(request) for request in requests]
    assert Counter(it["status"] for it in outcomes) == {"created": 1, "rejected": 29}
    assert all(it["codes"] == ["taken"] for it in outcomes if it["status"] == "rejected")
    assert len(world.heard(canonical)) == 1
    assert len(world.users_with(canonical)) == 1
    accounts = {world.account_of(request) for request in requests}
    left = [row for row in world.rows() if row["pk"]["S"].removeprefix("ACCOUNT#") in accounts]
    assert sorted(row["sk"]["S"] for row in left) == ["ACCOUNT", "OUTBOX#AccountCreated", "PERSON"]
    assert all(len(world.letters(it)) == 0 for it in writings if it != canonical)


def test_twenty_four_at_the_front_door_at_once_give_one_account(world: World) -> None:
    """All the way: the edge, the API, the machines; every answer is 202, and one request wins."""
    local, domain = f"student-{uuid.uuid4().hex[:8]}", "école.example"
    canonical = f"{local}@{domain.encode('idna').decode()}"
    writings = [
        form
        for form in (f"{local}@{domain}", f"{local.upper()}@{domain.upper()}", canonical.title(),
                     f"{full_width(local)}@{domain}", f" {local}\uff20{domain} ", canonical)
        for _ in range(4)
    ]  # fmt: skip
    bodies = [{"requestId": str(uuid.uuid4()), "email": it, "name": "Anna"} for it in writings]
    with httpx.Client(base_url=world.running.url, timeout=60) as http:

        def send(body: dict[str, str]) -> int:
            answer = http.post("/api/accounts", json=body)
            # Busy: the same request again is safe.
            return send(body) if answer.status_code == 503 else answer.status_code

        with ThreadPoolExecutor(24) as hands:
            assert set(hands.map(send, bodies)) == {202}
    outcomes = Counter(world.outcome(body["requestId"])["status"] for body in bodies)
    assert outcomes == {"created": 1, "rejected": 23}
    assert len(world.heard(canonical)) == 1
    assert len(world.users_with(canonical)) == 1


def test_every_reason_is_told_at_once_and_nothing_is_kept(world: World) -> None:
    request = world.ask("nobody", "7", dateOfBirth="1800-01-01", locale="!")
    assert world.outcome(request) == {
        "status": "rejected",
        "codes": ["invalid", "invalid", "out_of_range", "invalid"],
    }
    account = world.account_of(request)
    assert [row for row in world.rows() if row["pk"]["S"] == f"ACCOUNT#{account}"] == []
    assert world.ended(world.executions(request))["status"] == "SUCCEEDED"
