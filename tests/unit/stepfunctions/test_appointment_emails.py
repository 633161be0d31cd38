"""Emails about appointments: notices in the stream, recipients, reminders, and what is skipped."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import vobject
from hypothesis import given
from hypothesis import strategies as st

from stepfunctions import (
    accounts,
    appointment_emails,
    notify,
    outbox,
    recipients,
    reminders,
    ses,
    users,
)
from stepfunctions.accounts import Accounts
from stepfunctions.appointment_notice import KINDS, REMINDER, Notice
from stepfunctions.errors import OutboxError, PermanentError, TransientError
from stepfunctions.outbox import Message
from stepfunctions.recipients import Recipient
from tests.unit.stepfunctions.fakes import SETTINGS, Table, client_error, to_item

#: Far enough for a reminder.
START = f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%dT%H:00:00Z}"
BEFORE = f"{datetime.now(UTC) + timedelta(days=8):%Y-%m-%dT%H:00:00Z}"
CALENDAR_ID = "c" * 32
LONDON = ZoneInfo("Europe/London")
STUDENT = Recipient("anna@example.com", "Anna", "vi", LONDON, reminders=True)
ADVISOR = Recipient("asha@school.example", "Asha Menon", "en", LONDON)


def notice(kind: str = "AppointmentBooked", recipient: str = "student-s1", **more: Any) -> Notice:
    values = {"calendar_id": CALENDAR_ID, **more}
    return Notice(recipient, kind, "s1", START, "asha", **values)


def image(**attributes: str) -> dict[str, Any]:
    changed = {
        "notice": "booked",
        "calendar_id": CALENDAR_ID,
        "correlation_id": "cf-1",
        **attributes,
    }
    return {**to_item(changed), "calendar_revision": {"N": "2"}, "minutes": {"N": "45"}}


def record(new_image: dict[str, Any], slot: str = f"{START}/asha") -> dict[str, Any]:
    keys = {"pk": {"S": "STUDENT#s1"}, "sk": {"S": f"OUTBOX#APPOINTMENT#{slot}"}}
    return {"dynamodb": {"Keys": keys, "NewImage": new_image, "SequenceNumber": "1"}}


# --- notices ----------------------------------------------------------------------------------


def test_change_has_one_message_for_student_and_advisor() -> None:
    student, advisor = outbox.from_stream(record(image()))
    assert (student.account_id, advisor.account_id) == ("student-s1", "advisor-asha")
    assert student.kind == advisor.kind == "AppointmentBooked"
    assert student.outbox_id != advisor.outbox_id
    assert student.correlation_id == "cf-1"
    assert student.notice == replace(notice(), revision=2, minutes=45)


def test_move_to_another_advisor_tells_the_earlier_one() -> None:
    moved = image(notice="moved", moved_from=f"{BEFORE}/ben")
    student, advisor, earlier = outbox.from_stream(record(moved))
    assert (student.kind, advisor.kind) == ("AppointmentMoved", "AppointmentBooked")
    assert (earlier.kind, earlier.account_id) == ("AppointmentCancelled", "advisor-ben")
    assert student.notice is not None
    assert student.notice.moved_from == BEFORE
    assert earlier.notice is not None
    assert (earlier.notice.start, earlier.notice.advisor) == (BEFORE, "ben")
    within = image(notice="moved", moved_from=f"{BEFORE}/asha")
    assert [it.kind for it in outbox.from_stream(record(within))] == ["AppointmentMoved"] * 2


@given(
    st.builds(
        Notice,
        st.sampled_from(["student-s1", "advisor-asha"]),
        st.sampled_from([*KINDS.values(), REMINDER]),
        st.just("s1"),
        st.just(START),
        st.just("asha"),
        st.sampled_from(["", CALENDAR_ID]),
        st.integers(0, 9),
        st.integers(10, 240),
        st.sampled_from(["", BEFORE]),
    )
)
def test_message_keeps_its_notice(sent: Notice) -> None:
    message = outbox.about(sent, "cf-1")
    received = outbox.from_queue(json.loads(json.dumps(message.document())))
    assert received == message
    # The tag of SES has letters, digits, "-" and "_", up to 256 (MessageTag).
    tag = outbox.tag_value(message.outbox_id)
    assert tag.replace("-", "").replace("_", "").isalnum()
    assert len(tag) <= 256
    returned = outbox.from_queue({"kind": "Bounce", "tags": [tag]})
    assert returned.account_id == sent.recipient


@pytest.mark.parametrize("broken", [{}, {"student": "s"}, None, {"revision": "x"}])
def test_message_with_broken_notice_is_refused(broken: Any) -> None:
    body = outbox.about(notice()).document()
    body["appointment"] = broken if broken is None else {**body["appointment"], **broken}
    if broken == {}:
        del body["appointment"]["minutes"]
    if broken == {"student": "s"}:
        body["appointment"] = "text"
    with pytest.raises(OutboxError):
        outbox.from_queue(body)


def test_unknown_change_is_refused() -> None:
    with pytest.raises(OutboxError):
        outbox.from_stream(record(image(notice="lost")))


# --- emails -----------------------------------------------------------------------------------


class Scheduler:
    """EventBridge Scheduler in memory."""

    def __init__(self) -> None:
        self.schedules: dict[str, dict[str, Any]] = {}
        self.errors: list[Exception] = []

    def create_schedule(self, **request: Any) -> None:
        if self.errors:
            raise self.errors.pop(0)
        if request["Name"] in self.schedules:
            raise client_error("ConflictException", 409)
        self.schedules[request["Name"]] = request

    def delete_schedule(self, Name: str) -> None:  # noqa: N803 - boto3's
        if self.schedules.pop(Name, None) is None:
            raise client_error("ResourceNotFoundException", 404)


class World:
    """What an email about an appointment needs."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.people = {"student-s1": STUDENT, "advisor-asha": ADVISOR}
        self.sent: list[tuple[str, Any]] = []
        self.table = Table({"pk": "SECRET", "sk": "EMAIL", "secret": "ab" * 32})

    def store(self, **attributes: str) -> None:
        """Store the newest change of the appointment."""
        key = ("STUDENT#s1", f"OUTBOX#APPOINTMENT#{START}/asha")
        revision = attributes.pop("revision", "0")
        changed = {"notice": "booked", "calendar_id": CALENDAR_ID, **attributes}
        self.table.items[key] = {**to_item(changed), "calendar_revision": {"N": revision}}

    def send(self, sent: Notice) -> str:
        table = Accounts("accounts", self.table)  # type: ignore[arg-type] # a fake
        return appointment_emails.send(outbox.about(sent), sent, table)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    created = World()
    for module in (appointment_emails, recipients, reminders):
        monkeypatch.setattr(module, "settings", lambda: SETTINGS)
    monkeypatch.setattr(reminders, "client", lambda: created.scheduler)
    monkeypatch.setattr(recipients, "find", lambda key, _zone=None: created.people.get(key))
    monkeypatch.setattr(
        ses, "send", lambda _from, _set, to, email, _id: created.sent.append((to, email))
    )
    return created


def test_student_gets_email_with_entry_in_own_language_and_zone(world: World) -> None:
    world.store()
    assert world.send(notice()) == "sent"
    ((to, email),) = world.sent
    assert to == "anna@example.com"
    assert email.subject == "Cuộc hẹn của bạn đã được đặt"
    local = datetime.fromisoformat(START).astimezone(LONDON)
    assert f"{local:%Y-%m-%d, %H:%M}" in email.text
    assert "Asha Menon" in email.text
    assert vobject.readOne(email.calendar.decode()).method.value == email.method == "REQUEST"


def test_advisor_gets_email_without_reminder(world: World) -> None:
    world.store()
    assert world.send(notice(recipient="advisor-asha")) == "sent"
    ((to, email),) = world.sent
    assert (to, email.subject) == ("asha@school.example", "An appointment is booked")
    assert "Anna has an appointment with you" in email.text
    assert world.scheduler.schedules == {}


@pytest.mark.parametrize(
    ("key", "person"),
    [
        ("student-s1", None),
        ("student-s1", replace(STUDENT, email="")),
        ("advisor-asha", replace(ADVISOR, email="")),
    ],
)
def test_recipient_without_address_gets_no_email(
    world: World, key: str, person: Recipient | None
) -> None:
    world.people = {k: it for k, it in world.people.items() if k != key}
    if person is not None:
        world.people[key] = person
    assert world.send(notice(recipient=key)) == "unknown"
    assert world.sent == []


def test_reason_of_the_office_is_in_the_email_of_its_change_only(world: World) -> None:
    world.store(notice="cancelled", reason="The advisor is ill.", revision="1")
    assert world.send(notice("AppointmentCancelled", revision=1)) == "sent"
    assert world.send(notice(revision=0)) == "sent"
    texts = [email.text for _, email in world.sent]
    assert "The advisor is ill." in texts[0]
    assert "The advisor is ill." not in texts[1]


def test_only_the_student_hears_of_a_kept_slot(world: World) -> None:
    world.store(notice="kept")
    assert world.send(notice("AppointmentKept")) == "sent"
    assert world.send(notice("AppointmentKept", recipient="advisor-asha")) == "unknown"
    ((address, email),) = world.sent
    assert (address, email.subject) == ("anna@example.com", "Cuộc hẹn của bạn vẫn được giữ")


def test_appointment_of_an_earlier_version_has_no_entry_and_no_reminder(world: World) -> None:
    assert world.send(notice("AppointmentCancelled", calendar_id="", revision=1)) == "sent"
    assert world.sent[0][1].calendar == b""
    assert world.scheduler.schedules == {}


def test_suppressed_address_gets_no_email(world: World) -> None:
    world.store()
    table = Accounts("accounts", world.table)  # type: ignore[arg-type] # a fake
    from stepfunctions import email_address

    key = email_address.email_key("anna@example.com", table.email_secret())
    world.table.items["SUPPRESSED#" + key, "EMAIL"] = to_item({"reason": "Bounce"})
    assert world.send(notice()) == "suppressed"
    assert world.sent == []


# --- reminders --------------------------------------------------------------------------------


def test_schedule_is_created_once_a_day_before_the_start(world: World) -> None:
    world.store()
    assert [world.send(notice()) for _ in range(3)] == ["sent"] * 3
    ((name, schedule),) = world.scheduler.schedules.items()
    due = datetime.fromisoformat(START) - timedelta(days=1)
    assert schedule["ScheduleExpression"] == f"at({due:%Y-%m-%dT%H:%M:%S})"
    assert schedule["ActionAfterCompletion"] == "DELETE"
    assert len(name) <= 64
    message = outbox.from_queue(json.loads(schedule["Target"]["Input"]))
    assert message.kind == REMINDER
    assert message.outbox_id != outbox.about(notice()).outbox_id


def test_schedule_moves_and_ends_with_the_appointment(world: World) -> None:
    world.send(notice())
    world.send(notice("AppointmentMoved", revision=1, moved_from=BEFORE))
    (name,) = world.scheduler.schedules
    assert name.endswith("-1")
    world.send(notice("AppointmentCancelled", revision=2))
    assert world.scheduler.schedules == {}


@given(st.permutations(range(4)))
def test_order_of_delivery_changes_no_reminder(order: list[int]) -> None:
    """EventBridge keeps no order: a reminder is sent only for the newest time."""
    kinds = ["AppointmentBooked", "AppointmentMoved", "AppointmentMoved", "AppointmentBooked"]
    with pytest.MonkeyPatch.context() as patch:
        created = World()
        for module in (appointment_emails, recipients, reminders):
            patch.setattr(module, "settings", lambda: SETTINGS)
        patch.setattr(reminders, "client", lambda: created.scheduler)
        patch.setattr(recipients, "find", lambda key, _zone=None: created.people.get(key))
        patch.setattr(
            ses, "send", lambda _from, _set, to, email, _id: created.sent.append((to, email))
        )
        created.store(revision="3", notice="moved")
        for number in order:
            created.send(notice(kinds[number], revision=number))
        created.sent.clear()
        due = [
            outbox.from_queue(json.loads(it["Target"]["Input"])).notice
            for it in created.scheduler.schedules.values()
        ]
        outcomes = [created.send(it) for it in due if it is not None]
        assert outcomes.count("sent") == 1
        assert set(outcomes) <= {"sent", "withdrawn"}


def test_no_schedule_for_a_reminder_in_the_past(world: World) -> None:
    soon = f"{datetime.now(UTC) + timedelta(hours=20):%Y-%m-%dT%H:00:00Z}"
    world.send(replace(notice(), start=soon))
    assert world.scheduler.schedules == {}


def test_failed_schedule_is_tried_again_before_the_email(world: World) -> None:
    """The message stays in the queue, so neither the reminder nor the email is lost."""
    world.scheduler.errors = [client_error("ThrottlingException", 429)]
    with pytest.raises(TransientError):
        world.send(notice())
    assert world.sent == []
    assert world.send(notice()) == "sent"
    assert len(world.scheduler.schedules) == 1


@pytest.mark.parametrize(
    ("stored", "outcome"),
    [
        ({}, "sent"),
        ({"notice": "moved"}, "sent"),
        ({"notice": "cancelled"}, "withdrawn"),
        ({"notice": "conflict"}, "withdrawn"),
        ({"notice": "kept"}, "sent"),
        ({"revision": "1"}, "withdrawn"),
        ({"calendar_id": "d" * 32}, "withdrawn"),
        (None, "withdrawn"),
    ],
)
def test_reminder_is_sent_for_the_newest_time_only(
    world: World, stored: dict[str, str] | None, outcome: str
) -> None:
    if stored is not None:
        world.store(**stored)
    assert world.send(notice(REMINDER)) == outcome
    assert len(world.sent) == (outcome == "sent")


def test_reminder_is_not_sent_after_the_start_or_against_the_preference(world: World) -> None:
    world.store()
    world.people["student-s1"] = replace(STUDENT, reminders=False)
    assert world.send(notice(REMINDER)) == "declined"
    world.people["student-s1"] = STUDENT
    past = replace(notice(REMINDER), start="2026-01-05T10:00:00Z")
    world.table.items["STUDENT#s1", past.sort_key] = world.table.items[
        "STUDENT#s1", notice().sort_key
    ]
    assert world.send(past) == "withdrawn"
    assert world.sent == []


# --- recipients -------------------------------------------------------------------------------


class Items:
    """Items by their whole key."""

    def __init__(self, items: dict[tuple[str, ...], dict[str, Any]]) -> None:
        self.items = items

    def get_item(self, TableName: str, Key: Any, ConsistentRead: bool) -> Any:  # noqa: N803 - boto3's
        item = self.items.get((TableName, *(it["S"] for it in Key.values())))
        return {"Item": item} if item else {}


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, ...], dict[str, Any]]:
    items: dict[tuple[str, ...], dict[str, Any]] = {}
    attributes = {"email": "anna@example.com", "name": "Anna", "locale": "hi-IN"}
    monkeypatch.setattr(recipients, "settings", lambda: SETTINGS)
    monkeypatch.setattr(accounts, "client", lambda: Items(items))
    monkeypatch.setattr(
        users, "attributes_by_sub", lambda _pool, sub: attributes if sub == "s1" else None
    )
    return items


def test_student_without_preferences_gets_account_language_and_advisor_zone(stored: Any) -> None:
    recipient = recipients.find("student-s1", ZoneInfo("Asia/Kolkata"))
    assert recipient == Recipient("anna@example.com", "Anna", "hi", ZoneInfo("Asia/Kolkata"))
    assert recipients.find("student-s2") is None
    assert recipients.find("0b13cd6c") is None


def test_preferences_decide_language_zone_and_reminders(stored: Any) -> None:
    preferences = {
        "locale": "vi", "timeZone": "Asia/Ho_Chi_Minh", "emailReminders": True,
        "displayName": "An",
    }  # fmt: skip
    stored["profiles", "STUDENT#s1"] = to_item({"preferences": json.dumps(preferences)})
    recipient = recipients.find("student-s1", LONDON)
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    assert recipient == Recipient("anna@example.com", "An", "vi", zone, reminders=True)
    preferences |= {"timeZone": "Mars/Olympus", "emailReminders": False}
    stored["profiles", "STUDENT#s1"] = to_item({"preferences": json.dumps(preferences)})
    recipient = recipients.find("student-s1", LONDON)
    assert recipient is not None
    assert (recipient.zone, recipient.reminders) == (LONDON, False)


def test_advisor_has_the_address_beside_the_availability(stored: Any) -> None:
    document = json.dumps({"name": "Asha", "timeZone": "Europe/London"})
    assert recipients.find("advisor-asha") is None
    stored["appointments", "ADVISORS", "ADVISOR#asha"] = to_item({"document": document})
    assert recipients.find("advisor-asha") == Recipient("", "Asha", "en", LONDON)
    stored["appointments", "ADVISORS", "ADVISOR#asha"]["email"] = {"S": "asha@school.example"}
    recipient = recipients.find("advisor-asha")
    assert recipient is not None
    assert recipient.email == "asha@school.example"


def test_bounce_of_a_notice_suppresses_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table({"pk": "SECRET", "sk": "EMAIL", "secret": "ab" * 32})
    monkeypatch.setattr(notify, "accounts", lambda: Accounts("accounts", table))  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(recipients, "find", {"student-s1": STUDENT}.get)
    message = Message("student-s1_x/Bounce", "student-s1", "Bounce")
    assert notify.send_email(message) == "returned"
    assert [pk for pk, _ in table.items if pk.startswith("SUPPRESSED#")]


# --- the message ------------------------------------------------------------------------------


class Ses:
    """Keeps the requests of SES."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def send_email(self, **request: Any) -> None:
        self.requests.append(request)


def test_raw_message_has_text_entry_and_file(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    world.store()
    world.send(notice())
    ((to, email),) = world.sent
    client = Ses()
    monkeypatch.undo()
    monkeypatch.setattr(ses, "client", lambda: client)
    ses.send("school@example.com", "set", to, email, "student-s1/c/0/AppointmentBooked")
    (request,) = client.requests
    message = message_from_bytes(request["Content"]["Raw"]["Data"], policy=default)
    assert (message["To"], message["Subject"]) == (to, email.subject)
    text, entry, file = (it for it in message.walk() if not it.is_multipart())
    assert text.get_content().replace("\r\n", "\n") == email.text
    assert entry.get_content_type() == "text/calendar"
    assert entry["Content-Type"].params["method"] == "REQUEST"
    assert entry.get_content().splitlines() == email.calendar.decode().splitlines()
    assert file.get_filename() == "appointment.ics"
    assert file.get_payload(decode=True) == email.calendar
    assert all(len(line) < 1000 for line in request["Content"]["Raw"]["Data"].splitlines())
    with pytest.raises(PermanentError):
        ses.send("school@example.com", "set", "a\nb@example.com", email, "x/y")
