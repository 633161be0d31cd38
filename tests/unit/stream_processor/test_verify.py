"""Objects deleted and rows lost by hand: each is seen while anything is left to see it by."""

import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from aws_emulator.simulator import dynamodb_records
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.repair.verify import Verifier
from stream_processor.repair.verify_report import VerifyReport
from stream_processor.storage import parquet
from tests.unit.stream_processor.fake_streams import FakeStreams
from tests.unit.stream_processor.fakes import LAKE, FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    rejected,
)

SHARD = "shardId-000000000000"
EVENTS = 5
CHANGES = 4


class School:
    """A world with its streams: five objects of events, four of changes, a record or two each."""

    def __init__(self) -> None:
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
        made = {"eventName": "INSERT", "Keys": keys, "NewImage": item}
        (record,) = dynamodb_records([made], arrived=self.arrived + number)
        document = json.loads(record.text)
        document["dynamodb"]["SequenceNumber"] = str(1_000 + number)
        document["eventSourceARN"] = document["eventSourceARN"].replace(
            document["eventSourceARN"].split("/")[-1], "label"
        )
        self.streams.change(document, "shardId-c")
        event = {"Records": [document], "shardId": "shardId-c"}
        ChangesHandler(self.aws.app()).handle(event, lambda: True)

    def names(self, prefix: str) -> list[str]:
        return [name for name in self.aws.s3.names() if name.startswith(prefix)]

    def delete(self, name: str, *, versions: bool = False, marker: bool = True) -> None:
        self.aws.app().lake.delete(name)
        if versions:
            self.aws.s3.gone.add((LAKE, name))
        if not marker:
            del self.aws.s3.deleted[LAKE, name]

    def lose_rows(self) -> None:
        self.aws.dynamodb.items.pop("checkpoints")

    def verify(self, **wish: Any) -> VerifyReport:
        return Verifier(self.aws.app(), self.streams.streams(), lambda _: None).run(**wish)

    def rows(self) -> Counter[tuple[int, int]]:
        return Counter(
            (int(row["sequence_number"]), row["record_index"])
            for _, body, _ in self.aws.objects()
            for row in parquet.read(body).to_pylist()
        )


def whole(school: School) -> Counter[tuple[int, int]]:
    events = itertools.product(range(1, school.sequence), (0, 1))
    return Counter([*events, *((1_000 + n, 0) for n in range(CHANGES))])


def test_a_whole_lake_is_whole() -> None:
    school = School()
    report = school.verify()
    assert report.whole
    assert (report.objects, report.shards) == (EVENTS + CHANGES, 2)
    assert (report.good, report.bad) == (2 * EVENTS + CHANGES, 2 * EVENTS)
    assert school.rows() == whole(school)


@pytest.mark.parametrize("rows_too", [False, True])
@pytest.mark.parametrize("gone_with", ["marker", "versions", "everything"])
@pytest.mark.parametrize("places", [[0], [2], [-1], [-2, -1], [1, 3], list(range(EVENTS))], ids=str)
@pytest.mark.parametrize("prefix", ["events/", "changes/"])
def test_what_was_deleted_by_hand_shows_and_is_brought_back(
    prefix: str, places: Sequence[int], gone_with: str, rows_too: bool
) -> None:
    school = School()
    names = school.names(prefix)
    for name in {names[place % len(names)] for place in places}:
        school.delete(name, versions=gone_with != "marker", marker=gone_with != "everything")
    if rows_too:
        school.lose_rows()
    assert not school.verify().whole
    report = school.verify(restore=True)
    assert report.whole, str(report)
    assert (report.restored > 0) == (gone_with == "marker")
    assert (report.reread > 0) == (gone_with != "marker")
    assert school.rows() == whole(school)
    assert school.verify(restore=True).restored == 0
    assert school.rows() == whole(school)


def test_a_shard_that_went_on_without_its_end_has_it_back() -> None:
    """Row and newest object are gone, and the next batch is written before anybody looks."""
    school = School()
    school.delete(school.names("events/")[-1], versions=True, marker=False)
    school.lose_rows()
    school.event()
    report = school.verify()
    assert (sum(map(len, report.lost.values())), report.gaps) == (2, [])
    assert school.verify(restore=True).reread == 2
    assert school.rows() == whole(school)


def test_a_shard_that_went_on_has_its_object_back_from_its_version() -> None:
    school = School()
    school.delete(school.names("events/")[-1])
    school.lose_rows()
    school.event()
    assert not school.verify().whole
    report = school.verify(restore=True)
    assert (report.whole, report.restored, report.reread) == (True, 1, 0)
    assert school.rows() == whole(school)


def test_what_was_delivered_again_is_not_brought_back_as_well() -> None:
    """The mapping began again at TRIM_HORIZON after row and newest object were gone."""
    school = School()
    school.delete(school.names("events/")[-1])
    school.lose_rows()
    event = kinesis_event(
        [packed(header(), [accepted(f"m{n}")], [rejected()]) for n in range(1, school.sequence)],
        arrived=school.arrived + 1,
    )
    EventsHandler(school.aws.app()).handle(event, lambda: True)
    assert school.verify(restore=True).restored == 0
    assert school.rows() == whole(school)


def test_a_lost_row_alone_is_named_and_nothing_is_missing() -> None:
    school = School()
    school.lose_rows()
    report = school.verify()
    assert report.whole
    assert "the row is missing" in str(report)


def test_without_streams_the_neighbours_the_row_and_the_markers_still_tell() -> None:
    for place, versions, rows_too in [(2, True, True), (-1, True, False), (-1, False, True)]:
        school = School()
        school.delete(school.names("events/")[place], versions=versions, marker=not versions)
        if rows_too:
            school.lose_rows()
        assert not school.verify(hours=0).whole


@pytest.mark.parametrize("name", ["events/date=x/again-a-000000", "changes/date=x/reconciler-a"])
def test_what_a_repair_wrote_is_brought_back_as_well(name: str) -> None:
    school = School()
    school.aws.s3.objects[LAKE, f"{name}.parquet"] = (b"made", {})
    assert school.verify().whole
    school.delete(f"{name}.parquet")
    assert school.verify().deleted == [f"{name}.parquet"]
    assert school.verify(restore=True).restored == 1
    assert school.aws.s3.objects[LAKE, f"{name}.parquet"] == (b"made", {})
    # Without its version it can only be made again, by `redrive` or `reconcile`.
    school.delete(f"{name}.parquet", versions=True)
    report = school.verify()
    assert report.whole
    assert f"{name}.parquet was deleted with its versions" in str(report)


def test_what_nobody_can_see_is_said() -> None:
    school = School()
    school.delete(school.names("events/")[-1], versions=True, marker=False)
    school.lose_rows()
    report = school.verify(hours=0)
    assert report.whole
    assert "Nobody could see" in str(report)


def test_what_is_only_late_is_no_loss_and_is_not_written_twice() -> None:
    school = School()
    payload = packed(header(), [accepted("late")], [rejected()])
    event = kinesis_event([payload], school.sequence, SHARD, school.arrived)
    school.streams.put(event)
    report = school.verify()
    assert (sum(map(len, report.waiting.values())), report.lost) == (1, {})

    def meanwhile(_: float) -> None:
        EventsHandler(school.aws.app()).handle(event, lambda: True)

    streams = school.streams.streams()
    assert Verifier(school.aws.app(), streams, meanwhile).run().whole
    school.sequence += 1
    assert school.rows() == whole(school)


def test_the_functions_own_invocation_meets_the_operators() -> None:
    """What waits goes through the door: whoever comes second finds it done."""
    school = School()
    payload = packed(header(), [accepted("late")], [rejected()])
    event = kinesis_event([payload], school.sequence, SHARD, school.arrived)
    school.streams.put(event)
    school.sequence += 1
    assert school.verify(restore=True).reread == 1
    EventsHandler(school.aws.app()).handle(event, lambda: True)
    assert school.rows() == whole(school)


def test_probes_and_changes_of_other_regions_are_nobodys_loss() -> None:
    school = School()
    school.streams.put(kinesis_event([b"probe"], 10_000), key="probe")
    item = {"pk": {"S": "B"}, "sk": {"S": "x"}, "origin_region": {"S": "eu-west-2"}}
    made = {"eventName": "INSERT", "Keys": {"pk": item["pk"]}, "NewImage": item}
    (record,) = dynamodb_records([made], arrived=school.arrived)
    school.streams.change(json.loads(record.text), "shardId-c")
    assert school.verify().whole


def test_an_object_that_says_nothing_of_itself_is_named() -> None:
    school = School()
    name = school.names("events/")[1]
    school.aws.s3.objects[LAKE, name] = (b"", {})
    report = school.verify(hours=0)
    assert not report.whole
    assert f"{name} does not say what it holds" in str(report)


def test_an_object_that_begins_too_early_is_an_overlap() -> None:
    school = School()
    first, second, *_ = school.names("events/")
    body, metadata = school.aws.s3.objects[LAKE, first]
    school.aws.s3.objects[LAKE, first] = (body, metadata | {"last": metadata["last"][:-1] + "3"})
    assert school.verify().overlaps == [second]


@pytest.mark.parametrize("seed", range(25))
def test_whatever_is_deleted_comes_back_once(seed: int) -> None:
    rng, school = random.Random(seed), School()
    for _ in range(rng.randint(1, 4)):
        names = school.names("")
        for name in rng.sample(names, rng.randint(0, len(names))):
            kind = rng.choice([{}, {"versions": True}, {"versions": True, "marker": False}])
            school.delete(name, **kind)
        if rng.random() < 0.5:
            school.aws.dynamodb.items.pop("checkpoints", None)
        if rng.random() < 0.5:
            school.event(rng.randint(1, 3))
        if rng.random() < 0.7:
            school.verify(restore=True)
    report = school.verify(restore=True)
    assert report.whole, str(report)
    assert school.rows() == whole(school)
