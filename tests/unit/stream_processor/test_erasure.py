"""Tests of the erasure of a person: nothing of the person is left, and nothing else changes."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_processor.compaction.compact import Compaction
from stream_processor.erasure.erase import Eraser, Report
from stream_processor.erasure.person import Person
from stream_processor.erasure.visitors import find
from stream_processor.errors import StorageError
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.repair.reconcile import Reconciler
from stream_processor.repair.redrive import FailedBatches
from stream_processor.repair.reprocess_bad_rows import BadRowReprocessor
from stream_processor.repair.verify import Verifier
from stream_processor.storage import parquet
from tests.unit.stream_processor.fake_streams import FakeStreams
from tests.unit.stream_processor.fakes import FAILURES, LAKE, FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    rejected,
)
from tests.unit.stream_processor.versioned_s3 import VersionedS3

USER: Final = "7d1f-the-student"
OTHER: Final = "9a2b-another-one"
NOW: Final = datetime(2026, 11, 21, 20, tzinfo=UTC)
ARRIVED: Final = datetime(2026, 11, 21, 11, tzinfo=UTC)
SHARD: Final = "shardId-000000000000"


class Lake:
    """A Region's stream, functions, lake and failures bucket."""

    def __init__(self) -> None:
        self.s3 = VersionedS3()
        self.aws = FakeAws(s3=self.s3)
        self.streams = FakeStreams()
        self._sequence = 1

    def put(self, *payloads: bytes, hour: int = 0) -> dict[str, Any]:
        """Put records on the stream; return the invocation event that contains them."""
        arrived = ARRIVED.timestamp() + 3600 * hour
        event = kinesis_event(list(payloads), self._sequence, SHARD, arrived)
        self._sequence += len(payloads)
        self.streams.put(event)
        return event

    def write(self, *payloads: bytes, hour: int = 0) -> dict[str, Any]:
        event = self.put(*payloads, hour=hour)
        self.deliver(event)
        return event

    def deliver(self, event: dict[str, Any]) -> None:
        EventsHandler(self.aws.app()).handle(event, lambda: True)

    def discard(self, event: dict[str, Any], name: str = "one") -> None:
        document = json.dumps({"KinesisBatchInfo": {}, "payload": json.dumps(event)})
        key = f"aws/lambda/uuid/{SHARD}/2026/11/21/2026-11-21T11.00.00-{name}"
        self.s3.put_object(Bucket=FAILURES, Key=key, Body=document.encode())

    def compact(self) -> int:
        day = ARRIVED.replace(hour=0)
        return Compaction(self.aws.app()).run(day, NOW, lambda: True).compacted

    def eraser(self) -> Eraser:
        return Eraser(self.aws.app(), self.streams.streams(), lambda _: None)

    def erase(self, *ids: str, visitors: tuple[str, ...] = ()) -> Report:
        return self.eraser().run(Person(frozenset(ids), frozenset(visitors)), NOW)

    def verify(self, *, restore: bool = False) -> bool:
        verifier = Verifier(self.aws.app(), self.streams.streams(), lambda _: None)
        return verifier.run(restore=restore).complete

    def rows(self, prefix: str = "events/") -> list[dict[str, Any]]:
        return [
            row for _, body, _ in self.aws.objects(prefix) for row in parquet.read(body).to_pylist()
        ]

    def names(self, text: str) -> list[str]:
        """Return the keys of the versions that contain a text, also inside Parquet and base64."""
        return [key for key, body in self.s3.bodies() if text in readable(key, body)]


def readable(key: str, body: bytes) -> str:
    if key.endswith(".parquet"):
        return repr(parquet.read(body).to_pylist())
    if key.startswith("iceberg/"):
        return body.decode("latin-1")
    payload = json.loads(json.loads(body)["payload"])
    return repr([base64.b64decode(it["kinesis"]["data"]) for it in payload["Records"]])


@pytest.fixture
def lake() -> Lake:
    return Lake()


def visit(message_id: str, **event: Any) -> bytes:
    return packed(header(f"request-{message_id}"), [accepted(message_id, **event)])


def test_events_of_a_person_lose_all_but_their_record(lake: Lake) -> None:
    lake.write(visit("m1", userId=USER, anonymousId="v1"), visit("m2", userId=OTHER))
    before = lake.rows()
    report = lake.erase(USER)
    (erased, other) = lake.rows()
    assert other == before[1]
    rest = {name: value for name, value in erased.items() if value is not None}
    assert rest == {
        "verdict": "erased",
        "reason_code": "erased",
        **{
            name: before[0][name]
            for name in (
                *("received_at", "shard_id", "sequence_number", "record_index"),
                *("schema_version", "object_id"),
            )
        },
    }
    document = json.loads(report.text())
    assert document["complete"]
    assert document["rows"] == {"events": 1}
    assert (document["objects"], document["versions"], document["left"]) == (1, 1, [])


def test_no_version_of_an_object_names_the_person(lake: Lake) -> None:
    lake.write(visit("m1", userId=USER), visit("m2", userId=OTHER))
    lake.write(visit("m3", userId=USER), hour=1)
    assert lake.names(USER)
    lake.erase(USER)
    assert lake.names(USER) == []
    assert lake.names(OTHER)


def test_metadata_of_an_object_stays(lake: Lake) -> None:
    lake.write(visit("m1", userId=USER))
    ((_, _, before),) = lake.aws.objects("events/")
    lake.erase(USER)
    ((_, _, after),) = lake.aws.objects("events/")
    assert after == before


@pytest.mark.parametrize(
    "event",
    [
        {"userId": USER},
        {"anonymousId": USER},
        {"properties": {"path": "/", "student": USER}},
        {"context": {"traits": {"email": f"{USER}@school.example"}}},
        {"previousId": USER},
    ],
)
def test_event_that_names_the_person_anywhere_is_erased(lake: Lake, event: dict[str, Any]) -> None:
    lake.write(visit("m1", **event))
    assert lake.erase(USER).rows == {"events": 1}
    assert lake.names(USER) == []


@pytest.mark.parametrize("ids", [(), ("",), ("user", "")])
def test_person_without_an_id_is_refused(ids: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="id"):
        Person(frozenset(ids))


def test_visits_before_the_sign_in_are_the_persons(lake: Lake) -> None:
    lake.write(visit("m1", anonymousId="v1"), visit("m2", userId=USER, anonymousId="v1"))
    lake.write(visit("m3", anonymousId="v2"))
    visitors = find(lake.aws.app().lake, [USER])
    assert visitors == (["v1"], [])
    lake.erase(USER, visitors=("v1",))
    assert [row["anonymous_id"] for row in lake.rows()] == [None, None, "v2"]


def test_events_of_another_user_of_the_browser_stay(lake: Lake) -> None:
    lake.write(visit("m1", userId=OTHER, anonymousId="v1"), visit("m2", anonymousId="v1"))
    lake.write(visit("m3", userId=USER, anonymousId="v1"))
    assert find(lake.aws.app().lake, [USER]) == (["v1"], ["v1"])
    lake.erase(USER, visitors=("v1",))
    assert [row["verdict"] for row in lake.rows()] == ["good", "erased", "erased"]


def test_bad_row_with_the_person_is_erased_and_not_made_again(lake: Lake) -> None:
    raw = json.dumps({"type": "page", "messageId": "b1", "userId": USER})
    lake.write(packed(header(), [], [rejected("properties_size", raw=raw)]))
    lake.erase(USER)
    day = ARRIVED.date()
    assert BadRowReprocessor(lake.aws.app()).run(day, day).closed == 0
    assert lake.names(USER) == []


def test_compacted_file_is_made_again_without_the_person(lake: Lake) -> None:
    for number in range(3):
        lake.write(visit(f"m{number}", userId=USER if number == 1 else OTHER))
    assert lake.compact() == 1
    report = lake.erase(USER)
    assert report.files_made_again == 1
    assert [row["message_id"] for row in lake.rows("compacted/")] == ["m0", "m2"]
    assert lake.names(USER) == []
    assert lake.compact() == 0


def test_index_of_copies_is_deleted_with_all_versions_and_made_again(lake: Lake) -> None:
    """An erased row was the first copy of an id: the copy with another person is the first now."""
    lake.write(visit("m1", userId=USER))
    lake.write(visit("m2", userId=OTHER), hour=1)
    lake.write(visit("m1", userId=OTHER), hour=30)
    assert lake.compact() == 2
    Compaction(lake.aws.app()).run(ARRIVED, NOW.replace(day=23), lambda: True)
    before = {key for key, _ in lake.s3.bodies() if key.startswith("seen/")}
    assert len(before) == 2
    lake.erase(USER)
    log = [body for key, body in lake.s3.bodies() if key.startswith("seen/")]
    assert len(log) == 1
    Compaction(lake.aws.app()).run(ARRIVED, NOW.replace(day=23), lambda: True)
    names = [row for row in lake.rows("copies/") if row["object_name"]]
    assert len(names) == 3
    assert not [row for row in lake.rows("copies/") if row["shard_id"]]


def test_redelivered_record_of_an_erased_row_is_not_written_again(lake: Lake) -> None:
    event = lake.write(visit("m1", userId=USER), visit("m2", userId=OTHER))
    lake.erase(USER)
    lake.deliver(event)
    lake.discard(event)
    FailedBatches(lake.aws.app()).run()
    assert len(lake.rows()) == 2
    assert lake.verify(restore=True)
    assert lake.erase(USER).complete
    assert lake.names(USER) == []


def test_discarded_batch_is_redriven_and_erased(lake: Lake) -> None:
    lake.discard(lake.put(visit("m1", userId=USER), visit("m2", userId=OTHER)))
    report = lake.erase(USER)
    assert report.complete
    assert [row["verdict"] for row in lake.rows()] == ["erased", "good"]
    assert lake.names(USER) == []


def test_unreadable_document_that_names_the_person_is_reported(lake: Lake) -> None:
    lake.s3.put_object(Bucket=FAILURES, Key="aws/lambda/x", Body=f"?{USER}?".encode())
    report = lake.erase(USER)
    assert not report.complete
    assert report.left == ["aws/lambda/x in the failures bucket: redrive it, or delete it."]


def test_record_on_its_way_is_reported_until_it_is_erased(lake: Lake) -> None:
    event = lake.put(visit("m1", userId=USER))
    first = lake.erase(USER)
    assert (first.complete, first.waiting) == (False, 1)
    lake.deliver(event)
    second = lake.erase(USER)
    assert (second.complete, second.waiting) == (True, 0)
    assert second.stream_expires == "2026-11-28T20:00Z"


def test_restored_version_of_a_deleted_object_is_erased(lake: Lake) -> None:
    lake.write(visit("m1", userId=USER), visit("m2", userId=OTHER))
    (key,) = lake.s3.list_keys()
    lake.aws.app().lake.delete(key)
    lake.erase(USER)
    assert lake.s3.list_keys() == []
    assert lake.verify(restore=True)
    assert [row["verdict"] for row in lake.rows()] == ["erased", "good"]
    assert lake.names(USER) == []


def test_records_of_an_object_without_versions_are_restored_and_erased_again(lake: Lake) -> None:
    lake.write(visit("m1", userId=USER))
    assert lake.erase(USER).complete
    for version in list(lake.aws.app().lake.versions("events/")):
        lake.aws.app().lake.delete_version(version)
    assert lake.verify(restore=True)
    assert lake.erase(USER).rows == {"events": 1}
    assert lake.names(USER) == []


def test_object_written_since_it_was_read_is_not_overwritten(lake: Lake) -> None:
    lake.write(visit("m1", userId=USER))
    (key,) = lake.s3.list_keys()
    with pytest.raises(StorageError, match="replace"):
        lake.aws.app().lake.overwrite(key, b"", {}, "another-etag")
    assert lake.names(USER)


def change(sequence: int, student: str | None) -> dict[str, Any]:
    keys = {"pk": {"S": "ADVISOR#a"}, "sk": {"S": "SLOT#2026-12-01T09:00:00Z"}}
    image = {**keys, "version": {"N": str(sequence)}, "origin_region": {"S": "us-east-1"}}
    if student:
        image |= {"student": {"S": student}, "note": {"S": "about my exam"}}
    return {
        "eventName": "MODIFY",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:0:table/appointments/stream/label",
        "dynamodb": {
            "Keys": keys,
            "NewImage": image,
            "SequenceNumber": str(sequence),
            "ApproximateCreationDateTime": ARRIVED.timestamp() + sequence,
        },
    }


def test_history_of_appointments_keeps_its_count_without_the_person(lake: Lake) -> None:
    changes = [change(1, USER), change(2, OTHER), change(3, None)]
    ChangesHandler(lake.aws.app()).handle({"Records": changes, "shardId": "s"}, lambda: True)
    lake.aws.dynamodb.items["appointments"] = {
        ("ADVISOR#a", "SLOT#2026-12-01T09:00:00Z"): changes[2]["dynamodb"]["NewImage"]
    }
    reconcile(lake)
    assert lake.erase(USER).complete
    rows = lake.rows("changes/")
    assert [row["version"] for row in rows] == [1, 2, 3]
    assert [row["new_image_json"] is None for row in rows] == [True, False, False]
    assert lake.names(USER) == []
    assert reconcile(lake).repaired == 0


def reconcile(lake: Lake) -> Any:
    reconciler = Reconciler(lake.aws.app(), lambda _: None)
    lake_keys = len(lake.s3.list_keys(LAKE))
    return reconciler.run(f"run-{lake_keys}", NOW)


def test_second_run_changes_nothing(lake: Lake) -> None:
    lake.write(visit("m1", userId=USER))
    lake.erase(USER)
    before = {key: list(versions) for key, versions in lake.s3.history.items()}
    report = lake.erase(USER)
    assert (report.objects, report.versions, report.passes) == (0, 0, 1)
    assert dict(lake.s3.history) == before


STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from([USER, OTHER]), st.integers(0, 2)),
        st.tuples(st.just("deliver again"), st.integers(0, 9), st.just(0)),
        st.tuples(st.sampled_from(["erase", "compact", "verify"]), st.just(0), st.just(0)),
    ),
    max_size=14,
)


@given(STEPS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_erasure_beside_a_running_function_loses_and_doubles_nothing(
    steps: list[tuple[str, Any, int]],
) -> None:
    lake = Lake()
    events: list[dict[str, Any]] = []
    theirs = 0
    for step, value, hour in steps:
        if step == "write":
            number = len(events)
            both = [
                accepted(f"m{number}", userId=str(value)),
                accepted(f"n{number}", userId=OTHER),
            ]
            events.append(lake.write(packed(header(f"request-{number}"), both), hour=hour))
            theirs += value == USER
        elif step == "deliver again" and events:
            lake.deliver(events[value % len(events)])
        elif step == "erase":
            assert lake.erase(USER).complete
        elif step == "compact":
            lake.compact()
        elif step == "verify":
            assert lake.verify(restore=True)
    assert lake.erase(USER).complete
    lake.compact()
    assert lake.verify()
    assert lake.names(USER) == []
    rows = lake.rows()
    assert sum(row["verdict"] == "erased" for row in rows) == theirs
    good = [row["message_id"] for row in rows if row["verdict"] == "good"]
    assert len(good) == len(set(good)) == 2 * len(events) - theirs
    assert len(rows) == 2 * len(events)


def test_writer_reads_an_object_with_erased_and_other_rows(lake: Lake) -> None:
    both = [accepted("m1", userId=USER), accepted("n1", userId=OTHER)]
    lake.write(packed(header("request-1"), both))
    lake.erase(USER)
    lake.aws.dynamodb.items.clear()
    lake.write(visit("n2", userId=OTHER), packed(header("request-3"), [accepted("n1")]))
    assert [row["verdict"] for row in lake.rows()] == ["erased", "good", "good", "duplicate"]
