"""Parsing of availability documents: limits, formats, and messages that name the part."""

from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.availability import LIMITS, Span, parse, union
from bookings.errors import InvalidAvailabilityError
from tests import strategies
from tests.unit.bookings.examples import DOCUMENT, documents


@given(documents())
def test_valid_document_is_parsed(document: dict[str, Any]) -> None:
    parsed = parse(document)
    assert parsed.zone.key == document["timeZone"]
    assert parsed.slot_minutes == document["slotMinutes"]


@pytest.mark.parametrize("name", LIMITS)
def test_number_is_within_its_limits(name: str) -> None:
    least, largest = LIMITS[name]
    for value in (least, largest):
        parse(DOCUMENT | {name: value})
    for wrong in (least - 1, largest + 1, True, "3", None, 1.5):
        with pytest.raises(InvalidAvailabilityError, match=name):
            parse(DOCUMENT | {name: wrong})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timeZone": "Mars/Olympus"}, "timeZone"),
        ({"timeZone": "America"}, "timeZone"),
        ({"timeZone": "../etc/passwd"}, "timeZone"),
        ({"timeZone": ""}, "timeZone"),
        ({"hours": {"monday": "9-12"}}, "hours of monday: '9-12'"),
        ({"hours": {"sunday": "09:00-09:00"}}, "hours of sunday"),
        ({"hours": {"sunday": "12:00-09:00"}}, "hours of sunday"),
        ({"hours": {"sunday": "09:00-24:05"}}, "hours of sunday"),
        ({"hours": {"sunday": "09:01-10:00"}}, "steps of 5"),
        ({"hours": {"sunday": "09:00"}}, "hours of sunday"),
        ({"hours": {"friday": " ".join(f"{hour:02}:00-{hour:02}:30" for hour in range(9))}},
         "at most 8 times"),
        ({"daysOff": "24 December"}, "daysOff: '24'"),
        ({"daysOff": "20261224"}, "daysOff"),
        ({"daysOff": "2027-02-29"}, "daysOff"),
        ({"extraHours": "09:00-10:00"}, "has no date before it"),
        ({"extraHours": "2026-12-05 9-10"}, "extraHours"),
        ({"slotMinutes": 31}, "multiple of 5"),
    ],
)  # fmt: skip
def test_invalid_part_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidAvailabilityError, match=message):
        parse(DOCUMENT | change)


@given(strategies.api_texts, st.sampled_from(["daysOff", "extraHours", "timeZone"]))
def test_any_text_is_parsed_or_refused(text: str, name: str) -> None:
    try:
        parse(DOCUMENT | {name: text})
        message = name
    except InvalidAvailabilityError as error:
        message = str(error)
    assert name in message


def test_extra_hours_add_to_a_day_off() -> None:
    parsed = parse(
        DOCUMENT
        | {"daysOff": "2026-12-07 2026-12-08", "extraHours": "2026-12-08 18:00-19:00 20:00-24:00"}
    )
    assert parsed.spans(date(2026, 12, 7)) == ()
    assert parsed.spans(date(2026, 12, 8)) == (Span(1080, 1140), Span(1200, 1440))
    assert parsed.spans(date(2026, 12, 9)) == (Span(540, 720), Span(780, 1020))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=8))
def test_union_has_the_same_minutes(pairs: list[tuple[int, int]]) -> None:
    spans = tuple(Span(start, start + length) for start, length in pairs)
    joined = union(spans)

    def minutes(of: tuple[Span, ...]) -> set[int]:
        return {minute for span in of for minute in range(span.start, span.end)}

    assert minutes(joined) == minutes(spans)
    assert all(one.end < two.start for one, two in pairwise(joined))
