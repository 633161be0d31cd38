"""NotifyFunction: every message is sent, skipped, retried or moved to the dead-letter queue."""

import json
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import telemetry
from stepfunctions import (
    appointment_emails,
    dead_letter_queue,
    notify,
    outbox,
    recipients,
    reminders,
    ses,
)
from stepfunctions.accounts import Accounts
from stepfunctions.appointment_notice import Notice
from stepfunctions.email_address import email_key
from stepfunctions.errors import TransientError
from stepfunctions.outbox import Message
from stepfunctions.recipients import Recipient
from tests import strategies
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources, statements
from tests.unit.stepfunctions.fakes import ACTIVE, PERSON, SETTINGS, Table

#: The examples of a property test share the function-scoped fixtures on purpose.
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def sqs_record(body: object, number: int = 1) -> dict[str, Any]:
    return {"messageId": f"m{number}", "body": json.dumps(body)}


#: Of an appointment that an earlier version booked, so that no schedule is created.
NOTICE = Notice("student-s1", "AppointmentCancelled", "s1", "2027-03-01T09:30:00Z", "asha")
SECRET = {"pk": "SECRET", "sk": "EMAIL", "secret": "ab" * 32}
GOOD = Message("a1/AccountCreated", "a1", "AccountCreated").document()


def returned(kind: str, account: str = "a1") -> dict[str, Any]:
    """Return the message of the rule about an email that came back."""
    return {"kind": kind, "tags": [outbox.tag_value(f"{account}/AccountCreated")]}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return the sent emails as (recipient, subject); replaces the idempotency table."""
    emails: list[tuple[str, str]] = []
    monkeypatch.setattr(
        ses, "send", lambda _from, _set, to, email, _id: emails.append((to, email.subject))
    )
    monkeypatch.setattr(
        notify, "_send_once", lambda: lambda message, _context: notify.send_email(message)
    )
    return emails


class Context:
    """A Lambda context that returns the given remaining times, one per call."""

    def __init__(self, *left_ms: int) -> None:
        self.left_ms = list(left_ms)

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms.pop(0) if self.left_ms else 20_000


def notified(
    monkeypatch: pytest.MonkeyPatch, *records: dict[str, Any], items: Any = (), left: Any = ()
) -> Any:
    accounts = Accounts("accounts", Table(*items))  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(notify, "accounts", lambda: accounts)
    return notify.lambda_handler({"Records": list(records)}, Context(*left))


@pytest.mark.parametrize(
    ("sent_id", "logged"), [("cf-1=", "cf-1="), ("Anna Smith", None), (7, None)]
)
def test_log_line_names_causing_request_if_its_id_is_valid(
    monkeypatch: pytest.MonkeyPatch,
    sent: list[Any],
    capsys: pytest.CaptureFixture[str],
    sent_id: object,
    logged: str | None,
) -> None:
    notified(monkeypatch, sqs_record({**GOOD, "correlationId": sent_id}), items=(ACTIVE, PERSON))
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (line["outcome"], line.get("correlation_id")) == ("sent", logged)
    assert len(sent) == 1


def test_metrics_count_outcomes_without_personal_data(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dead_letter_queue, "send", lambda *_given: None)
    withdrawn = {**ACTIVE, "pk": "ACCOUNT#a2", "status": "withdrawn"}
    other = Message("a2/AccountCreated", "a2", "AccountCreated").document()
    records = [
        sqs_record(GOOD, 1),
        sqs_record("not an object", 2),
        sqs_record(other, 3),
        sqs_record(returned("Complaint"), 4),
        sqs_record(GOOD, 5),
    ]
    notified(monkeypatch, *records, items=(PERSON, ACTIVE, withdrawn))
    output = capsys.readouterr().out
    counted = json.loads(next(line for line in output.splitlines() if "_aws" in line))
    assert {name: counted[name] for name in notify.METRICS.values()} == {
        "EmailsSent": [1],
        "EmailsSkipped": [1],
        "EmailsRejected": [1],
        "EmailsReturned": [1],
        "EmailsSuppressed": [1],
    }
    assert "anna" not in output.lower()


def test_subsegment_without_trace_raises_no_error() -> None:
    with telemetry.subsegment("email", outbox="a1/AccountCreated"):
        pass


def test_notifier_defers_messages_without_enough_time_left(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any]
) -> None:
    records = [sqs_record(GOOD, number) for number in range(4)]
    left = (notify.MIN_REMAINING_MS, notify.MIN_REMAINING_MS - 1)
    answer = notified(monkeypatch, *records, items=(PERSON, ACTIVE), left=left)
    assert [it["itemIdentifier"] for it in answer["batchItemFailures"]] == ["m2", "m3"]
    assert len(sent) == 2


@pytest.mark.parametrize("body", [GOOD, outbox.about(NOTICE).document()])
def test_email_is_not_sent_without_time_to_record_it(
    monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    """Slow calls before it took the time; Lambda could stop the function after the email."""
    emails: list[str] = []
    accounts = Accounts("accounts", Table(PERSON, ACTIVE, SECRET))  # type: ignore[arg-type] # a fake
    student = Recipient("anna@example.com", "Anna", "en", ZoneInfo("UTC"))
    monkeypatch.setattr(notify, "accounts", lambda: accounts)
    for module in (appointment_emails, reminders):
        monkeypatch.setattr(module, "settings", lambda: SETTINGS)
    monkeypatch.setattr(recipients, "find", lambda *_given: student)
    monkeypatch.setattr(ses, "send", lambda *_given: emails.append("sent"))
    message = outbox.from_queue(body)
    short, enough = Context(notify.MIN_SENDING_MS - 1), Context(notify.MIN_SENDING_MS)
    with pytest.raises(TransientError):
        notify.send_email(message, lambda: notify.require_time(short))
    assert emails == []
    assert notify.send_email(message, lambda: notify.require_time(enough)) == "sent"
    assert emails == ["sent"]


def test_one_email_fits_into_function_timeout() -> None:
    """The notifier always starts the first message of a batch, without checking the time."""
    stack = ROOT / "stacks" / "accounts-notifications.yaml"
    properties = resources(stack)["NotifyFunction"]["Properties"]
    assert (
        ses.READ_TIMEOUT_S * 1000 + 2_000 < notify.MIN_REMAINING_MS < properties["Timeout"] * 1000
    )


def test_notifier_skips_emails_without_sender(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notify, "settings", lambda: replace(SETTINGS, sender=""))
    answer = notified(monkeypatch, sqs_record(GOOD), items=(PERSON, ACTIVE))
    assert (answer, sent) == ({"batchItemFailures": []}, [])
    assert '"outcome": "no sender"' in capsys.readouterr().out


def test_active_account_gets_email(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = notified(monkeypatch, sqs_record(GOOD), items=(PERSON, ACTIVE))
    assert answer == {"batchItemFailures": []}
    assert sent == [("anna@example.com", "Chào mừng bạn đến với trường")]
    assert "anna" not in capsys.readouterr().out.lower()


@pytest.mark.parametrize(
    "items", [(), (PERSON,), (ACTIVE,), (PERSON, {**ACTIVE, "status": "withdrawn"})]
)
def test_account_without_active_status_gets_no_email(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], items: Any
) -> None:
    assert notified(monkeypatch, sqs_record(GOOD), items=items) == {"batchItemFailures": []}
    assert sent == []


#: The form's proof, in the outbox item.
PROOF = {"pk": "ACCOUNT#a1", "sk": "OUTBOX#ProofRequested", "proof": "r1.t1"}


def unproved(kind: str) -> dict[str, Any]:
    return sqs_record(Message(f"a1/{kind}", "a1", kind).document())


def test_form_gets_email_with_proof_in_fragment(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    texts: list[str] = []
    monkeypatch.setattr(ses, "send", lambda _from, _set, _to, email, _id: texts.append(email.text))
    assert notified(monkeypatch, unproved("ProofRequested"), items=(PERSON, PROOF)) == {
        "batchItemFailures": []
    }
    (text,) = texts
    assert "https://school.example/confirm.html#r1.t1\n" in text
    # Neither the name of the form reaches the address, nor the proof a log.
    assert "Anna" not in text
    assert "t1" not in capsys.readouterr().out


def test_guardian_gets_email_with_proof_that_names_no_student(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        ses, "send", lambda _from, _set, to, email, _id: sent.append((to, email.text))
    )
    minor = {**PERSON, "guardian_email": "parent@example.com"}
    held = {**PROOF, "sk": "OUTBOX#ConsentRequested", "proof": "r1.t2"}
    notified(monkeypatch, unproved("ConsentRequested"), items=(minor, PROOF, held))
    ((to, text),) = sent
    assert to == "parent@example.com"
    assert "https://school.example/consent.html#r1.t2\n" in text
    assert not {it for it in ("Anna", "anna", "t1") if it in text}
    assert "parent" not in capsys.readouterr().out


def test_returned_email_to_guardian_suppresses_only_the_guardian(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    minor = {**PERSON, "guardian_email": "parent@example.com"}
    suppressed = []
    for tag in ("a1_ConsentRequested", "a1_ProofRequested"):
        accounts = Accounts("accounts", Table(minor, SECRET))  # type: ignore[arg-type] # a fake
        monkeypatch.setattr(notify, "accounts", lambda accounts=accounts: accounts)
        assert notify.send_email(outbox.from_queue({"kind": "Bounce", "tags": [tag]})) == "returned"
        suppressed.append(
            [
                accounts.is_suppressed(email_key(it, accounts.email_secret()))
                for it in ("parent@example.com", "anna@example.com")
            ]
        )
    assert suppressed == [[True, False], [False, True]]


CHANGE = {
    "pk": "ACCOUNT#a1",
    "sk": "ADDRESS",
    "change_id": "c-1",
    "email": "new@example.org",
}


@pytest.mark.parametrize(
    ("kind", "recipient", "link"),
    [
        ("NewAddress", "new@example.org", "/address.html#a1.t1\n"),
        ("OldAddress", "anna@example.com", "/address.html#a1.t1\n"),
        ("AddressTaken", "new@example.org", ""),
        ("AddressChanged", "new@example.org", ""),
    ],
)
def test_emails_about_an_address_go_to_that_address(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], kind: str, recipient: str, link: str
) -> None:
    monkeypatch.setattr(
        ses, "send", lambda _from, _set, to, email, _id: sent.append((to, email.text))
    )
    message = unproved(f"{kind}-c-1")
    proof = {"pk": "ACCOUNT#a1", "sk": f"OUTBOX#{kind}-c-1", "proof": "a1.t1"}
    notified(monkeypatch, message, items=(ACTIVE, PERSON, CHANGE, proof))
    ((to, text),) = sent
    assert to == recipient
    assert f"https://school.example{link}" in text
    assert ("t1" in text) == bool(link)
    # The new address isn't proved before the change.
    assert ("Anna" in text) == (kind not in {"NewAddress", "AddressTaken"})


ERASURE = {
    "pk": "ERASURE#a1",
    "sk": "ERASURE",
    "request_id": "r-1",
    "email": "parent@example.com",
    "name": "Anna",
}


@pytest.mark.parametrize("kind", ["EraseAccount", "AccountErased"])
def test_emails_about_an_erasure_go_to_its_recipient(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], kind: str
) -> None:
    monkeypatch.setattr(
        ses, "send", lambda _from, _set, to, email, _id: sent.append((to, email.text))
    )
    proof = {"pk": "ACCOUNT#a1", "sk": f"OUTBOX#{kind}-r-1", "proof": "a1.t1"}
    notified(monkeypatch, unproved(f"{kind}-r-1"), items=(ERASURE, proof))
    ((to, text),) = sent
    assert to == "parent@example.com"
    assert "Anna" in text
    assert ("https://school.example/erase.html#a1.t1\n" in text) == (kind == "EraseAccount")
    # The workflow deletes the address after the last email.
    marked = notify.accounts()._dynamodb.items["ERASURE#a1", "ERASURE"].get("emailed")  # type: ignore[attr-defined] # a fake
    assert marked == ({"BOOL": True} if kind == "AccountErased" else None)


@pytest.mark.parametrize("kind", ["EraseAccount", "AccountErased"])
@pytest.mark.parametrize("changed", [{"request_id": "r-2"}, {"email": None}, {"pk": "ERASURE#b"}])
def test_replaced_or_ended_erasure_sends_no_email(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], kind: str, changed: dict[str, Any]
) -> None:
    item = {name: it for name, it in (ERASURE | changed).items() if it is not None}
    proof = {"pk": "ACCOUNT#a1", "sk": f"OUTBOX#{kind}-r-1", "proof": "a1.t1"}
    notified(monkeypatch, unproved(f"{kind}-r-1"), items=(item, proof))
    assert sent == []


@pytest.mark.parametrize("request_id", ["r-1", "r-2"])
def test_link_of_an_export_goes_to_its_recipient(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], request_id: str
) -> None:
    """A later request has replaced the export: its own email follows."""
    monkeypatch.setattr(
        ses, "send", lambda _from, _set, to, email, _id: sent.append((to, email.text))
    )
    export = {**ERASURE, "pk": "EXPORT#a1", "sk": "EXPORT", "request_id": request_id}
    proof = {"pk": "ACCOUNT#a1", "sk": "OUTBOX#ExportReady-r-1", "proof": "a1.t1"}
    notified(monkeypatch, unproved("ExportReady-r-1"), items=(export, proof))
    if request_id == "r-2":
        assert sent == []
        return
    ((to, text),) = sent
    assert to == "parent@example.com"
    assert "https://school.example/export.html#a1.t1\n" in text


@pytest.mark.parametrize("kind", ["NewAddress", "AddressTaken", "AddressChanged"])
def test_replaced_change_of_address_sends_no_email_to_the_new_address(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], kind: str
) -> None:
    proof = {"pk": "ACCOUNT#a1", "sk": f"OUTBOX#{kind}-c-0", "proof": "a1.t0"}
    notified(monkeypatch, unproved(f"{kind}-c-0"), items=(ACTIVE, PERSON, CHANGE, proof))
    assert sent == []


def test_returned_email_to_new_address_suppresses_only_that_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suppressed = []
    for tag in ("a1_NewAddress-c-1", "a1_OldAddress-c-1"):
        accounts = Accounts("accounts", Table(PERSON, CHANGE, SECRET))  # type: ignore[arg-type] # a fake
        monkeypatch.setattr(notify, "accounts", lambda accounts=accounts: accounts)
        assert notify.send_email(outbox.from_queue({"kind": "Bounce", "tags": [tag]})) == "returned"
        addresses = ("new@example.org", "anna@example.com")
        keys = [email_key(it, accounts.email_secret()) for it in addresses]
        suppressed.append([accounts.is_suppressed(it) for it in keys])
    assert suppressed == [[True, False], [False, True]]


def test_form_of_address_with_account_gets_email_without_proof(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any]
) -> None:
    notified(monkeypatch, unproved("AccountExists"), items=(PERSON,))
    assert sent == [("anna@example.com", "Bạn đã có tài khoản")]


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        ("ProofRequested", ()),
        ("ProofRequested", (PERSON,)),
        ("ProofRequested", (PROOF,)),
        ("ConsentRequested", (PERSON,)),
        ("ConsentRequested", (PERSON, PROOF)),
        ("AccountExists", ()),
        ("AccountExists", (PERSON, ACTIVE)),
    ],
)
def test_expired_form_gets_no_email(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], kind: str, items: Any
) -> None:
    notified(monkeypatch, unproved(kind), items=items)
    assert sent == []


def test_failure_returns_later_messages_too(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any]
) -> None:
    monkeypatch.setattr(ses, "send", lambda *arguments: _fail_second(sent))
    records = [sqs_record(GOOD, number) for number in range(4)]
    answer = notified(monkeypatch, *records, items=(PERSON, ACTIVE))
    assert [it["itemIdentifier"] for it in answer["batchItemFailures"]] == ["m1", "m2", "m3"]


def _fail_second(sent: list[Any]) -> None:
    if sent:
        raise TransientError("SES failed temporarily.")
    sent.append(("x", "y"))


def test_rejected_message_does_not_block_others(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any]
) -> None:
    dead: list[str] = []
    monkeypatch.setattr(dead_letter_queue, "send", lambda _url, number, _body: dead.append(number))
    records = [sqs_record("not an object", 1), sqs_record({"outboxId": 1}, 2), sqs_record(GOOD, 3)]
    records.append({"messageId": "m4", "body": "not JSON"})
    answer = notified(monkeypatch, *records, items=(PERSON, ACTIVE))
    assert answer == {"batchItemFailures": []}
    assert dead == ["m1", "m2", "m4"]
    assert len(sent) == 1


@shared
@given(st.lists(strategies.json_values(), min_size=1, max_size=5))
def test_any_body_is_processed_or_moved_to_dead_letter_queue(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], bodies: list[Any]
) -> None:
    dead: list[str] = []
    monkeypatch.setattr(dead_letter_queue, "send", lambda _url, number, _body: dead.append(number))
    records = [sqs_record(body, number) for number, body in enumerate(bodies)]
    assert notified(monkeypatch, *records) == {"batchItemFailures": []}
    assert len(dead) <= len(bodies)
    assert sent == []


@pytest.mark.parametrize("kind", sorted(notify.FEEDBACK))
def test_address_of_returned_email_gets_no_further_email(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], kind: str
) -> None:
    other = {**PERSON, "pk": "ACCOUNT#a2", "email": "ben@example.com"}
    active = {**ACTIVE, "pk": "ACCOUNT#a2"}
    # The same mailbox in upper case, in a later request.
    again = {**PERSON, "pk": "ACCOUNT#a3", "email": " ANNA@EXAMPLE.com"}
    messages = [
        Message(f"{it}/AccountCreated", it, "AccountCreated").document() for it in ("a3", "a2")
    ]
    records = [sqs_record(it) for it in (returned(kind), returned(kind), *messages)]
    items = (PERSON, ACTIVE, other, active, again, {**ACTIVE, "pk": "ACCOUNT#a3"})
    answer = notified(monkeypatch, *records, items=items)
    assert answer == {"batchItemFailures": []}
    assert [to for to, _ in sent] == ["ben@example.com"]


def test_returned_email_of_expired_form_suppresses_nothing(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = notified(monkeypatch, sqs_record(returned("Bounce", "a7")))
    assert (answer, sent) == ({"batchItemFailures": []}, [])
    assert '"outcome": "unknown"' in capsys.readouterr().out


def test_role_allows_sending_with_the_configuration_set() -> None:
    """SendEmail has two resources: identity and configuration set (Service Authorization)."""
    stack = resources(ROOT / "stacks" / "accounts-notifications.yaml")
    name = stack["EmailConfigurationSet"]["Properties"]["Name"]["Fn::Sub"]
    (statement,) = [it for it in statements(stack["NotifyRole"]) if it["Sid"] == "Emails"]
    assert any(str(it).endswith(f":configuration-set/{name}'}}") for it in statement["Resource"])
