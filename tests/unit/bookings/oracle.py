"""The slots of an availability by asking zoneinfo for each five minutes, for comparison."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bookings.availability import DAYS

STEP_S = 300


def minutes_of(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def within(text: str, minute: int) -> bool:
    pairs = [part.split("-") for part in text.split()]
    return any(minutes_of(start) <= minute < minutes_of(end) for start, end in pairs)


def is_available(document: Mapping[str, Any], time: int) -> bool:
    """Return whether the advisor's clock shows a time within the hours."""
    local = datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(document["timeZone"]))
    day, minute = local.date().isoformat(), local.hour * 60 + local.minute
    off = document.get("daysOff", "").replace(",", " ").split()
    weekly = "" if day in off else document["hours"].get(DAYS[local.weekday()], "")
    lines = [line.split(" ", 1) for line in document.get("extraHours", "").splitlines()]
    return within(weekly, minute) or any(on == day and within(it, minute) for on, it in lines)


def local_date(document: Mapping[str, Any], time: int) -> date:
    return datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(document["timeZone"])).date()


def starts(document: Mapping[str, Any], start: int, end: int) -> list[int]:
    """Return the starts of the slots in a time; `start` and `end` are at local midnights."""
    length = document["slotMinutes"] * 60
    slots: list[int] = []
    begun: int | None = None
    for time in range(start, end + 1, STEP_S):
        joins = begun is not None and local_date(document, begun) == local_date(document, time)
        available = time < end and is_available(document, time)
        if begun is not None and not (available and joins):
            slots += range(begun, time - length + 1, length)
            begun = None
        if available and begun is None:
            begun = time
    return slots
