"""The slots that an availability offers, correct over changes of the clock. Pure.

An advisor is available at an instant if the clock in the advisor's time zone then shows a time
within the hours of the date that it shows. So hours in which the clock is set forward are shorter,
and times that the clock shows twice are offered twice. Each unbroken run of such instants within a
local date is cut into slots from its start. Times are epoch seconds.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from bookings.availability import Availability

DAY_S: Final = 86_400
#: Between two looks for a change of the clock. Two changes within it would have to cancel out.
_PROBE_S: Final = 6 * 3600
#: More than the distance of any local time to UTC (time zone database: -12 to +14 hours).
_MARGIN_S: Final = DAY_S
_EPOCH: Final = date(1970, 1, 1)


class Run(NamedTuple):
    """An unbroken time, in epoch seconds; `end` is exclusive."""

    start: int
    end: int


class _Period(NamedTuple):
    """A time in which the zone has one offset to UTC, in seconds."""

    start: int
    end: int
    offset: int


def starts(availability: Availability, start: int, end: int) -> Iterator[int]:
    """Yield the starts of the offered slots with `start` ≤ slot < `end`, in order."""
    length = availability.slot_minutes * 60
    for run in runs(availability, start, end):
        for slot in range(run.start, run.end - length + 1, length):
            if start <= slot < end:
                yield slot


def is_offered(availability: Availability, slot: int) -> bool:
    """Return whether the availability has a slot that starts at this time."""
    return next(starts(availability, slot, slot + 1), None) == slot


def runs(availability: Availability, start: int, end: int) -> list[Run]:
    """Return the runs of each local date that can overlap the time, whole and in order."""
    periods = _periods(availability.zone, start - 2 * _MARGIN_S, end + 2 * _MARGIN_S)
    first, last = (start - _MARGIN_S) // DAY_S, (end + _MARGIN_S) // DAY_S
    joined: list[Run] = []
    for number in range(first, last + 1):
        joined += _runs_of_date(availability, number, periods)
    return sorted(joined)


def _runs_of_date(availability: Availability, number: int, periods: list[_Period]) -> list[Run]:
    """Return the runs of the local date with a number of days since 1970-01-01."""
    pieces: list[Run] = []
    for span in availability.spans(_EPOCH + timedelta(days=number)):
        opening, closing = (number * DAY_S + minutes * 60 for minutes in (span.start, span.end))
        for period in periods:
            # The clock shows UTC plus the offset.
            piece = Run(
                max(opening - period.offset, period.start), min(closing - period.offset, period.end)
            )
            if piece.start < piece.end:
                pieces.append(piece)
    joined: list[Run] = []
    for piece in sorted(pieces):
        if joined and piece.start <= joined[-1].end:
            joined[-1] = Run(joined[-1].start, max(joined[-1].end, piece.end))
        else:
            joined.append(piece)
    return joined


def _periods(zone: ZoneInfo, start: int, end: int) -> list[_Period]:
    changes = [start]
    for low, high in pairwise(range(start, end + _PROBE_S, _PROBE_S)):
        if _offset(zone, low) != _offset(zone, high):
            changes.append(_change_between(zone, low, high))
    changes.append(end + _PROBE_S)
    return [_Period(low, high, _offset(zone, low)) for low, high in pairwise(changes)]


def _change_between(zone: ZoneInfo, low: int, high: int) -> int:
    """Return the first second with another offset than `low`; `high` has another one."""
    before = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: ZoneInfo, time: int) -> int:
    offset = datetime.fromtimestamp(time, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
