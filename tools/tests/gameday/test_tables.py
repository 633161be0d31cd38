"""What a game day reads from the items of the tables."""

from typing import Any

from tools.gameday import tables

APPOINTMENTS: list[dict[str, Any]] = [
    {"pk": {"S": "ADVISORS"}, "sk": {"S": "ADVISOR#grace"}, "name": {"S": "Grace"}},
    {"pk": {"S": "ADVISOR#grace"}, "sk": {"S": "SLOT#2026-12-01T09:30:00Z"}, "student": {"S": "s"}},
    # A cancelled booking, and the student's copy of one.
    {"pk": {"S": "ADVISOR#grace"}, "sk": {"S": "SLOT#2026-12-01T10:00:00Z"}},
    {"pk": {"S": "STUDENT#s"}, "sk": {"S": "SLOT#2026-12-01T09:30:00Z"}, "student": {"S": "s"}},
]


def test_booked_slots_have_a_student() -> None:
    assert tables.bookings(APPOINTMENTS) == {("grace", "2026-12-01T09:30:00Z"): "s"}


def test_advisors_are_those_of_the_list() -> None:
    assert tables.advisors(APPOINTMENTS) == {"grace"}


def test_preferences_are_by_student() -> None:
    profiles = [
        {"pk": {"S": "STUDENT#s"}, "preferences": {"S": '{"locale":"en"}'}},
        {"pk": {"S": "STUDENT#t"}},
    ]
    assert tables.preferences(profiles) == {"s": '{"locale":"en"}'}
