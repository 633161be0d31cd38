"""The notifier at its boundary: any body is delivered or dead, and nothing is begun in vain."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import telemetry
from stepfunctions import (
    dead_letters,
    mail,
    notify,
)
from stepfunctions.accounts import Accounts
from stepfunctions.errors import (
    TransientError,
)
from stepfunctions.outbox import Message
from tests import strategies
from tests.unit.stacks.test_templates import resources
from tests.unit.stepfunctions.definitions import STACK
from tests.unit.stepfunctions.fakes import ACTIVE, PERSON, Table

#: A fixture that is made once for many examples is meant to be.
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def delivered(body: object, number: int = 1) -> dict[str, Any]:
    return {"messageId": f"m{number}", "body": json.dumps(body)}


GOOD = Message("a1/AccountCreated", "a1", "AccountCreated").document()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The letters, and a notifier without its memory."""
    letters: list[tuple[str, str]] = []
    monkeypatch.setattr(
        mail, "send", lambda _from, to, letter, _id: letters.append((to, letter.subject))
    )
    monkeypatch.setattr(notify, "_once", lambda: lambda message, _context: notify.tell(message))
    return letters


class Context:
    """An invocation whose time goes by with each look at it."""

    def __init__(self, *left_ms: int) -> None:
        self.left_ms = list(left_ms)

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms.pop(0) if self.left_ms else 20_000


def told(
    monkeypatch: pytest.MonkeyPatch, *records: dict[str, Any], items: Any = (), left: Any = ()
) -> Any:
    accounts = Accounts("accounts", Table(*items))  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(notify, "accounts", lambda: accounts)
    return notify.lambda_handler({"Records": list(records)}, Context(*left))


def test_what_becomes_of_letters_is_counted_and_nobody_is_named(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dead_letters, "put", lambda *_given: None)
    withdrawn = {**ACTIVE, "pk": "ACCOUNT#a2", "status": "withdrawn"}
    other = Message("a2/AccountCreated", "a2", "AccountCreated").document()
    records = [delivered(GOOD, 1), delivered("no object", 2), delivered(other, 3)]
    told(monkeypatch, *records, items=(PERSON, ACTIVE, withdrawn))
    said = capsys.readouterr().out
    counted = json.loads(next(line for line in said.splitlines() if "_aws" in line))
    assert {name: counted[name] for name in notify.COUNTED.values()} == {
        "LettersSent": [1],
        "LettersToNobody": [1],
        "LettersRefused": [1],
    }
    assert "anna" not in said.lower()


def test_a_part_of_a_trace_needs_no_trace() -> None:
    with telemetry.subsegment("letter", outbox="a1/AccountCreated"):
        pass


def test_no_letter_is_begun_that_may_not_be_finished(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any]
) -> None:
    records = [delivered(GOOD, number) for number in range(4)]
    left = (notify.ROOM_MS, notify.ROOM_MS - 1)
    answer = told(monkeypatch, *records, items=(PERSON, ACTIVE), left=left)
    assert [it["itemIdentifier"] for it in answer["batchItemFailures"]] == ["m2", "m3"]
    assert len(sent) == 2


def test_one_letter_fits_into_the_notifiers_time() -> None:
    """The first is always begun: there would be no end to beginning otherwise."""
    properties = resources(STACK)["NotifyFunction"]["Properties"]
    assert mail.READ_S * 1000 + 2_000 < notify.ROOM_MS < properties["Timeout"] * 1000


def test_an_active_account_is_written_to(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = told(monkeypatch, delivered(GOOD), items=(PERSON, ACTIVE))
    assert answer == {"batchItemFailures": []}
    assert sent == [("anna@example.com", "Chào mừng bạn đến với trường")]
    assert "anna" not in capsys.readouterr().out.lower()


@pytest.mark.parametrize(
    "items", [(), (PERSON,), (ACTIVE,), (PERSON, {**ACTIVE, "status": "withdrawn"})]
)
def test_who_has_no_account_hears_nothing(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], items: Any
) -> None:
    assert told(monkeypatch, delivered(GOOD), items=items) == {"batchItemFailures": []}
    assert sent == []


def test_a_failure_brings_back_what_follows_it(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any]
) -> None:
    monkeypatch.setattr(mail, "send", lambda *given: _second(sent))
    records = [delivered(GOOD, number) for number in range(4)]
    answer = told(monkeypatch, *records, items=(PERSON, ACTIVE))
    assert [it["itemIdentifier"] for it in answer["batchItemFailures"]] == ["m1", "m2", "m3"]


def _second(sent: list[Any]) -> None:
    if sent:
        raise TransientError("SES asks for patience.")
    sent.append(("x", "y"))


def test_what_is_refused_holds_up_nobody(monkeypatch: pytest.MonkeyPatch, sent: list[Any]) -> None:
    dead: list[str] = []
    monkeypatch.setattr(dead_letters, "put", lambda _url, number, _body: dead.append(number))
    records = [delivered("no object", 1), delivered({"outboxId": 1}, 2), delivered(GOOD, 3)]
    records.append({"messageId": "m4", "body": "no JSON"})
    answer = told(monkeypatch, *records, items=(PERSON, ACTIVE))
    assert answer == {"batchItemFailures": []}
    assert dead == ["m1", "m2", "m4"]
    assert len(sent) == 1


@shared
@given(st.lists(strategies.json_values(), min_size=1, max_size=5))
def test_any_body_is_delivered_or_dead(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], bodies: list[Any]
) -> None:
    dead: list[str] = []
    monkeypatch.setattr(dead_letters, "put", lambda _url, number, _body: dead.append(number))
    records = [delivered(body, number) for number, body in enumerate(bodies)]
    assert told(monkeypatch, *records) == {"batchItemFailures": []}
    assert len(dead) <= len(bodies)
    assert sent == []
