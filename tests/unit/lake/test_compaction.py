"""Tests that compaction never changes the result of a query."""

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest

from aws_emulator.simulator import Crash
from stream_processor.compaction.compact import Compaction, Result
from stream_processor.errors import StorageError
from stream_processor.handlers.events import EventsHandler
from stream_processor.repair.reprocess_bad_rows import BadRowReprocessor
from stream_processor.rows.lake_schema import EVENTS, GOOD
from stream_processor.storage import parquet
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
    for _, body, _ in aws.objects("events/"):
        for row in parquet.read(body).to_pylist():
            if row["verdict"] != GOOD:
                continue
            record_key = (row["received_at"], row["shard_id"], row["sequence_number"])
            copy = (*record_key, row["record_index"], row["message_id"], row["event_json"])
            key = (row["source"], row["message_id"])
            first[key] = min(copy, first.get(key, copy))
    return sorted(first.values())


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


@pytest.mark.parametrize("seed", seeds(8))
def test_events_once_has_each_event_once_after_any_history(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Histories of copies, late rows, reprocessed rows, crashed and repeated compactions."""
    rng, aws = random.Random(seed), FakeAws()
    connection = open_lake(aws, tmp_path)
    sequence = 0
    for _ in range(14):
        act = rng.choice(["arrive", "arrive", "bad", "reprocess", "compact", "crash", "twice"])
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
        else:
            compact(aws)
            if act == "twice":
                assert compact(aws).compacted == 0
        copy_objects(aws, tmp_path)
        assert query_events_once(connection) == first_copies(aws), act
    assert first_copies(aws)


def test_hour_is_read_from_compacted_file_until_row_arrives_late(tmp_path: Path) -> None:
    """A changed copy of the compacted file shows which file the view reads."""
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), page("a"), first=1)
    assert compact(aws) == Result(compacted=1)
    (table,) = compacted(aws)
    assert table.column("message_id").to_pylist() == ["a", "b"]
    assert set(table.column("hour_rows").to_pylist()) == {3}
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
    assert names() == [("a", None), ("b", None), ("c", None)]


def test_compaction_skips_hour_that_has_not_ended(tmp_path: Path) -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    assert compact(aws, before=START + timedelta(minutes=59)) == Result()
    assert compact(aws, before=START + timedelta(hours=1)) == Result(compacted=1)
    assert compact(aws, before=START + timedelta(hours=1)) == Result(known=1)


def test_compaction_skips_hour_with_one_object() -> None:
    aws = FakeAws()
    arrive(aws, page("a"), first=1)
    assert compact(aws) == Result()


@pytest.mark.parametrize("time_left", [True, False])
def test_compaction_counts_hour_as_left_without_time(time_left: bool) -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    result = Compaction(aws.app()).run(START, END, lambda: time_left)
    assert result == (Result(compacted=1) if time_left else Result(left=1))


@pytest.mark.parametrize("name", ["newer column", "not Parquet", "too large"])
def test_compaction_leaves_hour_that_it_cannot_read_or_hold(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    key = aws.s3.list_keys()[0]
    if name == "too large":
        monkeypatch.setattr("stream_processor.compaction.compact.MAX_OBJECTS_BYTES", 100)
    else:
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
