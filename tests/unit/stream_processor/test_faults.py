"""Regression tests of fault histories that once broke an invariant, in their shortest form.

The proof (`tests/unit/stream_processor/proof`) found them.
"""

import random
import time
from collections import Counter
from typing import Any, Final

import pytest

from aws_emulator.simulator import Crash, Faults, Simulator, dynamodb_records, fault_point
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.rows.lake_schema import DUPLICATE, GOOD
from stream_processor.storage import live_counters, parquet
from stream_processor.storage.lake_types import ObjectSummary
from tests.support.seeds import seeds
from tests.unit.stream_processor.fakes import FakeAws
from tests.unit.stream_processor.sample_records import accepted, header, kinesis_event, packed

SHARD: Final = "shardId-000000000000"


def always() -> bool:
    return True


def rows(aws: FakeAws, prefix: str = "events/") -> list[dict[str, Any]]:
    return [row for _, body, _ in aws.objects(prefix) for row in parquet.read(body).to_pylist()]


def page_view(sequence: int, arrived: float, message_id: str = "") -> dict[str, Any]:
    """Return an invocation event with one record of one event."""
    record = packed(header(f"r{sequence}"), [accepted(message_id or f"m{sequence}")])
    return kinesis_event([record], first=sequence, arrived=arrived)


def crash_at(aws: FakeAws, event: dict[str, Any], client: Any, operation: str) -> None:
    """Handle an event in a process that crashes at an operation."""
    patched = pytest.MonkeyPatch()

    def crash(**_: Any) -> Any:
        raise Crash(operation)

    patched.setattr(client, operation, crash)
    with pytest.raises(Crash):
        EventsHandler(aws.app()).handle(event, always)
    patched.undo()


def counted(aws: FakeAws) -> int:
    return sum(figures.events for _, figures in live_counters.since(aws.app().live, ""))


def test_first_object_of_shard_is_counted_after_writer_crash() -> None:
    """The high-water mark is missing and is rebuilt from an object that wasn't counted."""
    aws, now = FakeAws(), time.time()
    crash_at(aws, page_view(5, now), aws.dynamodb, "put_item")
    assert len(aws.s3.list_keys()) == 1
    EventsHandler(aws.app()).handle(page_view(5, now), always)
    assert (len(rows(aws)), counted(aws)) == (1, 1)


def test_newest_object_is_counted_after_checkpoint_loss() -> None:
    aws, now = FakeAws(), time.time()
    EventsHandler(aws.app()).handle(page_view(5, now), always)
    crash_at(aws, page_view(6, now), aws.dynamodb, "put_item")
    aws.dynamodb.items.pop("checkpoints")
    EventsHandler(aws.app()).handle(page_view(7, now), always)
    assert (len(rows(aws)), counted(aws)) == (3, 3)


def test_duplicates_are_found_after_adopting_an_object() -> None:
    """A new process finds an object whose writer crashed before it stored the mark."""
    aws = FakeAws()
    at = 1_795_258_800.0
    EventsHandler(aws.app()).handle(page_view(5, at, "early"), always)
    crash_at(aws, page_view(6, at), aws.dynamodb, "put_item")
    EventsHandler(aws.app()).handle(page_view(7, at, "early"), always)
    assert [row["verdict"] for row in rows(aws)] == [GOOD, GOOD, DUPLICATE]


#: 2026-11-21T12:00:00Z
HOUR_START: Final = 1_795_262_400.0


def test_duplicate_is_found_when_arrival_returns_to_previous_hour() -> None:
    """Arrival times are approximate: a later record can have an earlier hour."""
    aws = FakeAws()
    EventsHandler(aws.app()).handle(page_view(5, HOUR_START + 0.5, "same"), always)
    EventsHandler(aws.app()).handle(page_view(6, HOUR_START - 0.5, "same"), always)
    verdicts = {row["sequence_number"][-1]: row["verdict"] for row in rows(aws)}
    assert verdicts == {"5": GOOD, "6": DUPLICATE}


def test_window_catches_up_when_arrival_returns_to_previous_hour() -> None:
    """A newer object can be in an earlier hour than the last one that was read."""
    aws = FakeAws()
    first = EventsHandler(aws.app())
    first.handle(page_view(5, HOUR_START - 1), always)
    first.handle(page_view(6, HOUR_START + 0.2), always)
    EventsHandler(aws.app()).handle(page_view(7, HOUR_START - 0.5, "same"), always)
    first.handle(page_view(8, HOUR_START + 0.4, "same"), always)
    verdicts = {row["sequence_number"][-1]: row["verdict"] for row in rows(aws)}
    assert verdicts == {"5": GOOD, "6": GOOD, "7": GOOD, "8": DUPLICATE}


def test_put_that_sdk_sends_twice_adopts_its_own_object() -> None:
    """After a lost response, the second PUT gets 412, although no other writer exists."""
    aws = FakeAws()
    put = aws.s3.put_object

    def put_twice(**query: Any) -> Any:
        put(**query)
        return put(**query)

    patched = pytest.MonkeyPatch()
    patched.setattr(aws.s3, "put_object", put_twice)
    EventsHandler(aws.app()).handle(page_view(5, HOUR_START), always)
    patched.undo()
    assert (len(rows(aws)), counted(aws)) == (1, 1)
    ((_, _, metadata),) = aws.objects("events/")
    assert ObjectSummary.parse(metadata).last == 5


REGION_BY_OWN: Final = {True: "us-east-1", False: "eu-west-2"}


def change(rng: random.Random, position: int) -> dict[str, Any]:
    """Return a change of an appointment, in this Region or in another."""
    op = rng.choice(["INSERT", "MODIFY", "REMOVE"])
    item = {
        "pk": {"S": f"A#{position % 5}"},
        "sk": {"S": "x"},
        "version": {"N": str(position)},
        "origin_region": {"S": REGION_BY_OWN[rng.random() < 0.7]},
    }
    return {
        "eventName": op,
        "Keys": {"pk": item["pk"], "sk": item["sk"]},
        **({} if op == "REMOVE" else {"NewImage": item}),
        **({} if op == "INSERT" else {"OldImage": item}),
    }


@pytest.mark.parametrize("seed", seeds(5))
def test_changes_without_tumbling_window_are_written_once(seed: int) -> None:
    """Without a tumbling window, events don't contain the shard ID; each item is its own shard."""
    rng, aws = random.Random(seed), FakeAws()
    records = dynamodb_records([change(rng, position) for position in range(15)])

    def handler(event: dict[str, Any]) -> Any:
        fault_point("start")
        answer = ChangesHandler(aws.app()).handle(event, lambda: rng.random() < 0.9)
        fault_point("end")
        return answer

    settings = {
        "BatchSize": 7,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": True,
    }
    report = Simulator(records, settings, handler, seed, Faults.heavy()).run()
    assert not report.unaccounted
    own = [r.number for r in records if '"origin_region":{"S":"us-east-1"}' in r.text]
    counts = Counter(int(row["sequence_number"]) for row in rows(aws, "changes/"))
    assert counts == Counter(own)
