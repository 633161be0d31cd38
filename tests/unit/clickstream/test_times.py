"""Tests the correction of clock skew, across month, year and daylight saving boundaries."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream import times

MOMENTS: Final = st.integers(631_152_000_000, 3_786_912_000_000).map(  # 1990 to 2090
    lambda ms: datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)
)
OFFSETS: Final = st.timedeltas(timedelta(days=-4000), timedelta(days=4000))


def ms(text: str) -> datetime:
    parsed = times.parse(text)
    assert parsed is not None
    return parsed


@given(MOMENTS, OFFSETS, st.timedeltas(timedelta(0), timedelta(days=30)), OFFSETS)
def test_corrected_time_is_independent_of_clock_error(
    happened: datetime, skew: timedelta, queued: timedelta, other: timedelta
) -> None:
    """The corrected time is the event's time by the server's clock, for any clock error."""
    received = happened + queued
    for error in (skew, other):
        original, sent = happened + error, happened + queued + error
        assert times.corrected(original, times.skew(received, sent).behind) == happened


@given(MOMENTS, OFFSETS)
def test_corrected_time_without_sent_at_is_original_time(
    received: datetime, past: timedelta
) -> None:
    assert times.corrected(received + past, times.skew(received, None).behind) == received + past


@given(MOMENTS)
def test_parse_inverts_text(moment: datetime) -> None:
    text = times.text(moment)
    assert len(text) == 24
    assert text == moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    assert times.parse(text) == moment
    assert times.canonical(moment, text) == text


@given(MOMENTS, OFFSETS)
def test_moved_time_is_the_corrected_one(moment: datetime, behind: timedelta) -> None:
    corrected = times.corrected(moment, behind)
    assert corrected is not None
    assert times.moved(times.text(moment), behind) == times.text(corrected)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "2026-11-21T12:00:00Z",
            "2026-W47-6T12:00:00.000Z",
            "2026-11-21 12:00:00.000Z",
            "",
            "Z" * 24,
        ),
        *(
            "2026-13-21T12:00:00.000Z",
            "9999-12-31T23:59:59.000Z",
            None,
            24,
            1.5,
            ["x"] * 24,
            {"x": 1},
        ),
    ],
)
def test_other_value_is_not_moved(value: object) -> None:
    assert times.moved(value, timedelta(seconds=2)) is None


FORMS: Final = ["%Y-%m-%dT%H:%M:%S+00:00", "%Y%m%dT%H%M%SZ", "%G-W%V-%uT%H:%M:%S.000Z"]


@given(MOMENTS, st.sampled_from(FORMS))
def test_canonical_converts_other_iso_formats(moment: datetime, form: str) -> None:
    moment = moment.replace(microsecond=0)
    sent = moment.strftime(form)
    parsed = times.parse(sent)
    assert parsed == moment
    assert times.canonical(parsed, sent) == times.text(moment)


# receivedAt, sentAt, originalTimestamp, timestamp
EDGES: Final = """
end of a month, of February in a leap year, and of a year
2026-12-01T00:00:01Z 2026-11-30T23:00:01Z 2026-11-30T22:59:59Z 2026-11-30T23:59:59.000Z
2028-03-01T00:00:00Z 2028-03-01T00:00:00Z 2028-02-29T23:59:59.9Z 2028-02-29T23:59:59.900Z
2027-01-01T00:00:00.500Z 2030-06-01T00:00:01Z 2030-06-01T00:00:00Z 2026-12-31T23:59:59.500Z
London ends summer time at 01:00 UTC: 01:30 occurs twice, with different offsets
2026-10-25T01:31:00Z 2026-10-25T01:31:00Z 2026-10-25T01:30:00+01:00 2026-10-25T00:30:00.000Z
2026-10-25T01:31:00Z 2026-10-25T01:31:00Z 2026-10-25T01:30:00+00:00 2026-10-25T01:30:00.000Z
New York starts daylight saving time: 01:59 and 03:00 are a minute apart
2026-03-08T07:00:00Z 2026-03-08T03:00:00-04:00 2026-03-08T01:59:00-05:00 2026-03-08T06:59:00.000Z
an event in the client's future
2026-11-21T12:00:00Z 2026-11-21T12:00:00Z 2026-11-21T13:00:00Z 2026-11-21T13:00:00.000Z
"""


@pytest.mark.parametrize("line", [line for line in EDGES.splitlines() if line[:2] == "20"])
def test_corrected_time_at_calendar_boundary(line: str) -> None:
    received, sent, original, expected = line.split()
    corrected = times.corrected(ms(original), times.skew(ms(received), ms(sent)).behind)
    assert corrected is not None
    assert times.text(corrected) == expected


def test_time_outside_datetime_range_is_none() -> None:
    first, last = ms("0001-01-01T00:00:00Z"), ms("9999-12-31T23:59:59Z")
    assert times.corrected(last, times.skew(last, first).behind) is None
    assert times.corrected(first, times.skew(first, last).behind) is None
    assert times.parse("0001-01-01T00:00:00+01:00") is None


@given(st.text(max_size=30) | st.none() | st.integers() | st.lists(st.integers()))
def test_parse_returns_utc_time_or_none(value: object) -> None:
    parsed = times.parse(value)
    assert parsed is None or parsed.utcoffset() == timedelta(0)


def test_at_truncates_to_milliseconds() -> None:
    assert times.text(times.at(1_795_262_400.1239)) == "2026-11-21T12:00:00.123Z"
