"""The offered slots are those of an oracle that asks zoneinfo for each five minutes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings import availability, slots
from bookings.availability import DAYS
from bookings.model import time_text
from tests.unit.bookings import oracle
from tests.unit.bookings.examples import DOCUMENT, FIRST_DAY, ZONES, documents

YEARS = 2


def local_midnight(zone: str, day: int) -> int:
    """Return the first multiple of five minutes of a local date."""
    wanted = FIRST_DAY + timedelta(day)
    noon = datetime(wanted.year, wanted.month, wanted.day, 12, tzinfo=UTC)
    time = int(noon.timestamp()) - 36 * 3600
    while datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(zone)).date() < wanted:
        time += oracle.STEP_S
    return time


def changes_of_clock(zone: str) -> list[int]:
    """Return the days on which the zone's offset changes."""

    def offset(day: int) -> timedelta | None:
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
        return at.astimezone(ZoneInfo(zone)).utcoffset()

    return [day for day in range(YEARS * 365) if offset(day) != offset(day + 1)]


CHANGES = {zone: changes_of_clock(zone) for zone in ZONES}


def test_examples_contain_changes_of_the_clock() -> None:
    assert sum(bool(days) for days in CHANGES.values()) >= 10


@given(documents(), st.integers(0, YEARS * 365))
def test_slots_of_a_day_equal_the_oracle(document: dict[str, Any], day: int) -> None:
    zone = document["timeZone"]
    start, end = local_midnight(zone, day), local_midnight(zone, day + 1)
    parsed = availability.parse(document)
    assert list(slots.starts(parsed, start, end)) == oracle.starts(document, start, end)


@given(st.sampled_from([zone for zone, days in CHANGES.items() if days]), st.data())
def test_slots_around_a_change_of_the_clock_equal_the_oracle(
    zone: str, data: st.DataObject
) -> None:
    document = data.draw(documents(zone))
    day = data.draw(st.sampled_from(CHANGES[zone]))
    start, end = local_midnight(zone, day), local_midnight(zone, day + 3)
    offered = list(slots.starts(availability.parse(document), start, end))
    assert offered == oracle.starts(document, start, end)


@pytest.mark.parametrize("zone", [zone for zone, days in CHANGES.items() if days])
def test_slots_of_whole_days_with_a_change_of_the_clock_equal_the_oracle(zone: str) -> None:
    """A run goes on over the change, and its slots don't divide the hour."""
    document = {
        **DOCUMENT,
        "timeZone": zone,
        "hours": dict.fromkeys(DAYS, "00:00-24:00"),
        "slotMinutes": 35,
    }
    parsed = availability.parse(document)
    for day in CHANGES[zone]:
        start, end = local_midnight(zone, day), local_midnight(zone, day + 2)
        assert list(slots.starts(parsed, start, end)) == oracle.starts(document, start, end)


@given(documents(), st.integers(0, YEARS * 365), st.integers(0, 287))
def test_start_is_offered_if_the_oracle_has_it(
    document: dict[str, Any], day: int, step: int
) -> None:
    zone = document["timeZone"]
    start, end = local_midnight(zone, day), local_midnight(zone, day + 1)
    time = start + step * oracle.STEP_S
    offered = slots.is_offered(availability.parse(document), time)
    assert offered == (time in oracle.starts(document, start, end))


@given(documents(), st.integers(0, YEARS * 365), st.integers(0, 86_400), st.integers(0, 86_400))
def test_slots_do_not_depend_on_the_listed_time(
    document: dict[str, Any], day: int, before: int, after: int
) -> None:
    parsed = availability.parse(document)
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) + day * 86_400
    end = start + 86_400
    wide = slots.starts(parsed, start - before, end + after)
    assert list(slots.starts(parsed, start, end)) == [it for it in wide if start <= it < end]


@given(documents(), st.integers(0, YEARS * 365))
def test_slots_are_disjoint_and_on_the_grid_of_the_api(document: dict[str, Any], day: int) -> None:
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) + day * 86_400
    offered = list(slots.starts(availability.parse(document), start, start + 3 * 86_400))
    length = document["slotMinutes"] * 60
    assert all(later - earlier >= length for earlier, later in pairwise(offered))
    assert all(it % oracle.STEP_S == 0 for it in offered)


@pytest.mark.parametrize(
    ("zone", "hours", "day", "expected"),
    [
        # The clock goes from 01:00 to 02:00.
        ("Europe/London", "00:00-03:00", "2026-03-29",
         ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"]),
        ("Europe/London", "01:00-02:00", "2026-03-29", []),
        # The clock goes from 02:00 back to 01:00.
        ("Europe/London", "01:00-02:00", "2026-10-25",
         ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"]),
        # The same clock, another time in UTC, before and after the change.
        ("America/New_York", "09:00-10:00", "2026-03-07", ["2026-03-07T14:00:00Z"]),
        ("America/New_York", "09:00-10:00", "2026-03-08", ["2026-03-08T13:00:00Z"]),
        ("Asia/Kathmandu", "09:00-10:00", "2026-03-08", ["2026-03-08T03:15:00Z"]),
    ],
)  # fmt: skip
def test_slots_follow_the_clock_of_the_advisor(
    zone: str, hours: str, day: str, expected: list[str]
) -> None:
    extra = {"hours": {}, "extraHours": f"{day} {hours}", "timeZone": zone, "slotMinutes": 60}
    start = int(datetime.fromisoformat(f"{day}T00:00:00Z").timestamp()) - 86_400
    offered = slots.starts(availability.parse({**DOCUMENT, **extra}), start, start + 3 * 86_400)
    assert [time_text(it) for it in offered] == expected
