"""Handle the requests of the API that need an advisor's time zone, and operators' requests.

The API sends `groups`, `student` and the ids of the request beside the operation's own values; the
body is a text, `request`, so that it can't replace them. An operator invokes the function with
`{"action": "set", "advisorId": ..., "request": <JSON text>}` and without `groups`.
"""

import json
import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import Any, Final

from bookings import model, students
from bookings.appointments_table import AppointmentsTable
from bookings.errors import (
    BookingError,
    InvalidAvailabilityError,
    NotStaffError,
    UnknownAdvisorError,
    UnknownAppointmentError,
)
from bookings.model import Appointment, Origin, Slot
from bookings.outbox import Outbox
from bookings.service import Bookings
from bookings.settings import settings
from staff.groups import is_staff

_ADVISOR: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_START: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:00Z", re.ASCII)
#: Before the second attempt, in seconds; twice the time before each further one.
_PAUSE_S: Final = 0.02

type Event = Mapping[str, Any]
type Result = tuple[int, dict[str, Any]]


def lambda_handler(event: Event, _context: object) -> dict[str, object]:
    """Return `{"status": <HTTP status>, "body": {...}, "text": <the body as JSON>}`."""
    action = str(event.get("action"))
    body: dict[str, Any]
    try:
        status, body = _ACTIONS[action](event)
    except BookingError as error:
        status, body = error.status, {"code": error.code, "detail": str(error)}
    line = {
        "level": "INFO",
        "message": action,
        "status": status,
        "code": body.get("code", ""),
        "correlation_id": str(event.get("correlationId", "")),
    }
    # Ids, counts and fixed words, never personal data.
    print(json.dumps(line))
    return {"status": status, "body": body, "text": json.dumps(body)}


@cache
def bookings() -> Bookings:
    """Return the process's operations.

    Raises:
        SettingsError: An environment variable is missing.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 3}
    )
    table = AppointmentsTable(
        boto3.client("dynamodb", region_name=settings().region, config=config),
        settings().table,
        settings().region,
        Outbox(settings().accounts_table, settings().region),
    )
    return Bookings(table, lambda: time.time_ns() // 1_000_000, _pause)


@cache
def _cognito() -> Any:
    import boto3

    return boto3.client("cognito-idp", region_name=settings().region)


def _pause(attempt: int) -> None:
    # Full jitter, so that two students who collided don't collide again.
    time.sleep(random.uniform(0, _PAUSE_S * 2**attempt))  # noqa: S311 - no secret


def _book(event: Event) -> Result:
    request = json.loads(event["request"])
    slot = Slot(request["start"], request["advisorId"])
    booked = bookings().book(str(event["student"]), slot, request.get("note", ""), _origin(event))
    return 201, _document(booked)


def _move(event: Event) -> Result:
    advisor, start = str(event["advisorId"]), str(event["start"])
    # API Gateway doesn't check the pattern of a path parameter.
    if not (_ADVISOR.fullmatch(advisor) and _is_time(start)):
        raise UnknownAppointmentError("You do not have this appointment.")
    request = json.loads(event["request"])
    new = Slot(request["start"], request.get("advisorId", advisor))
    moved = bookings().move(str(event["student"]), Slot(start, advisor), new, _origin(event))
    return 200, _document(moved)


def _free(event: Event) -> Result:
    advisor, text = str(event["advisorId"]), str(event.get("from", ""))
    if text and not _is_time(text):
        return 400, {
            "code": "parameters_invalid",
            "detail": "from is a start time such as 2026-12-01T09:30:00Z.",
        }
    if not _ADVISOR.fullmatch(advisor):
        raise UnknownAdvisorError("No advisor has this id.")
    start = Slot(text, advisor).time if text else 0
    stored, free, end = bookings().free(advisor, start)
    return 200, {
        "advisorId": advisor,
        "timeZone": stored.document["timeZone"],
        "slotMinutes": stored.document["slotMinutes"],
        "slots": [model.time_text(slot) for slot in free],
        "next": model.time_text(end),
    }


def _day(event: Event) -> Result:
    _check_staff(event)
    advisor, text = str(event["advisorId"]), str(event.get("day", ""))
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or not _ADVISOR.fullmatch(advisor):
        return 400, {"code": "parameters_invalid", "detail": "day is a date such as 2026-12-01."}
    zone, appointments = bookings().day(advisor, day)
    pool = settings().user_pool_id
    return 200, {
        "advisorId": advisor,
        "timeZone": zone,
        "appointments": [
            {
                "start": it.slot.start,
                "minutes": it.minutes,
                "student": students.email_address(_cognito(), pool, it.student),
                "note": it.note,
            }
            for it in appointments
        ],
    }


def _change(event: Event) -> Result:
    _check_staff(event)
    advisor, start = str(event["advisorId"]), str(event["start"])
    if not (_ADVISOR.fullmatch(advisor) and _is_time(start)):
        raise UnknownAppointmentError("This appointment doesn't exist.")
    old, request = Slot(start, advisor), json.loads(event["request"])
    reason = " ".join(request["reason"].split())
    if "newStart" in request:
        new = Slot(request["newStart"], request.get("newAdvisorId", advisor))
        changed = bookings().move_by_office(old, new, reason, _origin(event))
    else:
        changed = bookings().cancel_by_office(old, reason, _origin(event))
    return 200, _document(changed) | {"reason": reason}


def _check_staff(event: Event) -> None:
    """Check the caller's groups, as API Gateway joins them. Operators have none.

    Raises:
        NotStaffError: The caller isn't in the group staff.
    """
    if "groups" in event and not is_staff(str(event["groups"])):
        raise NotStaffError("Only members of the group staff can do this.")


def _set(event: Event) -> Result:
    _check_staff(event)
    advisor = str(event["advisorId"])
    if not _ADVISOR.fullmatch(advisor):
        raise InvalidAvailabilityError(
            "advisorId must have 1 to 40 small letters, digits and hyphens, such as asha-menon."
        )
    request = json.loads(event["request"])
    expected, email = request.pop("revision", None), request.pop("email", None)
    stored = bookings().set_availability(advisor, request, expected, _origin(event), email=email)
    return 200, stored.document


_ACTIONS: Final[dict[str, Callable[[Event], Result]]] = {
    "book": _book,
    "move": _move,
    "free": _free,
    "set": _set,
    "day": _day,
    "change": _change,
}


def _is_time(text: str) -> bool:
    if not _START.fullmatch(text):
        return False
    try:
        return model.time_text(Slot(text, "").time) == text
    except ValueError:
        return False


def _origin(event: Event) -> Origin:
    return Origin(str(event.get("requestId", "")), str(event.get("correlationId", "")))


def _document(appointment: Appointment) -> dict[str, Any]:
    slot = appointment.slot
    return {
        "advisorId": slot.advisor,
        "start": slot.start,
        "minutes": appointment.minutes,
        "note": appointment.note,
        "link": f"/api/appointments/{slot.advisor}/{slot.start}",
    }
