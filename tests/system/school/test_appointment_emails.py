"""Emails about appointments on the running system: one of each kind to student and advisor."""

import base64
import json
import secrets
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import vobject

from tests.support.waiting import wait_until
from tests.system.school.school_client import SchoolClient
from tests.system.school.test_api import ApiClient
from tests.system.school.test_bookings import AVAILABILITY, days_ahead, free
from tests.system.school.test_notifications import (
    FUNCTION_TIMEOUT_S,
    mapping_uuid,
    visibility_timeout,
    wait_until_empty,
)
from tools.demo_students import access_token, put_user
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.integration

TIMEOUT_S: Final = 60
PREFERENCES: Final = {"locale": "en", "timeZone": "America/New_York", "emailReminders": True}


def sign_in(meridian: System, email: str, *, staff: bool = False) -> ApiClient:
    cognito, outputs = client("cognito-idp", meridian.target), meridian.deployed.outputs
    pool, app_client = outputs["UserPoolId"], outputs["UserPoolClientId"]
    password = secrets.token_urlsafe(12)
    put_user(cognito, pool, email, password, paying=False, staff=staff)
    return ApiClient(meridian, access_token(cognito, pool, app_client, email, password))


@dataclass
class Case:
    """A student, an advisor with an address, and the office."""

    school: SchoolClient
    office: ApiClient
    student: ApiClient
    student_email: str
    advisor: str
    advisor_email: str

    def book(self, day: int = 9) -> str:
        """Book the first free slot of a day; return its start."""
        (start, *_) = free(self.student, self.advisor, days_ahead(day))
        body = {"advisorId": self.advisor, "start": start}
        assert self.student.send("POST", "/appointments", json=body)[0] == 201
        return start

    def move(self, start: str, day: int = 10) -> str:
        """Move the appointment to the first free slot of a day."""
        (new, *_) = free(self.student, self.advisor, days_ahead(day))
        path = f"/appointments/{self.advisor}/{start}"
        assert self.student.send("PUT", path, json={"start": new})[0] == 200
        return new

    def cancel(self, start: str) -> None:
        assert self.student.send("DELETE", f"/appointments/{self.advisor}/{start}")[0] == 204

    def emails(self, recipient: str) -> list[dict[str, Any]]:
        """Return the emails to an address, with their attachments."""
        url = f"{self.school.running.target.endpoint}/_local/emails"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return [it for it in json.load(answer) if recipient in it["To"]]

    def wait_for(self, recipient: str, count: int) -> list[dict[str, Any]]:
        """Wait for a number of emails, and until nothing is on the way; there must be no more."""
        wait_until(
            lambda: len(self.emails(recipient)) >= count,
            f"{count} emails to {recipient}",
            TIMEOUT_S,
        )
        time.sleep(1)
        wait_until_empty(self.school)
        emails = self.emails(recipient)
        assert len(emails) == count, [it["Subject"] for it in emails]
        return emails

    def schedules(self) -> dict[str, dict[str, Any]]:
        """Return the reminders of the student's appointments, by name."""
        scheduler = client("scheduler", self.school.running.target)
        pages = scheduler.get_paginator("list_schedules").paginate(
            NamePrefix="meridian-local-reminder-"
        )
        names = [it["Name"] for page in pages for it in page["Schedules"]]
        schedule_by_name = {name: dict(scheduler.get_schedule(Name=name)) for name in names}
        return {
            k: it for k, it in schedule_by_name.items() if self.advisor in it["Target"]["Input"]
        }


@pytest.fixture(scope="module")
def new_case(meridian: System) -> Iterator[Callable[[], Case]]:
    school = SchoolClient(meridian)
    office = sign_in(meridian, f"office-{uuid.uuid4().hex[:8]}@example.com", staff=True)
    students: list[ApiClient] = []

    def create() -> Case:
        key = uuid.uuid4().hex[:10]
        student_email, advisor_email = f"student-{key}@example.com", f"advisor-{key}@example.com"
        student = sign_in(meridian, student_email)
        students.append(student)
        assert student.send("PUT", "/profile", json=PREFERENCES)[0] == 200
        body = AVAILABILITY | {"email": advisor_email, "name": "Asha Menon"}
        status, stored = office.send("PUT", f"/advisors/advisor-{key}", json=body)
        assert (status, "email" in stored) == (200, False)
        return Case(school, office, student, student_email, f"advisor-{key}", advisor_email)

    yield create
    for opened in (office, *students):
        opened.http.close()


@pytest.fixture
def case(new_case: Callable[[], Case]) -> Case:
    return new_case()


def calendar(email: dict[str, Any]) -> Any:
    """Return the calendar entry of an email, which has it twice."""
    part, file = email["Attachments"]
    entry = base64.b64decode(part["Data"]).decode()
    assert entry.splitlines() == base64.b64decode(file["Data"]).decode().splitlines()
    parsed = vobject.readOne(entry)
    assert part["Parameters"]["method"] == parsed.method.value
    return parsed


def test_booked_moved_and_cancelled_appointment_sends_one_email_of_each(case: Case) -> None:
    start = case.book()
    (booked,) = case.wait_for(case.student_email, 1)
    assert booked["Subject"] == "Your appointment is booked"
    assert "Asha Menon" in booked["BodyText"]
    assert "America/New_York" in booked["BodyText"]
    ((_, schedule),) = case.schedules().items()
    due = datetime.fromisoformat(start) - timedelta(days=1)
    assert schedule["ScheduleExpression"] == f"at({due:%Y-%m-%dT%H:%M:%S})"

    moved = case.move(start)
    case.wait_for(case.student_email, 2)
    ((_, schedule),) = case.schedules().items()
    due = datetime.fromisoformat(moved) - timedelta(days=1)
    assert schedule["ScheduleExpression"] == f"at({due:%Y-%m-%dT%H:%M:%S})"

    case.cancel(moved)
    to_student = case.wait_for(case.student_email, 3)
    assert case.schedules() == {}
    to_advisor = case.wait_for(case.advisor_email, 3)
    for emails in (to_student, to_advisor):
        entries = [calendar(it) for it in emails]
        assert [it.method.value for it in entries] == ["REQUEST", "REQUEST", "CANCEL"]
        assert [int(it.vevent.sequence.value) for it in entries] == [0, 1, 2]
        assert len({it.vevent.uid.value for it in entries}) == 1
        starts = [f"{it.vevent.dtstart.value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for it in entries]
        assert starts == [start, moved, moved]


def test_repeated_requests_send_one_email(case: Case) -> None:
    start = case.book()
    body = {"advisorId": case.advisor, "start": start}
    for _ in range(3):
        assert case.student.send("POST", "/appointments", json=body)[0] == 201
    (new, *_) = free(case.student, case.advisor, days_ahead(10))
    path = f"/appointments/{case.advisor}/{start}"
    for _ in range(3):
        assert case.student.send("PUT", path, json={"start": new})[0] == 200
    case.cancel(new)
    assert case.student.send("DELETE", f"/appointments/{case.advisor}/{new}")[0] == 404
    case.wait_for(case.student_email, 3)
    case.wait_for(case.advisor_email, 3)


def test_office_cancels_with_a_reason(case: Case) -> None:
    start = case.book()
    case.wait_for(case.student_email, 1)
    path = f"/advisors/{case.advisor}/appointments/{start}"
    assert case.office.send("POST", path, json={"reason": "Asha is ill."})[0] == 200
    cancelled = case.wait_for(case.student_email, 2)[-1]
    assert cancelled["Subject"] == "Your appointment is cancelled"
    assert "Reason: Asha is ill." in cancelled["BodyText"]
    assert "Reason: Asha is ill." in case.wait_for(case.advisor_email, 2)[-1]["BodyText"]


def test_reminder_is_sent_once_and_deletes_its_schedule(case: Case) -> None:
    case.book()
    case.wait_for(case.student_email, 1)
    ((name, schedule),) = case.schedules().items()
    message = schedule["Target"]["Input"]
    now = datetime.now(UTC) + timedelta(seconds=1)
    client("scheduler", case.school.running.target).update_schedule(
        Name=name,
        ScheduleExpression=f"at({now:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow=schedule["FlexibleTimeWindow"],
        ActionAfterCompletion=schedule["ActionAfterCompletion"],
        Target=schedule["Target"],
    )
    reminder = case.wait_for(case.student_email, 2)[-1]
    assert reminder["Subject"] == "Reminder of your appointment"
    wait_until(lambda: case.schedules() == {}, "the end of the schedule")
    # Scheduler delivers at least once.
    case.school.sqs.send_message(
        QueueUrl=case.school.queue_url("notifications.fifo"),
        MessageBody=message,
        MessageGroupId="emails",
        MessageDeduplicationId=uuid.uuid4().hex,
    )
    case.wait_for(case.student_email, 2)
    case.wait_for(case.advisor_email, 1)


def test_student_without_the_preference_gets_no_reminder(case: Case) -> None:
    case.book()
    case.wait_for(case.student_email, 1)
    assert (
        case.student.send("PUT", "/profile", json=PREFERENCES | {"emailReminders": False})[0] == 200
    )
    ((_, schedule),) = case.schedules().items()
    case.school.sqs.send_message(
        QueueUrl=case.school.queue_url("notifications.fifo"),
        MessageBody=schedule["Target"]["Input"],
        MessageGroupId="emails",
    )
    case.wait_for(case.student_email, 1)


def test_throttled_services_lose_and_repeat_no_email(case: Case) -> None:
    """The notifier fails before it sends, and SQS delivers the message again."""
    with visibility_timeout(case.school, 3):
        for service, operation in (
            ("scheduler", "POST"),
            ("cognito-idp", "AdminGetUser"),
        ):
            count = len(case.emails(case.student_email))
            with case.school.fault(service=service, operation=operation, kind="refused"):
                start = case.book()
                wait_until(lambda: case.school.faulted_calls() >= 1, "a refused call", TIMEOUT_S)
                assert len(case.emails(case.student_email)) == count
            case.wait_for(case.student_email, count + 1)
            case.cancel(start)
            case.wait_for(case.student_email, count + 2)
    case.wait_for(case.advisor_email, 4)


def test_killed_functions_lose_and_repeat_no_email(case: Case) -> None:
    """Kills of the relay and of the notifier before its email: all messages wait in the queue."""
    functions = client("lambda", case.school.running.target)
    functions.update_event_source_mapping(UUID=mapping_uuid(case.school), Enabled=False)
    try:
        start = case.book()
        case.school.kill_function("stepfunctions.relay.lambda_handler")
        moved = case.move(start)
        case.school.kill_function("stepfunctions.relay.lambda_handler")
        case.cancel(moved)
        time.sleep(2)
        assert case.emails(case.student_email) == []
    finally:
        with visibility_timeout(case.school, FUNCTION_TIMEOUT_S + 1):
            functions.update_event_source_mapping(UUID=mapping_uuid(case.school), Enabled=True)
            case.school.kill_function("stepfunctions.notify.lambda_handler")
            case.wait_for(case.student_email, 3)
            case.wait_for(case.advisor_email, 3)
    assert case.schedules() == {}
