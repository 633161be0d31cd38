"""A shard's state machine, step by step: windows, lanes, checkpoints and the end of a shard."""

import json
from typing import Any

import pytest

from aws_emulator.event_sources.records import Record
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.event_sources.rules import PAYLOAD_LIMIT
from aws_emulator.event_sources.shard import READ_AHEAD_RECORDS, Drop, Invoke, Shard
from aws_emulator.event_sources.windows import STATE_LIMIT, Window
from aws_emulator.simulator.samples import kinesis_records, mapping

FAILED = Outcome("function_error", error="Unhandled")
NOW = 1_767_225_600.0


def answered(body: Any) -> Outcome:
    return Outcome("returned", body=json.dumps(body).encode())


DONE = answered(None)


def shard(**settings: Any) -> Shard:
    return Shard(mapping(settings), "shardId-000000000000")


def only(actions: list[Invoke | Drop]) -> Invoke:
    (action,) = actions
    assert isinstance(action, Invoke)
    return action


def is_finished(machine: Shard) -> bool:
    """A call, so that the type checker does not take the answer for a constant."""
    return machine.finished


def position(machine: Shard) -> str | None:
    return machine.position


def has_room(machine: Shard) -> bool:
    return machine.has_room


def test_without_a_window_a_record_is_sent_at_once() -> None:
    machine = shard(BatchSize=10)
    machine.read(kinesis_records([b"x"]), NOW, caught_up=True)
    assert len(only(machine.due(NOW)).batch.records) == 1


def test_a_lane_has_one_batch_at_a_time_and_the_order_is_kept() -> None:
    machine = shard(BatchSize=2)
    records = kinesis_records([b"x"] * 5)
    machine.read(records, NOW, caught_up=True)
    seen: list[Record] = []
    while action := machine.due(NOW):
        assert machine.due(NOW) == []
        seen += only(action).batch.records
        machine.invoked(only(action), DONE, NOW)
    assert seen == records
    assert position(machine) == records[-1].sequence
    assert machine.counts.delivered == 5


def test_a_window_gathers_until_it_is_over_and_not_before() -> None:
    machine = shard(BatchSize=10, MaximumBatchingWindowInSeconds=2)
    machine.read(kinesis_records([b"x"] * 3), NOW, caught_up=True)
    assert machine.due(NOW + 1.999) == []
    assert machine.wake_at() == NOW + 2
    assert len(only(machine.due(NOW + 2)).batch.records) == 3


def test_a_full_batch_does_not_wait_for_the_window() -> None:
    machine = shard(BatchSize=3, MaximumBatchingWindowInSeconds=300)
    records = kinesis_records([b"x"] * 3)
    machine.read(records[:2], NOW, caught_up=True)
    assert machine.due(NOW) == []
    machine.read(records[2:], NOW, caught_up=True)
    assert len(only(machine.due(NOW)).batch.records) == 3


def test_six_megabytes_do_not_wait_for_the_window() -> None:
    machine = shard(BatchSize=10_000, MaximumBatchingWindowInSeconds=300)
    records = kinesis_records([b"x" * 900_000] * 6)
    machine.read(records[:5], NOW, caught_up=True)
    assert machine.due(NOW) == []
    machine.read(records[5:], NOW, caught_up=True)
    action = only(machine.due(NOW))
    assert len(action.batch.records) == 5
    assert len(action.event) <= PAYLOAD_LIMIT


def test_the_next_window_begins_when_the_invocation_ends() -> None:
    machine = shard(BatchSize=2, MaximumBatchingWindowInSeconds=5)
    records = kinesis_records([b"x"] * 3)
    machine.read(records, NOW, caught_up=True)
    machine.invoked(only(machine.due(NOW)), DONE, NOW + 3)
    assert machine.due(NOW + 7.999) == []
    assert len(only(machine.due(NOW + 8)).batch.records) == 1


def test_a_record_that_comes_into_a_running_window_does_not_begin_it_anew() -> None:
    machine = shard(BatchSize=9, MaximumBatchingWindowInSeconds=5)
    records = kinesis_records([b"x"] * 3)
    machine.read(records[:1], NOW, caught_up=True)
    machine.invoked(only(machine.due(NOW + 5)), DONE, NOW + 6)
    machine.read(records[1:2], NOW + 9, caught_up=True)
    assert machine.due(NOW + 10.999) == []
    # Nor does one that comes when it is over, before anybody looked.
    machine.read(records[2:], NOW + 11, caught_up=True)
    assert len(only(machine.due(NOW + 11)).batch.records) == 2


def test_the_end_of_a_shard_does_not_wait_for_the_window() -> None:
    machine = shard(BatchSize=10, MaximumBatchingWindowInSeconds=300)
    machine.read(kinesis_records([b"x"]), NOW, caught_up=True)
    machine.close()
    assert is_finished(machine) is False
    machine.invoked(only(machine.due(NOW)), DONE, NOW)
    assert is_finished(machine) is True


def test_an_empty_closed_shard_is_finished() -> None:
    machine = shard()
    assert is_finished(machine) is False
    machine.close()
    assert is_finished(machine) is True


def test_nothing_passes_a_batch_that_fails() -> None:
    machine = shard(BatchSize=2, MaximumRetryAttempts=2)
    records = kinesis_records([b"x"] * 4)
    machine.read(records, NOW, caught_up=True)
    now = NOW
    for _ in range(3):
        action = only(machine.due(now))
        assert list(action.batch.records) == records[:2]
        assert position(machine) is None
        machine.invoked(action, FAILED, now)
        now += 60
    (drop,) = machine.due(now)
    assert isinstance(drop, Drop)
    assert json.loads(drop.event) == {"Records": [record.event for record in records[:2]]}
    # Only what has reached the destination is behind the checkpoint.
    assert position(machine) is None
    machine.dropped(drop, now)
    assert position(machine) == records[1].sequence
    assert machine.counts.discarded == 2
    assert list(only(machine.due(now)).batch.records) == records[2:]


def test_a_retry_waits_for_its_time() -> None:
    machine = shard(BatchSize=2)
    machine.read(kinesis_records([b"x"]), NOW, caught_up=True)
    machine.invoked(only(machine.due(NOW)), FAILED, NOW)
    wake = machine.wake_at()
    assert wake
    assert machine.due(wake - 0.001) == []
    assert len(machine.due(wake)) == 1


def test_the_halves_of_a_batch_go_one_after_the_other() -> None:
    machine = shard(BatchSize=4, BisectBatchOnFunctionError=True)
    records = kinesis_records([b"x"] * 4)
    machine.read(records, NOW, caught_up=True)
    machine.invoked(only(machine.due(NOW)), FAILED, NOW)
    first = only(machine.due(NOW))
    assert list(first.batch.records) == records[:2]
    machine.invoked(first, DONE, NOW)
    assert list(only(machine.due(NOW)).batch.records) == records[2:]


def test_an_old_batch_is_dropped_without_a_call_and_the_young_part_is_sent() -> None:
    machine = shard(BatchSize=4, MaximumRecordAgeInSeconds=60)
    records = kinesis_records([b"x"] * 4, spacing_s=1)
    machine.read(records, NOW, caught_up=True)
    (drop,) = machine.due(NOW + 62)
    assert isinstance(drop, Drop)
    assert drop.discard.condition == "RecordAgeExceeded"
    assert list(drop.discard.batch.records) == records[:2]
    machine.dropped(drop, NOW + 62)
    assert list(only(machine.due(NOW + 62)).batch.records) == records[2:]


def test_the_young_part_of_a_half_stays_in_front_of_the_other_half() -> None:
    machine = shard(BatchSize=4, MaximumRecordAgeInSeconds=60, BisectBatchOnFunctionError=True)
    records = kinesis_records([b"x"] * 4, spacing_s=1)
    machine.read(records, NOW, caught_up=True)
    machine.invoked(only(machine.due(NOW)), FAILED, NOW)
    (drop,) = machine.due(NOW + 61)
    assert isinstance(drop, Drop)
    assert list(drop.discard.batch.records) == records[:1]
    machine.dropped(drop, NOW + 61)
    young = only(machine.due(NOW + 61))
    assert list(young.batch.records) == records[1:2]
    machine.invoked(young, DONE, NOW + 61)
    assert list(only(machine.due(NOW + 61)).batch.records) == records[2:]


def test_a_throttled_batch_is_dropped_by_its_age_alone() -> None:
    machine = shard(BatchSize=4, MaximumRecordAgeInSeconds=60, MaximumRetryAttempts=0)
    machine.read(kinesis_records([b"x"]), NOW, caught_up=True)
    now = NOW
    while isinstance(action := machine.due(now)[0], Invoke):
        machine.invoked(action, Outcome("not_invoked", status=429), now)
        now = machine.wake_at() or 0.0
    assert now > NOW + 60
    assert action.discard.condition == "RecordAgeExceeded"
    assert action.discard.batch.invocations == 0


def test_filtered_records_are_behind_the_checkpoint_at_once() -> None:
    machine = shard(FilterCriteria={"Filters": [{"Pattern": '{"data": {"a": [1]}}'}]})
    records = kinesis_records([b'{"a": 2}', b"no json", b'{"a": 1}', b'{"a": 2}'])
    machine.read(records, NOW, caught_up=True)
    assert position(machine) == records[1].sequence
    assert machine.counts.filtered == 3
    action = only(machine.due(NOW))
    assert list(action.batch.records) == [records[2]]
    machine.invoked(action, DONE, NOW)
    assert position(machine) == records[3].sequence


def test_what_was_read_before_is_passed_over() -> None:
    machine = shard(BatchSize=10)
    records = kinesis_records([b"x"] * 3)
    machine.read(records[:2], NOW, caught_up=False)
    machine.read(records, NOW, caught_up=True)
    assert list(only(machine.due(NOW)).batch.records) == records


def test_a_restarted_shard_passes_over_what_is_behind_its_checkpoint() -> None:
    records = kinesis_records([b"x"] * 3)
    machine = Shard(mapping(), "s", position=records[1].sequence)
    machine.read(records, NOW, caught_up=True)
    assert list(only(machine.due(NOW)).batch.records) == records[2:]


def test_lanes_keep_the_order_of_a_key_and_a_slow_one_holds_the_checkpoint() -> None:
    machine = shard(BatchSize=1, ParallelizationFactor=10)
    records = kinesis_records([b"x"] * 40, keys=[f"key-{n % 8}" for n in range(40)])
    machine.read(records, NOW, caught_up=True)
    seen: dict[str, list[int]] = {}
    slow = None
    for _ in range(200):
        for action in machine.due(NOW):
            assert isinstance(action, Invoke)
            (record,) = action.batch.records
            if record is records[3]:
                slow = action
                continue
            seen.setdefault(record.key, []).append(record.number)
            machine.invoked(action, DONE, NOW)
    assert slow
    assert position(machine) == records[2].sequence
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    lane_mates = {r.key for r in records} - set(seen)
    assert records[3].key in lane_mates
    machine.invoked(slow, DONE, NOW)
    while actions := machine.due(NOW):
        for action in actions:
            assert isinstance(action, Invoke)
            machine.invoked(action, DONE, NOW)
    assert position(machine) == records[-1].sequence


def test_a_stalled_function_stops_the_reading() -> None:
    machine = shard(BatchSize=1)
    machine.read(kinesis_records([b"x"] * (READ_AHEAD_RECORDS - 1)), NOW, caught_up=False)
    assert has_room(machine)
    machine.read(kinesis_records([b"x"], first=10**56), NOW, caught_up=False)
    assert not has_room(machine)
    machine.invoked(only(machine.due(NOW)), DONE, NOW)
    assert has_room(machine)


class TestTumblingWindows:
    """Windows of 10 seconds; records 4 seconds apart."""

    def machine(self, **settings: Any) -> Shard:
        return shard(BatchSize=10, TumblingWindowInSeconds=10, **settings)

    def test_a_window_hands_its_state_on_and_ends_with_a_final_call(self) -> None:
        machine = self.machine()
        records = kinesis_records([b"x"] * 4, spacing_s=4)
        machine.read(records[:1], NOW, caught_up=True)
        first = only(machine.due(NOW))
        event = json.loads(first.event)
        assert event["window"] == {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:10Z"}
        assert event["state"] == {}
        assert event["isFinalInvokeForWindow"] is False
        machine.invoked(first, answered({"state": {"n": 1}}), NOW)
        machine.read(records[1:], NOW, caught_up=False)
        second = only(machine.due(NOW))
        assert list(second.batch.records) == records[1:3]
        assert json.loads(second.event)["state"] == {"n": 1}
        machine.invoked(second, answered({"state": {"n": 3}}), NOW)
        final = only(machine.due(NOW))
        event = json.loads(final.event)
        assert (event["Records"], event["state"]) == ([], {"n": 3})
        assert event["isFinalInvokeForWindow"] is True
        assert event["isWindowTerminatedEarly"] is False
        machine.invoked(final, answered({"state": {}}), NOW)
        third = json.loads(only(machine.due(NOW)).event)
        assert third["window"]["start"] == "2026-01-01T00:00:10Z"
        assert third["state"] == {}

    def test_an_idle_window_ends_with_the_first_read_after_it(self) -> None:
        machine = self.machine()
        machine.read(kinesis_records([b"x"]), NOW, caught_up=True)
        machine.invoked(only(machine.due(NOW)), answered({"state": {}}), NOW)
        machine.read([], NOW + 9.999, caught_up=True)
        assert machine.due(NOW + 20) == []
        machine.read([], NOW + 10, caught_up=True)
        assert only(machine.due(NOW + 20)).final

    def test_the_end_of_the_shard_ends_the_window(self) -> None:
        machine = self.machine()
        machine.read(kinesis_records([b"x"]), NOW, caught_up=True)
        machine.invoked(only(machine.due(NOW)), answered({"state": {}}), NOW)
        machine.close()
        assert is_finished(machine) is False
        final = only(machine.due(NOW))
        assert final.final
        machine.invoked(final, answered({"state": {}}), NOW)
        assert is_finished(machine) is True

    def test_a_final_call_is_repeated_until_it_succeeds(self) -> None:
        machine = self.machine(MaximumRetryAttempts=0)
        machine.read(kinesis_records([b"x"]), NOW, caught_up=True)
        machine.invoked(only(machine.due(NOW)), answered({"state": {"n": 1}}), NOW)
        machine.close()
        now = NOW
        for _ in range(5):
            final = only(machine.due(now))
            assert json.loads(final.event)["state"] == {"n": 1}
            machine.invoked(final, FAILED, now)
            assert machine.due(now) == []
            now = machine.wake_at() or 0.0
        machine.invoked(only(machine.due(now)), answered({"state": {}}), now)
        assert machine.finished

    @pytest.mark.parametrize(("size", "early"), [(STATE_LIMIT, False), (STATE_LIMIT + 1, True)])
    def test_a_state_of_1_mb_stays_and_a_byte_more_ends_the_window(
        self, size: int, early: bool
    ) -> None:
        machine = self.machine()
        records = kinesis_records([b"x"] * 2, spacing_s=1)
        machine.read(records, NOW, caught_up=True)
        state = "s" * (size - 2)  # two quotation marks
        machine.invoked(only(machine.due(NOW)), answered({"state": state}), NOW)
        machine.read(kinesis_records([b"x"], first=10**56), NOW, caught_up=True)
        action = only(machine.due(NOW))
        assert action.final is early
        assert json.loads(action.event)["isWindowTerminatedEarly"] is early

    def test_only_the_final_call_is_told_that_its_window_ended_early(self) -> None:
        machine = self.machine(FunctionResponseTypes=["ReportBatchItemFailures"])
        records = kinesis_records([b"x"] * 2, spacing_s=1)
        machine.read(records, NOW, caught_up=True)
        failures = [{"itemIdentifier": records[1].sequence}]
        large = {"state": "s" * STATE_LIMIT, "batchItemFailures": failures}
        machine.invoked(only(machine.due(NOW)), answered(large), NOW)
        again = only(machine.due(NOW + 60))
        assert list(again.batch.records) == records[1:]
        assert json.loads(again.event)["isWindowTerminatedEarly"] is False
        machine.invoked(again, answered({"state": "small"}), NOW + 60)
        final = json.loads(only(machine.due(NOW + 60)).event)
        assert (final["isFinalInvokeForWindow"], final["isWindowTerminatedEarly"]) == (True, True)

    def test_a_failed_call_leaves_the_state(self) -> None:
        machine = self.machine()
        machine.read(kinesis_records([b"x"]), NOW, caught_up=True)
        machine.invoked(only(machine.due(NOW)), answered({"no": "state"}), NOW)
        again = only(machine.due(NOW + 60))
        assert json.loads(again.event)["state"] == {}
        assert position(machine) is None

    def test_an_open_window_survives_a_restart_with_its_checkpoint(self) -> None:
        machine = self.machine()
        records = kinesis_records([b"x"] * 2, spacing_s=1)
        machine.read(records[:1], NOW, caught_up=True)
        machine.invoked(only(machine.due(NOW)), answered({"state": {"n": 1}}), NOW)
        assert machine.windows == {0: Window(int(NOW), 10, {"n": 1})}
        again = Shard(machine.config, "s", position=machine.position, windows=dict(machine.windows))
        again.read(records, NOW, caught_up=True)
        assert json.loads(only(again.due(NOW)).event)["state"] == {"n": 1}
