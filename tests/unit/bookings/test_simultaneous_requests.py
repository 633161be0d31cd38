"""Two copies of one request: whenever the second one runs, both have the result of one."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bookings.errors import BookingError
from bookings.model import Appointment, Changes, Origin, Slot, StoredAvailability, StudentSlots
from bookings.service import Bookings
from tests.unit.bookings.examples import DOCUMENT
from tests.unit.bookings.fake_table import FakeTable

NOW_MS = 1_796_040_000_000
#: Slots of the second to the fourth day after NOW_MS, within the advisor's hours.
FIRST, OTHER, TARGET = (Slot(f"2026-12-0{day}T10:00:00Z", "asha") for day in (2, 3, 4))
ORIGIN = Origin("r-1", "c-1")
#: More calls of the table than one request makes.
MOST_CALLS = 8


@dataclass
class InterruptedTable(FakeTable):
    """Runs `action` before the call with the number `at`, from 0. Actions don't interrupt."""

    at: int = -1
    action: Callable[[], object] = lambda: None

    def availability(self, advisor: str) -> StoredAvailability | None:
        self._count()
        return super().availability(advisor)

    def booked(self, advisor: str, start: int, end: int) -> list[Appointment]:
        self._count()
        return super().booked(advisor, start, end)

    def student_slots(self, student: str) -> StudentSlots:
        self._count()
        return super().student_slots(student)

    def write(self, changes: Changes, now_ms: int, origin: Origin) -> None:
        self._count()
        super().write(changes, now_ms, origin)

    def _count(self) -> None:
        self.at -= 1
        if self.at == -1:
            self.action()


@pytest.fixture
def table() -> InterruptedTable:
    return InterruptedTable()


@pytest.fixture
def bookings(table: InterruptedTable) -> Bookings:
    service = Bookings(table, lambda: NOW_MS, lambda _: None)
    service.set_availability("asha", DOCUMENT | {"maxBookings": 2}, None, ORIGIN)
    service.book("s1", OTHER, "", ORIGIN)
    return service


@pytest.mark.parametrize("call", range(MOST_CALLS))
def test_booking_sent_twice_at_once_succeeds_twice(
    table: InterruptedTable, bookings: Bookings, call: int
) -> None:
    def book() -> Appointment:
        return bookings.book("s1", TARGET, "note", ORIGIN)

    table.at, table.action = call, book
    assert (book().slot, set(table.appointments)) == (TARGET, {OTHER, TARGET})


@pytest.mark.parametrize("by_office", [False, True])
@pytest.mark.parametrize("call", range(MOST_CALLS))
def test_move_sent_twice_at_once_succeeds_twice(
    table: InterruptedTable, bookings: Bookings, call: int, by_office: bool
) -> None:
    bookings.book("s1", FIRST, "note", ORIGIN)

    def move() -> Appointment:
        if by_office:
            return bookings.move_by_office(FIRST, TARGET, "ill", ORIGIN)
        return bookings.move("s1", FIRST, TARGET, ORIGIN)

    table.at, table.action = call, move
    assert (move().slot, set(table.appointments)) == (TARGET, {OTHER, TARGET})


@pytest.mark.parametrize("call", range(MOST_CALLS))
def test_slot_that_another_student_takes_in_between_is_refused(
    table: InterruptedTable, bookings: Bookings, call: int
) -> None:
    table.at, table.action = call, lambda: bookings.book("s2", TARGET, "", ORIGIN)
    code = ""
    try:
        bookings.book("s1", TARGET, "", ORIGIN)
    except BookingError as error:
        code = error.code
    assert (code, table.appointments[TARGET].student) in [("slot_taken", "s2"), ("", "s1")]
