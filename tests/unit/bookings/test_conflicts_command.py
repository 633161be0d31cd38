"""Tests of `make conflicts`, with bookings that two homes accepted, and tables in memory."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from bookings.errors import BookingError
from bookings.model import Origin, Slot
from stepfunctions import appointment_notice
from tests.unit.bookings.examples import DOCUMENT
from tests.unit.bookings.replicas import Replica
from tests.unit.bookings.test_home import LONDON, MUMBAI, REGIONS, School
from tools.operations.conflicts import Tables, current_home, run
from tools.operations.failover import Homes

#: Within the hours of the example's availability, and after the clock of the school.
SLOTS = [Slot(f"2026-12-0{day}T10:00:00Z", "asha") for day in (7, 8)]
#: (operation, home, student, slot)
type Step = tuple[str, str, str, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["book", "cancel"]),
        st.sampled_from([LONDON, MUMBAI]),
        st.sampled_from(["s1", "s2"]),
        st.integers(0, 1),
    ),
    max_size=8,
)


def tables_of(school: School) -> Tables:
    tables = Tables("test", LONDON, MUMBAI, lambda region: Replica(school.world, region))
    # The names that the school's tables have in memory.
    return _Named(tables.stage, tables.accounts_region, tables.home_region, tables.clients)


class _Named(Tables):
    @property
    def _accounts(self) -> str:
        return "accounts"

    @property
    def _appointments(self) -> str:
        return "appointments"


def _key_of(slot: str) -> tuple[str, str]:
    start, _, advisor = slot.partition("/")
    return f"ADVISOR#{advisor}", f"SLOT#{start}"


def two_homes(done: list[Step]) -> School:
    """Return a school in which London was cut off, after its return and all replication."""
    school = School()
    school.bookings[LONDON].set_availability("asha", DOCUMENT, None, Origin())
    school.world.replicate_all()
    school.homes[MUMBAI].take_over()
    for operation, region, student, number in done:
        bookings, slot = school.bookings[region], SLOTS[number]
        with suppress(BookingError):
            if operation == "book":
                bookings.book(student, slot, "", Origin())
            else:
                bookings.cancel(student, slot, Origin())
    school.world.replicate_all()
    for region in REGIONS[1:]:
        school.deliver(region)
    return school


def promised(done: list[Step]) -> set[tuple[str, str]]:
    """Return who has which slot by the last answer to each student."""
    last: dict[tuple[str, str], bool] = {}
    held: dict[str, dict[int, str]] = {LONDON: {}, MUMBAI: {}}
    for operation, region, student, number in done:
        slots = held[region]
        if operation == "book" and slots.get(number, student) == student:
            slots[number] = student
            last[SLOTS[number].text, student] = True
        elif operation == "cancel" and slots.get(number) == student:
            del slots[number]
            last[SLOTS[number].text, student] = False
    return {key for key, holds in last.items() if holds}


@given(steps)
@settings(deadline=None)
def test_each_promise_that_is_not_kept_is_listed_and_settled_once(done: list[Step]) -> None:
    school = two_homes(done)
    tables = tables_of(school)
    listed = {(it.slot, it.student) for it in tables.conflicts()}
    slots = school.world.table(MUMBAI, "appointments")
    stored = {
        (slot.text, slots[f"ADVISOR#{slot.advisor}", f"SLOT#{slot.start}"]["student"]["S"])
        for slot in SLOTS
        if "student" in slots.get((f"ADVISOR#{slot.advisor}", f"SLOT#{slot.start}"), {})
    }
    assert listed == promised(done) - stored
    printed: list[str] = []
    assert run(tables, resolves=True, say=printed.append) == 0
    assert run(tables, resolves=True, say=printed.append) == 0
    assert printed[-1] == "No slot was promised to two students."
    for slot, student in listed:
        item = school.world.table(LONDON, "accounts")[
            f"STUDENT#{student}", f"OUTBOX#APPOINTMENT#{slot}"
        ]
        assert item["notice"] == {"S": "conflict"}
        holder = slots[_key_of(slot)].get("student", {}).get("S")
        if holder:
            of_holder = school.world.table(LONDON, "accounts")[
                f"STUDENT#{holder}", f"OUTBOX#APPOINTMENT#{slot}"
            ]
            (first, *_) = appointment_notice.from_image(holder, slot, of_holder)
            assert (first.recipient, first.kind) == (f"student-{holder}", "AppointmentKept")
        # The relay sends the cancellation, with the reason, to the student and the advisor.
        sent = appointment_notice.from_image(student, slot, item)
        assert {it.recipient for it in sent} == {f"student-{student}", "advisor-asha"}
        assert {it.kind for it in sent} == {appointment_notice.CANCELLED}
        after = school.world.table(MUMBAI, "appointments")
        booked = after.get((f"STUDENT#{student}", "BOOKED"), {})
        assert slot not in booked.get("slots", {}).get("SS", ()) or (slot, student) in stored


def test_slot_with_two_students_is_listed_until_it_is_settled() -> None:
    school = two_homes([("book", LONDON, "s1", 0), ("book", MUMBAI, "s2", 0)])
    tables, printed = tables_of(school), list[str]()
    assert run(tables, resolves=False, say=printed.append) == 1
    assert printed[0] == f"{SLOTS[0].text}: s2 has it, s1 was promised it"
    assert "RESOLVE=1" in printed[1]


def test_change_of_the_student_in_between_is_not_a_conflict() -> None:
    school = two_homes([("book", LONDON, "s1", 0), ("book", MUMBAI, "s2", 0)])
    tables = tables_of(school)
    (conflict,) = tables.conflicts()
    key = (f"STUDENT#{conflict.student}", f"OUTBOX#APPOINTMENT#{conflict.slot}")
    school.world.table(LONDON, "accounts")[key]["updated_at"] = {"N": "1"}
    assert not tables.settle(conflict)


def answering(*results: dict[str, Any]) -> Callable[[str, str], Any]:
    """Return clients of functions that know these homes, one for each Region."""
    by_region = dict(zip((LONDON, MUMBAI), results, strict=True))

    class Function:
        def __init__(self, region: str) -> None:
            self._region = region

        def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
            import io
            import json

            known = by_region[self._region]
            if not known:
                raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, FunctionName)
            body = known if json.loads(Payload)["action"] == "home" else {"delivered": 0}
            result = {"status": 200, "body": body}
            return {"Payload": io.BytesIO(json.dumps(result).encode())}

    return lambda _service, region: Function(region)


def knows(home: str, epoch: int = 1, *, moving: bool = False) -> dict[str, Any]:
    return {"home": home, "epoch": epoch, "moving": moving}


def test_home_is_the_one_that_all_regions_know() -> None:
    homes = Homes("test", (LONDON, MUMBAI), answering(knows(MUMBAI), knows(MUMBAI)))
    assert current_home(homes) == MUMBAI


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ((knows(LONDON, 0), knows(MUMBAI)), "same state"),
        ((knows(MUMBAI, moving=True), knows(MUMBAI, moving=True)), "same state"),
        (({}, knows(MUMBAI)), "doesn't answer"),
    ],
)
def test_conflicts_need_all_regions(known: Any, message: str) -> None:
    homes = Homes("test", (LONDON, MUMBAI), answering(*known))
    with pytest.raises(CommandError, match=message):
        current_home(homes)
