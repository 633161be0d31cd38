"""An upgrade from a version that named objects after sequence numbers, and names of both kinds."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_processor.commit import event_objects
from stream_processor.errors import MigrationError
from stream_processor.handlers.events import EventsHandler
from stream_processor.ingest import invocation
from stream_processor.ingest.records import StreamRecord
from stream_processor.ingest.sequence_numbers import padded
from stream_processor.repair import migrate
from stream_processor.repair.lake_inventory import shard_of
from stream_processor.repair.late_records import LateRecords
from stream_processor.repair.verify import Verifier
from stream_processor.storage import lake_keys, log_names, object_writer, parquet
from stream_processor.storage.checkpoints import Checkpoint
from stream_processor.storage.lake_types import HighWaterMark
from stream_processor.storage.log_names import LogName
from tests.unit.stream_processor.fake_streams import FakeStreams
from tests.unit.stream_processor.fakes import SETTINGS, FakeAws
from tests.unit.stream_processor.sample_records import accepted, header, kinesis_event, packed

SHARD: Final = "shardId-000000000000"
STREAM: Final = lake_keys.events_stream(SETTINGS.stage)
ARRIVED: Final = time.time() - 7_200


def old_key(prefix: str, shard: str, first: int, arrived_ms: int) -> str:
    """Return the key of an object of the versions before the logs."""
    return f"{LogName.of(prefix, shard, arrived_ms).folder}{shard}-{padded(first)}.parquet"


def batch(*numbers: int) -> dict[str, Any]:
    """Return an invocation event. The records are 20 minutes apart, so they span hours."""
    records = []
    for number in numbers:
        payload = packed(header(f"r{number}"), [accepted(f"m{number}")])
        event = kinesis_event([payload], number, SHARD, ARRIVED + number * 1_200)
        records += event["Records"]
    return {"Records": records}


def write_old_object(
    aws: FakeAws, previous: int | None, *numbers: int, checkpoint: bool = True
) -> None:
    """Write an object and its checkpoint as versions before the logs did."""
    (old,) = invocation.stream_batches(batch(*numbers))
    pending = event_objects.build(SETTINGS, SHARD, old.records, previous, frozenset())
    key = old_key(lake_keys.EVENTS, SHARD, numbers[0], old.records[0].arrived_ms)
    assert object_writer.create(aws.app().lake, key, pending) is None
    if checkpoint:
        mark = HighWaterMark(numbers[-1], old.records[0].arrived_ms)
        Checkpoint(aws.app().checkpoints, f"{STREAM}#{SHARD}").advance(mark)


def deliver(aws: FakeAws, event: Mapping[str, Any]) -> None:
    response = EventsHandler(aws.app()).handle(event, lambda: True)
    assert response == {"batchItemFailures": []}


def written(aws: FakeAws) -> Counter[str]:
    return Counter(
        row["message_id"]
        for _, body, _ in aws.objects("events/")
        for row in parquet.read(body).to_pylist()
    )


def once(*numbers: int) -> Counter[str]:
    return Counter(f"m{number}" for number in numbers)


def test_writer_refuses_shard_with_old_checkpoint_until_logs_start() -> None:
    aws = FakeAws()
    write_old_object(aws, None, 1, 2, 3)
    with pytest.raises(MigrationError, match="migrate"):
        EventsHandler(aws.app()).handle(batch(3, 4), lambda: True)
    (records,) = invocation.stream_batches(batch(3, 4))
    with pytest.raises(MigrationError):
        LateRecords(aws.app()).events(records)
    assert written(aws) == once(1, 2, 3)
    assert migrate.migrate(aws.app()) == 1
    deliver(aws, batch(3, 4))
    assert written(aws) == once(1, 2, 3, 4)


@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_deliveries_after_upgrade_write_each_record_once(
    lengths: Sequence[int],
    deliveries: Sequence[tuple[int, int]],
    lost_checkpoint: bool,
    uncounted: bool,
) -> None:
    """The last writer of the old version can have crashed before its checkpoint."""
    aws, number, previous = FakeAws(), 1, None
    for position, length in enumerate(lengths):
        is_last = position == len(lengths) - 1
        numbers = range(number, number + length)
        write_old_object(aws, previous, *numbers, checkpoint=not (is_last and uncounted))
        number, previous = number + length, numbers[-1]
    if lost_checkpoint:
        aws.dynamodb.items.pop("checkpoints", None)
    migrate.migrate(aws.app())
    expected = set(range(1, number))
    for first, count in deliveries:
        numbers = range(first, first + count)
        deliver(aws, batch(*numbers))
        expected |= set(numbers)
    assert written(aws) == once(*expected)


def test_lake_of_both_kinds_of_names_is_verified_and_restored() -> None:
    aws, streams = FakeAws(), FakeStreams()
    streams.put(batch(*range(1, 9)))
    write_old_object(aws, None, 1, 2, 3)
    write_old_object(aws, 3, 4, 5)
    migrate.migrate(aws.app())
    deliver(aws, batch(5, 6, 7))

    def verify(*, restore: bool = False) -> Any:
        return Verifier(aws.app(), streams.streams(), lambda _: None).run(restore=restore)

    assert list(verify().waiting.values()) == [[8]]
    old, *_ = [key for key in aws.s3.list_keys() if "3.parquet" not in key]
    aws.app().lake.delete(old)
    assert verify().deleted == [old]
    report = verify(restore=True)
    assert (report.complete, report.restored, report.reread) == (True, 1, 1), str(report)
    assert written(aws) == once(*range(1, 9))
    # The next version's writer finds the records that the operator wrote.
    deliver(aws, batch(*range(1, 9)))
    assert written(aws) == once(*range(1, 9))


def test_starting_logs_again_changes_nothing() -> None:
    aws = FakeAws()
    write_old_object(aws, None, 1, 2, 3)
    migrate.migrate(aws.app())
    items = {key: dict(item) for key, item in aws.dynamodb.items["checkpoints"].items()}
    migrate.migrate(aws.app())
    assert aws.dynamodb.items["checkpoints"] == items


@given(
    st.sampled_from(["events", "changes"]),
    st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True),
    st.integers(1_767_225_600_000, 4_102_444_799_999),
    st.integers(0, 99_999_999),
)
def test_key_of_entry_names_its_log_and_number(
    prefix: str, shard: str, arrived_ms: int, number: int
) -> None:
    log = LogName.of(prefix, shard, arrived_ms)
    key = log.key(number)
    if shard.startswith(("again-", "reconciler-")):
        assert log_names.entry_of(key) is None
        return
    assert log_names.entry_of(key) == (log, number)
    assert log_names.parse(str(log)) == log
    assert shard_of(key) == (prefix, shard)
    old = old_key(prefix, shard, number, arrived_ms)
    assert log_names.entry_of(old) is None
    assert (shard_of(old) or (prefix, shard)) == (prefix, shard.removeprefix("redrive-"))


@pytest.mark.parametrize(
    "key",
    [
        f"events/date=2026-11-27/hour=09/{SHARD}-{padded(7)}.parquet",
        f"events/date=2026-11-27/{SHARD}-00000001.parquet",
        "events/date=2026-11-27/hour=09/reconciler-20261127.parquet",
        "events/date=2026-11-27/hour=09/again-x-00000001.parquet",
        "events/date=2026-13-27/hour=09/a-00000001.parquet",
        "compacted/date=2026-11-27/hour=09/a-00000001.parquet",
        "events/date=2026-11-27/hour=09/a-0000001.parquet",
        "events/date=2026-11-27/hour=09/a-00000001.json",
        "",
    ],
)
def test_other_key_is_no_entry(key: str) -> None:
    assert log_names.entry_of(key) is None


@pytest.mark.parametrize("shards", [("a", "a-1"), ("a", "a-1-0"), ("topic-1", "topic-1-0")])
def test_shard_named_like_start_of_another_has_its_own_entries(shards: tuple[str, str]) -> None:
    """Kafka's partitions of the topics `a` and `a-1` can be named so."""
    aws = FakeAws()
    for shard in (shards[1], shards[1], shards[0]):
        count = len(aws.s3.list_keys())
        event = kinesis_event(
            [packed(header(), [accepted(f"m{count}")])], count + 1, shard, ARRIVED
        )
        deliver(aws, event)
        aws.dynamodb.items.pop("checkpoints")
    logs = Counter(str(entry[0]) for entry in map(log_names.entry_of, aws.s3.list_keys()) if entry)
    assert sorted(logs.values()) == [1, 2]
    assert written(aws) == once(0, 1, 2)


def test_batch_is_divided_by_hour() -> None:
    record = StreamRecord(1, 3_600_000 * 490_000 - 1, "")
    log = LogName.of("events", SHARD, record.arrived_ms)
    assert log.hour_ms == 3_600_000 * 489_999
    assert LogName.of("events", SHARD, record.arrived_ms + 1) > log
