"""An advisor's availability as data: parsing and validation. Pure.

The document is the body of `PUT /api/advisors/{advisorId}`. Its times are those of the clock in the
advisor's time zone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from bookings.errors import InvalidAvailabilityError

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_MINUTES: Final = 1440
#: Slots start at multiples of it, as the API's format of a start time requires.
GRID_MINUTES: Final = 5
#: Setting → its least and largest value.
LIMITS: Final = {
    "slotMinutes": (10, 240),
    "noticeHours": (0, 720),
    "cancelHours": (0, 720),
    "bookAheadDays": (1, 365),
    "maxBookings": (1, 50),
}
MAX_SLOT_MINUTES: Final = LIMITS["slotMinutes"][1]
#: Bounds the work for a day.
MAX_SPANS: Final = 8
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a local day, in minutes since 00:00 by the clock; `end` is exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Availability:
    """When an advisor can be booked, and by which rules."""

    zone: ZoneInfo
    #: Seven entries, Monday first.
    hours: tuple[tuple[Span, ...], ...]
    days_off: frozenset[date]
    extra: Mapping[date, tuple[Span, ...]]
    slot_minutes: int
    notice_hours: int
    cancel_hours: int
    book_ahead_days: int
    max_bookings: int

    def spans(self, day: date) -> tuple[Span, ...]:
        """Return the spans of a local date: disjoint, sorted, without gaps of 0 minutes."""
        weekly = () if day in self.days_off else self.hours[day.weekday()]
        return union((*weekly, *self.extra.get(day, ())))


def parse(document: Mapping[str, Any]) -> Availability:
    """Return the availability in a document.

    Raises:
        InvalidAvailabilityError: A part is invalid.
    """
    numbers = {name: _number(document, name) for name in LIMITS}
    if numbers["slotMinutes"] % GRID_MINUTES:
        raise InvalidAvailabilityError(f"slotMinutes must be a multiple of {GRID_MINUTES}.")
    hours = document.get("hours", {})
    return Availability(
        zone=_zone(str(document.get("timeZone", ""))),
        hours=tuple(_spans(str(hours.get(day, "")), f"hours of {day}") for day in DAYS),
        days_off=frozenset(
            _date(text, "daysOff") for text in _parts(str(document.get("daysOff", "")))
        ),
        extra=_extra(str(document.get("extraHours", ""))),
        slot_minutes=numbers["slotMinutes"],
        notice_hours=numbers["noticeHours"],
        cancel_hours=numbers["cancelHours"],
        book_ahead_days=numbers["bookAheadDays"],
        max_bookings=numbers["maxBookings"],
    )


def union(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Return disjoint, sorted spans with the same minutes."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def _number(document: Mapping[str, Any], name: str) -> int:
    least, largest = LIMITS[name]
    value = document.get(name)
    # JSON's true is an int in Python.
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= largest:
        raise InvalidAvailabilityError(f"{name} must be a whole number from {least} to {largest}.")
    return value


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    # ValueError for a path outside the database, OSError for a folder such as "America".
    except (KeyError, ValueError, OSError) as error:
        raise InvalidAvailabilityError(
            "timeZone must be a name of the time zone database, such as Europe/London."
        ) from error


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[\s,;]+", text) if part]


def _spans(text: str, where: str) -> tuple[Span, ...]:
    spans = tuple(_span(part, where) for part in _parts(text))
    if len(spans) > MAX_SPANS:
        raise InvalidAvailabilityError(f"{where}: at most {MAX_SPANS} times in a day.")
    return union(spans)


def _span(text: str, where: str) -> Span:
    first, dash, last = text.partition("-")
    start, end = _clock(first), _clock(last)
    if not dash or start is None or end is None or start >= end:
        raise InvalidAvailabilityError(
            f"{where}: {text!r} isn't a time such as 09:00-12:30, with minutes in steps of "
            f"{GRID_MINUTES}."
        )
    return Span(start, end)


def _clock(text: str) -> int | None:
    """Return the minutes since 00:00, or None for other texts."""
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    if match[1] is None:
        return DAY_MINUTES
    minutes = int(match[1]) * 60 + int(match[2])
    return None if minutes % GRID_MINUTES else minutes


def _date(text: str, where: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidAvailabilityError(
            f"{where}: {text!r} isn't a date such as 2026-12-24."
        ) from error
    # fromisoformat accepts other formats of ISO 8601, too.
    if day.isoformat() != text:
        raise InvalidAvailabilityError(f"{where}: {text!r} isn't a date such as 2026-12-24.")
    return day


def _extra(text: str) -> dict[date, tuple[Span, ...]]:
    """Return the times that follow each date.

    Raises:
        InvalidAvailabilityError: A part is invalid.
    """
    spans_by_day: dict[date, list[Span]] = {}
    day: date | None = None
    for part in _parts(text):
        if ":" not in part:
            day = _date(part, "extraHours")
        elif day is None:
            raise InvalidAvailabilityError(f"extraHours: {part!r} has no date before it.")
        else:
            spans_by_day.setdefault(day, []).append(_span(part, "extraHours"))
    if any(len(spans) > MAX_SPANS for spans in spans_by_day.values()):
        raise InvalidAvailabilityError(f"extraHours: at most {MAX_SPANS} times in a day.")
    return {day: union(tuple(spans)) for day, spans in spans_by_day.items()}
