"""Tests of the thread that polls a shard: iterators, errors, destinations, stop and restart."""

import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.event_sources import shard_poller as shard_poller_module
from aws_emulator.event_sources.checkpoints import Checkpoint
from aws_emulator.event_sources.errors import ServiceError
from aws_emulator.event_sources.json_log import JsonLog
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.event_sources.shard_poller import (
    IDLE_POLL_INTERVAL_S,
    POLL_INTERVAL_S,
    ShardPoller,
    next_interval,
)
from aws_emulator.event_sources.streams import StartingPosition
from aws_emulator.simulator.samples import kinesis_records, mapping
from aws_emulator.tests.event_sources.fakes import (
    FakeStream,
    FakeTarget,
    open_shard,
    throughput_exceeded,
)
from aws_emulator.tests.waiting import wait_until

HORIZON: Final = StartingPosition("TRIM_HORIZON")
FAILED: Final = Outcome(
    "function_error", body=b'{"errorType": "Boom", "errorMessage": "secret"}', error="U"
)

type StartPoller = Callable[..., ShardPoller]


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def saved() -> list[Checkpoint]:
    return []


@pytest.fixture
def start_poller(
    log: io.StringIO, saved: list[Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> Iterator[StartPoller]:
    """Return a function that starts a poller of shard-0; stop all pollers at the end."""
    monkeypatch.setattr(shard_poller_module, "POLL_INTERVAL_S", 0.01)
    monkeypatch.setattr(shard_poller_module, "IDLE_POLL_INTERVAL_S", 0.01)
    monkeypatch.setattr(shard_poller_module, "READ_RETRY_INTERVAL_S", 0.01)
    started = []

    def start(
        stream: FakeStream,
        target: FakeTarget,
        begin: StartingPosition = HORIZON,
        checkpoint: Checkpoint | None = None,
        **settings: Any,
    ) -> ShardPoller:
        reader = ShardPoller(
            mapping(settings),
            "shard-0",
            stream,
            target,
            JsonLog(log),
            checkpoint or Checkpoint(),
            begin,
            saved.append,
        )
        reader.start()
        started.append(reader)
        return reader

    yield start
    for reader in started:
        reader.stop()
        reader.join(60)
        assert not reader.is_alive()


def numbers(target: FakeTarget) -> list[str]:
    return [
        record["kinesis"]["sequenceNumber"]
        for event in target.events
        for record in json.loads(event)["Records"]
    ]


def entries(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@given(st.lists(st.booleans()))
def test_shard_is_read_at_lambda_base_rate_when_idle_and_within_kinesis_limit(
    reads: list[bool],
) -> None:
    interval = POLL_INTERVAL_S
    for records in reads:
        before, interval = interval, next_interval(interval, records=records)
        assert POLL_INTERVAL_S <= interval <= IDLE_POLL_INTERVAL_S
        assert interval == POLL_INTERVAL_S if records else interval >= before
    for _ in range(10):
        interval = next_interval(interval, records=False)
    assert interval == IDLE_POLL_INTERVAL_S


def test_closed_shard_is_delivered_and_finished(
    start_poller: StartPoller, saved: list[Checkpoint]
) -> None:
    records = kinesis_records([b"x"] * 10)
    target = FakeTarget()
    reader = start_poller(FakeStream(open_shard(records, closed=True)), target, BatchSize=4)
    reader.join(60)
    assert numbers(target) == [record.sequence for record in records]
    assert reader.finished
    assert saved[-1] == Checkpoint(records[-1].sequence, finished=True)
    assert reader.status.in_flight == 0


def test_invocation_is_logged_with_positions_of_its_batch(
    start_poller: StartPoller, log: io.StringIO
) -> None:
    records = kinesis_records([b"x"] * 3)
    reader = start_poller(FakeStream(open_shard(records)), FakeTarget(), BatchSize=3)
    wait_until(lambda: reader.status.delivered == 3)
    (entry,) = entries(log)
    assert (entry["event"], entry["records"], entry["attempt"]) == ("invoked", 3, 1)
    assert (entry["first"], entry["last"]) == (records[0].sequence, records[-1].sequence)
    assert {"request_id", "ms", "shard", "mapping"} <= set(entry)


def test_open_shard_is_polled_for_new_records(start_poller: StartPoller) -> None:
    shard = open_shard()
    target = FakeTarget()
    reader = start_poller(FakeStream(shard), target)
    wait_until(lambda: reader.status.caught_up_at is not None)
    began = time.time()
    shard.records += kinesis_records([b"x"] * 2)
    wait_until(lambda: reader.status.delivered == 2)
    wait_until(lambda: (reader.status.caught_up_at or 0) > began)
    assert reader.status.checkpoint == shard.records[-1].sequence


def test_expired_iterator_is_renewed_after_last_record(start_poller: StartPoller) -> None:
    shard = open_shard(kinesis_records([b"x"] * 4))
    stream, target = FakeStream(shard), FakeTarget()
    reader = start_poller(stream, target)
    wait_until(lambda: reader.status.delivered == 4)
    stream.expire()
    shard.records += kinesis_records([b"x"], first=10**56)
    wait_until(lambda: reader.status.delivered == 5)
    assert stream.starts[0] == HORIZON
    assert stream.starts[-1] == StartingPosition(
        "AFTER_SEQUENCE_NUMBER", sequence=shard.records[3].sequence
    )
    assert len(numbers(target)) == 5


def test_latest_iterator_that_expires_before_first_record_misses_none(
    start_poller: StartPoller,
) -> None:
    since = 1_767_225_600.5
    old = kinesis_records([b"x"], arrived=since - 0.3)
    shard = open_shard(old)
    stream, target = FakeStream(shard), FakeTarget()
    reader = start_poller(stream, target, StartingPosition("LATEST"), Checkpoint(since=since))
    wait_until(lambda: reader.status.caught_up_at is not None)
    stream.errors.append(throughput_exceeded())
    new = kinesis_records([b"x"], first=10**56, arrived=since)
    shard.records += new
    stream.expire()
    wait_until(lambda: reader.status.delivered == 1)
    assert numbers(target) == [new[0].sequence]
    assert [start.kind for start in stream.starts][:2] == ["LATEST", "AT_TIMESTAMP"]


def test_trimmed_checkpoint_resumes_at_oldest_record(
    start_poller: StartPoller, log: io.StringIO
) -> None:
    shard = open_shard(kinesis_records([b"x"] * 6))
    shard.trimmed = 3
    target = FakeTarget()
    position = Checkpoint(shard.records[0].sequence)
    reader = start_poller(
        FakeStream(shard),
        target,
        StartingPosition("AFTER_SEQUENCE_NUMBER", position.position or ""),
        position,
    )
    wait_until(lambda: reader.status.delivered == 3)
    assert numbers(target) == [record.sequence for record in shard.records[3:]]
    assert [entry["event"] for entry in entries(log)] == ["trimmed", "invoked"]


def test_failed_read_is_retried_and_logged_once(
    start_poller: StartPoller, log: io.StringIO
) -> None:
    stream, target = FakeStream(open_shard(kinesis_records([b"x"]))), FakeTarget()
    stream.errors += [throughput_exceeded(), throughput_exceeded(), throughput_exceeded()]
    reader = start_poller(stream, target)
    wait_until(lambda: reader.status.delivered == 1)
    assert [entry["event"] for entry in entries(log)] == ["read_failed", "invoked"]


def test_deleted_shard_ends_unfinished(start_poller: StartPoller, saved: list[Checkpoint]) -> None:
    stream, target = FakeStream(open_shard(kinesis_records([b"x"] * 3))), FakeTarget()
    reader = start_poller(stream, target)
    wait_until(lambda: reader.status.delivered == 3)
    stream.by_id.clear()
    reader.join(60)
    assert reader.gone
    assert not reader.finished
    assert not saved[-1].finished


def test_discard_is_sent_before_checkpoint_passes_it(
    start_poller: StartPoller, log: io.StringIO, saved: list[Checkpoint]
) -> None:
    records = kinesis_records([b"x"] * 2)
    target = FakeTarget(lambda event: FAILED)
    target.errors.append(throughput_exceeded())
    reader = start_poller(
        FakeStream(open_shard(records)), target, MaximumRetryAttempts=0, BatchSize=2
    )
    wait_until(lambda: reader.status.discarded == 2)
    assert [list(discard.batch.records) for discard in target.discards] == [records]
    assert saved[-1].position == records[-1].sequence
    assert [entry["event"] for entry in entries(log)] == ["invoke_failed", "discarded"]
    assert entries(log)[0]["error_type"] == "Boom"
    assert "secret" not in log.getvalue()


def test_failing_destination_is_logged_and_does_not_block_shard(
    start_poller: StartPoller, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_poller_module, "MAX_DESTINATION_ATTEMPTS", 2)
    target = FakeTarget(lambda event: FAILED)
    target.errors += [throughput_exceeded(), throughput_exceeded()]
    reader = start_poller(
        FakeStream(open_shard(kinesis_records([b"x"]))), target, MaximumRetryAttempts=0
    )
    wait_until(lambda: reader.status.discarded == 1)
    assert reader.undelivered_discards == 1
    assert target.discards == []
    assert entries(log)[-1]["sent"] is False


def test_stop_waits_for_running_invocation_and_starts_no_other(
    start_poller: StartPoller, saved: list[Checkpoint]
) -> None:
    records = kinesis_records([b"x"] * 2)
    target = FakeTarget()
    target.held.clear()
    reader = start_poller(FakeStream(open_shard(records)), target, BatchSize=1)
    wait_until(lambda: len(target.events) == 1)
    reader.stop()
    reader.join(0.1)
    assert reader.is_alive()
    target.held.set()
    reader.join(60)
    assert len(target.events) == 1
    assert saved[-1].position == records[0].sequence


def test_stop_does_not_complete_unsent_discard(
    start_poller: StartPoller, saved: list[Checkpoint]
) -> None:
    target = FakeTarget(lambda event: FAILED)
    target.errors += [ServiceError("no")] * 100
    reader = start_poller(
        FakeStream(open_shard(kinesis_records([b"x"]))), target, MaximumRetryAttempts=0
    )
    wait_until(lambda: len(target.errors) < 100)
    reader.stop()
    reader.join(60)
    assert saved[-1].position is None
    assert reader.status.discarded == 0


def test_shard_is_read_ahead_while_function_runs(start_poller: StartPoller) -> None:
    target = FakeTarget()
    target.held.clear()
    reader = start_poller(FakeStream(open_shard(kinesis_records([b"x"] * 50))), target, BatchSize=1)
    wait_until(lambda: reader.status.in_flight == 50)
    target.held.set()
    wait_until(lambda: reader.status.delivered == 50)


def test_concurrent_batches_run_at_the_same_time(start_poller: StartPoller) -> None:
    target = FakeTarget()
    target.held.clear()
    records = kinesis_records([b"x"] * 30, keys=[f"key-{n}" for n in range(30)])
    start_poller(FakeStream(open_shard(records)), target, BatchSize=1, ParallelizationFactor=4)
    wait_until(lambda: len(target.events) == 4)
    target.held.set()


def test_tumbling_window_continues_after_restart(
    start_poller: StartPoller, saved: list[Checkpoint]
) -> None:
    records = kinesis_records([b"x"] * 2, spacing_s=1)
    shard = open_shard(records[:1])
    target = FakeTarget(lambda event: Outcome("returned", body=b'{"state": {"n": 1}}'))
    first = start_poller(FakeStream(shard), target, TumblingWindowInSeconds=900)
    # The window's time has passed, so that it ends once the shard is idle.
    wait_until(lambda: len(target.events) == 2)
    first.stop()
    first.join(60)
    assert json.loads(target.events[1])["isFinalInvokeForWindow"] is True
    with_state = next(point for point in saved if point.windows and point.position)
    shard.records += records[1:]
    second = start_poller(
        FakeStream(shard),
        target,
        StartingPosition("AFTER_SEQUENCE_NUMBER", with_state.position or ""),
        with_state,
        TumblingWindowInSeconds=900,
    )
    wait_until(lambda: second.status.delivered == 1)
    assert json.loads(target.events[2])["state"] == {"n": 1}
