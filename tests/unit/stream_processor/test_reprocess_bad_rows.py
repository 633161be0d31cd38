"""Tests of reprocessing bad rows: each becomes good by the collector's rules, once."""

import json
import random
from collections import Counter
from datetime import date
from typing import Any, Final

import pytest
from hypothesis import given

from aws_emulator.simulator import Crash
from clickstream import event as schema
from stream_processor.handlers.events import EventsHandler
from stream_processor.ingest.event_schema import EventError
from stream_processor.repair.reprocess_bad_rows import BadRowReprocessor, ReprocessResult
from stream_processor.repair.revalidate import event as bad_event
from stream_processor.rows.lake_schema import BAD, DUPLICATE, GOOD
from stream_processor.storage import parquet
from tests.strategies import json_values
from tests.support.seeds import seeds
from tests.unit.stream_processor.fakes import LAKE, FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    plain,
    rejected,
)

DAY: Final = date(2026, 11, 21)
EVENT: Final = {"type": "page", "messageId": "late", "anonymousId": "a"}


def always() -> bool:
    return True


def rows(aws: FakeAws) -> list[dict[str, Any]]:
    return [row for _, body, _ in aws.objects("events/") for row in parquet.read(body).to_pylist()]


def write_records(aws: FakeAws, *payloads: bytes, first: int = 1) -> None:
    """Write each record to a separate object, each in a new process."""
    for position, payload in enumerate(payloads):
        EventsHandler(aws.app()).handle(kinesis_event([payload], first=first + position), always)


def rejected_record(code: str = "too_strict", **event: Any) -> bytes:
    return packed(header(), [], [rejected(code, raw=json.dumps(event))])


def reprocess(aws: FakeAws) -> ReprocessResult:
    return BadRowReprocessor(aws.app()).run(DAY, DAY)


def verdicts(aws: FakeAws, *, of: str = "late") -> Counter[str]:
    return Counter(row["verdict"] for row in rows(aws) if row["message_id"] == of)


def test_reprocess_reads_all_events_of_bad_record(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = FakeAws()
    bad_event_row = rejected("properties_size", raw=json.dumps(EVENT))
    record = packed(header(), [accepted("m")], [bad_event_row, rejected()])
    with monkeypatch.context() as patched:
        # A faulty reader that doesn't recognise packed records.
        patched.setattr("clickstream.is_packed", lambda _: False)
        write_records(aws, record, b"\xffjunk")
    assert [row["verdict"] for row in rows(aws)] == [BAD, BAD]

    result = reprocess(aws)
    assert (result.bad, result.closed) == (2, 1)
    closed = [row for row in rows(aws) if row["verdict"] == GOOD]
    assert [(row["message_id"], row["request_id"]) for row in closed] == [("m", "request")]
    assert Counter(row["reason_code"] for row in rows(aws) if row["verdict"] == BAD) == Counter(
        record_unknown=2, properties_size=1, type_unknown=1
    )
    # The next run reprocesses the record's bad events.
    result = reprocess(aws)
    assert (result.bad, result.closed) == (3, 1)
    assert verdicts(aws) == {GOOD: 1}
    assert reprocess(aws).closed == 0


def test_wrongly_rejected_event_becomes_good_with_request_fields() -> None:
    aws = FakeAws()
    write_records(aws, rejected_record(**EVENT))
    assert [reprocess(aws).closed for _ in range(3)] == [1, 0, 0]
    good = [row for row in rows(aws) if row["verdict"] == GOOD]
    assert [(r["message_id"], r["country"], r["record_index"]) for r in good] == [("late", "GB", 0)]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "page", "messageId": "late"},  # without user
        {"type": "page", "messageId": "late", "userId": ""},
        {"type": "page", "messageId": "m" * 100, "anonymousId": "a"},
        {"type": "track", "messageId": "late", "anonymousId": "a"},  # without name
        {"type": "party", "messageId": "late", "anonymousId": "a"},
        {"messageId": "late", "anonymousId": "a"},
        EVENT | {"properties": [1]},
    ],
)
def test_event_that_collector_still_rejects_stays_bad(
    event: dict[str, Any],
) -> None:
    aws = FakeAws()
    write_records(aws, rejected_record("its_reason", **event))
    before = aws.s3.list_keys()
    result = reprocess(aws)
    assert (result.bad, result.closed) == (1, 0)
    assert aws.s3.list_keys() == before
    assert [(row["verdict"], row["reason_code"]) for row in rows(aws)] == [(BAD, "its_reason")]


@given(json_values())
def test_reprocess_applies_collector_schema(value: Any) -> None:
    event = value if isinstance(value, dict) else {"type": value, "anonymousId": value}
    aws = FakeAws()
    text = json.dumps(event)
    write_records(aws, packed(header(), [], [rejected(raw=text)]))
    try:
        view = schema.read(text.encode(), len(text))
        schema.validate_event(view, None)
    except schema.InvalidEventError:
        assert reprocess(aws).closed == 0
    else:
        assert reprocess(aws).closed == 1


def test_plain_event_is_reprocessed_by_reader_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreadable(_: bytes) -> Any:
        raise EventError("event_json", "faulty reader")

    aws = FakeAws()
    with monkeypatch.context() as patched:
        patched.setattr("stream_processor.ingest.event_schema.plain", lambda *_: None)
        patched.setattr("stream_processor.ingest.event_schema.plain_event", unreadable)
        write_records(aws, plain(type="page", messageId="late"), b'{"type":""}')
    assert reprocess(aws).closed == 1
    (good,) = [row for row in rows(aws) if row["verdict"] == GOOD]
    assert (good["message_id"], good["failover"], good["bot"]) == ("late", None, None)


def test_reprocess_corrects_timestamp_like_collector() -> None:
    """The client's clock is an hour behind, as its sent_at shows."""
    aws = FakeAws()
    bad_event_row = rejected(raw=json.dumps(EVENT | {"timestamp": "2026-11-21T09:59:50.000Z"}))
    write_records(aws, packed(header(sent_at="2026-11-21T10:00:00.123Z"), [], [bad_event_row]))
    reprocess(aws)
    (good,) = [row for row in rows(aws) if row["verdict"] == GOOD]
    assert good["timestamp"].isoformat() == "2026-11-21T10:59:50+00:00"
    assert good["original_timestamp"].isoformat() == "2026-11-21T09:59:50+00:00"


# --- duplicates ---


def test_rejected_event_on_stream_twice_is_good_once() -> None:
    aws = FakeAws()
    write_records(aws, rejected_record(**EVENT), rejected_record(**EVENT))
    assert reprocess(aws).closed == 2
    assert verdicts(aws) == {GOOD: 1, DUPLICATE: 1}
    after = aws.s3.list_keys()
    assert reprocess(aws).closed == 0
    assert aws.s3.list_keys() == after


def test_bad_record_on_stream_twice_is_good_once(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = FakeAws()
    with monkeypatch.context() as patched:
        patched.setattr("clickstream.is_packed", lambda _: False)
        write_records(aws, *[packed(header(), [accepted("late"), accepted("other")])] * 2)
    reprocess(aws)
    assert verdicts(aws) == {GOOD: 1, DUPLICATE: 1}
    assert verdicts(aws, of="other") == {GOOD: 1, DUPLICATE: 1}


@pytest.mark.parametrize("shard", ["shardId-000000000000", "shardId-000000000001"])
@pytest.mark.parametrize("minutes", [-29, 0, 29])
def test_reprocessed_event_with_good_copy_becomes_duplicate(shard: str, minutes: int) -> None:
    """The lake has a good copy, earlier or later, in this shard or another."""
    aws = FakeAws()
    write_records(aws, rejected_record(**EVENT), first=5)
    arrived = 1_795_258_800.0 + minutes * 60
    copy = kinesis_event([packed(header(), [accepted("late")])], 9, shard, arrived)
    EventsHandler(aws.app()).handle(copy, always)
    assert reprocess(aws).closed == 1
    assert verdicts(aws) == {GOOD: 1, DUPLICATE: 1}


def test_same_id_of_two_sources_is_not_duplicate() -> None:
    aws = FakeAws()
    copy = packed(header(source="other"), [accepted("late")])
    write_records(aws, rejected_record(**EVENT), copy)
    reprocess(aws)
    assert verdicts(aws) == {GOOD: 2}


def test_concurrent_reprocess_runs_write_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other run writes first, with a reader that can't read one of the events."""
    aws = FakeAws()
    other = EVENT | {"messageId": "other"}
    both = [
        rejected(raw=json.dumps(it), index=position) for position, it in enumerate((EVENT, other))
    ]
    write_records(aws, packed(header(), [], both), rejected_record(**EVENT))
    first_run = BadRowReprocessor(aws.app())
    lookup, read = first_run._next, bad_event

    def fail_on_event(text: bytes, *more: Any, **named: Any) -> Any:
        return None if b'"late"' in text else read(text, *more, **named)

    def after_other_run(key: str) -> str:
        existing = lookup(key)
        monkeypatch.setattr(first_run, "_next", lookup)
        with monkeypatch.context() as patched:
            patched.setattr("stream_processor.repair.revalidate.event", fail_on_event)
            assert reprocess(aws).closed == 1
        return existing

    monkeypatch.setattr(first_run, "_next", after_other_run)
    assert first_run.run(DAY, DAY).closed == 1
    assert reprocess(aws).closed == 1
    assert verdicts(aws) == {GOOD: 1, DUPLICATE: 1}
    assert verdicts(aws, of="other") == {GOOD: 1}


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(12))
def test_reprocess_resumes_after_crash_at_any_point(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, aws = random.Random(seed), FakeAws()
    ids = [f"m{rng.randrange(5)}" for _ in range(9)]
    write_records(aws, *[rejected_record(**EVENT | {"messageId": it}) for it in ids])
    write_records(aws, packed(header(), [accepted("m0")]), first=100)
    left = 0

    def crash(_: str, error: Any = None) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Crash

    monkeypatch.setattr("tests.unit.stream_processor.fakes.fault_point", crash)
    for points in rng.sample(range(1, 60), 3):
        left = points
        with pytest.raises(Crash):
            reprocess(aws)
    left = 0
    reprocess(aws)
    good = Counter(row["message_id"] for row in rows(aws) if row["verdict"] == GOOD)
    assert good == Counter({*ids, "m0"})
    assert Counter(row["verdict"] for row in rows(aws))[BAD] == 9
    assert len(rows(aws)) == 9 + 1 + 9


def test_reprocess_skips_unreadable_object() -> None:
    aws = FakeAws()
    write_records(aws, rejected_record(**EVENT))
    hour = aws.s3.list_keys()[0].rpartition("/")[0]
    aws.s3.objects[LAKE, f"{hour}/notes.txt"] = (b"hello", {})
    result = reprocess(aws)
    assert (result.closed, result.unreadable) == (1, 1)
