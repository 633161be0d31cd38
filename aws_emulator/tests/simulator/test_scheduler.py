"""Tests of the simulator: runs are deterministic, terminate, and deliver every record."""

import functools
from collections.abc import Callable
from typing import Any, Final

import pytest

from aws_emulator.simulator import (
    Faults,
    Report,
    SimulatedShard,
    Simulator,
    StuckError,
    fault_point,
    kinesis_records,
)

SETTINGS: Final = {
    "BatchSize": 10,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "BisectBatchOnFunctionError": True,
}
RUNS: Final = 30


class Bucket:
    """Objects that hold sequence numbers, and a high-water mark, as a handler would keep them."""

    def __init__(self) -> None:
        self.objects: dict[object, list[int]] = {}
        self.high = -1

    def put(self, key: object, rows: list[int]) -> bool:
        """Write an object unless it exists; return whether it was written."""
        fault_point("put: before", error=ConnectionError)
        written = key not in self.objects
        if written:
            self.objects[key] = rows
        fault_point("put: after", error=ConnectionError)
        return written

    def raise_high(self, high: int) -> None:
        fault_point("row: before", error=ConnectionError)
        self.high = max(self.high, high)
        fault_point("row: after", error=ConnectionError)


def sequence_numbers(event: dict[str, Any]) -> list[int]:
    return [int(record["kinesis"]["sequenceNumber"]) for record in event["Records"]]


def write_records(bucket: Bucket, event: dict[str, Any]) -> Any:
    fault_point("row: read")
    high = bucket.high
    while rest := [number for number in sequence_numbers(event) if number > high]:
        high = rest[-1] if bucket.put(rest[0], rest) else bucket.objects[rest[0]][-1]
        bucket.raise_high(high)
    return {"batchItemFailures": []}


def handler_of(bucket: Bucket) -> Callable[[dict[str, Any]], Any]:
    return functools.partial(write_records, bucket)


@pytest.mark.parametrize("seed", range(RUNS))
def test_correct_writer_neither_loses_nor_repeats_records(seed: int) -> None:
    bucket = Bucket()
    records = kinesis_records([b"x"] * 40)
    report = Simulator(records, SETTINGS, handler_of(bucket), seed, Faults.heavy()).run()
    assert not report.unaccounted
    rows = [number for rows in bucket.objects.values() for number in rows]
    assert sorted(rows) == [record.number for record in records]


def test_run_without_faults_keeps_order_without_repeats() -> None:
    seen: list[int] = []
    records = kinesis_records([b"x"] * 200)
    report = Simulator(
        records, {"BatchSize": 7}, lambda event: seen.extend(sequence_numbers(event)), seed=3
    ).run()
    assert seen == [record.number for record in records]
    assert {call.seen for call in report.calls} == {"returned"}
    assert max(len(call.sequence_numbers) for call in report.calls) == 7
    assert report.trace == []


def test_seed_determines_the_run() -> None:
    def once(seed: int) -> Report:
        bucket = Bucket()
        return Simulator(
            kinesis_records([b"x"] * 40),
            SETTINGS,
            handler_of(bucket),
            seed,
            Faults.heavy(),
        ).run()

    first, again, other = once(11), once(11), once(12)
    assert (first.trace, first.calls) == (again.trace, again.calls)
    assert first.calls != other.calls


@pytest.mark.parametrize("fault", ["crash", "timeout", "error"])
def test_script_injects_fault_at_each_point(fault: Any) -> None:
    records = kinesis_records([b"x"] * 12)
    for point in range(1_000):
        bucket = Bucket()
        report = Simulator(
            records, SETTINGS, handler_of(bucket), faults=Faults(script={point: fault})
        ).run()
        assert not report.unaccounted
        assert sorted(n for rows in bucket.objects.values() for n in rows) == [
            record.number for record in records
        ]
        if not report.trace:  # after the last point of the run
            break
    assert point > 4


def test_crash_passes_except_exception() -> None:
    def catching(event: dict[str, Any]) -> Any:
        try:
            fault_point("anything")
        except Exception:  # noqa: BLE001 -- under test
            return None
        return None

    report = Simulator(
        kinesis_records([b"x"]), SETTINGS, catching, faults=Faults(script={0: "crash"})
    ).run()
    assert [call.seen for call in report.calls] == ["failed", "returned"]


def test_child_shards_are_read_after_parents() -> None:
    order: list[str] = []
    parent = SimulatedShard("shard-0", kinesis_records([b"x"] * 20))
    children = [
        SimulatedShard(name, kinesis_records([b"x"] * 20, first=first), parents=("shard-0",))
        for name, first in (("shard-1", 10**55 * 5), ("shard-2", 10**55 * 6))
    ]
    merged = SimulatedShard(
        "shard-3", kinesis_records([b"x"] * 5, first=10**55 * 7), parents=("shard-1", "shard-2")
    )
    report = Simulator(
        [merged, *children, parent], SETTINGS, lambda event: None, seed=5, faults=Faults.heavy()
    ).run()
    order = [call.shard_id for call in report.calls]
    last = {name: len(order) - 1 - order[::-1].index(name) for name in set(order)}
    assert last["shard-0"] < min(order.index("shard-1"), order.index("shard-2"))
    assert max(last["shard-1"], last["shard-2"]) < order.index("shard-3")
    assert not report.unaccounted


@pytest.mark.slow
def test_batch_that_always_fails_raises_stuck_error() -> None:
    def failing(event: dict[str, Any]) -> Any:
        raise ValueError

    with pytest.raises(StuckError, match="not delivered after"):
        Simulator(kinesis_records([b"x"]), {"BatchSize": 1}, failing).run()


def test_fault_point_does_nothing_outside_a_run() -> None:
    fault_point("anything", error=ConnectionError)


@pytest.mark.parametrize("faults", [Faults(), Faults(script={0: "timeout"})])
def test_assertion_in_handler_ends_the_run(faults: Faults) -> None:
    def finding(event: dict[str, Any]) -> Any:
        fault_point("before")
        assert not event, "found"

    with pytest.raises(AssertionError, match="found"):
        Simulator(kinesis_records([b"x"]), SETTINGS, finding, faults=faults).run()


def test_keyboard_interrupt_in_handler_ends_the_run() -> None:
    def interrupted(event: dict[str, Any]) -> Any:
        fault_point("before")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Simulator(
            kinesis_records([b"x"]), SETTINGS, interrupted, faults=Faults(script={5: "crash"})
        ).run()


@pytest.mark.parametrize("limit", [0, 3])
def test_fault_limit_is_respected(limit: int) -> None:
    def handler(event: dict[str, Any]) -> Any:
        fault_point("always")

    report = Simulator(
        kinesis_records([b"x"] * 4), {}, handler, faults=Faults(crash=1.0, limit=limit)
    ).run()
    assert len(report.trace) == limit
    assert not report.unaccounted
