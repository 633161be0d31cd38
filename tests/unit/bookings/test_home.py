"""The home moves between Regions whose tables replicate late: who accepts writes, and when."""

from collections import defaultdict
from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bookings import home
from bookings.appointments_table import AppointmentsTable
from bookings.errors import (
    HomeChangeError,
    NotHomeError,
    SlotTakenError,
    UnknownAppointmentError,
)
from bookings.home import Home
from bookings.home_table import KEPT_MS, HomeTable
from bookings.model import Origin, Slot
from bookings.outbox import Outbox
from bookings.service import Bookings
from bookings.waiting_notices import WaitingNotices
from tests.support.examples import at_most
from tests.unit.bookings.examples import DOCUMENT
from tests.unit.bookings.replicas import Replica, World

LONDON, MUMBAI, SYDNEY = "eu-west-2", "ap-south-1", "ap-southeast-2"
REGIONS = (LONDON, MUMBAI, SYDNEY)
#: Days of slots with an advisor each. The rules of MovingHome book the first two.
DAYS = (2, 3, 4, 7)
SLOTS = [Slot(f"2026-12-0{day}T10:00:00Z", f"advisor-{day}") for day in DAYS[:2]]
NOW_MS = 1_796_040_000_000
regions = st.sampled_from(REGIONS)
students = st.sampled_from(["s1", "s2", "s3"])
slots = st.sampled_from(SLOTS)


class School:
    """The bookings in each Region."""

    def __init__(self) -> None:
        self.world = World(REGIONS)
        self.now_ms = NOW_MS
        self.homes: dict[str, HomeTable] = {}
        self.bookings: dict[str, Bookings] = {}
        for region in REGIONS:
            replica = Replica(self.world, region)
            table = HomeTable(replica, "appointments", region, LONDON, self.clock)
            outbox = Outbox("accounts", region)
            if region != LONDON:
                outbox = Outbox("appointments", region, is_waiting=True)
            appointments = AppointmentsTable(replica, "appointments", table, outbox)
            self.homes[region] = table
            self.bookings[region] = Bookings(appointments, self.clock, lambda _: None)
        for day in DAYS:
            self.bookings[LONDON].set_availability(f"advisor-{day}", DOCUMENT, None, Origin())
        self.world.replicate_all()

    def clock(self) -> int:
        self.now_ms += 1
        return self.now_ms

    def book(self, region: str, student: str, slot: Slot) -> None:
        """Book as the function does: with a record that was just read."""
        self.homes[region].forget()
        self.bookings[region].book(student, slot, "", Origin("r", "c"))

    def deliver(self, region: str) -> None:
        local, accounts = Replica(self.world, region), Replica(self.world, LONDON)
        waiting = WaitingNotices(local, "appointments", accounts, "accounts", LONDON)
        while waiting.deliver():
            pass


class MovingHome(RuleBasedStateMachine):
    """Any order of requests, changes of the home and replicated writes."""

    def __init__(self) -> None:
        super().__init__()
        self.school = School()
        #: (epoch, home) -> Regions that accepted a write with it.
        self.accepted: dict[tuple[int, str], set[str]] = defaultdict(set)
        self.is_forced = False

    def known(self, region: str) -> Home:
        return self.school.homes[region].newest()

    @rule(region=regions, student=students, slot=slots)
    def book(self, region: str, student: str, slot: Slot) -> None:
        try:
            self.school.book(region, student, slot)
        except NotHomeError:
            assert self.record_of(region, slot).region != region or self.is_moving(region, slot)
            return
        except SlotTakenError:
            return
        # The Region's own copy of the slot's record named the Region.
        assert self.record_of(region, slot).accepts(region)
        item = self.school.world.table(region, "appointments")[
            f"ADVISOR#{slot.advisor}", f"SLOT#{slot.start}"
        ]
        self.accepted[int(item["home_epoch"]["N"]), item["origin_region"]["S"]].add(region)

    @rule(region=regions, student=students, slot=slots)
    def cancel(self, region: str, student: str, slot: Slot) -> None:
        self.school.homes[region].forget()
        with suppress(NotHomeError, UnknownAppointmentError):
            self.school.bookings[region].cancel(student, slot, Origin())

    @rule(region=regions, to=regions)
    def release(self, region: str, to: str) -> None:
        try:
            self.school.homes[region].release(to)
        except HomeChangeError:
            assert not self.known(region).accepts(region)

    @rule(region=regions)
    def begin(self, region: str) -> None:
        try:
            self.school.homes[region].begin()
        except HomeChangeError:
            return
        assert self.known(region).accepts(region)

    @rule(region=regions)
    def take_over(self, region: str) -> None:
        self.is_forced = True
        self.school.homes[region].take_over()
        assert self.known(region).accepts(region)

    @precondition(lambda self: self.school.world.waiting)
    @rule(data=st.data(), count=st.integers(1, 80))
    def replicate(self, data: st.DataObject, count: int) -> None:
        for _ in range(min(count, len(self.school.world.waiting))):
            last = len(self.school.world.waiting) - 1
            self.school.world.replicate(data.draw(st.sampled_from([0, last])))

    def record_of(self, region: str, slot: Slot) -> Home:
        item = self.school.world.table(region, "appointments").get(
            (f"HOME#{home.part_of(slot.advisor):02}", "HOME")
        )
        if item is None:
            return Home(LONDON)
        return Home(item["holder"]["S"], int(item["epoch"]["N"]), "moving" in item)

    def is_moving(self, region: str, slot: Slot) -> bool:
        # The parts of the record arrive one by one: a request that saw another one is refused.
        table = self.school.world.table(region, "appointments")
        parts = [it for (pk, _), it in table.items() if pk.startswith("HOME#")]
        return self.record_of(region, slot).is_moving or len({str(it) for it in parts}) > 1

    @invariant()
    def one_home_accepts_writes_of_an_epoch(self) -> None:
        for (_, origin), accepting in self.accepted.items():
            assert accepting == {origin}

    @invariant()
    def at_most_one_region_accepts_unless_one_was_lost(self) -> None:
        """A release leaves no time in which two Regions accept writes of a slot."""
        if not self.is_forced:
            for slot in SLOTS:
                open_in = [it for it in REGIONS if self.record_of(it, slot).accepts(it)]
                assert len(open_in) <= 1

    def teardown(self) -> None:
        world = self.school.world
        world.replicate_all()
        for slot in SLOTS:
            assert len({self.record_of(it, slot) for it in REGIONS}) == 1
        # A person takes over in one Region: all know it, and only it accepts writes.
        self.school.homes[SYDNEY].take_over()
        world.replicate_all()
        for region in REGIONS:
            assert self.known(region) == self.known(SYDNEY)
            if region != SYDNEY:
                with pytest.raises(NotHomeError):
                    self.school.book(region, "s9", Slot("2026-12-07T10:00:00Z", "advisor-7"))


TestMovingHome = MovingHome.TestCase
TestMovingHome.settings = settings(max_examples=at_most(25), stateful_step_count=20, deadline=None)


def test_writes_are_refused_between_the_release_and_the_begin() -> None:
    school = School()
    school.book(LONDON, "s1", SLOTS[0])
    assert school.homes[LONDON].release(MUMBAI) == Home(MUMBAI, 1, is_moving=True)
    with pytest.raises(HomeChangeError, match="hasn't released"):
        school.homes[MUMBAI].begin()
    school.world.replicate_all()
    for region in (LONDON, MUMBAI):
        with pytest.raises(NotHomeError):
            school.book(region, "s2", SLOTS[1])
    assert school.homes[MUMBAI].begin() == Home(MUMBAI, 1)
    school.book(MUMBAI, "s2", SLOTS[1])
    school.world.replicate_all()
    with pytest.raises(NotHomeError):
        school.book(LONDON, "s3", Slot("2026-12-04T10:00:00Z", "advisor-4"))


def test_begin_waits_for_each_part_of_the_record() -> None:
    school = School()
    school.homes[LONDON].release(MUMBAI)
    school.world.waiting = [it for it in school.world.waiting if it[0] == MUMBAI]
    while len(school.world.waiting) > 1:
        school.world.replicate(0)
    with pytest.raises(HomeChangeError, match="Not all parts"):
        school.homes[MUMBAI].begin()
    school.world.replicate(0)
    assert school.homes[MUMBAI].begin() == Home(MUMBAI, 1)


def test_each_step_can_be_repeated() -> None:
    school = School()
    for _ in range(2):
        assert school.homes[LONDON].release(MUMBAI).epoch == 1
    school.world.replicate_all()
    for _ in range(2):
        assert school.homes[MUMBAI].begin() == Home(MUMBAI, 1)
        assert school.homes[MUMBAI].take_over() == Home(MUMBAI, 1)


def test_cached_record_is_read_again() -> None:
    school = School()
    table = school.homes[MUMBAI]
    assert table.current() == Home(LONDON)
    table.take_over()
    assert table.current() == Home(MUMBAI, 1)
    school.homes[SYDNEY].take_over()
    school.world.replicate_all()
    assert table.current() == Home(MUMBAI, 1)
    school.now_ms += KEPT_MS
    assert table.current() == Home(SYDNEY, 1)


def test_waiting_notices_reach_the_outbox_once() -> None:
    school = School()
    school.book(LONDON, "s1", SLOTS[0])
    school.world.replicate_all()
    school.homes[MUMBAI].take_over()
    school.bookings[MUMBAI].cancel("s1", SLOTS[0], Origin())
    school.book(MUMBAI, "s2", SLOTS[0])
    school.bookings[MUMBAI].move("s2", SLOTS[0], SLOTS[1], Origin())
    assert len(school.world.table(LONDON, "accounts")) == 1
    for _ in range(2):
        school.deliver(MUMBAI)
    outbox = {
        key: (it["notice"]["S"], it["origin_region"]["S"])
        for key, it in school.world.table(LONDON, "accounts").items()
    }
    name = "OUTBOX#APPOINTMENT#"
    assert outbox == {
        ("STUDENT#s1", f"{name}{SLOTS[0].text}"): ("cancelled", LONDON),
        ("STUDENT#s2", f"{name}{SLOTS[1].text}"): ("moved", LONDON),
    }
    assert not [it for it in school.world.table(MUMBAI, "appointments") if it[0] == "NOTICES"]
