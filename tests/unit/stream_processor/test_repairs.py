"""What was given up, refused, deleted or missed comes back: redrive, reconcile, verify."""

import itertools
import json
import random
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aws_emulator.simulator import Faults, SimulatedShard, Simulator, dynamodb_records
from stream_processor.errors import StorageError
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.repair.reconcile import Comparison, Reconciler
from stream_processor.repair.redrive import FailedBatches
from stream_processor.rows.lake_schema import DUPLICATE, GOOD
from stream_processor.storage import parquet
from tests.unit.stream_processor.fakes import FAILURES, LAKE, SETTINGS, FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
)

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def always() -> bool:
    return True


def rows(aws: FakeAws, prefix: str = "events/") -> list[dict[str, Any]]:
    return [row for _, body, _ in aws.objects(prefix) for row in parquet.read(body).to_pylist()]


def give_up(aws: FakeAws, event: dict[str, Any], name: str, **info: Any) -> None:
    """Put a batch where an event source mapping puts what it gives up."""
    document = {
        "requestContext": {"condition": "RecordAgeExceeded"},
        **(info or {"KinesisBatchInfo": {"shardId": "shardId-000000000000"}}),
        "payload": json.dumps(event),
    }
    aws.s3.objects[FAILURES, f"aws/lambda/uuid/{name}"] = (json.dumps(document).encode(), {})


PAYLOADS = [packed(header(f"r{n}"), [accepted(f"m{n}")]) for n in range(6)]


def test_a_batch_that_was_given_up_is_redriven_once() -> None:
    aws = FakeAws()
    give_up(aws, kinesis_event(PAYLOADS), "a")
    first = FailedBatches(aws.app()).run()
    assert (first.objects, first.written, first.known) == (1, 6, 0)
    assert aws.s3.names(FAILURES) == []
    give_up(aws, kinesis_event(PAYLOADS), "a")
    again = FailedBatches(aws.app()).run()
    assert (again.written, again.known) == (0, 6)
    assert Counter(row["message_id"] for row in rows(aws)) == Counter(
        {f"m{n}": 1 for n in range(6)}
    )


def test_a_redrive_writes_only_what_the_shard_does_not_have() -> None:
    """Records 1, 2 and 5 were written by the chain; all of 0 to 5 were given up as well."""
    aws = FakeAws()
    door = EventsHandler(aws.app())
    door.handle(kinesis_event(PAYLOADS[1:3], first=2), always)
    door.handle(kinesis_event(PAYLOADS[5:], first=6), always)
    give_up(aws, kinesis_event(PAYLOADS, first=1), "a")
    result = FailedBatches(aws.app()).run()
    assert (result.written, result.known) == (3, 3)
    assert sorted(row["message_id"] for row in rows(aws)) == [f"m{n}" for n in range(6)]


@pytest.mark.parametrize("cut", range(6))
def test_overlapping_batches_that_were_given_up_are_written_once(cut: int) -> None:
    aws = FakeAws()
    give_up(aws, kinesis_event(PAYLOADS[: cut + 1]), "a")
    give_up(aws, kinesis_event(PAYLOADS), "b")
    FailedBatches(aws.app()).run()
    assert sorted(row["message_id"] for row in rows(aws)) == [f"m{n}" for n in range(6)]


def test_what_no_mapping_wrote_stays_in_the_failure_bucket() -> None:
    aws = FakeAws()
    aws.s3.objects[FAILURES, "aws/lambda/notes.txt"] = (b"hello", {})
    aws.s3.objects[FAILURES, "aws/lambda/x.json"] = (b'{"payload": "{}"}', {})
    result = FailedBatches(aws.app()).run()
    assert (result.objects, result.unreadable) == (2, 2)
    assert len(aws.s3.names(FAILURES)) == 2


# --- the reconciler ---


def appointment(number: int, version: int, **more: Any) -> dict[str, Any]:
    return {
        "pk": {"S": f"A#{number}"},
        "sk": {"S": "meeting"},
        "version": {"N": str(version)},
        "origin_region": {"S": "us-east-1"},
        "labels": {"SS": ["b", "a"]},
        "photo": {"B": b"\x00\xff"},
        **more,
    }


class School:
    """An appointments table whose changes go to a stream."""

    def __init__(self, aws: FakeAws) -> None:
        self.changes: list[dict[str, Any]] = []
        self.table = aws.dynamodb.items.setdefault("appointments", {})

    def act(self, rng: random.Random) -> None:
        number = rng.randint(0, 40)
        key = (f"A#{number}", "meeting")
        old = self.table.get(key)
        if old is not None and rng.random() < 0.3:
            del self.table[key]
            self._emit("REMOVE", old, None)
            return
        new = appointment(number, len(self.changes))
        self.table[key] = new
        self._emit("MODIFY" if old else "INSERT", old, new)

    def _emit(self, op: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        image = new or old
        assert image is not None
        self.changes.append(
            {
                "eventName": op,
                "Keys": {name: image[name] for name in ("pk", "sk")},
                **({"OldImage": streamed(old)} if old else {}),
                **({"NewImage": streamed(new)} if new else {}),
            }
        )


def streamed(item: dict[str, Any]) -> dict[str, Any]:
    """An item as a stream has it: base64 for bytes, sets in any order."""
    return item | {"photo": {"B": "AP8="}, "labels": {"SS": ["a", "b"]}}


def reconcile(aws: FakeAws, run_id: str = "run") -> Comparison:
    return Reconciler(aws.app(), sleep=lambda _: None).run(run_id, AT)


@pytest.mark.parametrize("seed", range(5))
def test_after_every_accident_table_and_lake_agree(seed: int) -> None:
    """A thousand changes; some never reach the stream, the processor breaks, objects are gone."""
    rng, aws = random.Random(seed), FakeAws()
    school = School(aws)
    for _ in range(1_000):
        school.act(rng)
    records = dynamodb_records(school.changes, arrived=time.time() - 3_600)
    stopped = rng.randint(300, 600)
    seen = [*records[:stopped], *records[rng.randint(700, 900) : -40]]

    def handler(event: dict[str, Any]) -> Any:
        return ChangesHandler(aws.app()).handle(event, always)

    mapping = {"BatchSize": 100, "BisectBatchOnFunctionError": True, "TumblingWindowInSeconds": 30}
    shard = SimulatedShard("shardId-1", seen)
    Simulator([shard], mapping, handler, seed, Faults(crash=0.02, error=0.02)).run()
    for key in rng.sample(aws.s3.names(), len(aws.s3.names()) // 4):
        aws.s3.objects.pop((LAKE, key))

    found = reconcile(aws)
    assert found.repaired == found.missing + found.stale + found.removed > 0
    after = reconcile(aws, "again")
    assert (after.items, after.agree, after.repaired) == (len(school.table), after.items, 0)


def test_a_retry_of_a_run_repairs_once() -> None:
    aws = FakeAws()
    aws.dynamodb.items["appointments"] = {("A#1", "meeting"): appointment(1, 1)}
    assert reconcile(aws).repaired == 1
    aws.dynamodb.items["appointments"][("A#2", "meeting")] = appointment(2, 1)
    assert reconcile(aws).repaired == 0
    assert reconcile(aws, "next").repaired == 1


def test_items_of_another_region_are_that_regions_to_compare() -> None:
    aws = FakeAws()
    item = appointment(1, 1, origin_region={"S": "eu-west-2"})
    aws.dynamodb.items["appointments"] = {("A#1", "meeting"): item}
    found = reconcile(aws)
    assert (found.items, found.repaired) == (0, 0)


def test_a_change_that_is_only_late_is_not_repaired() -> None:
    """What changes while the reconciler waits is the stream's to bring."""
    aws = FakeAws()
    table = aws.dynamodb.items.setdefault("appointments", {})
    table["A#1", "meeting"] = appointment(1, 1)

    def meanwhile(_: float) -> None:
        table["A#1", "meeting"] = appointment(1, 2)

    assert Reconciler(aws.app(), sleep=meanwhile).run("run", AT).repaired == 0


def test_a_late_change_comes_after_the_repair_that_ran_ahead_of_it() -> None:
    aws = FakeAws()
    school = School(aws)
    school.table["A#1", "meeting"] = appointment(1, 1)
    reconcile(aws)
    late = appointment(1, 2)
    school._emit("MODIFY", appointment(1, 1), late)
    (record,) = dynamodb_records(school.changes)
    ChangesHandler(aws.app()).handle({"Records": [json.loads(record.text)]}, always)
    school.table["A#1", "meeting"] = late
    assert reconcile(aws, "next").repaired == 0


# --- duplicates ---


def test_duplicates_of_a_redrive_are_told_from_good_rows() -> None:
    """The same event was re-sent in another record, which was given up."""
    aws = FakeAws()
    again = packed(header("second"), [accepted("m0"), accepted("m0")])
    give_up(aws, kinesis_event([again], first=9), "a")
    FailedBatches(aws.app()).run()
    assert Counter(row["verdict"] for row in rows(aws)) == Counter({GOOD: 1, DUPLICATE: 1})


@pytest.mark.parametrize("shard", ["shardId-000000000000", "shardId-000000000001"])
def test_an_event_of_a_redrive_that_is_good_already_becomes_a_duplicate(shard: str) -> None:
    """Its client sent it again, and the copy was written while the first was given up."""
    aws = FakeAws()
    give_up(aws, kinesis_event([packed(header(), [accepted("m0"), accepted("m1")])]), "a")
    copy = kinesis_event([packed(header("copy"), [accepted("m0")])], 9, shard)
    EventsHandler(aws.app()).handle(copy, always)
    FailedBatches(aws.app()).run()
    verdicts = Counter((row["message_id"], row["verdict"]) for row in rows(aws))
    assert verdicts == Counter({("m0", GOOD): 1, ("m0", DUPLICATE): 1, ("m1", GOOD): 1})


@pytest.mark.parametrize("given_up", [1, 3, 6])
def test_what_was_redriven_is_not_written_again_by_a_mapping_that_begins_again(
    given_up: int,
) -> None:
    """The last batches of a shard were given up, and nothing came behind them."""
    aws = FakeAws()
    if given_up < 6:
        EventsHandler(aws.app()).handle(kinesis_event(PAYLOADS[:-given_up]), always)
    give_up(aws, kinesis_event(PAYLOADS[-given_up:], first=7 - given_up), "a")
    assert FailedBatches(aws.app()).run().written == given_up
    EventsHandler(aws.app()).handle(kinesis_event(PAYLOADS), always)
    assert sorted(row["message_id"] for row in rows(aws)) == [f"m{n}" for n in range(6)]


def test_changes_that_were_redriven_are_not_written_again_either() -> None:
    aws = FakeAws()
    made = [
        {
            "eventName": "INSERT",
            "Keys": {"pk": {"S": str(n)}, "sk": {"S": "x"}},
            "NewImage": {"pk": {"S": str(n)}, "sk": {"S": "x"}},
        }
        for n in range(4)
    ]
    records = [json.loads(it.text) for it in dynamodb_records(made)]
    event = {"Records": records, "shardId": "shardId-1"}
    give_up(
        aws,
        {"Records": records[2:], "shardId": "shardId-1"},
        "a",
        DDBStreamBatchInfo={"shardId": "shardId-1"},
    )
    ChangesHandler(aws.app()).handle({"Records": records[:2], "shardId": "shardId-1"}, always)
    assert FailedBatches(aws.app()).run().written == 2
    ChangesHandler(aws.app()).handle(event, always)
    assert len(rows(aws, "changes/")) == 4


def test_a_redrive_that_breaks_off_keeps_what_it_did_not_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws = FakeAws(settings=replace(SETTINGS, object_events=2))
    give_up(aws, kinesis_event(PAYLOADS), "a")
    failing = aws.app()
    create, calls = failing.lake.create, itertools.count()

    def refused(*more: Any) -> bool:
        if next(calls) == 1:
            raise StorageError("S3 did not store")
        return create(*more)

    monkeypatch.setattr(failing.lake, "create", refused)
    with pytest.raises(StorageError):
        FailedBatches(failing).run()
    assert len(aws.s3.names(FAILURES)) == 1
    assert FailedBatches(aws.app()).run().written == 4
    assert sorted(row["message_id"] for row in rows(aws)) == [f"m{n}" for n in range(6)]
