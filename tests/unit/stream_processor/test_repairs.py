"""Tests of the repair tools redrive and reconcile."""

import itertools
import json
import random
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest

from aws_emulator.simulator import Faults, SimulatedShard, Simulator, dynamodb_records
from stream_processor.errors import StorageError
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.repair.reconcile import Comparison, Reconciler
from stream_processor.repair.redrive import FailedBatches
from stream_processor.rows.lake_schema import DUPLICATE, GOOD
from stream_processor.storage import parquet
from tests.support.seeds import seeds
from tests.unit.stream_processor.fakes import FAILURES, LAKE, SETTINGS, FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
)

AT: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def always() -> bool:
    return True


def rows(aws: FakeAws, prefix: str = "events/") -> list[dict[str, Any]]:
    return [row for _, body, _ in aws.objects(prefix) for row in parquet.read(body).to_pylist()]


def put_discarded_batch(aws: FakeAws, event: dict[str, Any], name: str, **info: Any) -> None:
    """Store a batch in the failures bucket as an event source mapping does."""
    document = {
        "requestContext": {"condition": "RecordAgeExceeded"},
        **(info or {"KinesisBatchInfo": {"shardId": "shardId-000000000000"}}),
        "payload": json.dumps(event),
    }
    aws.s3.objects[FAILURES, f"aws/lambda/uuid/{name}"] = (json.dumps(document).encode(), {})


PAYLOADS: Final = [packed(header(f"r{n}"), [accepted(f"m{n}")]) for n in range(6)]


def test_redrive_writes_discarded_batch_once() -> None:
    aws = FakeAws()
    put_discarded_batch(aws, kinesis_event(PAYLOADS), "a")
    first = FailedBatches(aws.app()).run()
    assert (first.objects, first.written, first.known) == (1, 6, 0)
    assert aws.s3.list_keys(FAILURES) == []
    put_discarded_batch(aws, kinesis_event(PAYLOADS), "a")
    second = FailedBatches(aws.app()).run()
    assert (second.written, second.known) == (0, 6)
    assert Counter(row["message_id"] for row in rows(aws)) == Counter(
        {f"m{n}": 1 for n in range(6)}
    )


def test_redrive_writes_only_missing_records() -> None:
    """Records 1, 2 and 5 are in the lake; the discarded batch contains records 0 to 5."""
    aws = FakeAws()
    events_handler = EventsHandler(aws.app())
    events_handler.handle(kinesis_event(PAYLOADS[1:3], first=2), always)
    events_handler.handle(kinesis_event(PAYLOADS[5:], first=6), always)
    put_discarded_batch(aws, kinesis_event(PAYLOADS, first=1), "a")
    result = FailedBatches(aws.app()).run()
    assert (result.written, result.known) == (3, 3)
    assert sorted(row["message_id"] for row in rows(aws)) == [f"m{n}" for n in range(6)]


@pytest.mark.parametrize("overlap", range(6))
def test_redrive_writes_overlapping_discarded_batches_once(overlap: int) -> None:
    aws = FakeAws()
    put_discarded_batch(aws, kinesis_event(PAYLOADS[: overlap + 1]), "a")
    put_discarded_batch(aws, kinesis_event(PAYLOADS), "b")
    FailedBatches(aws.app()).run()
    assert sorted(row["message_id"] for row in rows(aws)) == [f"m{n}" for n in range(6)]


def test_redrive_keeps_unreadable_objects_in_failures_bucket() -> None:
    aws = FakeAws()
    aws.s3.objects[FAILURES, "aws/lambda/notes.txt"] = (b"hello", {})
    bodies = [b'{"payload": "{}"}', b'{"payload": 1}', b'{"payload": "1"}', b"[]", b"null"]
    for number, body in enumerate(bodies):
        aws.s3.objects[FAILURES, f"aws/lambda/{number}.json"] = (body, {})
    result = FailedBatches(aws.app()).run()
    assert (result.objects, result.unreadable) == (6, 6)
    assert len(aws.s3.list_keys(FAILURES)) == 6


# --- reconcile ---


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


class AppointmentsTable:
    """An appointments table that records its changes as a stream."""

    def __init__(self, aws: FakeAws) -> None:
        self.changes: list[dict[str, Any]] = []
        self.table = aws.dynamodb.items.setdefault("appointments", {})

    def apply_random_change(self, rng: random.Random) -> None:
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
                **({"OldImage": stream_image(old)} if old else {}),
                **({"NewImage": stream_image(new)} if new else {}),
            }
        )


def stream_image(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item as a stream contains it: bytes as base64, sets in any order."""
    return item | {"photo": {"B": "AP8="}, "labels": {"SS": ["a", "b"]}}


def reconcile(aws: FakeAws, run_id: str = "run") -> Comparison:
    return Reconciler(aws.app(), sleep=lambda _: None).run(run_id, AT)


@pytest.mark.parametrize("seed", seeds(5))
def test_reconcile_repairs_lake_after_random_losses(seed: int) -> None:
    """Of 1,000 changes, some don't reach the stream; the handler crashes, objects are deleted."""
    rng, aws = random.Random(seed), FakeAws()
    appointments = AppointmentsTable(aws)
    for _ in range(1_000):
        appointments.apply_random_change(rng)
    records = dynamodb_records(appointments.changes, arrived=time.time() - 3_600)
    stopped = rng.randint(300, 600)
    seen = [*records[:stopped], *records[rng.randint(700, 900) : -40]]

    def handler(event: dict[str, Any]) -> Any:
        return ChangesHandler(aws.app()).handle(event, always)

    mapping = {"BatchSize": 100, "BisectBatchOnFunctionError": True, "TumblingWindowInSeconds": 30}
    shard = SimulatedShard("shardId-1", seen)
    Simulator([shard], mapping, handler, seed, Faults(crash=0.02, error=0.02)).run()
    for key in rng.sample(aws.s3.list_keys(), len(aws.s3.list_keys()) // 4):
        aws.s3.objects.pop((LAKE, key))

    counts = reconcile(aws)
    assert counts.repaired == counts.missing + counts.stale + counts.removed > 0
    after = reconcile(aws, "again")
    assert (after.items, after.agree, after.repaired) == (len(appointments.table), after.items, 0)


def test_reconcile_with_same_run_id_repairs_once() -> None:
    aws = FakeAws()
    aws.dynamodb.items["appointments"] = {("A#1", "meeting"): appointment(1, 1)}
    assert reconcile(aws).repaired == 1
    aws.dynamodb.items["appointments"][("A#2", "meeting")] = appointment(2, 1)
    assert reconcile(aws).repaired == 0
    assert reconcile(aws, "next").repaired == 1


def test_reconcile_ignores_items_of_other_region() -> None:
    aws = FakeAws()
    item = appointment(1, 1, origin_region={"S": "eu-west-2"})
    aws.dynamodb.items["appointments"] = {("A#1", "meeting"): item}
    counts = reconcile(aws)
    assert (counts.items, counts.repaired) == (0, 0)


def test_reconcile_does_not_repair_late_change() -> None:
    """The stream delivers an item that changes while the reconciler waits."""
    aws = FakeAws()
    table = aws.dynamodb.items.setdefault("appointments", {})
    table["A#1", "meeting"] = appointment(1, 1)

    def update_item(_: float) -> None:
        table["A#1", "meeting"] = appointment(1, 2)

    assert Reconciler(aws.app(), sleep=update_item).run("run", AT).repaired == 0


def write_changes(aws: FakeAws, numbers: range, seed: int = 1) -> AppointmentsTable:
    """Write random changes, each to an object of an hour of its own, oldest first."""
    appointments, rng = AppointmentsTable(aws), random.Random(seed)
    for _ in numbers:
        appointments.apply_random_change(rng)
    for record in dynamodb_records(appointments.changes, arrived=AT.timestamp() - 86_400):
        event = {"Records": [json.loads(record.text)], "shardId": "s"}
        ChangesHandler(aws.app()).handle(event, always)
    return appointments


def test_reconcile_reads_only_objects_since_its_last_run() -> None:
    aws = FakeAws()
    appointments = write_changes(aws, range(30))
    first = reconcile(aws, "1")
    assert (first.objects_read, first.repaired, first.finished) == (30, 0, True)
    assert reconcile(aws, "2").objects_read == 0
    appointments.table["B", "meeting"] = appointment(99, 1) | {"pk": {"S": "B"}}
    third = reconcile(aws, "3")
    assert (third.objects_read, third.missing, third.repaired) == (0, 1, 1)
    # The next run reads the object with the repair.
    fourth = reconcile(aws, "4")
    assert (fourth.objects_read, fourth.agree) == (1, fourth.items)
    full = Reconciler(aws.app(), lambda _: None).run("5", AT, since=date(2026, 1, 1))
    assert (full.objects_read, full.agree) == (31, full.items)


@pytest.mark.parametrize("budget", [1, 7, 29, 30])
def test_reconcile_without_time_continues_in_next_run(budget: int) -> None:
    aws = FakeAws()
    write_changes(aws, range(30))
    counts = []
    for number in range(40):
        left = iter([True] * budget + [False])
        at = AT + timedelta(days=number)
        run = Reconciler(aws.app(), lambda _: None).run
        comparison = run(f"{number}", at, has_time=lambda left=left: next(left, False))  # type: ignore[misc] # its default
        counts.append(comparison.objects_read)
        if comparison.finished:
            break
        assert (comparison.items, comparison.repaired) == (0, 0)
    assert sum(counts) == 30
    assert len(counts) == -(-30 // budget)
    assert (comparison.agree, comparison.repaired) == (comparison.items, 0)


def test_reconcile_from_first_date_ignores_saved_states() -> None:
    """The saved states are of objects that were deleted with all their versions since."""
    aws = FakeAws()
    write_changes(aws, range(10))
    reconcile(aws, "1")
    for key in [key for key in aws.s3.list_keys() if key.startswith("changes/")]:
        del aws.s3.objects[LAKE, key]
    assert reconcile(aws, "2").repaired == 0
    full = Reconciler(aws.app(), lambda _: None).run("3", AT, since=date(2026, 1, 1))
    assert full.repaired == full.items > 0


def test_reconcile_reads_every_object_without_recent_saved_states() -> None:
    aws = FakeAws()
    write_changes(aws, range(10))
    reconcile(aws, "1")
    run = Reconciler(aws.app(), lambda _: None).run
    assert run("2", AT + timedelta(days=6)).objects_read == 0
    assert run("3", AT + timedelta(days=14)).objects_read == 10


def test_late_change_after_repair_needs_no_second_repair() -> None:
    aws = FakeAws()
    appointments = AppointmentsTable(aws)
    appointments.table["A#1", "meeting"] = appointment(1, 1)
    reconcile(aws)
    late = appointment(1, 2)
    appointments._emit("MODIFY", appointment(1, 1), late)
    (record,) = dynamodb_records(appointments.changes, arrived=AT.timestamp())
    ChangesHandler(aws.app()).handle({"Records": [json.loads(record.text)]}, always)
    appointments.table["A#1", "meeting"] = late
    assert reconcile(aws, "next").repaired == 0


# --- duplicates ---


def test_redrive_marks_duplicates() -> None:
    """The discarded record contains the same event twice."""
    aws = FakeAws()
    second = packed(header("second"), [accepted("m0"), accepted("m0")])
    put_discarded_batch(aws, kinesis_event([second], first=9), "a")
    FailedBatches(aws.app()).run()
    assert Counter(row["verdict"] for row in rows(aws)) == Counter({GOOD: 1, DUPLICATE: 1})


@pytest.mark.parametrize("shard", ["shardId-000000000000", "shardId-000000000001"])
def test_redrive_marks_event_with_good_copy_as_duplicate(shard: str) -> None:
    """The client resent the event; the copy was written, the first record discarded."""
    aws = FakeAws()
    put_discarded_batch(
        aws, kinesis_event([packed(header(), [accepted("m0"), accepted("m1")])]), "a"
    )
    copy = kinesis_event([packed(header("copy"), [accepted("m0")])], 9, shard)
    EventsHandler(aws.app()).handle(copy, always)
    FailedBatches(aws.app()).run()
    verdicts = Counter((row["message_id"], row["verdict"]) for row in rows(aws))
    assert verdicts == Counter({("m0", GOOD): 1, ("m0", DUPLICATE): 1, ("m1", GOOD): 1})


@pytest.mark.parametrize("discarded", [1, 3, 6])
def test_redriven_records_are_not_written_again_after_mapping_restart(
    discarded: int,
) -> None:
    """The last batches of a shard were discarded, and no record followed them."""
    aws = FakeAws()
    if discarded < 6:
        EventsHandler(aws.app()).handle(kinesis_event(PAYLOADS[:-discarded]), always)
    put_discarded_batch(aws, kinesis_event(PAYLOADS[-discarded:], first=7 - discarded), "a")
    assert FailedBatches(aws.app()).run().written == discarded
    EventsHandler(aws.app()).handle(kinesis_event(PAYLOADS), always)
    assert sorted(row["message_id"] for row in rows(aws)) == [f"m{n}" for n in range(6)]


def test_redriven_changes_are_not_written_again_after_mapping_restart() -> None:
    aws = FakeAws()
    changes_made = [
        {
            "eventName": "INSERT",
            "Keys": {"pk": {"S": str(n)}, "sk": {"S": "x"}},
            "NewImage": {"pk": {"S": str(n)}, "sk": {"S": "x"}},
        }
        for n in range(4)
    ]
    records = [json.loads(it.text) for it in dynamodb_records(changes_made)]
    event = {"Records": records, "shardId": "shardId-1"}
    put_discarded_batch(
        aws,
        {"Records": records[2:], "shardId": "shardId-1"},
        "a",
        DDBStreamBatchInfo={"shardId": "shardId-1"},
    )
    ChangesHandler(aws.app()).handle({"Records": records[:2], "shardId": "shardId-1"}, always)
    assert FailedBatches(aws.app()).run().written == 2
    ChangesHandler(aws.app()).handle(event, always)
    assert len(rows(aws, "changes/")) == 4


def test_interrupted_redrive_keeps_unwritten_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws = FakeAws(settings=replace(SETTINGS, object_events=2))
    put_discarded_batch(aws, kinesis_event(PAYLOADS), "a")
    failing = aws.app()
    create, calls = failing.lake.create, itertools.count()

    def failing_create(*more: Any) -> bool:
        if next(calls) == 1:
            raise StorageError("S3 rejected the object")
        return create(*more)

    monkeypatch.setattr(failing.lake, "create", failing_create)
    with pytest.raises(StorageError):
        FailedBatches(failing).run()
    assert len(aws.s3.list_keys(FAILURES)) == 1
    assert FailedBatches(aws.app()).run().written == 4
    assert sorted(row["message_id"] for row in rows(aws)) == [f"m{n}" for n in range(6)]
