"""One file of an hour's many: no question is answered otherwise for it, whatever happens."""

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

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
from tests.unit.lake.tables import copied, opened
from tests.unit.stream_processor.fakes import LAKE, FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    rejected,
)

START = datetime(2026, 11, 21, 11, tzinfo=UTC)
END = START + timedelta(hours=9)


def always() -> bool:
    return True


def compact(aws: FakeAws, *, before: datetime = END) -> Result:
    return Compaction(aws.app()).run(START - timedelta(days=1), before, always)


def arrive(aws: FakeAws, *payloads: bytes, first: int, hour: int = 0, shard: int = 0) -> None:
    """Each record in an object of its own."""
    at = (START + timedelta(hours=hour)).timestamp()
    for place, payload in enumerate(payloads):
        event = kinesis_event(
            [payload], first=first + place, shard=f"shardId-{shard:012d}", arrived=at
        )
        EventsHandler(aws.app()).handle(event, always)


def page(message_id: str, at: str = "2026-11-21T11:00:00.123Z") -> bytes:
    return packed(header(received_at=at), [accepted(message_id)])


def compacted(aws: FakeAws) -> list[pa.Table]:
    return [parquet.read(body) for _, body, _ in aws.objects("compacted/")]


def first_copies(aws: FakeAws) -> list[tuple[Any, ...]]:
    """What the view should say, worked out from the objects that the writer made."""
    first: dict[tuple[str, str], tuple[Any, ...]] = {}
    for _, body, _ in aws.objects("events/"):
        for row in parquet.read(body).to_pylist():
            if row["verdict"] != GOOD:
                continue
            place = (row["received_at"], row["shard_id"], row["sequence_number"])
            copy = (*place, row["record_index"], row["message_id"], row["event_json"])
            key = (row["source"], row["message_id"])
            first[key] = min(copy, first.get(key, copy))
    return sorted(first.values())


def seen(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT received_at, shard_id, sequence_number, record_index, message_id, event_json "
        "FROM events_once ORDER BY ALL"
    ).fetchall()


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, points: int) -> Iterator[None]:
    """The process dies at one of its calls to AWS, before or after its effect."""
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


@pytest.mark.parametrize("seed", range(8))
def test_the_view_shows_each_event_once_whatever_was_compacted_when(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies over shards, rows that come late, redriven rows, runs that die, runs at once."""
    rng, aws = random.Random(seed), FakeAws()
    connection = opened(aws, tmp_path)
    sequence = 0
    for _ in range(14):
        act = rng.choice(["arrive", "arrive", "bad", "again", "compact", "dies", "twice"])
        sequence += 10
        place = {"first": sequence, "hour": rng.randrange(3), "shard": rng.randrange(2)}
        if act == "arrive":
            ids = rng.sample(range(12), 3)
            at = f"2026-11-21T1{rng.randrange(1, 4)}:00:00.000Z"
            arrive(aws, *[page(f"m{n}", at) for n in ids], **place)
        elif act == "bad":
            raw = json.dumps({"type": "page", "messageId": f"m{rng.randrange(15)}"})
            late = rejected("properties_size", raw=raw[:-1] + ',"anonymousId":"a"}')
            arrive(aws, packed(header(), [], [late]), **place)
        elif act == "again":
            BadRowReprocessor(aws.app()).run(date(2026, 11, 21), date(2026, 11, 21))
        elif act == "dies":
            with dying(monkeypatch, rng.randrange(1, 30)):
                compact(aws)
        else:
            compact(aws)
            if act == "twice":
                assert compact(aws).compacted == 0
        copied(aws, tmp_path)
        assert seen(connection) == first_copies(aws), act
    assert first_copies(aws)


def test_an_hour_is_read_from_its_file_until_something_comes_late(tmp_path: Path) -> None:
    """That the file is what is read shows in a copy of it which says something else."""
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), page("a"), first=1)
    assert compact(aws) == Result(compacted=1)
    (table,) = compacted(aws)
    assert table.column("message_id").to_pylist() == ["a", "b"]
    assert set(table.column("hour_rows").to_pylist()) == {3}
    (key,) = [key for key, _, _ in aws.objects("compacted/")]
    place = table.schema.get_field_index("name")
    marked = table.set_column(place, "name", pa.array(["from the file"] * 2))
    aws.s3.objects[LAKE, key] = (parquet.write(marked), {})
    connection = opened(aws, tmp_path)

    def names() -> list[tuple[Any, ...]]:
        return connection.execute("SELECT message_id, name FROM events_once ORDER BY 1").fetchall()

    assert names() == [("a", "from the file"), ("b", "from the file")]
    arrive(aws, page("c"), first=10)
    copied(aws, tmp_path)
    assert names() == [("a", None), ("b", None), ("c", None)]


def test_an_hour_that_has_not_ended_is_left_alone(tmp_path: Path) -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    assert compact(aws, before=START + timedelta(minutes=59)) == Result()
    assert compact(aws, before=START + timedelta(hours=1)) == Result(compacted=1)
    assert compact(aws, before=START + timedelta(hours=1)) == Result(known=1)


def test_one_object_is_left_as_it_is() -> None:
    aws = FakeAws()
    arrive(aws, page("a"), first=1)
    assert compact(aws) == Result()


@pytest.mark.parametrize("time_left", [True, False])
def test_what_time_does_not_suffice_for_is_left(time_left: bool) -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    result = Compaction(aws.app()).run(START, END, lambda: time_left)
    assert result == (Result(compacted=1) if time_left else Result(left=1))


@pytest.mark.parametrize("name", ["newer column", "no Parquet", "too large"])
def test_an_hour_that_cannot_be_had_whole_is_left(
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


def test_files_of_an_older_schema_are_compacted_with_nulls() -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    key = aws.s3.list_keys()[0]
    old = parquet.read(aws.s3.objects[LAKE, key][0]).drop_columns(["library", "locale"])
    aws.s3.objects[LAKE, key] = (parquet.write(old), {})
    assert compact(aws) == Result(compacted=1)
    (table,) = compacted(aws)
    assert table.column("message_id").to_pylist() == ["a", "b"]
    assert table.column("library").null_count == 2


def test_large_hours_are_written_a_group_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_processor.compaction.compact.ROW_GROUP_ROWS", 2)
    aws = FakeAws()
    arrive(aws, *[page(f"m{n}") for n in range(5)], first=1)
    compact(aws)
    (table,) = compacted(aws)
    assert table.column("message_id").to_pylist() == [f"m{n}" for n in range(5)]


def test_a_run_that_s3_does_not_let_go_on_says_so() -> None:
    aws = FakeAws()
    arrive(aws, page("a"), page("b"), first=1)
    aws.s3.conflicts = 100
    with pytest.raises(StorageError):
        compact(aws)


def test_the_view_has_every_column_of_the_lake() -> None:
    text = (ROOT / "lake" / "views" / "events_once.sql").read_text()
    names = [*EVENTS.names, "date", "hour"]
    for table in ("made", "came"):
        start = text.index(f"    {table}.verdict,")
        listed = text[start : text.index("  FROM ", start)]
        assert re.findall(rf"{table}\.(\w+)", listed) == names
