"""A shard's thread: it reads on through everything that a stream does to its readers."""

import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aws_emulator.event_sources import reader as reader_module
from aws_emulator.event_sources.checkpoints import Checkpoint
from aws_emulator.event_sources.errors import ServiceError
from aws_emulator.event_sources.journal import Journal
from aws_emulator.event_sources.reader import ShardReader
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.event_sources.sources import Start
from aws_emulator.simulator.samples import kinesis_records, mapping
from aws_emulator.tests.event_sources.fakes import (
    FakeSource,
    FakeTarget,
    open_shard,
    refused,
)
from aws_emulator.tests.waiting import wait_until

HORIZON = Start("TRIM_HORIZON")
FAILED = Outcome(
    "function_error", body=b'{"errorType": "Boom", "errorMessage": "secret"}', error="U"
)

type Reading = Callable[..., ShardReader]


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def saved() -> list[Checkpoint]:
    return []


@pytest.fixture
def reading(
    log: io.StringIO, saved: list[Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Reading]:
    """Start a reader of shard-0; all are stopped at the end."""
    monkeypatch.setattr(reader_module, "POLL_S", 0.01)
    monkeypatch.setattr(reader_module, "RETRY_S", 0.01)
    started = []

    def start(
        source: FakeSource,
        target: FakeTarget,
        begin: Start = HORIZON,
        checkpoint: Checkpoint | None = None,
        **settings: Any,
    ) -> ShardReader:
        reader = ShardReader(
            mapping(settings),
            "shard-0",
            source,
            target,
            Journal(log),
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
        reader.join(10)
        assert not reader.is_alive()


def numbers(target: FakeTarget) -> list[str]:
    return [
        record["kinesis"]["sequenceNumber"]
        for event in target.events
        for record in json.loads(event)["Records"]
    ]


def entries(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_closed_shard_is_delivered_and_finished(
    reading: Reading, saved: list[Checkpoint]
) -> None:
    records = kinesis_records([b"x"] * 10)
    target = FakeTarget()
    reader = reading(FakeSource(open_shard(records, closed=True)), target, BatchSize=4)
    reader.join(10)
    assert numbers(target) == [record.sequence for record in records]
    assert reader.finished
    assert saved[-1] == Checkpoint(records[-1].sequence, finished=True)
    assert reader.status.in_flight == 0


def test_an_open_shard_is_followed(reading: Reading) -> None:
    shard = open_shard()
    target = FakeTarget()
    reader = reading(FakeSource(shard), target)
    wait_until(lambda: reader.status.caught_up_at is not None)
    began = time.time()
    shard.records += kinesis_records([b"x"] * 2)
    wait_until(lambda: reader.status.delivered == 2)
    wait_until(lambda: (reader.status.caught_up_at or 0) > began)
    assert reader.status.checkpoint == shard.records[-1].sequence


def test_an_expired_iterator_is_made_anew_behind_the_last_record(reading: Reading) -> None:
    shard = open_shard(kinesis_records([b"x"] * 4))
    source, target = FakeSource(shard), FakeTarget()
    reader = reading(source, target)
    wait_until(lambda: reader.status.delivered == 4)
    source.expire()
    shard.records += kinesis_records([b"x"], first=10**56)
    wait_until(lambda: reader.status.delivered == 5)
    assert source.starts[0] == HORIZON
    assert source.starts[-1] == Start("AFTER_SEQUENCE_NUMBER", sequence=shard.records[3].sequence)
    assert len(numbers(target)) == 5


def test_an_iterator_at_the_tip_that_expires_unread_misses_nothing(reading: Reading) -> None:
    since = 1_767_225_600.5
    old = kinesis_records([b"x"], arrived=since - 0.3)
    shard = open_shard(old)
    source, target = FakeSource(shard), FakeTarget()
    reader = reading(source, target, Start("LATEST"), Checkpoint(since=since))
    wait_until(lambda: reader.status.caught_up_at is not None)
    source.refusals.append(refused())
    new = kinesis_records([b"x"], first=10**56, arrived=since)
    shard.records += new
    source.expire()
    wait_until(lambda: reader.status.delivered == 1)
    assert numbers(target) == [new[0].sequence]
    assert [start.kind for start in source.starts][:2] == ["LATEST", "AT_TIMESTAMP"]


def test_a_trimmed_position_goes_on_at_the_oldest_record(
    reading: Reading, log: io.StringIO
) -> None:
    shard = open_shard(kinesis_records([b"x"] * 6))
    shard.trimmed = 3
    target = FakeTarget()
    position = Checkpoint(shard.records[0].sequence)
    reader = reading(
        FakeSource(shard), target, Start("AFTER_SEQUENCE_NUMBER", position.position or ""), position
    )
    wait_until(lambda: reader.status.delivered == 3)
    assert numbers(target) == [record.sequence for record in shard.records[3:]]
    assert [entry["event"] for entry in entries(log)] == ["trimmed"]


def test_a_refused_read_is_repeated_and_logged_once(reading: Reading, log: io.StringIO) -> None:
    source, target = FakeSource(open_shard(kinesis_records([b"x"]))), FakeTarget()
    source.refusals += [refused(), refused(), refused()]
    reader = reading(source, target)
    wait_until(lambda: reader.status.delivered == 1)
    assert [entry["event"] for entry in entries(log)] == ["read_failed"]


def test_a_shard_that_is_gone_ends_but_is_not_finished(
    reading: Reading, saved: list[Checkpoint]
) -> None:
    source, target = FakeSource(open_shard(kinesis_records([b"x"] * 3))), FakeTarget()
    reader = reading(source, target)
    wait_until(lambda: reader.status.delivered == 3)
    source.by_id.clear()
    reader.join(10)
    assert reader.gone
    assert not reader.finished
    assert not saved[-1].finished


def test_a_discard_reaches_its_destination_before_the_checkpoint_passes_it(
    reading: Reading, log: io.StringIO, saved: list[Checkpoint]
) -> None:
    records = kinesis_records([b"x"] * 2)
    target = FakeTarget(lambda event: FAILED)
    target.refusals.append(refused())
    reader = reading(FakeSource(open_shard(records)), target, MaximumRetryAttempts=0, BatchSize=2)
    wait_until(lambda: reader.status.discarded == 2)
    assert [list(discard.batch.records) for discard in target.discards] == [records]
    assert saved[-1].position == records[-1].sequence
    assert [entry["event"] for entry in entries(log)] == ["invoke_failed", "discarded"]
    assert entries(log)[0]["error_type"] == "Boom"
    assert "secret" not in log.getvalue()


def test_a_destination_that_never_works_is_told_and_does_not_block_the_shard(
    reading: Reading, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "DESTINATION_TRIES", 2)
    target = FakeTarget(lambda event: FAILED)
    target.refusals += [refused(), refused()]
    reader = reading(
        FakeSource(open_shard(kinesis_records([b"x"]))), target, MaximumRetryAttempts=0
    )
    wait_until(lambda: reader.status.discarded == 1)
    assert reader.undelivered == 1
    assert target.discards == []
    assert entries(log)[-1]["sent"] is False


def test_a_stop_waits_for_the_invocation_and_starts_no_other(
    reading: Reading, saved: list[Checkpoint]
) -> None:
    records = kinesis_records([b"x"] * 2)
    target = FakeTarget()
    target.held.clear()
    reader = reading(FakeSource(open_shard(records)), target, BatchSize=1)
    wait_until(lambda: len(target.events) == 1)
    reader.stop()
    reader.join(0.1)
    assert reader.is_alive()
    target.held.set()
    reader.join(10)
    assert len(target.events) == 1
    assert saved[-1].position == records[0].sequence


def test_a_stop_keeps_a_discard_that_could_not_be_sent(
    reading: Reading, saved: list[Checkpoint]
) -> None:
    target = FakeTarget(lambda event: FAILED)
    target.refusals += [ServiceError("no")] * 100
    reader = reading(
        FakeSource(open_shard(kinesis_records([b"x"]))), target, MaximumRetryAttempts=0
    )
    wait_until(lambda: len(target.refusals) < 100)
    reader.stop()
    reader.join(10)
    assert saved[-1].position is None
    assert reader.status.discarded == 0


def test_reading_goes_on_while_a_function_works(reading: Reading) -> None:
    target = FakeTarget()
    target.held.clear()
    reader = reading(FakeSource(open_shard(kinesis_records([b"x"] * 50))), target, BatchSize=1)
    wait_until(lambda: reader.status.in_flight == 50)
    target.held.set()
    wait_until(lambda: reader.status.delivered == 50)


def test_lanes_work_at_the_same_time(reading: Reading) -> None:
    target = FakeTarget()
    target.held.clear()
    records = kinesis_records([b"x"] * 30, keys=[f"key-{n}" for n in range(30)])
    reading(FakeSource(open_shard(records)), target, BatchSize=1, ParallelizationFactor=4)
    wait_until(lambda: len(target.events) == 4)
    target.held.set()


def test_a_window_of_a_restarted_shard_goes_on(reading: Reading, saved: list[Checkpoint]) -> None:
    records = kinesis_records([b"x"] * 2, spacing_s=1)
    shard = open_shard(records[:1])
    target = FakeTarget(lambda event: Outcome("returned", body=b'{"state": {"n": 1}}'))
    first = reading(FakeSource(shard), target, TumblingWindowInSeconds=900)
    # The window is long past: once the shard is idle, it ends.
    wait_until(lambda: len(target.events) == 2)
    first.stop()
    first.join(10)
    assert json.loads(target.events[1])["isFinalInvokeForWindow"] is True
    with_state = next(point for point in saved if point.windows and point.position)
    shard.records += records[1:]
    second = reading(
        FakeSource(shard),
        target,
        Start("AFTER_SEQUENCE_NUMBER", with_state.position or ""),
        with_state,
        TumblingWindowInSeconds=900,
    )
    wait_until(lambda: second.status.delivered == 1)
    assert json.loads(target.events[2])["state"] == {"n": 1}
