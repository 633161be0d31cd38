"""The operations, compared with a model that knows the rules and no transactions."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bookings.errors import (
    AvailabilityChangedError,
    BookingError,
    ConflictError,
    UnavailableError,
)
from bookings.model import Appointment, Changes, Origin, Slot, slot_of_text, time_text
from bookings.service import Bookings
from tests.support.examples import at_most
from tests.unit.bookings import oracle
from tests.unit.bookings.examples import DOCUMENT, documents
from tests.unit.bookings.fake_table import FakeTable

#: Two days before the clock in London goes back.
BEGIN = 1_792_713_600
DAY = 86_400
#: Nobody registers the second one.
ADVISORS = ("asha", "invented")
STUDENTS = ("s1", "s2")
advisors = st.sampled_from(ADVISORS)
students = st.sampled_from(STUDENTS)
ORIGIN = Origin("r-1", "c-1")


class BookingMachine(RuleBasedStateMachine):
    """Any sequence of operations has the results of the model."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = BEGIN * 1000
        self.table = FakeTable()
        self.bookings = Bookings(self.table, lambda: self.now_ms, lambda _: None)
        self.document: dict[str, Any] | None = None
        #: Slot → student, minutes, last millisecond for a change.
        self.model: dict[Slot, tuple[str, int, int]] = {}

    def refusal(
        self, student: str, slot: Slot, without: Slot | None = None, by_office: bool = False
    ) -> str:
        """Return the code of the model's refusal, or "" if the slot can be booked."""
        others = {it: value for it, value in self.model.items() if it != without}
        document = self.document
        if slot.advisor != "asha" or document is None:
            return "advisor_unknown"
        if not self.offers(document, slot.time):
            return "slot_not_offered"
        if by_office:
            return self.overlap(others, slot)
        ahead_s = slot.time - self.now_ms / 1000
        if ahead_s > document["bookAheadDays"] * DAY:
            return "slot_not_offered"
        if ahead_s < document["noticeHours"] * 3600:
            return "notice_too_short"
        if self.overlap(others, slot):
            return "slot_taken"
        held = [
            other
            for other, (holder, _, _) in others.items()
            if holder == student and other.time * 1000 > self.now_ms
        ]
        return "too_many_bookings" if len(held) >= document["maxBookings"] else ""

    def overlap(self, others: dict[Slot, tuple[str, int, int]], slot: Slot) -> str:
        assert self.document is not None
        end = slot.time + self.document["slotMinutes"] * 60
        for other, (_, minutes, _) in others.items():
            if other.time < end and slot.time < other.time + minutes * 60:
                return "slot_taken"
        return ""

    @staticmethod
    def offers(document: dict[str, Any], time: int) -> bool:
        # Long enough for the whole local date, in any zone.
        start = time - 26 * 3600
        while oracle.local_date(document, start) != oracle.local_date(document, time):
            start += oracle.STEP_S
        end = time
        while oracle.local_date(document, end) == oracle.local_date(document, time):
            end += oracle.STEP_S
        return time in oracle.starts(document, start, end)

    def take(self, student: str, slot: Slot) -> None:
        assert self.document is not None
        limit = (slot.time - self.document["cancelHours"] * 3600) * 1000
        self.model[slot] = (student, self.document["slotMinutes"], limit)

    def slot_near(self, data: st.DataObject, advisor: str) -> Slot:
        """Draw an offered or another slot of the next days."""
        if advisor == "asha" and self.document is not None and data.draw(st.booleans()):
            day = data.draw(st.integers(0, 3))
            start = self.now_ms // 1000 // oracle.STEP_S * oracle.STEP_S + day * DAY
            free = self.bookings.free("asha", start)[1]
            if free:
                return Slot(time_text(data.draw(st.sampled_from(free))), advisor)
        step = data.draw(st.integers(0, 3 * 48))
        time = self.now_ms // 1000 // 1800 * 1800 + step * 1800
        return Slot(time_text(time), advisor)

    @rule(document=documents())
    def set_availability(self, document: dict[str, Any]) -> None:
        stored = self.bookings.set_availability("asha", document, None, ORIGIN)
        assert stored.document["timeZone"] == document["timeZone"]
        self.document = document

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.now_ms += hours * 3_600_000

    @rule(student=students, advisor=advisors, data=st.data())
    def book(self, student: str, advisor: str, data: st.DataObject) -> None:
        slot = self.slot_near(data, advisor)
        own = slot in self.model and self.model[slot][0] == student
        expected = "" if own else self.refusal(student, slot)
        actual = code_of(lambda: self.bookings.book(student, slot, "note", ORIGIN))
        assert actual == expected
        if not actual and not own:
            self.take(student, slot)

    @rule(student=students, advisor=advisors, data=st.data())
    def move(self, student: str, advisor: str, data: st.DataObject) -> None:
        held = sorted(self.model) or [Slot(time_text(BEGIN), "asha")]
        old = data.draw(st.sampled_from(held))
        new = self.slot_near(data, advisor)
        before = self.table.appointments.get(new)
        actual = code_of(lambda: self.bookings.move(student, old, new, ORIGIN))
        if self.model.get(old, ("", 0, 0))[0] != student:
            repeated = (
                before is not None and before.student == student and before.moved_from == old.text
            )
            assert actual == ("" if repeated else "appointment_unknown")
            return
        if old == new:
            assert actual == ""
            return
        if self.now_ms > self.model[old][2]:
            assert actual == "too_late_to_change"
            return
        expected = self.refusal(student, new, without=old)
        assert actual == expected
        if not actual:
            del self.model[old]
            self.take(student, new)

    @rule(student=students, data=st.data())
    def cancel(self, student: str, data: st.DataObject) -> None:
        held = sorted(self.model)
        if not held:
            return
        slot = data.draw(st.sampled_from(held))
        holder, _, limit = self.model[slot]
        expected = "appointment_unknown" if holder != student else ""
        if not expected and self.now_ms > limit:
            expected = "too_late_to_change"
        assert code_of(lambda: self.bookings.cancel(student, slot, ORIGIN)) == expected
        if not expected:
            del self.model[slot]

    @rule(advisor=advisors, data=st.data())
    def move_by_office(self, advisor: str, data: st.DataObject) -> None:
        held = sorted(self.model)
        if not held:
            return
        old = data.draw(st.sampled_from(held))
        new = self.slot_near(data, advisor)
        student = self.model[old][0]
        actual = code_of(lambda: self.bookings.move_by_office(old, new, "ill", ORIGIN))
        if old == new:
            assert actual == ""
            return
        expected = self.refusal(student, new, without=old, by_office=True)
        assert actual == expected
        if not actual:
            del self.model[old]
            self.take(student, new)
            assert self.table.appointments[new].reason == "ill"

    @rule(data=st.data())
    def cancel_by_office(self, data: st.DataObject) -> None:
        held = sorted(self.model) or [Slot(time_text(BEGIN), "asha")]
        slot = data.draw(st.sampled_from(held))
        actual = code_of(lambda: self.bookings.cancel_by_office(slot, "ill", ORIGIN))
        assert actual == ("" if slot in self.model else "appointment_unknown")
        self.model.pop(slot, None)
        assert all(slot.text not in it.slots for it in self.table.students.values())

    @rule(advisor=advisors, days=st.integers(0, 3))
    def list_a_day(self, advisor: str, days: int) -> None:
        day = datetime.fromtimestamp(BEGIN + days * DAY, UTC).date()
        listed = self.bookings.day(advisor, day)
        zone = ZoneInfo(listed.time_zone)
        expected = [
            slot
            for slot in sorted(self.model)
            if slot.advisor == advisor and datetime.fromtimestamp(slot.time, zone).date() == day
        ]
        assert [it.slot for it in listed.appointments] == expected
        offered = [Slot(time_text(it), advisor) for it in listed.free]
        assert {datetime.fromtimestamp(it.time, zone).date() for it in offered} <= {day}
        assert all(it.time * 1000 >= self.now_ms for it in offered)
        codes = {self.refusal("", it, by_office=True) for it in offered[:2] + offered[-2:]}
        assert codes <= {""}
        if self.document is not None and advisor == "asha":
            of_students = self.bookings.free(advisor, min(listed.free, default=0))[1]
            dates = {it: datetime.fromtimestamp(it, zone).date() for it in of_students}
            assert {it for it in of_students if dates[it] == day} <= set(listed.free)

    @rule()
    def every_free_slot_can_be_booked(self) -> None:
        if self.document is None:
            return
        _, free, end = self.bookings.free("asha", 0)
        codes = {self.refusal("s3", Slot(time_text(it), "asha")) for it in free[:3] + free[-3:]}
        assert codes <= {""}
        assert all(self.now_ms // 1000 <= it < end for it in free)

    @invariant()
    def only_registered_advisors_have_appointments(self) -> None:
        assert {slot.advisor for slot in self.table.appointments} <= set(self.table.availabilities)

    @invariant()
    def table_has_the_appointments_of_the_model(self) -> None:
        stored = {slot: it.student for slot, it in self.table.appointments.items()}
        assert stored == {slot: student for slot, (student, _, _) in self.model.items()}


def code_of(operation: Callable[[], object]) -> str:
    try:
        operation()
    except BookingError as error:
        return error.code
    return ""


BookingMachine.TestCase.settings = settings(
    max_examples=at_most(40), stateful_step_count=25, deadline=None
)
TestBookings = BookingMachine.TestCase

NOW_MS = 1_796_040_000_000  # 2026-11-30T12:00:00Z, a Monday
LISTED = Slot("2026-12-02T10:00:00Z", "asha")


def prepared(**changes: Any) -> tuple[FakeTable, Bookings]:
    table = FakeTable()
    bookings = Bookings(table, lambda: NOW_MS, lambda _: None)
    bookings.set_availability("asha", DOCUMENT | changes, None, ORIGIN)
    return table, bookings


@pytest.mark.parametrize("second", ["book", "cancel", "availability", "move"])
def test_operation_that_another_one_overtakes_decides_again(second: str) -> None:
    """The other operation runs between the reads of the first one and its write."""
    table, bookings = prepared(maxBookings=1)
    other = Slot("2026-12-02T10:30:00Z", "asha")
    overtaking: dict[str, Callable[[], object]] = {
        "book": lambda: bookings.book("s2", LISTED, "", ORIGIN),
        "availability": lambda: bookings.set_availability(
            "asha", DOCUMENT | {"daysOff": "2026-12-02"}, None, ORIGIN
        ),
        "move": lambda: bookings.book("s1", other, "", ORIGIN),
        "cancel": lambda: bookings.cancel("s1", other, ORIGIN),
    }
    if second == "cancel":
        bookings.book("s1", other, "", ORIGIN)
        table.before_write.append(overtaking["cancel"])
        # The appointment to move is gone.
        assert code_of(lambda: bookings.move("s1", other, LISTED, ORIGIN)) == "appointment_unknown"
        assert table.appointments == {}
        return
    table.before_write.append(overtaking[second])
    expected = {
        "book": "slot_taken",
        "availability": "slot_not_offered",
        "move": "too_many_bookings",
    }
    assert code_of(lambda: bookings.book("s1", LISTED, "", ORIGIN)) == expected[second]


def test_shorter_slots_do_not_overlap_earlier_appointments() -> None:
    table, bookings = prepared(slotMinutes=60)
    bookings.book("s1", LISTED, "", ORIGIN)
    bookings.set_availability("asha", DOCUMENT, None, ORIGIN)
    assert code_of(
        lambda: bookings.book("s2", Slot("2026-12-02T10:30:00Z", "asha"), "", ORIGIN)
    ) == ("slot_taken")
    assert (
        code_of(lambda: bookings.book("s2", Slot("2026-12-02T11:00:00Z", "asha"), "", ORIGIN)) == ""
    )
    assert len(table.appointments) == 2


def test_repeated_booking_changes_its_note_only() -> None:
    table, bookings = prepared(maxBookings=1)
    first = bookings.book("s1", LISTED, "one", ORIGIN)
    second = bookings.book("s1", LISTED, "two", ORIGIN)
    assert (first.note, second.note, len(table.appointments)) == ("one", "two", 1)
    assert first.cancel_until == second.cancel_until


def test_repeated_move_has_the_same_result() -> None:
    _, bookings = prepared()
    new = Slot("2026-12-03T10:00:00Z", "asha")
    bookings.book("s1", LISTED, "kept", ORIGIN)
    first = bookings.move("s1", LISTED, new, ORIGIN)
    assert bookings.move("s1", LISTED, new, ORIGIN) == first
    assert (first.slot, first.note) == (new, "kept")


def test_earlier_appointments_do_not_count_as_coming() -> None:
    table = FakeTable()
    now = [NOW_MS]
    bookings = Bookings(table, lambda: now[0], lambda _: None)
    bookings.set_availability("asha", DOCUMENT | {"maxBookings": 1}, None, ORIGIN)
    bookings.book("s1", LISTED, "", ORIGIN)
    later = Slot("2026-12-09T10:00:00Z", "asha")
    assert code_of(lambda: bookings.book("s1", later, "", ORIGIN)) == "too_many_bookings"
    now[0] = LISTED.time * 1000
    assert code_of(lambda: bookings.book("s1", later, "", ORIGIN)) == ""
    assert table.student_slots("s1").slots == {later.text}


@pytest.mark.parametrize(("cancel_hours", "code"), [(46, ""), (47, "too_late_to_change")])
def test_appointment_moves_until_the_cancellation_limit(cancel_hours: int, code: str) -> None:
    # LISTED is 46 hours ahead.
    _, bookings = prepared(cancelHours=cancel_hours)
    bookings.book("s1", LISTED, "", ORIGIN)
    new = Slot("2026-12-03T10:00:00Z", "asha")
    assert code_of(lambda: bookings.move("s1", LISTED, new, ORIGIN)) == code


@pytest.mark.parametrize(("late_ms", "code"), [(0, ""), (1, "too_late_to_change")])
def test_limit_for_changes_is_exact(late_ms: int, code: str) -> None:
    table = FakeTable()
    now = [NOW_MS]
    bookings = Bookings(table, lambda: now[0], lambda _: None)
    bookings.set_availability("asha", DOCUMENT | {"cancelHours": 24}, None, ORIGIN)
    bookings.book("s1", LISTED, "", ORIGIN)
    now[0] = (LISTED.time - 24 * 3600) * 1000 + late_ms
    new = Slot("2026-12-03T10:00:00Z", "asha")
    assert code_of(lambda: bookings.move("s1", LISTED, new, ORIGIN)) == code


def test_appointment_moves_to_a_slot_that_it_overlaps_itself() -> None:
    table, bookings = prepared(slotMinutes=60)
    bookings.book("s1", LISTED, "", ORIGIN)
    bookings.set_availability("asha", DOCUMENT, None, ORIGIN)
    new = Slot("2026-12-02T10:30:00Z", "asha")
    assert bookings.move("s1", LISTED, new, ORIGIN).slot == new
    assert list(table.appointments) == [new]


@pytest.mark.parametrize(("notice", "code"), [(46, ""), (47, "notice_too_short")])
def test_booking_needs_the_notice(notice: int, code: str) -> None:
    _, bookings = prepared(noticeHours=notice)
    assert code_of(lambda: bookings.book("s1", LISTED, "", ORIGIN)) == code


def test_change_of_an_older_revision_is_refused() -> None:
    _, bookings = prepared()
    with pytest.raises(AvailabilityChangedError):
        bookings.set_availability("asha", DOCUMENT, 0, ORIGIN)
    assert bookings.set_availability("asha", DOCUMENT, 1, ORIGIN).revision == 2
    with pytest.raises(AvailabilityChangedError):
        bookings.set_availability("new", DOCUMENT, 1, ORIGIN)
    assert bookings.set_availability("new", DOCUMENT, 0, ORIGIN).revision == 1


def test_lost_races_end() -> None:
    class Losing(FakeTable):
        def write(self, changes: Changes, now_ms: int, origin: Origin) -> None:
            raise ConflictError

    pauses: list[int] = []
    bookings = Bookings(Losing(), lambda: NOW_MS, pauses.append)
    bookings.set_availability("asha", DOCUMENT, None, ORIGIN)
    with pytest.raises(UnavailableError):
        bookings.book("s1", LISTED, "", ORIGIN)
    assert pauses == [1, 2, 3, 4, 5, 6]


def test_text_of_a_slot_is_read_back() -> None:
    assert slot_of_text(LISTED.text) == LISTED
    assert Appointment(LISTED, "s1").end == LISTED.time + 1800
