"""Tests of trace_events: it finds each copy of an event, wherever it is."""

import base64
import json
import time
from typing import Any, Final

import pytest

from signed_snapshot.keyed import keyed_fingerprint
from signed_snapshot.persons import Persons
from stream_processor.commit import event_objects
from stream_processor.erasure import person as persons
from stream_processor.erasure.person import Person
from stream_processor.handlers.events import EventsHandler
from stream_processor.ingest import invocation
from stream_processor.repair.trace_events import EventCopy, EventFinder, main
from stream_processor.storage import lake_keys, parquet
from tests.unit.stream_processor.fake_streams import FakeStreams
from tests.unit.stream_processor.fakes import FAILURES, LAKE, SETTINGS, FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    plain,
    rejected,
)

SHARD: Final = "shardId-000000000000"
FAILURE_KEY: Final = f"aws/lambda/uuid/{SHARD}/2026/11/27/2026-11-27T10.00.00-random"


class Pipeline:
    """A stream, its function and the lake. Each batch has its own records."""

    def __init__(self) -> None:
        self.aws = FakeAws()
        self.streams = FakeStreams()
        self.now = time.time()
        self._sequence = 1

    def put(self, *payloads: bytes, age_s: float = 60) -> dict[str, Any]:
        """Put records on the stream; return the invocation event that contains them."""
        event = kinesis_event(list(payloads), self._sequence, SHARD, self.now - age_s)
        self._sequence += len(payloads)
        self.streams.put(event)
        return event

    def write(self, event: dict[str, Any]) -> None:
        EventsHandler(self.aws.app()).handle(event, lambda: True)

    def discard(self, event: dict[str, Any]) -> None:
        document = json.dumps({"KinesisBatchInfo": {}, "payload": json.dumps(event)})
        self.aws.s3.objects[FAILURES, FAILURE_KEY] = (document.encode(), {})

    def find(self, wanted: str, hours: int = 24) -> list[EventCopy]:
        finder = EventFinder(self.aws.app(), self.streams.streams())
        now_ms = round(self.now * 1000)
        return finder.find(wanted, now_ms - hours * 3_600_000, now_ms)


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


def states(copies: list[EventCopy]) -> list[tuple[str, str]]:
    return [(copy.location, copy.row["verdict"]) for copy in copies]


@pytest.mark.parametrize("wanted", ["m1", "the-request", "a-user", "a-visitor"])
def test_stored_event_is_found_by_each_of_its_ids(pipeline: Pipeline, wanted: str) -> None:
    event = accepted("m1", userId="a-user", anonymousId="a-visitor")
    other = packed(header("other"), [accepted("m2", userId="another", anonymousId="else")])
    pipeline.write(pipeline.put(packed(header("the-request"), [event]), other))
    (copy,) = pipeline.find(wanted)
    assert (copy.location, copy.row["verdict"], copy.row["message_id"]) == ("lake", "good", "m1")
    assert (LAKE, copy.key) in pipeline.aws.s3.objects
    assert copy.record == (SHARD, copy.row["sequence_number"])


def test_duplicate_is_listed_beside_its_first_copy(pipeline: Pipeline) -> None:
    for _ in range(2):
        pipeline.write(pipeline.put(packed(header(), [accepted("m1")])))
    assert states(pipeline.find("m1")) == [("lake", "good"), ("lake", "duplicate")]


def test_rejected_event_is_found_by_an_id_in_its_bytes(pipeline: Pipeline) -> None:
    bad = rejected(raw='{"type":"?","messageId":"in-the-bytes"}')
    pipeline.write(pipeline.put(packed(header(), [], [bad])))
    (copy,) = pipeline.find("in-the-bytes")
    assert (copy.row["verdict"], copy.row["reason_code"]) == ("bad", "type_unknown")


def test_damaged_record_is_found_by_an_id_in_its_compressed_bytes(pipeline: Pipeline) -> None:
    pipeline.write(pipeline.put(packed(header(), [accepted("m1", userId="user-7")])[:-6]))
    (copy,) = pipeline.find("user-7")
    assert copy.row["reason_code"] == "record_gzip"


def test_record_that_is_not_processed_is_found_on_the_stream(pipeline: Pipeline) -> None:
    event = pipeline.put(packed(header(), [accepted("m1")]))
    assert states(pipeline.find("m1")) == [("stream", "good")]
    pipeline.write(event)
    assert states(pipeline.find("m1")) == [("lake", "good")]


def test_erased_event_is_found_on_the_stream_as_erased(pipeline: Pipeline) -> None:
    event = accepted("m1", userId="user-seven")
    pipeline.write(pipeline.put(packed(header(), [event]), packed(header(), [accepted("m2")])))
    (before,) = pipeline.find("m1")
    ((key, body, metadata),) = pipeline.aws.objects("events/")
    person = Person(frozenset({"user-seven"}))
    table = parquet.read(body)
    erased = persons.erased(table, persons.rows_of(table, person), person)
    pipeline.aws.s3.objects[LAKE, key] = (parquet.write(erased), metadata)
    (after,) = pipeline.find("m1")
    assert (before.location, after.location) == ("lake", "erased")


@pytest.mark.parametrize("wanted", ["m2", "the-request"])
def test_event_beside_an_erased_one_in_its_record_isnt_called_erased(
    pipeline: Pipeline, wanted: str
) -> None:
    events = [accepted("m1", userId="user-seven"), accepted("m2", index=1)]
    event = pipeline.put(packed(header("the-request"), events))
    pipeline.write(event)
    pipeline.discard(event)
    ((key, body, metadata),) = pipeline.aws.objects("events/")
    person, table = Person(frozenset({"user-seven"})), parquet.read(body)
    erased = persons.erased(table, persons.rows_of(table, person), person)
    pipeline.aws.s3.objects[LAKE, key] = (parquet.write(erased), metadata)
    expected = [("m2", "lake")] if wanted == "m2" else [("m1", "erased"), ("m2", "lake")]
    copies = pipeline.find(wanted)
    assert sorted((it.row["message_id"], it.location) for it in copies) == expected


def test_suppressed_event_is_found_on_the_stream_as_suppressed(pipeline: Pipeline) -> None:
    event = pipeline.put(plain(type="track", event="Paid", userId="a-user", messageId="m1"))
    (batch,) = invocation.stream_batches(event)
    suppressed = Persons("", [keyed_fingerprint("", "a-user")], 9)
    shard = lake_keys.events_shard("test", batch.stream, batch.shard)
    pending = event_objects.build(SETTINGS, shard, batch.records, None, frozenset(), suppressed)
    pipeline.write(event)
    ((key, _, metadata),) = pipeline.aws.objects("events/")
    pipeline.aws.s3.objects[LAKE, key] = (pending.body, metadata)
    assert states(pipeline.find("m1")) == [("suppressed", "good")]


def test_discarded_record_is_found_once_in_the_failures_bucket(pipeline: Pipeline) -> None:
    event = pipeline.put(packed(header(), [accepted("m1")]), packed(header(), [accepted("m2")]))
    pipeline.discard(event)
    (copy,) = pipeline.find("m2")
    assert (copy.location, copy.key) == ("failures", FAILURE_KEY)
    pipeline.write(event)
    assert states(pipeline.find("m2")) == [("lake", "good")]


@pytest.mark.parametrize("body", [b"no JSON", b"{}", b'{"payload": "no JSON"}', b'{"payload": 1}'])
def test_foreign_object_of_the_failures_bucket_is_ignored(pipeline: Pipeline, body: bytes) -> None:
    pipeline.aws.s3.objects[FAILURES, FAILURE_KEY] = (body, {})
    pipeline.write(pipeline.put(packed(header(), [accepted("m1")])))
    assert states(pipeline.find("m1")) == [("lake", "good")]


def test_object_older_than_the_hours_is_not_read(pipeline: Pipeline) -> None:
    event = pipeline.put(packed(header(), [accepted("m1")]), age_s=5 * 3_600)
    pipeline.write(event)
    pipeline.streams.kinesis.clear()
    assert pipeline.find("m1", hours=1) == []
    assert states(pipeline.find("m1", hours=6)) == [("lake", "good")]


def test_unknown_id_is_not_found(pipeline: Pipeline) -> None:
    pipeline.write(pipeline.put(packed(header(), [accepted("m1")])))
    pipeline.put(packed(header(), [accepted("m2")]))
    assert pipeline.find("m") == []


def test_damaged_record_on_the_stream_is_no_error(pipeline: Pipeline) -> None:
    pipeline.put(base64.b64decode("AAAA"), packed(header(), [accepted("m1")]))
    assert states(pipeline.find("m1")) == [("stream", "good")]


def test_command_fails_with_a_code_when_a_setting_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LAKE_BUCKET", raising=False)
    assert main(["m1"]) == 1
    assert capsys.readouterr().err.startswith("why: ")
