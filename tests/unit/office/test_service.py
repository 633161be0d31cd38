"""Changes of paid access that other changes interrupt, that fail and that are killed; and reads."""

import uuid
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office.errors import (
    AccessChangingError,
    OfficeError,
    RequestReusedError,
    UnavailableError,
    UnknownStudentError,
)
from office.model import AccessChange
from office.office_table import BUSY_MS, OfficeTable
from office.records import Records
from office.service import Office
from office.user_pool import UserPool
from tests.unit.office.fakes import (
    STAFF,
    SUBJECT,
    FakePool,
    FakeRecords,
    FakeTable,
    Killed,
    World,
)


def office_of(world: World) -> Office:
    return Office(
        cast("UserPool", FakePool(world)),
        cast("OfficeTable", FakeTable(world)),
        cast("Records", FakeRecords(world)),
        lambda: world.now_ms,
    )


def change_to(*, paid: bool, name: str = "", student: str = SUBJECT) -> AccessChange:
    name = name or str(uuid.uuid4())
    return AccessChange(name, student, paid, "Invoice 118", STAFF, "office@example.com")


def grant(name: str = "") -> AccessChange:
    return change_to(paid=True, name=name)


def end(name: str = "") -> AccessChange:
    return change_to(paid=False, name=name)


def test_grant_adds_the_group_and_revokes_no_token() -> None:
    world = World()
    outcome = office_of(world).change_access(grant())
    assert outcome == {"paid": True, "changed": True, "effectiveWithinSeconds": 0}
    assert (world.paying, world.revoked) == ({SUBJECT}, [])


def test_end_removes_the_group_before_it_revokes_the_tokens() -> None:
    world = World(paying={SUBJECT})
    steps: list[str] = []
    world.step = steps.append
    outcome = office_of(world).change_access(end())
    assert outcome == {"paid": False, "changed": True, "effectiveWithinSeconds": 60}
    assert (world.paying, world.revoked) == (set(), [SUBJECT])
    # A refresh between the two returns tokens without the group.
    assert steps.index("begin") < steps.index("set_paying") < steps.index("revoke_tokens")


def test_change_without_an_effect_is_not_recorded() -> None:
    world = World(paying={SUBJECT})
    outcome = office_of(world).change_access(grant())
    assert outcome == {"paid": True, "changed": False, "effectiveWithinSeconds": 0}
    assert (world.entries, world.accesses) == ([], {})


def test_repeated_request_does_not_undo_a_later_change() -> None:
    world = World()
    office = office_of(world)
    first = grant()
    office.change_access(first)
    office.change_access(end())
    late = office.change_access(first)
    assert late == {"paid": False, "changed": False, "effectiveWithinSeconds": 0}
    assert (world.paying, len(world.entries)) == (set(), 2)


def test_id_of_another_change_is_refused() -> None:
    world = World()
    office = office_of(world)
    office.change_access(grant("same"))
    with pytest.raises(RequestReusedError):
        office.change_access(end("same"))


def test_unknown_student_is_refused_without_a_record() -> None:
    world = World()
    with pytest.raises(UnknownStudentError):
        office_of(world).change_access(change_to(paid=True, student=str(uuid.uuid4())))
    assert world.entries == []


def test_failed_revocation_is_repeated_with_the_same_request() -> None:
    world = World(paying={SUBJECT})
    office, ended = office_of(world), end()

    def fail(name: str) -> None:
        if name == "revoke_tokens":
            raise UnavailableError("down")

    world.step = fail
    with pytest.raises(UnavailableError):
        office.change_access(ended)
    world.step = lambda _name: None
    assert office.student(SUBJECT, STAFF, "r-1")["unfinished"] is True
    assert office.change_access(ended)["changed"] is True
    assert (world.revoked, len(world.entries)) == ([SUBJECT], 1)
    assert office.student(SUBJECT, STAFF, "r-1")["unfinished"] is False


steps = st.integers(0, 12)
#: A change, the number of its calls before it is killed or interrupted, and whether it is killed.
changes = st.lists(st.tuples(st.booleans(), steps, st.booleans()), min_size=1, max_size=6)


@given(changes)
def test_last_recorded_change_holds_after_kills_interruptions_and_a_repeat(
    plan: list[tuple[bool, int, bool]],
) -> None:
    """Each change runs inside the one before it, at any call, or ends there."""
    world = World()
    office = office_of(world)

    def run(number: int) -> None:
        if number == len(plan):
            return
        paid, after, killed = plan[number]
        calls = 0
        outer = world.step

        def step(_name: str) -> None:
            nonlocal calls
            calls += 1
            if calls == after + 1:
                world.step = lambda _name: None
                run(number + 1)
                world.step = step
                if killed:
                    raise Killed

        world.step = step
        try:
            office.change_access(change_to(paid=paid, name=f"change-{number}"))
        except (Killed, OfficeError):
            pass
        finally:
            world.step = outer

    run(0)
    world.step = lambda _name: None
    if not world.requests:
        return
    # The office repeats the last recorded change once nobody else can be applying one.
    world.now_ms += BUSY_MS + 1
    last = world.accesses[SUBJECT]
    office.change_access(world.requests[last.change])
    assert (SUBJECT in world.paying) == last.paid
    assert world.accesses[SUBJECT].applied
    assert last.paid or world.revoked
    assert len(world.entries) == len(world.requests)


@pytest.mark.parametrize("during", ["set_paying", "revoke_tokens", "finish"])
def test_concurrent_change_is_refused_until_the_first_is_applied(during: str) -> None:
    world = World(paying={SUBJECT})
    office = office_of(world)
    refused: list[str] = []

    def step(name: str) -> None:
        if name != during or refused:
            return
        refused.append(name)
        with pytest.raises(AccessChangingError):
            office.change_access(grant())

    world.step = step
    office.change_access(end())
    assert (world.paying, refused, len(world.entries)) == (set(), [during], 1)


def test_search_and_student_are_recorded_before_they_are_shown() -> None:
    world = World()
    office = office_of(world)
    result = office.search("asha", STAFF, "r-1")
    assert [it["studentId"] for it in result["students"]] == [SUBJECT]
    student = office.student(SUBJECT, STAFF, "r-2")
    assert (student["account"], student["paid"]) == ("active", False)
    assert student["appointments"] == [
        {"advisorId": "grace-okoro", "start": "2026-12-01T09:30:00Z"}
    ]
    assert world.reads == [("search", STAFF, [SUBJECT]), ("view", STAFF, [SUBJECT])]


@pytest.mark.parametrize("record", ["record_search", "record_view"])
def test_nothing_is_shown_without_a_record(record: str) -> None:
    world = World()

    def fail(name: str) -> None:
        if name == record:
            raise UnavailableError("down")

    world.step = fail
    office = office_of(world)
    show = office.search if record == "record_search" else office.student
    with pytest.raises(UnavailableError):
        show(SUBJECT, STAFF, "r-1")
