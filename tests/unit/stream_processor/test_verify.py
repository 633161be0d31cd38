"""Tests of verify: it detects and restores deleted objects, deleted checkpoints, lost records."""

import copy
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final

import pytest

from aws_emulator.simulator import dynamodb_records
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.repair.verify import Verifier
from stream_processor.repair.verify_report import VerifyReport
from stream_processor.storage import parquet
from tests.support.seeds import seeds
from tests.unit.stream_processor.fake_streams import FakeStreams
from tests.unit.stream_processor.fakes import LAKE, FakeAws, FakeS3
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    rejected,
)

SHARD: Final = "shardId-000000000000"
DAY: Final = 86_400
EVENTS: Final = 5
CHANGES: Final = 4


class FilledLake:
    """A lake with its streams: five objects of events and four of changes."""

    def __init__(self) -> None:
        # Copied, because writing the same objects takes longer than most tests.
        vars(self).update(copy.deepcopy(vars(_filled_lake())))

    def fill(self) -> None:
        self.aws = FakeAws()
        self.streams = FakeStreams()
        self.arrived = time.time() - 3_600
        self.sequence = 1
        for _ in range(EVENTS):
            self.event()
        for number in range(CHANGES):
            self.change(number)

    def event(self, count: int = 2) -> None:
        payloads = [
            packed(header(), [accepted(f"m{self.sequence + n}")], [rejected()])
            for n in range(count)
        ]
        event = kinesis_event(payloads, self.sequence, SHARD, self.arrived + self.sequence)
        self.sequence += count
        self.streams.put(event)
        EventsHandler(self.aws.app()).handle(event, lambda: True)

    def change(self, number: int) -> None:
        item = {"pk": {"S": f"A#{number}"}, "sk": {"S": "x"}, "version": {"N": "1"}}
        keys = {name: item[name] for name in ("pk", "sk")}
        change = {"eventName": "INSERT", "Keys": keys, "NewImage": item}
        (record,) = dynamodb_records([change], arrived=self.arrived + number)
        document = json.loads(record.text)
        document["dynamodb"]["SequenceNumber"] = str(1_000 + number)
        document["eventSourceARN"] = document["eventSourceARN"].replace(
            document["eventSourceARN"].split("/")[-1], "label"
        )
        self.streams.change(document, "shardId-c")
        event = {"Records": [document], "shardId": "shardId-c"}
        ChangesHandler(self.aws.app()).handle(event, lambda: True)

    def keys(self, prefix: str) -> list[str]:
        return [name for name in self.aws.s3.list_keys() if name.startswith(prefix)]

    def delete(self, name: str, *, versions: bool = False, marker: bool = True) -> None:
        self.aws.app().lake.delete(name)
        if versions:
            self.aws.s3.purged.add((LAKE, name))
        if not marker:
            del self.aws.s3.deleted[LAKE, name]

    def delete_checkpoints(self) -> None:
        self.aws.dynamodb.items.pop("checkpoints", None)

    def verify(self, **options: Any) -> VerifyReport:
        return Verifier(self.aws.app(), self.streams.streams(), lambda _: None).run(**options)

    def rows(self) -> Counter[tuple[int, int]]:
        return Counter(
            (int(row["sequence_number"]), row["record_index"])
            for _, body, _ in self.aws.objects()
            for row in parquet.read(body, ["sequence_number", "record_index"]).to_pylist()
        )


@cache
def _filled_lake() -> FilledLake:
    lake = FilledLake.__new__(FilledLake)
    lake.fill()
    return lake


def expected_rows(lake: FilledLake) -> Counter[tuple[int, int]]:
    events = itertools.product(range(1, lake.sequence), (0, 1))
    return Counter([*events, *((1_000 + n, 0) for n in range(CHANGES))])


def test_verify_reports_complete_lake() -> None:
    lake = FilledLake()
    report = lake.verify()
    assert report.complete
    assert (report.objects, report.shards) == (EVENTS + CHANGES, 2)
    assert (report.good, report.bad) == (2 * EVENTS + CHANGES, 2 * EVENTS)
    assert lake.rows() == expected_rows(lake)


@pytest.mark.slow
@pytest.mark.parametrize("delete_checkpoints_too", [False, True])
@pytest.mark.parametrize("deletion", ["marker", "versions", "everything"])
@pytest.mark.parametrize(
    "positions", [[0], [2], [-1], [-2, -1], [1, 3], list(range(EVENTS))], ids=str
)
@pytest.mark.parametrize("prefix", ["events/", "changes/"])
def test_verify_detects_and_restores_deleted_objects(
    prefix: str, positions: Sequence[int], deletion: str, delete_checkpoints_too: bool
) -> None:
    lake = FilledLake()
    names = lake.keys(prefix)
    for name in {names[position % len(names)] for position in positions}:
        lake.delete(name, versions=deletion != "marker", marker=deletion != "everything")
    if delete_checkpoints_too:
        lake.delete_checkpoints()
    assert not lake.verify().complete
    report = lake.verify(restore=True)
    assert report.complete, str(report)
    assert (report.restored > 0) == (deletion == "marker")
    assert (report.reread > 0) == (deletion != "marker")
    assert lake.rows() == expected_rows(lake)
    assert lake.verify(restore=True).restored == 0
    assert lake.rows() == expected_rows(lake)


def test_verify_rereads_newest_object_deleted_before_next_batch() -> None:
    """The checkpoint and the newest object are deleted before the next batch is written."""
    lake = FilledLake()
    lake.delete(lake.keys("events/")[-1], versions=True, marker=False)
    lake.delete_checkpoints()
    lake.event()
    report = lake.verify()
    assert (sum(map(len, report.lost.values())), report.gaps) == (2, [])
    assert lake.verify(restore=True).reread == 2
    assert lake.rows() == expected_rows(lake)


def test_verify_rereads_newest_entry_after_next_batch_has_its_number() -> None:
    lake = FilledLake()
    lake.delete(lake.keys("events/")[-1])
    lake.delete_checkpoints()
    lake.event()
    assert not lake.verify().complete
    report = lake.verify(restore=True)
    assert (report.complete, report.restored, report.reread) == (True, 0, 2)
    assert lake.rows() == expected_rows(lake)


def test_verify_does_not_restore_redelivered_object() -> None:
    """The mapping restarted at TRIM_HORIZON after the checkpoint and newest object were deleted."""
    lake = FilledLake()
    lake.delete(lake.keys("events/")[-1])
    lake.delete_checkpoints()
    event = kinesis_event(
        [packed(header(), [accepted(f"m{n}")], [rejected()]) for n in range(1, lake.sequence)],
        arrived=lake.arrived + 1,
    )
    EventsHandler(lake.aws.app()).handle(event, lambda: True)
    assert lake.verify(restore=True).restored == 0
    assert lake.rows() == expected_rows(lake)


def test_verify_detects_deletion_without_streams() -> None:
    for position, versions, delete_checkpoints_too in [
        (2, True, True),
        (-1, True, False),
        (-1, False, True),
    ]:
        lake = FilledLake()
        lake.delete(lake.keys("events/")[position], versions=versions, marker=not versions)
        if delete_checkpoints_too:
            lake.delete_checkpoints()
        assert not lake.verify(hours=0).complete


@pytest.mark.parametrize("name", ["events/{day}/again-a-000000", "changes/{day}/reconciler-a"])
def test_verify_restores_objects_of_repair_tools(name: str) -> None:
    lake = FilledLake()
    name = name.format(day=f"date={datetime.now(UTC).date()}")
    lake.aws.s3.objects[LAKE, f"{name}.parquet"] = (b"made", {})
    assert lake.verify().complete
    lake.delete(f"{name}.parquet")
    assert lake.verify().deleted == [f"{name}.parquet"]
    assert lake.verify(restore=True).restored == 1
    assert lake.aws.s3.objects[LAKE, f"{name}.parquet"] == (b"made", {})
    # Without its version, only `redrive` or `reconcile` can create it again.
    lake.delete(f"{name}.parquet", versions=True)
    report = lake.verify()
    assert report.complete
    assert f"{name}.parquet was deleted with all its versions" in str(report)


def test_verify_detects_lost_end_of_shard_only_while_stream_retains_it() -> None:
    lake = FilledLake()
    lake.delete(lake.keys("events/")[-1], versions=True, marker=False)
    lake.delete_checkpoints()
    blind = lake.verify(hours=0)
    assert blind.complete
    assert "streams were not read" in str(blind)
    assert str(blind).splitlines()[-1].startswith("Not detectable:")
    seeing = lake.verify()
    assert not seeing.complete
    assert sum(map(len, seeing.waiting.values())) == 2
    assert "streams were not read" not in str(seeing)


def test_verify_does_not_count_late_record_as_lost() -> None:
    lake = FilledLake()
    payload = packed(header(), [accepted("late")], [rejected()])
    event = kinesis_event([payload], lake.sequence, SHARD, lake.arrived)
    lake.streams.put(event)
    report = lake.verify()
    assert (sum(map(len, report.waiting.values())), report.lost) == (1, {})

    def deliver(_: float) -> None:
        EventsHandler(lake.aws.app()).handle(event, lambda: True)

    streams = lake.streams.streams()
    assert Verifier(lake.aws.app(), streams, deliver).run().complete
    lake.sequence += 1
    assert lake.rows() == expected_rows(lake)


def test_record_restored_by_operator_is_not_written_again_by_handler() -> None:
    """Verify writes the waiting record; the handler's later invocation finds it written."""
    lake = FilledLake()
    payload = packed(header(), [accepted("late")], [rejected()])
    event = kinesis_event([payload], lake.sequence, SHARD, lake.arrived)
    lake.streams.put(event)
    lake.sequence += 1
    assert lake.verify(restore=True).reread == 1
    EventsHandler(lake.aws.app()).handle(event, lambda: True)
    assert lake.rows() == expected_rows(lake)


def test_verify_ignores_changes_of_other_regions() -> None:
    lake = FilledLake()
    item = {"pk": {"S": "B"}, "sk": {"S": "x"}, "origin_region": {"S": "eu-west-2"}}
    change = {"eventName": "INSERT", "Keys": {"pk": item["pk"]}, "NewImage": item}
    (record,) = dynamodb_records([change], arrived=lake.arrived)
    lake.streams.change(json.loads(record.text), "shardId-c")
    assert lake.verify().complete


def test_verify_reports_object_without_metadata() -> None:
    lake = FilledLake()
    name = lake.keys("events/")[1]
    lake.aws.s3.objects[LAKE, name] = (b"", {})
    report = lake.verify(hours=0)
    assert not report.complete
    assert f"{name} has no valid summary" in str(report)


def test_verify_reports_overlapping_object() -> None:
    lake = FilledLake()
    first, *_, last = lake.keys("events/")
    body, metadata = lake.aws.s3.objects[LAKE, first]
    copy = last.replace("4.parquet", "5.parquet")
    lake.aws.s3.objects[LAKE, copy] = (body, metadata)
    assert lake.verify().overlaps == [copy]


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(25))
def test_verify_restores_random_deletions_once(seed: int) -> None:
    rng, lake = random.Random(seed), FilledLake()
    for _ in range(rng.randint(1, 4)):
        names = lake.keys("")
        for name in rng.sample(names, rng.randint(0, len(names))):
            kind = rng.choice([{}, {"versions": True}, {"versions": True, "marker": False}])
            lake.delete(name, **kind)
        if rng.random() < 0.5:
            lake.aws.dynamodb.items.pop("checkpoints", None)
        if rng.random() < 0.5:
            lake.event(rng.randint(1, 3))
        if rng.random() < 0.7:
            lake.verify(restore=True)
    report = lake.verify(restore=True)
    assert report.complete, str(report)
    assert lake.rows() == expected_rows(lake)


def count_calls(monkeypatch: pytest.MonkeyPatch, operation: str) -> list[str]:
    keys: list[str] = []
    original = getattr(FakeS3, operation)

    def counted(self: FakeS3, **query: Any) -> Any:
        keys.append(query.get("Key", query.get("Prefix", "")))
        return original(self, **query)

    monkeypatch.setattr(FakeS3, operation, counted)
    return keys


@pytest.mark.slow
@pytest.mark.parametrize("days", [20, 60])
def test_verify_reads_only_objects_since_its_last_complete_run(
    days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy shard with an object each day, and one that has been idle since the first day."""
    aws, streams = FakeAws(), FakeStreams()
    now = time.time()
    idle = kinesis_event([packed(header(), [accepted("idle")])], 1, "shardId-9", now - days * DAY)
    EventsHandler(aws.app()).handle(idle, lambda: True)
    for number in range(days):
        payload = packed(header(), [accepted(f"m{number}")])
        event = kinesis_event([payload], number + 1, SHARD, now - (days - number) * DAY)
        EventsHandler(aws.app()).handle(event, lambda: True)
    first = Verifier(aws.app(), streams.streams(), lambda _: None).run()
    assert (first.complete, first.objects, first.since) == (True, days + 1, None)
    heads = count_calls(monkeypatch, "head_object")
    listings = count_calls(monkeypatch, "list_objects_v2")
    second = Verifier(aws.app(), streams.streams(), lambda _: None).run()
    assert second.complete
    assert second.objects == len(heads) <= 10
    assert len(listings) < 30
    full = Verifier(aws.app(), streams.streams(), lambda _: None).run(since=date(2020, 1, 1))
    assert (full.complete, full.objects) == (True, days + 1)


@pytest.mark.parametrize(("retention", "missing"), [(0, 1), (30, 0), (50, 1)])
def test_verify_ignores_events_after_their_retention(retention: int, missing: int) -> None:
    aws, streams = FakeAws(), FakeStreams()
    aws.settings = replace(aws.settings, events_retention_days=retention)
    now = time.time()
    for number, days in enumerate((40, 40, 1), 1):
        payload = packed(header(), [accepted(f"m{number}")])
        event = kinesis_event([payload], number, SHARD, now - days * DAY)
        EventsHandler(aws.app()).handle(event, lambda: True)
    first, *_ = [key for key, _, _ in aws.objects("events/")]
    aws.s3.delete_object(Bucket=LAKE, Key=first)
    report = Verifier(aws.app(), streams.streams(), lambda _: None).run(restore=False)
    assert report.complete is (missing == 0)
    Verifier(aws.app(), streams.streams(), lambda _: None).run(restore=True)
    assert len(list(aws.objects("events/"))) == 2 + missing


def test_verify_finds_new_gap_after_its_last_complete_run() -> None:
    filled = FilledLake()
    assert filled.verify().complete
    for _ in range(3):
        filled.event()
    key = [it for it in filled.aws.s3.list_keys() if it.startswith("events/")][-2]
    filled.aws.s3.delete_object(Bucket=LAKE, Key=key)
    report = filled.verify()
    assert (report.deleted, report.complete) == ([key], False)
    # An incomplete run saves nothing, so the next one looks at the same dates.
    assert filled.verify().deleted == [key]


def test_verify_heads_each_object_once(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = FilledLake()
    heads = count_calls(monkeypatch, "head_object")
    assert filled.verify().complete
    assert sorted(heads) == sorted(filled.aws.s3.list_keys())
