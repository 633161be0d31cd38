"""The calendar entries of appointments, read by another library than the one that writes them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import vobject
from hypothesis import given
from hypothesis import strategies as st

from stepfunctions import appointment_templates, calendar_entry
from stepfunctions.appointment_notice import KINDS, Notice
from stepfunctions.email_templates import one_line
from tests import strategies
from tests.unit.bookings.examples import ZONES

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
starts = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)).map(  # noqa: DTZ001 - made aware
    lambda it: it.replace(second=0, microsecond=0, tzinfo=UTC)
)
notices = st.builds(
    Notice,
    st.just("student-s1"),
    st.sampled_from(sorted(KINDS.values())),
    st.just("s1"),
    starts.map(lambda it: f"{it:%Y-%m-%dT%H:%M:%SZ}"),
    st.just("asha"),
    st.from_regex(r"\A[0-9a-f]{32}\Z"),
    st.integers(0, 40),
    st.integers(10, 240),
)


def parsed(notice: Notice, summary: str = "Appointment") -> Any:
    entry = calendar_entry.render(notice, summary, "school@meridian.example", "a@b.example", NOW)
    assert all(len(line) <= 75 for line in entry.split(b"\r\n"))
    return vobject.readOne(entry.decode())


@pytest.mark.parametrize("text", ["\ufeffAppointment", "Appoint\ufeffment", "\ufeff"])
def test_byte_order_mark_in_a_text_is_left_out(text: str) -> None:
    assert "\ufeff" not in one_line(text)


@given(notices, strategies.api_texts)
def test_second_parser_reads_written_entry(notice: Notice, summary: str) -> None:
    calendar = parsed(notice, summary)
    event = calendar.vevent
    start = datetime.fromisoformat(notice.start)
    assert event.dtstart.value == start
    assert event.dtend.value == start + timedelta(minutes=notice.minutes)
    assert event.uid.value == f"{notice.calendar_id}@meridian.example"
    assert int(event.sequence.value) == notice.revision
    assert event.summary.value == one_line(summary)
    cancelled = notice.kind == "AppointmentCancelled"
    expected = ("CANCEL", "CANCELLED") if cancelled else ("REQUEST", "CONFIRMED")
    assert (calendar.method.value, event.status.value) == expected
    assert event.organizer.value == "mailto:school@meridian.example"
    assert event.attendee.value == "mailto:a@b.example"


@given(notices, st.integers(1, 5))
def test_changes_of_one_appointment_have_one_uid_and_growing_numbers(
    notice: Notice, later: int
) -> None:
    changed = Notice(
        notice.recipient,
        "AppointmentMoved",
        notice.student,
        "2027-03-28T01:30:00Z",
        "ben",
        notice.calendar_id,
        notice.revision + later,
    )
    first, second = parsed(notice).vevent, parsed(changed).vevent
    assert first.uid.value == second.uid.value
    assert int(first.sequence.value) < int(second.sequence.value)


@given(starts, st.integers(10, 240), st.sampled_from(ZONES), st.sampled_from(["en", "hi", "vi"]))
def test_text_has_the_clock_and_the_offset_of_the_zone(
    start: datetime, minutes: int, zone: str, language: str
) -> None:
    text = appointment_templates.when(
        f"{start:%Y-%m-%dT%H:%M:%SZ}", minutes, ZoneInfo(zone), language
    )
    day, _, rest = text.partition(", ")
    clock, _, end = rest.partition(" (")[0].partition("-")
    offset = rest.rpartition("UTC")[2].rstrip(")")
    # The clock and its offset are one instant, also in the hour that a clock shows twice.
    shown = datetime.fromisoformat(f"{day.rpartition(' ')[2]}T{clock}{offset}")
    assert shown == start
    assert end == f"{(start + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone)):%H:%M}"
    assert f"({zone}, " in rest


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-10-25T00:30:00Z", "Sunday 2026-10-25, 01:30-01:15 (Europe/London, UTC+01:00)"),
        ("2026-10-25T01:30:00Z", "Sunday 2026-10-25, 01:30-02:15 (Europe/London, UTC+00:00)"),
        ("2026-03-29T00:30:00Z", "Sunday 2026-03-29, 00:30-02:15 (Europe/London, UTC+00:00)"),
    ],
)
def test_text_at_a_change_of_the_clock(start: str, expected: str) -> None:
    assert appointment_templates.when(start, 45, ZoneInfo("Europe/London"), "en") == expected


@given(
    notices.map(lambda it: replace(it, moved_from="2026-03-29T00:30:00Z")),
    st.booleans(),
    st.sampled_from(["en", "hi", "vi"]),
    strategies.api_texts,
    strategies.api_texts,
    st.sampled_from(["", "The advisor is ill, $url."]),
)
def test_each_email_has_its_values_and_no_placeholder(
    notice: Notice, to_student: bool, language: str, name: str, other: str, reason: str
) -> None:
    email = appointment_templates.render(
        notice,
        to_student=to_student,
        language=language,
        name=name.replace("$", ""),
        other=other.replace("$", ""),
        zone=ZoneInfo("Asia/Kolkata"),
        reason=reason,
        url="https://school.example/app/",
    )
    if notice.kind == "AppointmentKept" and not to_student:
        assert email is None
        return
    assert email is not None
    assert one_line(other.replace("$", "")) in email.text
    email.text.encode()
    assert ("https://school.example/app/" in email.text) == to_student
    has_reason = bool(reason) and notice.kind not in ("AppointmentBooked", "AppointmentKept")
    # The office's text isn't a template.
    assert ("The advisor is ill, $url." in email.text) == has_reason
    assert "$" not in email.text.replace("$url", "" if has_reason else "$url")
    zone = "(Asia/Kolkata, UTC+05:30)"
    assert email.text.count(zone) == (2 if notice.kind == "AppointmentMoved" else 1)


@pytest.mark.parametrize("name", ["\ud800", "Zoe\udfff", "a\x00b", "\r\nBcc: x@y.example"])
def test_name_that_no_email_can_have_fails_no_delivery(name: str) -> None:
    notice = Notice("advisor-asha", "AppointmentBooked", "s1", "2027-03-01T09:30:00Z", "asha", "c1")
    text = appointment_templates.summary("en", name)
    assert "\n" not in parsed(notice, text).vevent.summary.value
    email = appointment_templates.render(
        notice,
        to_student=False,
        language="en",
        name=name,
        other=name,
        zone=ZoneInfo("UTC"),
        reason="",
        url="https://school.example/app/",
    )
    assert email is not None
    email.text.encode()
