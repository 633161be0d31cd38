"""Tests of the state machine of a shard: windows, concurrent batches, checkpoints, shard end."""

import json
from typing import Any, Final

import pytest

from aws_emulator.event_sources.batch_rules import MAX_PAYLOAD_BYTES
from aws_emulator.event_sources.records import Record
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.event_sources.shard_processor import (
    MAX_READ_AHEAD_RECORDS,
    Discard,
    Invoke,
    ShardProcessor,
)
from aws_emulator.event_sources.tumbling_windows import MAX_STATE_BYTES, TumblingWindow
from aws_emulator.simulator.samples import kinesis_records, mapping

FAILED: Final = Outcome("function_error", error="Unhandled")
NOW: Final = 1_767_225_600.0


def answered(body: Any) -> Outcome:
    return Outcome("returned", body=json.dumps(body).encode())


DONE: Final = answered(None)


def shard(**settings: Any) -> ShardProcessor:
    return ShardProcessor(mapping(settings), "shardId-000000000000")


def only(actions: list[Invoke | Discard]) -> Invoke:
    (action,) = actions
    assert isinstance(action, Invoke)
    return action


def is_finished(processor: ShardProcessor) -> bool:
    """Call the property, so that mypy doesn't narrow it to a constant."""
    return processor.finished


def position(processor: ShardProcessor) -> str | None:
    return processor.position


def can_read(processor: ShardProcessor) -> bool:
    return processor.can_read


def test_record_is_sent_immediately_without_batching_window() -> None:
    processor = shard(BatchSize=10)
    processor.read(kinesis_records([b"x"]), NOW, caught_up=True)
    assert len(only(processor.due_actions(NOW)).batch.records) == 1


def test_queue_runs_one_batch_at_a_time_in_order() -> None:
    processor = shard(BatchSize=2)
    records = kinesis_records([b"x"] * 5)
    processor.read(records, NOW, caught_up=True)
    seen: list[Record] = []
    while action := processor.due_actions(NOW):
        assert processor.due_actions(NOW) == []
        seen += only(action).batch.records
        processor.complete_invocation(only(action), DONE, NOW)
    assert seen == records
    assert position(processor) == records[-1].sequence
    assert processor.counts.delivered == 5


def test_batching_window_collects_until_it_expires() -> None:
    processor = shard(BatchSize=10, MaximumBatchingWindowInSeconds=2)
    processor.read(kinesis_records([b"x"] * 3), NOW, caught_up=True)
    assert processor.due_actions(NOW + 1.999) == []
    assert processor.wake_at() == NOW + 2
    assert len(only(processor.due_actions(NOW + 2)).batch.records) == 3


def test_full_batch_does_not_wait_for_batching_window() -> None:
    processor = shard(BatchSize=3, MaximumBatchingWindowInSeconds=300)
    records = kinesis_records([b"x"] * 3)
    processor.read(records[:2], NOW, caught_up=True)
    assert processor.due_actions(NOW) == []
    processor.read(records[2:], NOW, caught_up=True)
    assert len(only(processor.due_actions(NOW)).batch.records) == 3


def test_batch_of_6_mb_does_not_wait_for_batching_window() -> None:
    processor = shard(BatchSize=10_000, MaximumBatchingWindowInSeconds=300)
    records = kinesis_records([b"x" * 900_000] * 6)
    processor.read(records[:5], NOW, caught_up=True)
    assert processor.due_actions(NOW) == []
    processor.read(records[5:], NOW, caught_up=True)
    action = only(processor.due_actions(NOW))
    assert len(action.batch.records) == 5
    assert len(action.event) <= MAX_PAYLOAD_BYTES


def test_next_batching_window_starts_when_invocation_ends() -> None:
    processor = shard(BatchSize=2, MaximumBatchingWindowInSeconds=5)
    records = kinesis_records([b"x"] * 3)
    processor.read(records, NOW, caught_up=True)
    processor.complete_invocation(only(processor.due_actions(NOW)), DONE, NOW + 3)
    assert processor.due_actions(NOW + 7.999) == []
    assert len(only(processor.due_actions(NOW + 8)).batch.records) == 1


def test_new_record_does_not_restart_batching_window() -> None:
    processor = shard(BatchSize=9, MaximumBatchingWindowInSeconds=5)
    records = kinesis_records([b"x"] * 3)
    processor.read(records[:1], NOW, caught_up=True)
    processor.complete_invocation(only(processor.due_actions(NOW + 5)), DONE, NOW + 6)
    processor.read(records[1:2], NOW + 9, caught_up=True)
    assert processor.due_actions(NOW + 10.999) == []
    # A record that arrives after the window's end, before it is processed, doesn't either.
    processor.read(records[2:], NOW + 11, caught_up=True)
    assert len(only(processor.due_actions(NOW + 11)).batch.records) == 2


def test_closed_shard_does_not_wait_for_batching_window() -> None:
    processor = shard(BatchSize=10, MaximumBatchingWindowInSeconds=300)
    processor.read(kinesis_records([b"x"]), NOW, caught_up=True)
    processor.close()
    assert is_finished(processor) is False
    processor.complete_invocation(only(processor.due_actions(NOW)), DONE, NOW)
    assert is_finished(processor) is True


def test_empty_closed_shard_is_finished() -> None:
    processor = shard()
    assert is_finished(processor) is False
    processor.close()
    assert is_finished(processor) is True


def test_failed_batch_blocks_later_records() -> None:
    processor = shard(BatchSize=2, MaximumRetryAttempts=2)
    records = kinesis_records([b"x"] * 4)
    processor.read(records, NOW, caught_up=True)
    now = NOW
    for _ in range(3):
        action = only(processor.due_actions(now))
        assert list(action.batch.records) == records[:2]
        assert position(processor) is None
        processor.complete_invocation(action, FAILED, now)
        now += 60
    (drop,) = processor.due_actions(now)
    assert isinstance(drop, Discard)
    assert json.loads(drop.event) == {"Records": [record.event for record in records[:2]]}
    # The checkpoint passes the batch only after the destination received it.
    assert position(processor) is None
    processor.complete_discard(drop, now)
    assert position(processor) == records[1].sequence
    assert processor.counts.discarded == 2
    assert list(only(processor.due_actions(now)).batch.records) == records[2:]


def test_retry_waits_for_backoff() -> None:
    processor = shard(BatchSize=2)
    processor.read(kinesis_records([b"x"]), NOW, caught_up=True)
    processor.complete_invocation(only(processor.due_actions(NOW)), FAILED, NOW)
    wake = processor.wake_at()
    assert wake
    assert processor.due_actions(wake - 0.001) == []
    assert len(processor.due_actions(wake)) == 1


def test_bisected_halves_run_in_order() -> None:
    processor = shard(BatchSize=4, BisectBatchOnFunctionError=True)
    records = kinesis_records([b"x"] * 4)
    processor.read(records, NOW, caught_up=True)
    processor.complete_invocation(only(processor.due_actions(NOW)), FAILED, NOW)
    first = only(processor.due_actions(NOW))
    assert list(first.batch.records) == records[:2]
    processor.complete_invocation(first, DONE, NOW)
    assert list(only(processor.due_actions(NOW)).batch.records) == records[2:]


def test_expired_records_are_discarded_and_rest_is_sent() -> None:
    processor = shard(BatchSize=4, MaximumRecordAgeInSeconds=60)
    records = kinesis_records([b"x"] * 4, spacing_s=1)
    processor.read(records, NOW, caught_up=True)
    (drop,) = processor.due_actions(NOW + 62)
    assert isinstance(drop, Discard)
    assert drop.discard.condition == "RecordAgeExceeded"
    assert list(drop.discard.batch.records) == records[:2]
    processor.complete_discard(drop, NOW + 62)
    assert list(only(processor.due_actions(NOW + 62)).batch.records) == records[2:]


def test_rest_of_expired_half_runs_before_other_half() -> None:
    processor = shard(BatchSize=4, MaximumRecordAgeInSeconds=60, BisectBatchOnFunctionError=True)
    records = kinesis_records([b"x"] * 4, spacing_s=1)
    processor.read(records, NOW, caught_up=True)
    processor.complete_invocation(only(processor.due_actions(NOW)), FAILED, NOW)
    (drop,) = processor.due_actions(NOW + 61)
    assert isinstance(drop, Discard)
    assert list(drop.discard.batch.records) == records[:1]
    processor.complete_discard(drop, NOW + 61)
    young = only(processor.due_actions(NOW + 61))
    assert list(young.batch.records) == records[1:2]
    processor.complete_invocation(young, DONE, NOW + 61)
    assert list(only(processor.due_actions(NOW + 61)).batch.records) == records[2:]


def test_throttled_batch_is_discarded_only_by_record_age() -> None:
    processor = shard(BatchSize=4, MaximumRecordAgeInSeconds=60, MaximumRetryAttempts=0)
    processor.read(kinesis_records([b"x"]), NOW, caught_up=True)
    now = NOW
    while isinstance(action := processor.due_actions(now)[0], Invoke):
        processor.complete_invocation(action, Outcome("not_invoked", status=429), now)
        now = processor.wake_at() or 0.0
    assert now > NOW + 60
    assert action.discard.condition == "RecordAgeExceeded"
    assert action.discard.batch.invocations == 0


def test_checkpoint_passes_filtered_records_immediately() -> None:
    processor = shard(FilterCriteria={"Filters": [{"Pattern": '{"data": {"a": [1]}}'}]})
    records = kinesis_records([b'{"a": 2}', b"no json", b'{"a": 1}', b'{"a": 2}'])
    processor.read(records, NOW, caught_up=True)
    assert position(processor) == records[1].sequence
    assert processor.counts.filtered == 3
    action = only(processor.due_actions(NOW))
    assert list(action.batch.records) == [records[2]]
    processor.complete_invocation(action, DONE, NOW)
    assert position(processor) == records[3].sequence


def test_records_read_twice_are_skipped() -> None:
    processor = shard(BatchSize=10)
    records = kinesis_records([b"x"] * 3)
    processor.read(records[:2], NOW, caught_up=False)
    processor.read(records, NOW, caught_up=True)
    assert list(only(processor.due_actions(NOW)).batch.records) == records


def test_restarted_shard_skips_records_before_checkpoint() -> None:
    records = kinesis_records([b"x"] * 3)
    processor = ShardProcessor(mapping(), "s", position=records[1].sequence)
    processor.read(records, NOW, caught_up=True)
    assert list(only(processor.due_actions(NOW)).batch.records) == records[2:]


def test_concurrent_batches_keep_key_order_and_slow_one_holds_checkpoint() -> None:
    processor = shard(BatchSize=1, ParallelizationFactor=10)
    records = kinesis_records([b"x"] * 40, keys=[f"key-{n % 8}" for n in range(40)])
    processor.read(records, NOW, caught_up=True)
    seen: dict[str, list[int]] = {}
    slow = None
    for _ in range(200):
        for action in processor.due_actions(NOW):
            assert isinstance(action, Invoke)
            (record,) = action.batch.records
            if record is records[3]:
                slow = action
                continue
            seen.setdefault(record.key, []).append(record.number)
            processor.complete_invocation(action, DONE, NOW)
    assert slow
    assert position(processor) == records[2].sequence
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    same_queue_keys = {r.key for r in records} - set(seen)
    assert records[3].key in same_queue_keys
    processor.complete_invocation(slow, DONE, NOW)
    while actions := processor.due_actions(NOW):
        for action in actions:
            assert isinstance(action, Invoke)
            processor.complete_invocation(action, DONE, NOW)
    assert position(processor) == records[-1].sequence


def test_reading_stops_at_read_ahead_limit() -> None:
    processor = shard(BatchSize=1)
    processor.read(kinesis_records([b"x"] * (MAX_READ_AHEAD_RECORDS - 1)), NOW, caught_up=False)
    assert can_read(processor)
    processor.read(kinesis_records([b"x"], first=10**56), NOW, caught_up=False)
    assert not can_read(processor)
    processor.complete_invocation(only(processor.due_actions(NOW)), DONE, NOW)
    assert can_read(processor)


class TestTumblingWindows:
    """Tests with windows of 10 seconds."""

    def processor(self, **settings: Any) -> ShardProcessor:
        return shard(BatchSize=10, TumblingWindowInSeconds=10, **settings)

    def test_window_passes_state_on_and_ends_with_final_invocation(self) -> None:
        processor = self.processor()
        records = kinesis_records([b"x"] * 4, spacing_s=4)
        processor.read(records[:1], NOW, caught_up=True)
        first = only(processor.due_actions(NOW))
        event = json.loads(first.event)
        assert event["window"] == {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:10Z"}
        assert event["state"] == {}
        assert event["isFinalInvokeForWindow"] is False
        processor.complete_invocation(first, answered({"state": {"n": 1}}), NOW)
        processor.read(records[1:], NOW, caught_up=False)
        second = only(processor.due_actions(NOW))
        assert list(second.batch.records) == records[1:3]
        assert json.loads(second.event)["state"] == {"n": 1}
        processor.complete_invocation(second, answered({"state": {"n": 3}}), NOW)
        final = only(processor.due_actions(NOW))
        event = json.loads(final.event)
        assert (event["Records"], event["state"]) == ([], {"n": 3})
        assert event["isFinalInvokeForWindow"] is True
        assert event["isWindowTerminatedEarly"] is False
        processor.complete_invocation(final, answered({"state": {}}), NOW)
        third = json.loads(only(processor.due_actions(NOW)).event)
        assert third["window"]["start"] == "2026-01-01T00:00:10Z"
        assert third["state"] == {}

    def test_idle_window_ends_with_first_read_after_its_end(self) -> None:
        processor = self.processor()
        processor.read(kinesis_records([b"x"]), NOW, caught_up=True)
        processor.complete_invocation(
            only(processor.due_actions(NOW)), answered({"state": {}}), NOW
        )
        processor.read([], NOW + 9.999, caught_up=True)
        assert processor.due_actions(NOW + 20) == []
        processor.read([], NOW + 10, caught_up=True)
        assert only(processor.due_actions(NOW + 20)).final

    def test_closed_shard_ends_window(self) -> None:
        processor = self.processor()
        processor.read(kinesis_records([b"x"]), NOW, caught_up=True)
        processor.complete_invocation(
            only(processor.due_actions(NOW)), answered({"state": {}}), NOW
        )
        processor.close()
        assert is_finished(processor) is False
        final = only(processor.due_actions(NOW))
        assert final.final
        processor.complete_invocation(final, answered({"state": {}}), NOW)
        assert is_finished(processor) is True

    def test_final_invocation_is_retried_until_it_succeeds(self) -> None:
        processor = self.processor(MaximumRetryAttempts=0)
        processor.read(kinesis_records([b"x"]), NOW, caught_up=True)
        processor.complete_invocation(
            only(processor.due_actions(NOW)), answered({"state": {"n": 1}}), NOW
        )
        processor.close()
        now = NOW
        for _ in range(5):
            final = only(processor.due_actions(now))
            assert json.loads(final.event)["state"] == {"n": 1}
            processor.complete_invocation(final, FAILED, now)
            assert processor.due_actions(now) == []
            now = processor.wake_at() or 0.0
        processor.complete_invocation(
            only(processor.due_actions(now)), answered({"state": {}}), now
        )
        assert processor.finished

    @pytest.mark.parametrize(
        ("size", "early"), [(MAX_STATE_BYTES, False), (MAX_STATE_BYTES + 1, True)]
    )
    def test_window_ends_early_when_state_exceeds_1_mb(self, size: int, early: bool) -> None:
        processor = self.processor()
        records = kinesis_records([b"x"] * 2, spacing_s=1)
        processor.read(records, NOW, caught_up=True)
        state = "s" * (size - 2)  # two quotation marks
        processor.complete_invocation(
            only(processor.due_actions(NOW)), answered({"state": state}), NOW
        )
        processor.read(kinesis_records([b"x"], first=10**56), NOW, caught_up=True)
        action = only(processor.due_actions(NOW))
        assert action.final is early
        assert json.loads(action.event)["isWindowTerminatedEarly"] is early

    def test_only_final_invocation_reports_early_termination(self) -> None:
        processor = self.processor(FunctionResponseTypes=["ReportBatchItemFailures"])
        records = kinesis_records([b"x"] * 2, spacing_s=1)
        processor.read(records, NOW, caught_up=True)
        failures = [{"itemIdentifier": records[1].sequence}]
        large = {"state": "s" * MAX_STATE_BYTES, "batchItemFailures": failures}
        processor.complete_invocation(only(processor.due_actions(NOW)), answered(large), NOW)
        again = only(processor.due_actions(NOW + 60))
        assert list(again.batch.records) == records[1:]
        assert json.loads(again.event)["isWindowTerminatedEarly"] is False
        processor.complete_invocation(again, answered({"state": "small"}), NOW + 60)
        final = json.loads(only(processor.due_actions(NOW + 60)).event)
        assert (final["isFinalInvokeForWindow"], final["isWindowTerminatedEarly"]) == (True, True)

    def test_failed_invocation_keeps_state(self) -> None:
        processor = self.processor()
        processor.read(kinesis_records([b"x"]), NOW, caught_up=True)
        processor.complete_invocation(
            only(processor.due_actions(NOW)), answered({"no": "state"}), NOW
        )
        again = only(processor.due_actions(NOW + 60))
        assert json.loads(again.event)["state"] == {}
        assert position(processor) is None

    def test_open_window_is_restored_with_checkpoint(self) -> None:
        processor = self.processor()
        records = kinesis_records([b"x"] * 2, spacing_s=1)
        processor.read(records[:1], NOW, caught_up=True)
        processor.complete_invocation(
            only(processor.due_actions(NOW)), answered({"state": {"n": 1}}), NOW
        )
        assert processor.windows == {0: TumblingWindow(int(NOW), 10, {"n": 1})}
        again = ShardProcessor(
            processor.config, "s", position=processor.position, windows=dict(processor.windows)
        )
        again.read(records, NOW, caught_up=True)
        assert json.loads(only(again.due_actions(NOW)).event)["state"] == {"n": 1}
