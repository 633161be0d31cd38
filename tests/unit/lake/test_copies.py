"""Tests of the index of copies: `events_once` by the index has the rows of the exact view."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest

from stream_processor.compaction import copies
from stream_processor.compaction.compact import Compaction, Result
from stream_processor.compaction.copies import CopyIndex
from stream_processor.compaction.id_log import Lookup, covering, last_entry
from stream_processor.storage import parquet
from tests.support.seeds import seeds
from tests.unit.lake.tables import open_lake
from tests.unit.lake.test_compaction import (
    END,
    START,
    arrive,
    compact,
    crash_at_call,
    first_copies,
    page,
    query_events_once,
)
from tests.unit.stream_processor.fakes import LAKE, FakeAws
from tools.lake_sql import copies as readers
from tools.lake_sql.copies import Listing
from tools.lake_sql.tables import DuckDB

ACTS: Final = ("arrive", "arrive", "arrive", "compact", "crash", "delete", "forget")


@contextmanager
def indexed(aws: FakeAws, folder: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, bool]]:
    """Yield the lake's tables and views, and whether `events_once` uses the index."""
    with open_lake(aws, folder) as connection:
        listing = Listing.of(key for key, _, _ in aws.objects())
        yield connection, readers.use_index(DuckDB(connection, folder), listing)


def delete(aws: FakeAws, prefix: str) -> None:
    for key in [it for it in aws.s3.list_keys() if it.startswith(prefix)]:
        del aws.s3.objects[LAKE, key]


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(6))
def test_index_changes_no_row_in_any_history(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies over hours and days, late rows, crashes; deleted objects and a deleted index.

    Runs look the ids up in one or several readings of the log, or leave the files for a later run.
    """
    monkeypatch.setattr(copies, "_MERGED", 3)
    monkeypatch.setattr(copies, "MAX_BATCH_ROWS", 4)
    monkeypatch.setattr(copies, "MIN_LOG_BYTES", 0)
    rng, aws, used = random.Random(seed), FakeAws(), 0
    for step in range(16):
        act = rng.choice(ACTS)
        monkeypatch.setattr(copies, "READ_RATIO", rng.choice([0, 1000, 1000]))
        monkeypatch.setattr(copies, "MAX_LOOKUP_IDS", rng.choice([1, 1000]))
        monkeypatch.setattr(copies, "MAX_MERGED_BYTES", rng.choice([0, 1_000_000]))
        if act == "arrive":
            at = f"2026-11-21T1{rng.randrange(1, 4)}:00:00.000Z"
            ids = rng.sample(range(12), 3)
            position = {"hour": rng.choice([0, 1, 2, 24]), "shard": rng.randrange(2)}
            arrive(aws, *[page(f"m{n}", at) for n in ids], first=10 * step + 1, **position)
        elif act == "crash":
            with crash_at_call(monkeypatch, rng.randrange(1, 60)):
                compact(aws, before=END.replace(day=23))
        elif act == "delete" and rng.random() < 0.3:
            events = [it for it in aws.s3.list_keys() if it.startswith("events/")]
            delete(aws, rng.choice(events) if events else "none")
        elif act == "forget" and rng.random() < 0.5:
            delete(aws, "copies/")
            delete(aws, "seen/")
        else:
            compact(aws, before=END.replace(day=23))
        with indexed(aws, tmp_path / str(step)) as (connection, usable):
            used += usable
            everything = query_events_once(connection)
            assert everything == first_copies(aws), act
            by_day = [
                row[:1]
                for day in (21, 22)
                for row in connection.execute(
                    f"SELECT message_id FROM events_once WHERE date = '2026-11-{day}'"
                ).fetchall()
            ]
            assert sorted(by_day) == sorted((row[4],) for row in everything)
    assert used or seed


def test_index_is_used_after_every_compaction(tmp_path: Path) -> None:
    """The index has late rows that precede a copy, and rows that came after the compaction."""
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=10, hour=1)
    for hour, ids in ((0, "bc"), (2, "ad")):
        assert not compact(aws).not_compared
        arrive(aws, *map(page, ids), first=20 * (hour + 2), hour=hour, shard=hour + 1)
        with indexed(aws, tmp_path / str(hour)) as (connection, usable):
            assert usable
            assert query_events_once(connection) == first_copies(aws)
    compact(aws)
    listed = [
        (key.split("/")[2], parquet.read(body).column("shard_id").drop_null().to_pylist())
        for key, body, _ in aws.objects("copies/")
    ]
    assert sum(bool(shards) for _, shards in listed) == 2
    assert any(shards and hour == "hour=12" for hour, shards in listed)


def test_query_for_a_day_reads_only_the_day(tmp_path: Path) -> None:
    """Objects of other days are no longer readable, but the query returns its rows."""
    aws = FakeAws()
    for day in range(3):
        copies_of = (page("a"), page(f"b{day}"))
        arrive(aws, *copies_of, first=10 * (day + 1), hour=24 * day, shard=day)
    compact(aws, before=END.replace(day=24))
    folder = tmp_path / "lake"
    with indexed(aws, folder) as (connection, usable):
        assert usable
        query = "SELECT message_id FROM events_once WHERE date = '2026-11-22'"
        plan = connection.execute(f"EXPLAIN ANALYZE {query}").fetchall()[0][1]
        assert connection.execute(query).fetchall() == [("b1",)]
    # Two objects of the day, of six and an empty one.
    assert "Total Files Read: 2" in plan


@pytest.mark.parametrize("ratio", [0, 1_000_000], ids=["waiting", "compared"])
def test_crashed_publication_is_completed_and_unused_until_then(
    ratio: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run completes it, also if its own files wait."""
    aws = FakeAws()
    arrive(aws, page("a"), first=1)
    arrive(aws, page("a"), first=10, hour=1, shard=1)
    with monkeypatch.context() as patched:
        patched.setattr(CopyIndex, "_publish", lambda *_: None)
        compact(aws)
    assert not list(aws.objects("copies/"))
    arrive(aws, page("b"), page("a"), first=20, hour=2, shard=2)
    monkeypatch.setattr(copies, "MIN_LOG_BYTES", 0)
    monkeypatch.setattr(copies, "READ_RATIO", ratio)
    left = compact(aws).not_compared
    assert len(list(aws.objects("copies/"))) == 3 - left
    with indexed(aws, tmp_path) as (connection, usable):
        assert usable
        assert query_events_once(connection) == first_copies(aws)


def test_concurrent_run_compares_with_the_entry_that_came_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run appends an entry while this one compares its files."""
    aws = FakeAws()
    arrive(aws, page("a"), first=1)
    original, runs = CopyIndex._entry, []

    def entry(index: CopyIndex, number: int, *rest: Any) -> pa.Table:
        table = original(index, number, *rest)
        runs.append(number)
        if len(runs) == 1:
            arrive(aws, page("a"), first=10, hour=1, shard=1)
            compact(aws)
        return table

    monkeypatch.setattr(CopyIndex, "_entry", entry)
    compact(aws, before=START.replace(hour=12))
    assert runs == [1, 1]
    with indexed(aws, tmp_path) as (connection, usable):
        assert usable
        assert query_events_once(connection) == first_copies(aws)


def test_two_objects_with_the_same_rows_disable_the_index(tmp_path: Path) -> None:
    """Position and `object_id` of their rows are the same, so the index can't hide one of them."""
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    key = aws.s3.list_keys()[0]
    aws.s3.objects[LAKE, key.replace(".parquet", "9.parquet")] = aws.s3.objects[LAKE, key]
    for number in range(2):
        with indexed(aws, tmp_path / str(number)) as (connection, usable):
            assert not usable
            assert query_events_once(connection) == first_copies(aws)
        compact(aws)


def test_objects_without_object_id_are_not_compared(tmp_path: Path) -> None:
    aws = FakeAws()
    arrive(aws, page("a"), first=1)
    arrive(aws, page("a"), first=10, hour=1, shard=1)
    key = aws.s3.list_keys()[0]
    old = parquet.read(aws.s3.objects[LAKE, key][0]).drop_columns(["object_id"])
    aws.s3.objects[LAKE, key] = (parquet.write(old), {})
    assert compact(aws) == Result(compacted=2, not_compared=1)
    assert compact(aws) == Result(known=2)
    with indexed(aws, tmp_path) as (connection, usable):
        assert not usable
        assert query_events_once(connection) == first_copies(aws)


@pytest.mark.parametrize("prefix", ["copies/", "seen/", "seen/sha256-00000001"])
def test_half_of_a_deleted_index_is_not_extended(prefix: str, tmp_path: Path) -> None:
    aws = FakeAws()
    for hour in range(2):
        arrive(aws, page("a"), first=10 * hour + 1, hour=hour, shard=hour)
        compact(aws)
    delete(aws, prefix)
    arrive(aws, page("a"), first=30, hour=2, shard=2)
    assert compact(aws).not_compared
    with indexed(aws, tmp_path) as (connection, _):
        assert query_events_once(connection) == first_copies(aws)


def test_files_wait_until_they_are_worth_reading_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index shows the rows of waiting files, and files of five days don't wait."""
    monkeypatch.setattr(copies, "MIN_LOG_BYTES", 0)
    aws = FakeAws()
    arrive(aws, page("a"), page("c"), first=1, hour=1)
    compact(aws)
    monkeypatch.setattr(copies, "READ_RATIO", 0)
    for number, ids in enumerate(("ab", "bc")):
        arrive(aws, *map(page, ids), first=10 * number + 10, hour=2 * number, shard=number)
        assert compact(aws).not_compared == number + 1
    with indexed(aws, tmp_path) as (connection, usable):
        assert usable
        assert query_events_once(connection) == first_copies(aws)
    assert not compact(aws, before=START + timedelta(days=6)).not_compared


def test_one_reading_of_the_log_serves_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MAX_BATCH_ROWS", 1)
    aws, reads = FakeAws(), list[str]()
    arrive(aws, page("a"), first=1)
    compact(aws)
    for number in range(4):
        arrive(aws, page(f"m{number}"), first=10 * number + 10, hour=number, shard=number)
    original = Lookup.read

    def read(lookup: Lookup, key: str, body: bytes) -> None:
        reads.append(key)
        original(lookup, key, body)

    monkeypatch.setattr(Lookup, "read", read)
    assert compact(aws).compacted == 4
    assert reads == [f"seen/sha256-{n:08d}-{n:08d}.parquet" for n in range(1, 5)]


def test_merged_entry_has_a_maximum_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_MERGED", 2)
    monkeypatch.setattr(copies, "MAX_MERGED_BYTES", 1_000)
    aws = FakeAws()
    for number in range(8):
        arrive(aws, page(f"m{number}"), first=10 * number + 1, hour=number // 3)
        assert compact(aws).compacted == 1
    keys = [key for key in aws.s3.list_keys() if key.startswith("seen/")]
    whole = list(covering(keys))
    assert len(whole) > 1
    assert last_entry(whole) == 8


@pytest.mark.parametrize(("hour", "is_read"), [(3, False), (0, True)])
def test_fresh_rows_are_compared_without_the_rows_of_earlier_hours(
    hour: int, is_read: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a row that arrives late can precede a compared one."""
    aws, read = FakeAws(), list[str]()
    for earlier in (1, 2):
        arrive(aws, page("a"), page(f"m{earlier}"), first=10 * earlier, hour=earlier)
    compact(aws)
    arrive(aws, page("a"), page("n"), first=50, hour=hour, shard=1)
    original = DuckDB.table

    def table(engine: DuckDB, name: str, prefix: str, paths: Sequence[str]) -> None:
        if prefix == "compacted":
            read.extend(paths)
        original(engine, name, prefix, paths)

    monkeypatch.setattr(DuckDB, "table", table)
    with indexed(aws, tmp_path) as (connection, usable):
        assert usable
        assert query_events_once(connection) == first_copies(aws)
    assert {path.split("/")[2] for path in read} == ({"hour=12"} if is_read else set())


def test_merged_entries_bound_the_files_that_a_run_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_MERGED", 2)
    aws = FakeAws()
    for number in range(9):
        arrive(aws, page(f"m{number}"), first=10 * number + 1, hour=number // 3)
        assert compact(aws).compacted == 1
    keys = [key for key in aws.s3.list_keys() if key.startswith("seen/")]
    assert [it.removeprefix("seen/") for it in covering(keys)] == [
        "sha256-00000001-00000008.parquet",
        "sha256-00000009-00000009.parquet",
    ]


def test_run_without_time_compares_nothing() -> None:
    aws = FakeAws()
    arrive(aws, page("a"), first=1)
    times = iter([True, False])
    result = Compaction(aws.app()).run(START, END, lambda: next(times))
    assert result == Result(compacted=1, not_compared=1)
    assert compact(aws) == Result(known=1)
