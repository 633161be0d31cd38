"""Handle the requests of the API that book and change appointments, and operators' requests.

The API sends `groups`, `student` and the ids of the request beside the operation's own values; the
body is a text, `request`, so that it can't replace them. An operator invokes the function with
`{"action": "set", "advisorId": ..., "request": <JSON text>}` and without `groups`.

Each Region has the function. It asks the one of the home unless its own Region is the home.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any, Final

from bookings import model, students
from bookings.advance import Advance
from bookings.assembly import bookings, cognito, forwarder, home, waiting_notices
from bookings.errors import (
    BookingError,
    HomeChangeError,
    InvalidAvailabilityError,
    NotHomeError,
    NotStaffError,
    UnknownAdvisorError,
    UnknownAppointmentError,
)
from bookings.home import Home
from bookings.model import Appointment, Origin, Slot
from bookings.settings import settings
from staff.groups import is_staff

_ADVISOR: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_START: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:00Z", re.ASCII)
#: The record may have changed since this process read it; then it reads it once more.
_ROUTES: Final = 2

type Event = Mapping[str, Any]
type Result = tuple[int, dict[str, Any]]


def lambda_handler(event: Event, _context: object) -> dict[str, object]:
    """Return `{"status": <HTTP status>, "body": {...}, "text": <the body as JSON>}`."""
    action = str(event.get("action"))
    body: dict[str, Any]
    try:
        status, body = _OPERATORS[action](event) if action in _OPERATORS else _routed(action, event)
    except (BookingError, HomeChangeError) as error:
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


def _routed(action: str, event: Event) -> Result:
    """Answer a request if this Region is the home, or else let the home answer.

    Raises:
        BookingError: A rule refuses the request, or the home doesn't answer.
        NotHomeError: The home is moving.
    """
    for _ in range(_ROUTES):
        known = home().current()
        with suppress(NotHomeError):
            if known.accepts(settings().region):
                return _ACTIONS[action](event)
            if not (known.is_moving or event.get("forwarded")):
                status, body = forwarder().ask(known.region, event)
                if body.get("code") != NotHomeError.code:
                    return status, body
        home().forget()
    raise NotHomeError("The bookings are moving to another Region. Try again in a moment.")


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


def _cancel(event: Event) -> Result:
    advisor, start = str(event["advisorId"]), str(event["start"])
    if not (_ADVISOR.fullmatch(advisor) and _is_time(start)):
        raise UnknownAppointmentError("You do not have this appointment.")
    bookings().cancel(str(event["student"]), Slot(start, advisor), _origin(event))
    return 204, {}


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
    listed = bookings().day(advisor, day)
    pool = settings().user_pool_id
    return 200, {
        "advisorId": advisor,
        "timeZone": listed.time_zone,
        "free": [model.time_text(it) for it in listed.free],
        "appointments": [
            {
                "start": it.slot.start,
                "minutes": it.minutes,
                "student": students.email_address(cognito(), pool, it.student),
                "note": it.note,
            }
            for it in listed.appointments
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
    "cancel": _cancel,
    "free": _free,
    "set": _set,
    "day": _day,
    "change": _change,
}


def _record(known: Home) -> Result:
    return 200, {"home": known.region, "epoch": known.epoch, "moving": known.is_moving}


def _deliver(_event: Event) -> Result:
    return 200, {"delivered": waiting_notices().deliver()}


def _advance(event: Event) -> Result:
    move = Advance(settings().region, home(), forwarder().ask, waiting_notices)
    progress = move.step(is_lost=event.get("lost") is True, calls=int(event.get("calls", 0)))
    return 200, progress.document()


#: The API sends none of these. `make failover` does, to one Region or another, and the state
#: machine `failover` sends the last one.
_OPERATORS: Final[dict[str, Callable[[Event], Result]]] = {
    "home": lambda _event: _record(home().newest()),
    "release": lambda event: _record(home().release(str(event["to"]))),
    "begin": lambda _event: _record(home().begin()),
    "take-over": lambda _event: _record(home().take_over()),
    "deliver": _deliver,
    "advance": _advance,
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
