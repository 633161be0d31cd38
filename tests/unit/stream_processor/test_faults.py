"""Single histories of faults that once broke the law, each as short as it was found.

The proof (`tests/unit/stream_processor/proof`) draws histories; what it found stays here by name.
"""

import random
import time
from collections import Counter
from typing import Any

import pytest

from aws_emulator.simulator import Crash, Faults, Simulator, dynamodb_records, fault_point
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.ingest.invocation import StreamRecord
from stream_processor.rows.lake_schema import DUPLICATE, GOOD
from stream_processor.storage import lake_keys, live_counters, parquet
from stream_processor.storage.lake_keys import ShardPrefix
from stream_processor.storage.lake_types import HighWaterMark, ObjectSummary
from stream_processor.storage.s3 import Bucket
from tests.unit.stream_processor.fakes import FakeAws
from tests.unit.stream_processor.sample_records import accepted, header, kinesis_event, packed

SHARD = "shardId-000000000000"


def always() -> bool:
    return True


def rows(aws: FakeAws, prefix: str = "events/") -> list[dict[str, Any]]:
    return [row for _, body, _ in aws.objects(prefix) for row in parquet.read(body).to_pylist()]


def page_view(sequence: int, arrived: float, message_id: str = "") -> dict[str, Any]:
    """An invocation with one record of one event."""
    record = packed(header(f"r{sequence}"), [accepted(message_id or f"m{sequence}")])
    return kinesis_event([record], first=sequence, arrived=arrived)


def dies(aws: FakeAws, event: dict[str, Any], client: Any, operation: str) -> None:
    """Handle an event in a process that dies as it comes to an operation."""
    patched = pytest.MonkeyPatch()

    def die(**_: Any) -> Any:
        raise Crash(operation)

    patched.setattr(client, operation, die)
    with pytest.raises(Crash):
        EventsHandler(aws.app()).handle(event, always)
    patched.undo()


def counted(aws: FakeAws) -> int:
    return sum(figures.events for _, figures in live_counters.since(aws.app().live, ""))


def test_the_first_object_of_a_shard_is_counted_though_its_writer_died() -> None:
    """There is no row yet: it is rebuilt from an object that nobody has counted."""
    aws, now = FakeAws(), time.time()
    dies(aws, page_view(5, now), aws.dynamodb, "put_item")
    assert len(aws.s3.names()) == 1
    EventsHandler(aws.app()).handle(page_view(5, now), always)
    assert (len(rows(aws)), counted(aws)) == (1, 1)


def test_the_newest_object_is_counted_though_the_rows_were_lost() -> None:
    aws, now = FakeAws(), time.time()
    EventsHandler(aws.app()).handle(page_view(5, now), always)
    dies(aws, page_view(6, now), aws.dynamodb, "put_item")
    aws.dynamodb.items.pop("checkpoints")
    EventsHandler(aws.app()).handle(page_view(7, now), always)
    assert (len(rows(aws)), counted(aws)) == (3, 3)


def test_who_adopts_an_object_knows_what_was_before_it() -> None:
    """A new process finds an object that its writer did not live to tell of."""
    aws = FakeAws()
    at = 1_795_258_800.0
    EventsHandler(aws.app()).handle(page_view(5, at, "early"), always)
    dies(aws, page_view(6, at), aws.dynamodb, "put_item")
    EventsHandler(aws.app()).handle(page_view(7, at, "early"), always)
    assert [row["verdict"] for row in rows(aws)] == [GOOD, GOOD, DUPLICATE]


#: 2026-11-21T12:00:00Z
HOUR = 1_795_262_400.0


def test_a_duplicate_is_known_over_an_hour_that_turns_back() -> None:
    """Arrival times are approximate: the later record can be of the hour before."""
    aws = FakeAws()
    EventsHandler(aws.app()).handle(page_view(5, HOUR + 0.5, "same"), always)
    EventsHandler(aws.app()).handle(page_view(6, HOUR - 0.5, "same"), always)
    verdicts = {row["sequence_number"][-1]: row["verdict"] for row in rows(aws)}
    assert verdicts == {"5": GOOD, "6": DUPLICATE}


def test_the_window_is_caught_up_over_an_hour_that_turns_back() -> None:
    """Who knows the objects up to the turn must not stop there: a newer one lies before it."""
    aws = FakeAws()
    first = EventsHandler(aws.app())
    first.handle(page_view(5, HOUR - 1), always)
    first.handle(page_view(6, HOUR + 0.2), always)
    EventsHandler(aws.app()).handle(page_view(7, HOUR - 0.5, "same"), always)
    first.handle(page_view(8, HOUR + 0.4, "same"), always)
    verdicts = {row["sequence_number"][-1]: row["verdict"] for row in rows(aws)}
    assert verdicts == {"5": GOOD, "6": GOOD, "7": GOOD, "8": DUPLICATE}


def test_recent_objects_come_newest_first_over_hours_that_overlap() -> None:
    aws = FakeAws()
    places = [(1, -3_700), (2, -3_599), (3, -3_601), (4, -2), (5, 1), (6, -1), (7, 2), (8, 3_601)]
    for sequence, seconds in places:
        EventsHandler(aws.app()).handle(page_view(sequence, HOUR + seconds), always)
    until = int((HOUR + 3_599.9) * 1000)
    found = lake_keys.recent(aws.app().lake, ShardPrefix(lake_keys.EVENTS, SHARD), until, 3 * 3_600)
    assert [ShardPrefix.first(key) for key in found] == [8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("arrived", [HOUR - 59, HOUR - 0.5, HOUR, HOUR + 0.5])
@pytest.mark.parametrize("behind", [HOUR - 1, HOUR + 1])
def test_an_object_behind_the_row_is_found_over_an_hour_that_turns_back(
    arrived: float, behind: float
) -> None:
    aws = FakeAws()
    EventsHandler(aws.app()).handle(page_view(6, behind), always)
    mark = HighWaterMark(5, int(arrived * 1000))
    bucket: Bucket = aws.app().lake
    for first in (arrived, behind):
        record = StreamRecord(7, int(first * 1000), "")
        found = lake_keys.between(bucket, ShardPrefix(lake_keys.EVENTS, SHARD), mark, record)
        assert [ShardPrefix.first(key) for key in found] == [6]


def test_a_request_that_the_sdk_sends_twice_meets_its_own_object() -> None:
    """The answer of the first PUT is lost: the second is told 412, and that is no other writer."""
    aws = FakeAws()
    put = aws.s3.put_object

    def twice(**query: Any) -> Any:
        put(**query)
        return put(**query)

    patched = pytest.MonkeyPatch()
    patched.setattr(aws.s3, "put_object", twice)
    EventsHandler(aws.app()).handle(page_view(5, HOUR), always)
    patched.undo()
    assert (len(rows(aws)), counted(aws)) == (1, 1)
    ((_, _, metadata),) = aws.objects("events/")
    assert ObjectSummary.parse(metadata).last == 5


REGION_OF = {True: "us-east-1", False: "eu-west-2"}


def change(rng: random.Random, place: int) -> dict[str, Any]:
    """A change of an appointment, in this region or in another."""
    op = rng.choice(["INSERT", "MODIFY", "REMOVE"])
    item = {
        "pk": {"S": f"A#{place % 5}"},
        "sk": {"S": "x"},
        "version": {"N": str(place)},
        "origin_region": {"S": REGION_OF[rng.random() < 0.7]},
    }
    return {
        "eventName": op,
        "Keys": {"pk": item["pk"], "sk": item["sk"]},
        **({} if op == "REMOVE" else {"NewImage": item}),
        **({} if op == "INSERT" else {"OldImage": item}),
    }


@pytest.mark.parametrize("seed", range(5))
def test_without_a_window_each_item_is_a_chain_of_its_own(seed: int) -> None:
    """A mapping without a tumbling window does not say which shard its events are from."""
    rng, aws = random.Random(seed), FakeAws()
    records = dynamodb_records([change(rng, place) for place in range(15)])

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
    found = Counter(int(row["sequence_number"]) for row in rows(aws, "changes/"))
    assert found == Counter(own)
