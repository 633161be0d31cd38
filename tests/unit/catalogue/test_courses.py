"""Cache-aside: fresh, stale, one loader, and no cache at all."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue import freshness
from catalogue.cache import GENERATION, Cache
from catalogue.courses import Courses
from catalogue.database import Database
from catalogue.errors import UnavailableError, UnknownCourseError
from catalogue.freshness import Entry
from tests.unit.catalogue.fakes import Clock, FakeDatabase, FakeValkey

ROW = ["algebra-1", 1, "en", "Algebra", "", "maths", "Maths", "noether", "Noether", [], []]


class System:
    """The reading half over fakes; `title` and `number` are what the reader has."""

    def __init__(self, *, has_cache: bool = True) -> None:
        self.clock = Clock()
        self.valkey = FakeValkey(self.clock)
        self.title = "Algebra"
        self.number = 1
        self.is_lost = False
        self.is_missing = False
        self.reader = FakeDatabase(self.answer)
        self.writer = FakeDatabase(lambda sql, _: self.rows(sql, "Newest", 99))
        self.cache = Cache((lambda: self.valkey) if has_cache else None, self.clock)
        self.courses = Courses(
            cast("Database", self.reader),
            cast("Database", self.writer),
            self.cache,
            self.clock,
            lambda: 0.5,
            self.clock.sleep,
        )

    def answer(self, sql: str, _values: dict[str, Any]) -> Any:
        if self.is_lost:
            raise UnavailableError("lost")
        return self.rows(sql, self.title, self.number)

    def rows(self, sql: str, title: str, number: int) -> Any:
        if sql == "SELECT number FROM generation":
            return [[number]]
        return [] if self.is_missing else [[*ROW[:3], title, *ROW[4:]]]

    def read(self) -> str:
        return str(self.courses.course("algebra-1").document["title"])

    def loads(self) -> int:
        return sum("FROM courses AS c" in it for it in self.reader.statements)


def test_second_read_comes_from_the_cache_with_its_age() -> None:
    system = System()
    assert system.read() == "Algebra"
    system.clock.now += 7
    system.title = "Other"
    answer = system.courses.course("algebra-1")
    assert answer.document["title"] == "Algebra"
    assert (answer.age_s, answer.fresh_for_s, answer.is_stale) == (7, 23, False)
    assert system.loads() == 1


def test_answer_is_loaded_again_after_its_fresh_time() -> None:
    system = System()
    system.read()
    system.clock.now += 31
    system.title = "Other"
    assert system.read() == "Other"


def test_stale_answer_serves_while_another_caller_loads() -> None:
    system = System()
    system.read()
    system.clock.now += 31
    key = freshness.key(0, "course", "algebra-1")
    assert system.cache.lock(key)
    answer = system.courses.course("algebra-1")
    assert answer.is_stale
    assert answer.age_s == 31
    assert system.loads() == 1


def test_stale_answer_serves_if_the_database_is_lost() -> None:
    system = System()
    system.read()
    system.clock.now += 3_000
    system.is_lost = True
    assert system.courses.course("algebra-1").is_stale
    system.clock.now += 700
    with pytest.raises(UnavailableError):
        system.read()


def test_failed_loader_lets_the_next_one_in() -> None:
    system = System()
    system.is_lost = True
    with pytest.raises(UnavailableError):
        system.read()
    system.is_lost = False
    assert system.read() == "Algebra"


def test_caller_beside_a_first_loader_waits_for_its_answer() -> None:
    system = System()
    key = freshness.key(0, "course", "algebra-1")
    assert system.cache.lock(key)
    document = {"title": "Loaded"}
    system.courses._sleep = lambda _: system.cache.put(
        key, freshness.encode(Entry(document, system.clock(), system.clock() + 9)), 60
    )
    assert system.read() == "Loaded"
    assert system.loads() == 0


def test_caller_loads_itself_if_the_first_loader_takes_too_long() -> None:
    system = System()
    assert system.cache.lock(freshness.key(0, "course", "algebra-1"))
    assert system.read() == "Algebra"


def test_change_makes_older_answers_unreachable() -> None:
    system = System()
    system.read()
    system.title, system.number = "Changed", 2
    system.cache.raise_generation(2)
    assert system.read() == "Changed"


def test_answer_of_a_replica_that_is_behind_is_fresh_for_a_second_only() -> None:
    system = System()
    system.cache.raise_generation(2)
    assert system.read() == "Algebra"
    system.title, system.number = "Changed", 2
    system.clock.now += 1
    assert system.read() == "Changed"


def test_late_change_never_lowers_the_generation() -> None:
    system = System()
    system.cache.raise_generation(7)
    system.cache.raise_generation(6)
    assert system.cache.generation() == 7


def test_lost_cache_is_a_miss_and_asked_again_after_a_second() -> None:
    system = System()
    system.read()
    system.valkey.is_lost = True
    system.title = "From the database"
    assert system.read() == "From the database"
    commands = system.valkey.commands
    assert system.read() == "From the database"
    assert system.valkey.commands == commands
    system.valkey.is_lost = False
    system.clock.now += 1
    assert system.read() == "Algebra"


def test_catalogue_without_cache_reads_the_database_each_time() -> None:
    system = System(has_cache=False)
    assert [system.read(), system.read()] == ["Algebra", "Algebra"]
    assert system.loads() == 2


def test_damaged_entry_is_a_miss() -> None:
    system = System()
    system.read()
    for key in [it for it in system.valkey.values if it != GENERATION]:
        system.valkey.values[key] = (b"{", system.clock() + 9)
    assert system.read() == "Algebra"
    assert system.loads() == 2


def test_missing_course_is_remembered_and_refused() -> None:
    system = System()
    system.is_missing = True
    for _ in range(2):
        with pytest.raises(UnknownCourseError):
            system.read()
    assert system.loads() == 1


def test_staff_read_the_writer() -> None:
    system = System()
    system.read()
    assert system.courses.course("algebra-1", newest=True).document["title"] == "Newest"


@given(st.floats(0, 1), st.integers(0, 10_000), st.integers(0, 10_000))
def test_age_and_remaining_time_fit_the_clock(chance: float, passed: int, started: int) -> None:
    until = freshness.fresh_until(started, chance, is_behind=False)
    assert 24 <= until - started <= 36
    entry = Entry({}, float(started), until)
    now = started + passed
    assert entry.age_s(now) == passed
    assert entry.is_fresh(now) == (passed < until - started)
    assert entry.fresh_for_s(now) == max(0, int(until - now))
    assert freshness.decode(freshness.encode(entry)) == entry


@given(st.binary(max_size=40))
def test_other_bytes_are_no_entry(data: bytes) -> None:
    entry = freshness.decode(data)
    assert entry is None or isinstance(entry, Entry)


@given(st.text(), st.text())
def test_different_details_have_different_keys(one: str, other: str) -> None:
    keys = {freshness.key(1, "course", it) for it in (one, other)}
    assert len(keys) == len({one, other})
    assert freshness.key(1, "course", one) != freshness.key(2, "course", one)
