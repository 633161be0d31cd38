"""Only advisors whom the school has registered are booked."""

from collections.abc import Callable
from datetime import date
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from bookings.model import Appointment, Slot
from bookings.service import Bookings
from tests.unit.bookings.examples import DOCUMENT
from tests.unit.bookings.fake_table import FakeTable
from tests.unit.bookings.test_service import LISTED, NOW_MS, ORIGIN, STUDENTS, code_of, prepared

advisor_sets = st.frozensets(st.sampled_from(["ada", "asha", "grace", "linh"]))
#: Student, operation, advisor, hour of an offered slot.
requests = st.lists(
    st.tuples(
        st.sampled_from(STUDENTS),
        st.sampled_from(["book", "move", "move_by_office"]),
        st.sampled_from(["ada", "asha", "grace", "linh"]),
        st.sampled_from([9, 10, 11]),
    ),
    max_size=12,
)


@given(registered=advisor_sets, earlier=advisor_sets, sent=requests)
def test_only_registered_advisors_are_booked(
    registered: frozenset[str], earlier: frozenset[str], sent: list[tuple[str, str, str, int]]
) -> None:
    """Earlier versions booked others, too: these appointments can only end."""
    table = FakeTable()
    bookings = Bookings(table, lambda: NOW_MS, lambda _: None)
    for advisor in registered:
        bookings.set_availability(advisor, DOCUMENT, None, ORIGIN)
    old = {Slot("2026-12-03T10:00:00Z", it): Appointment(Slot("2026-12-03T10:00:00Z", it), "s1")
           for it in earlier}  # fmt: skip
    table.appointments |= old
    for student, operation, advisor, hour in sent:
        slot = Slot(f"2026-12-02T{hour:02}:00:00Z", advisor)
        held = next((it for it, of in table.appointments.items() if of.student == student), LISTED)
        before = dict(table.appointments)
        sends: dict[str, Callable[[], object]] = {
            "book": partial(bookings.book, student, slot, "", ORIGIN),
            "move": partial(bookings.move, student, held, slot, ORIGIN),
            "move_by_office": partial(bookings.move_by_office, held, slot, "ill", ORIGIN),
        }
        code = code_of(sends[operation])
        if advisor not in registered:
            known = {"advisor_unknown", "appointment_unknown"}
            assert code in (known if held not in before else {"advisor_unknown"})
            assert table.appointments == before
    new = table.appointments.keys() - old.keys()
    assert {it.advisor for it in new} <= registered


def test_appointment_with_an_unregistered_advisor_can_be_listed_changed_and_cancelled() -> None:
    """An earlier version booked it."""
    table, bookings = prepared()
    first, second = (Slot(f"2026-12-03T1{it}:00:00Z", "invented") for it in (0, 1))
    for slot in (first, second):
        table.appointments[slot] = Appointment(slot, "s1", "fractions")
    listed = bookings.day("invented", date(2026, 12, 3))
    assert [it.slot for it in listed.appointments] == [first, second]
    assert listed.free == []
    assert bookings.book("s1", first, "sums", ORIGIN).note == "sums"
    assert bookings.move("s1", first, LISTED, ORIGIN).note == "sums"
    assert code_of(lambda: bookings.move("s1", LISTED, first, ORIGIN)) == "advisor_unknown"
    bookings.cancel("s1", second, ORIGIN)
    assert list(table.appointments) == [LISTED]
    assert table.student_slots("s1").slots == {LISTED.text}
