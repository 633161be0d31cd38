"""Bad rows that are read again: good by the same rule as ever, once, and only once."""

import json
import random
from collections import Counter
from datetime import date
from typing import Any

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
from tests.unit.stream_processor.fakes import LAKE, FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    plain,
    rejected,
)

DAY = date(2026, 11, 21)
LATE = {"type": "page", "messageId": "late", "anonymousId": "a"}


def always() -> bool:
    return True


def rows(aws: FakeAws) -> list[dict[str, Any]]:
    return [row for _, body, _ in aws.objects("events/") for row in parquet.read(body).to_pylist()]


def arrive(aws: FakeAws, *payloads: bytes, first: int = 1) -> None:
    """Each record in an object of its own, as another process wrote it."""
    for place, payload in enumerate(payloads):
        EventsHandler(aws.app()).handle(kinesis_event([payload], first=first + place), always)


def refused(code: str = "too_strict", **event: Any) -> bytes:
    return packed(header(), [], [rejected(code, raw=json.dumps(event))])


def again(aws: FakeAws) -> ReprocessResult:
    return BadRowReprocessor(aws.app()).run(DAY, DAY)


def verdicts(aws: FakeAws, *, of: str = "late") -> Counter[str]:
    return Counter(row["verdict"] for row in rows(aws) if row["message_id"] == of)


def test_a_record_is_read_again_with_all_that_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = FakeAws()
    late = rejected("properties_size", raw=json.dumps(LATE))
    record = packed(header(), [accepted("m")], [late, rejected()])
    with monkeypatch.context() as patched:
        # A reader with a fault: it knows no packed records.
        patched.setattr("clickstream.is_packed", lambda _: False)
        arrive(aws, record, b"\xffjunk")
    assert [row["verdict"] for row in rows(aws)] == [BAD, BAD]

    result = again(aws)
    assert (result.bad, result.closed) == (2, 1)
    closed = [row for row in rows(aws) if row["verdict"] == GOOD]
    assert [(row["message_id"], row["request_id"]) for row in closed] == [("m", "request")]
    assert Counter(row["reason_code"] for row in rows(aws) if row["verdict"] == BAD) == Counter(
        record_unknown=2, properties_size=1, type_unknown=1
    )
    # The record's own bad events are read again like any other.
    result = again(aws)
    assert (result.bad, result.closed) == (3, 1)
    assert verdicts(aws) == {GOOD: 1}
    assert again(aws).closed == 0


def test_an_event_that_was_refused_without_need_becomes_good_with_its_requests_facts() -> None:
    aws = FakeAws()
    arrive(aws, refused(**LATE))
    assert [again(aws).closed for _ in range(3)] == [1, 0, 0]
    good = [row for row in rows(aws) if row["verdict"] == GOOD]
    assert [(r["message_id"], r["country"], r["record_index"]) for r in good] == [("late", "GB", 0)]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "page", "messageId": "late"},  # nobody's
        {"type": "page", "messageId": "late", "userId": ""},
        {"type": "page", "messageId": "m" * 100, "anonymousId": "a"},
        {"type": "track", "messageId": "late", "anonymousId": "a"},  # of no name
        {"type": "party", "messageId": "late", "anonymousId": "a"},
        {"messageId": "late", "anonymousId": "a"},
        LATE | {"timestamp": "yesterday"},
        LATE | {"properties": [1]},
    ],
)
def test_what_the_collector_would_refuse_today_stays_bad_with_its_reason(
    event: dict[str, Any],
) -> None:
    aws = FakeAws()
    arrive(aws, refused("its_reason", **event))
    before = aws.s3.names()
    result = again(aws)
    assert (result.bad, result.closed) == (1, 0)
    assert aws.s3.names() == before
    assert [(row["verdict"], row["reason_code"]) for row in rows(aws)] == [(BAD, "its_reason")]


@given(json_values())
def test_a_redrive_is_no_way_around_the_collectors_schema(value: Any) -> None:
    event = value if isinstance(value, dict) else {"type": value, "anonymousId": value}
    aws = FakeAws()
    text = json.dumps(event)
    arrive(aws, packed(header(), [], [rejected(raw=text)]))
    try:
        view = schema.read(text.encode(), len(text))
        schema.judge(view, None)
    except schema.RefusalError:
        assert again(aws).closed == 0
    else:
        assert again(aws).closed == 1


def test_what_another_producer_wrote_is_judged_by_the_readers_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreadable(_: bytes) -> Any:
        raise EventError("event_json", "a fault of the reader")

    aws = FakeAws()
    with monkeypatch.context() as patched:
        patched.setattr("stream_processor.ingest.event_schema.plain", lambda *_: None)
        patched.setattr("stream_processor.ingest.event_schema.plain_event", unreadable)
        arrive(aws, plain(type="page", messageId="late"), b'{"type":""}')
    assert again(aws).closed == 1
    (good,) = [row for row in rows(aws) if row["verdict"] == GOOD]
    assert (good["message_id"], good["failover"], good["bot"]) == ("late", None, None)


def test_the_time_of_an_event_is_corrected_as_the_collector_does() -> None:
    """The client's clock is an hour behind: it said when it sent, and when it happened."""
    aws = FakeAws()
    late = rejected(raw=json.dumps(LATE | {"timestamp": "2026-11-21T09:59:50.000Z"}))
    arrive(aws, packed(header(sent_at="2026-11-21T10:00:00.123Z"), [], [late]))
    again(aws)
    (good,) = [row for row in rows(aws) if row["verdict"] == GOOD]
    assert good["timestamp"].isoformat() == "2026-11-21T10:59:50+00:00"
    assert good["original_timestamp"].isoformat() == "2026-11-21T09:59:50+00:00"


# --- once ---


def test_a_refused_event_that_is_on_the_stream_twice_is_good_once() -> None:
    aws = FakeAws()
    arrive(aws, refused(**LATE), refused(**LATE))
    assert again(aws).closed == 2
    assert verdicts(aws) == {GOOD: 1, DUPLICATE: 1}
    after = aws.s3.names()
    assert again(aws).closed == 0
    assert aws.s3.names() == after


def test_a_record_that_is_on_the_stream_twice_is_good_once(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = FakeAws()
    with monkeypatch.context() as patched:
        patched.setattr("clickstream.is_packed", lambda _: False)
        arrive(aws, *[packed(header(), [accepted("late"), accepted("other")])] * 2)
    again(aws)
    assert verdicts(aws) == {GOOD: 1, DUPLICATE: 1}
    assert verdicts(aws, of="other") == {GOOD: 1, DUPLICATE: 1}


@pytest.mark.parametrize("shard", ["shardId-000000000000", "shardId-000000000001"])
@pytest.mark.parametrize("minutes", [-29, 0, 29])
def test_what_is_good_in_the_lake_already_becomes_a_duplicate(shard: str, minutes: int) -> None:
    """A copy was accepted, before or after, in this shard or another."""
    aws = FakeAws()
    arrive(aws, refused(**LATE), first=5)
    arrived = 1_795_258_800.0 + minutes * 60
    copy = kinesis_event([packed(header(), [accepted("late")])], 9, shard, arrived)
    EventsHandler(aws.app()).handle(copy, always)
    assert again(aws).closed == 1
    assert verdicts(aws) == {GOOD: 1, DUPLICATE: 1}


def test_ids_of_two_sources_do_not_meet() -> None:
    aws = FakeAws()
    copy = packed(header(source="other"), [accepted("late")])
    arrive(aws, refused(**LATE), copy)
    again(aws)
    assert verdicts(aws) == {GOOD: 2}


def test_two_operators_at_once_make_no_second_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other is first to write, and its reader cannot read the one event yet."""
    aws = FakeAws()
    other = LATE | {"messageId": "other"}
    both = [rejected(raw=json.dumps(it), place=place) for place, it in enumerate((LATE, other))]
    arrive(aws, packed(header(), [], both), refused(**LATE))
    mine = BadRowReprocessor(aws.app())
    lookup, read = mine._next, bad_event

    def less(text: bytes, *more: Any, **named: Any) -> Any:
        return None if b'"late"' in text else read(text, *more, **named)

    def after_the_other(key: str) -> str:
        found = lookup(key)
        monkeypatch.setattr(mine, "_next", lookup)
        with monkeypatch.context() as patched:
            patched.setattr("stream_processor.repair.revalidate.event", less)
            assert again(aws).closed == 1
        return found

    monkeypatch.setattr(mine, "_next", after_the_other)
    assert mine.run(DAY, DAY).closed == 1
    assert again(aws).closed == 1
    assert verdicts(aws) == {GOOD: 1, DUPLICATE: 1}
    assert verdicts(aws, of="other") == {GOOD: 1}


@pytest.mark.parametrize("seed", range(12))
def test_a_redrive_that_dies_anywhere_is_made_again(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, aws = random.Random(seed), FakeAws()
    ids = [f"m{rng.randrange(5)}" for _ in range(9)]
    arrive(aws, *[refused(**LATE | {"messageId": it}) for it in ids])
    arrive(aws, packed(header(), [accepted("m0")]), first=100)
    left = 0

    def die(_: str, error: Any = None) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Crash

    monkeypatch.setattr("tests.unit.stream_processor.fakes.fault_point", die)
    for points in rng.sample(range(1, 60), 3):
        left = points
        with pytest.raises(Crash):
            again(aws)
    left = 0
    again(aws)
    good = Counter(row["message_id"] for row in rows(aws) if row["verdict"] == GOOD)
    assert good == Counter({*ids, "m0"})
    assert Counter(row["verdict"] for row in rows(aws))[BAD] == 9
    assert len(rows(aws)) == 9 + 1 + 9


def test_an_object_of_nobody_is_passed_over() -> None:
    aws = FakeAws()
    arrive(aws, refused(**LATE))
    hour = aws.s3.names()[0].rpartition("/")[0]
    aws.s3.objects[LAKE, f"{hour}/notes.txt"] = (b"hello", {})
    result = again(aws)
    assert (result.closed, result.unreadable) == (1, 1)
