"""Availability documents, and strategies for them."""

from datetime import date, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from bookings.availability import DAYS

DOCUMENT: Final[dict[str, Any]] = {
    "name": "Asha Menon",
    "subject": "computing",
    "timeZone": "Europe/London",
    "hours": dict.fromkeys(DAYS, "09:00-12:00 13:00-17:00"),
    "slotMinutes": 30,
    "noticeHours": 2,
    "cancelHours": 24,
    "bookAheadDays": 60,
    "maxBookings": 3,
}
#: Offsets of whole, half and quarter hours, and changes of the clock at midnight, in the middle of
#: the day, by half an hour, in both hemispheres.
ZONES: Final = (
    *("Europe/London", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Africa/Casablanca"),
    *("Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Pacific/Chatham"),
    *("America/Santiago", "Atlantic/Azores", "Pacific/Kiritimati", "America/Scoresbysund", "UTC"),
)
#: Each zone above changes its clock within this time, if at all.
FIRST_DAY: Final = date(2026, 1, 1)


def clock_text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@st.composite
def spans_of_clock(draw: st.DrawFn) -> str:
    start = draw(st.integers(0, 287))
    end = draw(st.integers(start + 1, 288))
    return f"{clock_text(start * 5)}-{clock_text(end * 5)}"


spans = spans_of_clock()
hours = st.lists(spans, max_size=3).map(" ".join)
days = st.integers(0, 730).map(lambda number: (FIRST_DAY + timedelta(number)).isoformat())


@st.composite
def documents(draw: st.DrawFn, zone: str | None = None) -> dict[str, Any]:
    extra = draw(st.lists(st.tuples(days, spans), max_size=3))
    return {
        **DOCUMENT,
        "timeZone": zone or draw(st.sampled_from(ZONES)),
        "hours": {day: draw(hours) for day in DAYS},
        "daysOff": draw(st.lists(days, max_size=3).map(", ".join)),
        "extraHours": "\n".join(f"{day} {span}" for day, span in extra),
        "slotMinutes": draw(st.integers(2, 18)) * 5,
        "noticeHours": draw(st.integers(0, 48)),
        "cancelHours": draw(st.integers(0, 48)),
        "bookAheadDays": draw(st.integers(1, 60)),
        "maxBookings": draw(st.integers(1, 3)),
    }
