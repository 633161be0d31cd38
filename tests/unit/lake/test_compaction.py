"""Tests that compaction never changes the result of a query."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aws_emulator.simulator import Crash
from stream_processor.compaction.compact import Compaction, Result, file_name, parts_of
from stream_processor.errors import StorageError
from stream_processor.handlers.events import EventsHandler
from stream_processor.repair.reprocess_bad_rows import BadRowReprocessor
from stream_processor.rows.lake_schema import EVENTS, GOOD
from stream_processor.storage import parquet
from stream_processor.storage.s3 import Bucket, ListedObject
from tests.support.examples import at_most
from tests.support.paths import ROOT
from tests.support.seeds import seeds
from tests.unit.lake.tables import copy_objects, open_lake
from tests.unit.stream_processor.fakes import LAKE, FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    rejected,
)

START: Final = datetime(2026, 11, 21, 11, tzinfo=UTC)
ACTS: Final = ("arrive", "bad", "reprocess", "compact", "crash", "twice", "delete")
END: Final = START + timedelta(hours=9)


def always() -> bool:
    return True


def compact(aws: FakeAws, *, before: datetime = END) -> Result:
    return Compaction(aws.app()).run(START - timedelta(days=1), before, always)


def arrive(aws: FakeAws, *payloads: bytes, first: int, hour: int = 0, shard: int = 0) -> None:
    """Write each record to a separate object."""
    at = (START + timedelta(hours=hour)).timestamp()
    for position, payload in enumerate(payloads):
        event = kinesis_event(
            [payload], first=first + position, shard=f"shardId-{shard:012d}", arrived=at
        )
        EventsHandler(aws.app()).handle(event, always)


def page(message_id: str, at: str = "2026-11-21T11:00:00.123Z") -> bytes:
    return packed(header(received_at=at), [accepted(message_id)])


def compacted(aws: FakeAws) -> list[pa.Table]:
    return [parquet.read(body) for _, body, _ in aws.objects("compacted/")]


def first_copies(aws: FakeAws) -> list[tuple[Any, ...]]:
    """Compute the rows of `events_once` from the objects, without SQL."""
    first: dict[tuple[str, str], tuple[Any, ...]] = {}
    for object_key, body, _ in aws.objects("events/"):
        hour = object_key.rpartition("/")[0]
        for row in parquet.read(body).to_pylist():
            if row["verdict"] != GOOD:
                continue
            record_key = (hour, row["received_at"], row["shard_id"], row["sequence_number"])
            copy = (*record_key, row["record_index"], row["message_id"], row["event_json"])
            key = (row["source"], row["message_id"])
            first[key] = min(copy, first.get(key, copy))
    return sorted(it[1:] for it in first.values())


def query_events_once(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT received_at, shard_id, sequence_number, record_index, message_id, event_json "
        "FROM events_once ORDER BY ALL"
    ).fetchall()


@contextmanager
def crash_at_call(monkeypatch: pytest.MonkeyPatch, points: int) -> Iterator[None]:
    """Crash the process before or after one of its calls to AWS."""
    left = points

    def die(_: str, error: Any = None) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Crash

    with monkeypatch.context() as patched:
        patched.setattr("tests.unit.stream_processor.fakes.fault_point", die)
        with suppress(Crash):
            yield


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(8))
def test_events_once_has_each_event_once_after_any_history(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Histories of copies, late, reprocessed and deleted rows, crashed and repeated compactions."""
    rng, aws = random.Random(seed), FakeAws()
    connection = open_lake(aws, tmp_path)
    sequence = 0
    for _ in range(14):
        act = rng.choice([*ACTS, "arrive"])
        sequence += 10
        position = {"first": sequence, "hour": rng.randrange(3), "shard": rng.randrange(2)}
        if act == "arrive":
            ids = rng.sample(range(12), 3)
            at = f"2026-11-21T1{rng.randrange(1, 4)}:00:00.000Z"
            arrive(aws, *[page(f"m{n}", at) for n in ids], **position)
        elif act == "bad":
            raw = json.dumps({"type": "page", "messageId": f"m{rng.randrange(15)}"})
            late = rejected("properties_size", raw=raw[:-1] + ',"anonymousId":"a"}')
            arrive(aws, packed(header(), [], [late]), **position)
        elif act == "reprocess":
            BadRowReprocessor(aws.app()).run(date(2026, 11, 21), date(2026, 11, 21))
        elif act == "crash":
            with crash_at_call(monkeypatch, rng.randrange(1, 30)):
                compact(aws)
        elif act == "delete" and aws.s3.list_keys():
            key = rng.choice(aws.s3.list_keys())
            if key.startswith("events/"):
                del aws.s3.objects[LAKE, key]
                (tmp_path / key).unlink(missing_ok=True)
        else:
            compact(aws)
            if act == "twice":
                assert compact(aws).compacted == 0
        copy_objects(aws, tmp_path)
        assert query_events_once(connection) == first_copies(aws), act
    assert sequence


def test_hour_is_read_from_compacted_file_until_row_arrives_late(tmp_path: Path) -> None:
    """A changed copy of the compacted file shows which file the view reads."""
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), page("a"), first=1)
    assert compact(aws) == Result(compacted=1)
    (table,) = compacted(aws)
    assert table.column("message_id").to_pylist() == ["a", "b"]
    written_ids = [
        parquet.read(body)["object_id"][0].as_py() for _, body, _ in aws.objects("events/")
    ]
    assert table.column("object_id").to_pylist() == written_ids[:2]
    (key,) = [key for key, _, _ in aws.objects("compacted/")]
    position = table.schema.get_field_index("name")
    marked = table.set_column(position, "name", pa.array(["from the file"] * 2))
    aws.s3.objects[LAKE, key] = (parquet.write(marked), {})
    connection = open_lake(aws, tmp_path)

    def names() -> list[tuple[Any, ...]]:
        return connection.execute("SELECT message_id, name FROM events_once ORDER BY 1").fetchall()

    assert names() == [("a", "from the file"), ("b", "from the file")]
    arrive(aws, page("c"), first=10)
    copy_objects(aws, tmp_path)
    assert names() == [("a", "from the file"), ("b", "from the file"), ("c", None)]


def test_deleted_rows_are_gone_although_as_many_arrive_late(tmp_path: Path) -> None:
    """The number of an hour's rows doesn't tell whether they are the compacted ones."""
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), page("c"), first=1)
    compact(aws)
    deleted = [it for it in aws.s3.list_keys() if it.startswith("events/")][-1]
    del aws.s3.objects[LAKE, deleted]
    arrive(aws, page("d"), first=10)
    for number in range(2):
        folder = tmp_path / str(number)
        with open_lake(aws, folder) as connection:
            ids = connection.execute("SELECT message_id FROM events_once ORDER BY 1").fetchall()
        assert ids == [("a",), ("b",), ("d",)]
        compact(aws)


def test_late_objects_get_a_file_and_no_object_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws = FakeAws()
    read: list[str] = []
    original = Bucket.read

    def recorded(bucket: Bucket, key: str) -> bytes:
        if key.startswith("events/"):
            read.append(key)
        return original(bucket, key)

    monkeypatch.setattr(Bucket, "read", recorded)
    for first in (10, 1):
        arrive(aws, page(f"a{first}"), page(f"b{first}"), first=first)
        read.clear()
        assert compact(aws) == Result(compacted=1)
    assert compact(aws) == Result(known=1)
    assert len(compacted(aws)) == 2
    assert len(read) == len(set(read)) == 2


@settings(max_examples=at_most(60))
@given(st.lists(st.integers(1, 9), max_size=14), st.integers(1, 20), st.data())
def test_parts_cover_each_object_once_in_bounded_files(
    sizes: list[int], limit: int, data: st.DataObject
) -> None:
    """Objects arrive between the runs; runs stop after any part."""
    objects = [
        ListedObject(datetime(2026, 11, 21, tzinfo=UTC), f"{number:02d}", str(number), size)
        for number, size in enumerate(sizes)
    ]
    files: dict[str, Sequence[ListedObject]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stream_processor.compaction.compact.MAX_PART_BYTES", limit)
        seen = 0
        while seen < len(objects):
            seen = data.draw(st.integers(seen + 1, len(objects)))
            parts = list(parts_of(objects[:seen], files.keys()))
            files |= {file_name(part): part for part in parts[: data.draw(st.integers(0, 9))]}
        files |= {file_name(part): part for part in parts_of(objects, files.keys())}
        assert {file_name(it) for it in parts_of(objects, files.keys())} == files.keys()
    for part in files.values():
        assert len(part) == 1 or sum(it.size for it in part) <= limit
    covered = [it.key for part in files.values() for it in part]
    assert len(covered) == len(set(covered))


@pytest.mark.parametrize(("limit", "compacted_files"), [(100, 0), (25_000, 1), (10**9, 3)])
def test_run_reads_at_most_its_bytes(
    limit: int, compacted_files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three hours, each with two objects of about 7 KB; the listing tells the sizes."""
    monkeypatch.setattr("stream_processor.compaction.compact.MAX_RUN_BYTES", limit)
    aws = FakeAws()
    for hour in range(3):
        arrive(aws, page(f"a{hour}"), page(f"b{hour}"), first=1 + 10 * hour, hour=hour)
    result = compact(aws)
    assert result == Result(compacted=compacted_files, left=3 - compacted_files)
    assert result.bytes_read <= limit
    assert bool(result.bytes_read) == bool(compacted_files)


def test_compaction_skips_hour_that_has_not_ended(tmp_path: Path) -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    assert compact(aws, before=START + timedelta(minutes=59)) == Result()
    assert compact(aws, before=START + timedelta(hours=1)) == Result(compacted=1)
    assert compact(aws, before=START + timedelta(hours=1)) == Result(known=1)


def test_compaction_of_hour_with_one_object_reads_it_once() -> None:
    aws = FakeAws()
    arrive(aws, page("a"), first=1)
    assert compact(aws) == Result(compacted=1)
    assert compact(aws) == Result(known=1)


@pytest.mark.parametrize("time_left", [True, False])
def test_compaction_counts_hour_as_left_without_time(time_left: bool) -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    result = Compaction(aws.app()).run(START, END, lambda: time_left)
    assert result == (Result(compacted=1) if time_left else Result(left=1))


@pytest.mark.parametrize("name", ["newer column", "not Parquet"])
def test_compaction_leaves_objects_that_it_cannot_read(name: str) -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    key = aws.s3.list_keys()[0]
    newer = EVENTS.append(pa.field("of_tomorrow", pa.string())).empty_table()
    body = parquet.write(newer) if name == "newer column" else b"hello"
    aws.s3.objects[LAKE, key] = (body, {})
    assert compact(aws) == Result(left=1)
    assert not compacted(aws)


def test_compaction_of_older_schema_fills_columns_with_null() -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    key = aws.s3.list_keys()[0]
    old = parquet.read(aws.s3.objects[LAKE, key][0]).drop_columns(["library", "locale"])
    aws.s3.objects[LAKE, key] = (parquet.write(old), {})
    assert compact(aws) == Result(compacted=1)
    (table,) = compacted(aws)
    assert table.column("message_id").to_pylist() == ["a", "b"]
    assert table.column("library").null_count == 2


def test_compaction_writes_large_hour_in_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_processor.compaction.compact.ROW_GROUP_ROWS", 2)
    aws = FakeAws()
    arrive(aws, *[page(f"m{n}") for n in range(5)], first=1)
    compact(aws)
    (table,) = compacted(aws)
    assert table.column("message_id").to_pylist() == [f"m{n}" for n in range(5)]


def test_compaction_raises_storage_error_when_s3_fails() -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    aws.s3.conflicts = 100
    with pytest.raises(StorageError):
        compact(aws)


def test_events_once_lists_every_column_of_events() -> None:
    text = (ROOT / "lake" / "views" / "events_once.sql").read_text()
    names = [*EVENTS.names, "date", "hour"]
    for table in ("compacted", "uncompacted"):
        start = text.index(f"    {table}.verdict,")
        listed = text[start : text.index("  FROM ", start)]
        assert re.findall(rf"{table}\.(\w+)", listed) == names
