"""Operators, a second batch, a new filter or a second stream beside a running invocation.

Each test interleaves two writers at one call; every record must be in the lake once.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from aws_emulator.simulator import Crash, dynamodb_records
from stream_processor.commit import newest_entries
from stream_processor.commit.shard_log import ShardLog
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.ingest import invocation
from stream_processor.repair.late_records import LateRecords
from stream_processor.repair.redrive import FailedBatches
from stream_processor.repair.verify import Verifier
from stream_processor.storage import live_counters
from stream_processor.storage.live_counters import LiveCounters
from stream_processor.storage.s3 import Bucket
from tests.support.examples import at_most
from tests.unit.stream_processor.fake_streams import FakeStreams
from tests.unit.stream_processor.fakes import FAILURES, FakeAws
from tests.unit.stream_processor.sample_records import accepted, header, kinesis_event, packed
from tests.unit.stream_processor.test_repairs import always, put_discarded_batch, rows

ARRIVED: Final = time.time() - 60


def payload(number: int) -> bytes:
    return packed(header(f"r{number}"), [accepted(f"m{number}")])


def batch(*numbers: int, arrived: float = ARRIVED, stream: str = "") -> dict[str, Any]:
    """Return an invocation event with the records of these numbers."""
    event = kinesis_event(
        [payload(number) for number in range(max(numbers) + 1)], first=0, arrived=arrived
    )
    records = [event["Records"][number] for number in numbers]
    if stream:
        arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream}"
        records = [{**record, "eventSourceARN": arn} for record in records]
    return {"Records": records}


def deliver(aws: FakeAws, event: Mapping[str, Any]) -> None:
    response = EventsHandler(aws.app()).handle(event, always)
    assert response == {"batchItemFailures": []}


def redrive(aws: FakeAws, *numbers: int) -> int:
    """Write records as `redrive` and `verify --restore` do."""
    (records,) = invocation.stream_batches(batch(*numbers))
    return LateRecords(aws.app()).events(records)


def written_records(aws: FakeAws) -> list[int]:
    return sorted(int(row["message_id"][1:]) for row in rows(aws))


@contextmanager
def once_before(
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    method: str,
    other: Callable[[], object],
    skipped: int | None = None,
) -> Iterator[Callable[[], bool]]:
    """Run another writer before the first call of a method, or before the one after `skipped`.

    Yields a function that tells whether the call was made. Without `skipped` it has to be.
    """
    original, pending, left = getattr(owner, method), [other], skipped or 0

    def interrupted(self: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if pending and left < 0:
            pending.pop()()
        return original(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(owner, method, interrupted)
        yield lambda: not pending
    assert skipped is not None or not pending


def test_redrive_keeps_record_that_function_passes_between_its_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lambda gave record 0 up; the function writes records 1 and 2 while the redrive begins."""
    aws = FakeAws()
    put_discarded_batch(aws, batch(0), "a")
    with once_before(monkeypatch, ShardLog, "position", lambda: deliver(aws, batch(1, 2))):
        result = FailedBatches(aws.app()).run()
    assert (result.written, aws.s3.list_keys(FAILURES)) == (1, [])
    assert written_records(aws) == [0, 1, 2]


@pytest.mark.parametrize("method", ["position", "create", "count", "advance"])
def test_redrive_and_function_write_same_records_once(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = FakeAws()
    deliver(aws, batch(0, 1, 2))
    with once_before(monkeypatch, ShardLog, method, lambda: deliver(aws, batch(3, 4, 5))):
        redrive(aws, 3, 4, 5)
    assert written_records(aws) == [0, 1, 2, 3, 4, 5]
    counts = [figures.events for _, figures in live_counters.since(aws.app().live, "")]
    assert sum(counts) == len(written_records(aws))


def test_redrive_beside_timed_out_invocation_writes_batch_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The code of the discarded batch still runs, and the mapping went on behind it."""
    aws = FakeAws()
    deliver(aws, batch(0, 1, 2))

    def others() -> None:
        deliver(aws, batch(6, 7))
        redrive(aws, 4, 5)
        redrive(aws, 3)

    with once_before(monkeypatch, Bucket, "create", others):
        deliver(aws, batch(3, 4, 5))
    assert written_records(aws) == list(range(8))


def test_restore_beside_function_that_begins_later_writes_records_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`verify --restore` reads records 0 to 5; the mapping has given 0 to 2 up."""
    aws = FakeAws()
    with once_before(monkeypatch, Bucket, "create", lambda: deliver(aws, batch(3, 4, 5))):
        redrive(aws, 0, 1, 2, 3, 4, 5)
    assert written_records(aws) == list(range(6))


def test_restore_of_changes_beside_function_writes_them_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws = FakeAws()
    keys = {"pk": {"S": "A"}, "sk": {"S": "x"}}
    inserted = [{"eventName": "INSERT", "Keys": keys, "NewImage": keys} for _ in range(6)]
    records = [record.event for record in dynamodb_records(inserted, arrived=ARRIVED)]
    event = {"Records": records[3:], "shardId": "shardId-1"}

    def function(shown: Mapping[str, Any]) -> None:
        ChangesHandler(aws.app()).handle(shown, always)

    function({"Records": records[:3], "shardId": "shardId-1"})
    (changes,) = invocation.change_batches(event)
    with once_before(monkeypatch, ShardLog, "position", lambda: function(event)):
        assert LateRecords(aws.app()).changes(changes) == 0
    assert len(rows(aws, "changes/")) == 6


def test_concurrent_batches_of_one_shard_lose_nothing() -> None:
    """With a ParallelizationFactor of 2, Lambda splits a shard's records by partition key."""
    aws = FakeAws()
    deliver(aws, batch(0, 2, 4, 6))
    deliver(aws, batch(1, 3, 5, 7))
    deliver(aws, batch(1, 3, 5, 7))
    deliver(aws, batch(0, 2, 4, 6))
    assert written_records(aws) == list(range(8))


CALLS: Final = [
    *((ShardLog, it) for it in ("position", "existing", "count", "advance")),
    *((Bucket, it) for it in ("create", "keys")),
]


@settings(max_examples=at_most(40))
@given(st.sampled_from(CALLS), st.integers(0, 3), st.lists(st.booleans(), min_size=2, max_size=6))
def test_concurrent_batches_that_interleave_lose_nothing(
    call: tuple[type, str], skipped: int, in_first: list[bool]
) -> None:
    """The shard's records are divided by key; the second batch starts at a drawn call."""
    assume(len(set(in_first)) == 2)
    aws = FakeAws()
    deliver(aws, batch(0))
    first, second = (
        [number for number, chosen in enumerate(in_first, 1) if chosen == wanted]
        for wanted in (True, False)
    )
    with (
        pytest.MonkeyPatch.context() as patch,
        once_before(patch, *call, lambda: deliver(aws, batch(*second)), skipped=skipped) as ran,
    ):
        deliver(aws, batch(*first))
    event("interrupted" if ran() else "the first batch made fewer calls")
    if not ran():
        deliver(aws, batch(*second))
    assert written_records(aws) == [0, *range(1, len(in_first) + 1)]


def test_verify_finds_concurrent_batches_complete_and_names_a_lost_record() -> None:
    aws, streams = FakeAws(), FakeStreams()
    streams.put(batch(*range(8)))
    deliver(aws, batch(0, 2, 4, 6))
    deliver(aws, batch(1, 3, 7))
    report = Verifier(aws.app(), streams.streams(), lambda _: None).run()
    assert list(report.lost.values()) == [[5]]
    report = Verifier(aws.app(), streams.streams(), lambda _: None).run(restore=True)
    assert (report.complete, report.reread) == (True, 1), str(report)
    assert written_records(aws) == list(range(8))


def test_widened_filter_delivers_record_below_mark() -> None:
    """Records 0 and 2 passed the old filter; the mapping was recreated with a wider one."""
    aws = FakeAws()
    deliver(aws, batch(0, 2))
    deliver(aws, batch(0, 1, 2, 3))
    assert written_records(aws) == [0, 1, 2, 3]


def test_lost_row_is_rebuilt_without_a_clock() -> None:
    """The records arrived around midnight, days before or after the time of this process."""
    for days in (-3, 3):
        aws = FakeAws()
        midnight = datetime(2026, 11, 27, tzinfo=UTC) + timedelta(days=days)
        event = batch(0, 1, 2, 3, 4, arrived=midnight.timestamp() - 0.002)
        deliver(aws, event)
        aws.dynamodb.items.pop("checkpoints")
        deliver(aws, {"Records": event["Records"][1:]})
        assert written_records(aws) == list(range(5))
        assert len({key.rpartition("/")[0] for key in aws.s3.list_keys()}) == 2


def test_two_streams_with_same_shard_id_keep_their_records() -> None:
    aws = FakeAws()
    deliver(aws, batch(5, 6))
    deliver(aws, batch(3, 4, 5, 6, stream="partner-events"))
    deliver(aws, batch(3, 4, 5, 6, stream="partner-events"))
    assert Counter(written_records(aws)) == Counter([3, 4, 5, 5, 6, 6])
    assert Verifier(aws.app(), FakeStreams().streams(), lambda _: None).run(hours=0).complete


def test_entry_without_another_writer_is_counted_by_hourly_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The writer crashed between the PUT and the count, and Lambda gave the batch up."""
    aws = FakeAws()
    deliver(aws, batch(0, 2))

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(LiveCounters, "count", crash)
        with pytest.raises(Crash):
            deliver(aws, batch(3))
    for _ in range(2):
        newest_entries.count(aws.app(), datetime.now(UTC))
    counts = [figures.events for _, figures in live_counters.since(aws.app().live, "")]
    assert sum(counts) == 3
