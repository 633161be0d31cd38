"""Suppressed persons: the writer stores nothing of the events of any producer."""

import base64
import gzip
import json
from collections.abc import Callable
from datetime import date
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge_ingest.errors
from signed_snapshot.keyed import keyed_fingerprint
from signed_snapshot.persons import Persons
from stream_processor.errors import StorageError
from stream_processor.handlers.events import EventsHandler
from stream_processor.repair.reprocess_bad_rows import BadRowReprocessor
from stream_processor.rows import suppress
from stream_processor.rows.event_rows import EventRows
from stream_processor.rows.lake_schema import BAD, DUPLICATE, GOOD
from stream_processor.storage import parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.s3 import Bucket
from stream_processor.storage.suppression import KEY, MAX_AGE_S, Suppression
from tests.unit.stream_processor.fakes import FakeAws, client_error
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    plain,
    rejected,
)
from tests.unit.stream_processor.versioned_s3 import VersionedS3

SECRET: Final = "a key of the tests"
PERSON: Final = "asha@example.com"
CANARY: Final = "canary-4711"
ARRIVED: Final = 1_795_258_800_000
#: The columns that a suppressed row has.
KEPT: Final = {
    *("verdict", "reason_code", "reason", "raw", "received_at", "timestamp", "shard_id"),
    *("sequence_number", "record_index", "object_id", "schema_version", "bot", "failover"),
    *("source", "request_id", "sent_at", "stream_region", "edge_region"),
}


def persons(*ids: str) -> Persons:
    return Persons(SECRET, [keyed_fingerprint(SECRET, it) for it in ids], 10)


def rows_of(*payloads: bytes, of: Persons | None = None) -> list[dict[str, Any]]:
    rows = EventRows("shard", frozenset(), of)
    for number, payload in enumerate(payloads, 1):
        rows.add(payload, number, ARRIVED)
    table = rows.finish()
    assert rows.expected_rows == len(table) == sum(rows.counts.values())
    read: list[dict[str, Any]] = parquet.read(parquet.write(table)).to_pylist()
    return read


def of(**fields: object) -> dict[str, object]:
    return {"type": "track", "event": "Paid", "properties": {"path": CANARY}, **fields}


EVENTS_OF_PERSON: Final[list[dict[str, object]]] = [
    of(userId=PERSON),
    of(anonymousId=PERSON),
    of(userId=PERSON, messageId="an-id", anonymousId="somebody"),
    of(type="alias", userId="new", previousId=PERSON),
    of(type="", userId=PERSON),
    of(type=7, anonymousId=PERSON),
]


@pytest.mark.parametrize("event", EVENTS_OF_PERSON, ids=json.dumps)
@pytest.mark.parametrize(
    "payload",
    [
        lambda event: plain(**event),
        lambda event: json.dumps({"batch": [event]}).encode(),
        lambda event: gzip.compress(json.dumps([event, of(userId="other")]).encode(), mtime=0),
        lambda event: plain(**event).replace(b'"asha@', b'"\\u0061sha@'),
        lambda event: plain(**event).replace(b"{", b'{"userId": "asha@example.com", ', 1),
    ],
    ids=["event", "batch", "gzip", "escaped", "repeated"],
)
def test_row_of_another_producers_event_of_a_suppressed_person_has_no_data(
    event: dict[str, object], payload: Callable[[dict[str, object]], bytes]
) -> None:
    (row, *others) = rows_of(payload(event), of=persons(PERSON))
    assert (row["verdict"], row["reason_code"], row["raw"]) == (BAD, "suppressed", b"")
    assert {name for name, value in row.items() if value is not None} <= KEPT
    assert PERSON not in repr(row)
    assert [it["verdict"] for it in others] == [GOOD] * len(others)


def test_row_of_a_collected_event_has_neither_the_batchs_context_nor_the_requests_facts() -> None:
    context = msgspec.Raw(json.dumps({"page": {"path": CANARY}, "locale": CANARY}).encode())
    facts: dict[str, Any] = {
        "ip": "192.0.2.1",
        "user_agent": CANARY,
        "city": CANARY,
        "context": context,
    }
    theirs = accepted("theirs", CANARY, userId=PERSON)
    others = accepted("others", "/others", 1, userId="other")
    refused = rejected(raw=json.dumps(of(userId=PERSON)), index=2)
    for bad in ((), (refused,)):  # both ways of decoding
        head = header(**facts)
        rows = rows_of(packed(head, [theirs, others], bad), of=persons(PERSON))
        assert [it["message_id"] for it in rows[:2]] == [None, "others"]
        for row in (rows[0], *rows[2:]):
            assert (row["verdict"], row["reason_code"]) == (BAD, "suppressed")
            assert CANARY not in repr(row)
            assert {name for name, value in row.items() if value is not None} <= KEPT
        assert rows[1]["city"] == rows[1]["locale"] == CANARY


@given(st.lists(st.sampled_from([PERSON, "b", "c", None]), max_size=12), st.booleans())
def test_other_rows_are_those_without_the_list(users: list[str | None], one_record: bool) -> None:
    events = [
        of(messageId=f"id-{number}") | ({} if user is None else {"userId": user})
        for number, user in enumerate(users)
    ]
    payloads = [json.dumps(events).encode()] if one_record else [plain(**it) for it in events]
    if not events:
        return
    before, after = rows_of(*payloads), rows_of(*payloads, of=persons(PERSON))
    assert len(before) == len(after)
    for user, old, new in zip(users, before, after, strict=True):
        if user == PERSON:
            assert new["reason_code"] == "suppressed"
        else:
            assert old | {"object_id": None} == new | {"object_id": None}


def test_code_and_message_are_those_of_the_collector() -> None:
    (row,) = rows_of(plain(**of(userId=PERSON)), of=persons(PERSON))
    assert suppress.SUPPRESSED == edge_ingest.errors.SUPPRESSED
    assert row["reason"] == edge_ingest.errors.SUPPRESSED_MESSAGE


def test_suppressed_event_isnt_the_first_copy_of_a_later_one() -> None:
    event = of(userId=PERSON, messageId="an-id")
    other = of(userId="other", messageId="an-id")
    rows = rows_of(plain(**event), plain(**other), plain(**other), of=persons(PERSON))
    assert [it["verdict"] for it in rows] == [BAD, GOOD, DUPLICATE]


class Site:
    """A lake, and a bucket with the collector's snapshot."""

    def __init__(self) -> None:
        self.s3 = VersionedS3()
        self.aws = FakeAws(s3=self.s3)
        self.now = 0.0
        self.key_error: StorageError | None = None

    def publish(self, *ids: str) -> None:
        marks = [keyed_fingerprint(SECRET, it) for it in ids]
        document = {"name": "sources", "content": {"sources": [], "suppressed": marks}}
        payload = base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=")
        self.s3.put_object(Bucket="portal", Key=KEY, Body=b"e30." + payload + b".c2ln")

    def key(self) -> str:
        if self.key_error is not None:
            raise self.key_error
        return SECRET

    def suppression(self, s3: Any = None) -> Suppression:
        s3 = s3 or self.s3
        bucket = Bucket("portal", s3, lambda _: None)
        return Suppression(bucket, self.key, lambda: self.now)

    def app(self) -> AppContext:
        app = self.aws.app()
        return AppContext(
            *(app.settings, app.lake, app.checkpoints, app.live, app.appointments, app.failures),
            suppression=self.suppression(),
        )


def test_redrive_accepts_no_earlier_bad_row_of_a_suppressed_person() -> None:
    site = Site()
    bad = rejected("too_strict", raw=json.dumps(of(userId=PERSON, messageId="an-id")))
    EventsHandler(site.app()).handle(kinesis_event([packed(header(), [], [bad])]), lambda: True)
    site.publish(PERSON)
    day = date(2026, 11, 21)
    assert BadRowReprocessor(site.app()).run(day, day).closed == 0
    site.publish()
    assert BadRowReprocessor(site.app()).run(day, day).closed == 1


class BrokenS3:
    def get_object(self, **_: Any) -> Any:
        raise client_error(403, "AccessDenied")


def test_change_of_the_list_counts_within_a_minute_and_a_release_as_well() -> None:
    site = Site()
    suppression = site.suppression()
    assert suppression.persons() is None  # no snapshot yet
    site.publish(PERSON)
    assert suppression.persons() is None
    site.now += MAX_AGE_S
    listed = suppression.persons()
    assert listed is not None
    assert PERSON in listed
    assert "other" not in listed
    site.publish()
    site.now += MAX_AGE_S
    assert suppression.persons() is None


def test_list_that_was_read_counts_while_reads_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site()
    site.publish(PERSON)
    suppression = site.suppression()
    assert suppression.persons() is not None
    monkeypatch.setattr(site.s3, "get_object", BrokenS3().get_object)
    site.now += MAX_AGE_S
    listed = suppression.persons()
    assert listed is not None
    assert PERSON in listed


def test_deleted_snapshot_ends_no_suppression() -> None:
    site = Site()
    site.publish(PERSON)
    suppression = site.suppression()
    assert suppression.persons() is not None
    site.s3.delete_object(Bucket="portal", Key=KEY)
    site.now += MAX_AGE_S
    assert suppression.persons() is not None


def test_process_that_has_never_read_the_list_writes_nothing() -> None:
    site = Site()
    for s3 in (BrokenS3(), site.s3):
        site.s3.put_object(Bucket="portal", Key=KEY, Body=b"no snapshot")
        with pytest.raises(StorageError):
            site.suppression(s3).persons()


def test_loss_of_the_region_with_the_key_doesnt_stop_the_writer() -> None:
    site = Site()
    site.publish(PERSON)
    site.key_error = StorageError("us-east-1 doesn't answer")
    suppression = site.suppression()
    assert suppression.persons() is None
    site.key_error = None
    assert suppression.persons() is None  # it doesn't ask again at once
    site.now += MAX_AGE_S
    assert suppression.persons() is not None


@pytest.mark.parametrize("is_suppressed_first", [False, True])
def test_repetition_of_a_batch_with_another_list_writes_each_record_once(
    monkeypatch: pytest.MonkeyPatch, *, is_suppressed_first: bool
) -> None:
    """The first writer's entry appears while the second one writes; then the batch comes again."""
    site = Site()
    event = kinesis_event([plain(**of(userId=PERSON)), plain(**of(userId="other"))])
    site.publish(*([PERSON] if is_suppressed_first else []))
    first = EventsHandler(site.app())
    assert first.app.suppression is not None
    assert (first.app.suppression.persons() is not None) == is_suppressed_first
    site.publish(*([] if is_suppressed_first else [PERSON]))
    put = site.s3.put_object
    writes: list[str] = []

    def put_after_first(**query: Any) -> Any:
        if not writes and query["Key"].startswith("events/"):
            writes.append(query["Key"])
            first.handle(event, lambda: True)
        return put(**query)

    monkeypatch.setattr(site.s3, "put_object", put_after_first)
    for _ in range(2):
        EventsHandler(site.app()).handle(event, lambda: True)
    rows = [
        row for _, body, _ in site.aws.objects("events/") for row in parquet.read(body).to_pylist()
    ]
    assert sorted(it["sequence_number"] for it in rows) == [f"{1:056}", f"{2:056}"]
    assert [it["verdict"] for it in rows] == [BAD if is_suppressed_first else GOOD, GOOD]
