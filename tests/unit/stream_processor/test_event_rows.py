"""Tests of converting records to rows: no input loses an event or raises an exception."""

import base64
import binascii
import gzip
import zlib
from collections import Counter
from typing import Any, Final

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import clickstream
from stream_processor.commit.event_objects import stats_of
from stream_processor.ingest import decode
from stream_processor.ingest.records import StreamRecord
from stream_processor.rows.event_rows import CHUNK_EVENTS, EventRows
from stream_processor.rows.lake_schema import BAD, DUPLICATE, EVENTS, GOOD
from stream_processor.storage import parquet
from tests.strategies import json_values, stream_payloads
from tests.unit.stream_processor.sample_records import (
    RECEIVED,
    accepted,
    header,
    packed,
    plain,
    rejected,
)

ARRIVED: Final = 1_795_258_800_000


def table_of(*payloads: bytes, window: frozenset[str] = frozenset()) -> tuple[EventRows, pa.Table]:
    rows = EventRows("shard", window)
    for number, payload in enumerate(payloads, 1):
        rows.add(payload, number, ARRIVED)
    return rows, rows.finish()


def rows_of(*payloads: bytes) -> list[dict[str, Any]]:
    _, table = table_of(*payloads)
    read: list[dict[str, Any]] = parquet.read(parquet.write(table)).to_pylist()
    return read


@given(st.lists(stream_payloads(), max_size=12))
def test_rows_in_equal_good_plus_bad_plus_duplicate(payloads: list[bytes]) -> None:
    """The invariant holds for packed, broken, plain and random records."""
    rows, table = table_of(*payloads)
    verdicts = Counter(table.column("verdict").to_pylist())
    assert rows.expected_rows == len(table) == sum(rows.counts.values())
    assert {name: verdicts[name] for name in rows.counts} == rows.counts
    assert parquet.read(parquet.write(table)).schema.equals(EVENTS)
    for row in table.to_pylist():
        assert (row["verdict"] == BAD) == (row["raw"] is not None)
        # Only repaired events are good rows with a reason, and this strategy makes none.
        assert (row["verdict"] == GOOD) == (row["reason_code"] is None)
        assert (row["verdict"] == BAD) == (row["event_json"] is None)
    positions = Counter(zip(*(table.column(n).to_pylist() for n in _POSITION), strict=True))
    assert not positions or max(positions.values()) == 1


_POSITION: Final = ("sequence_number", "record_index")


@given(st.lists(stream_payloads(), max_size=12))
def test_stats_of_written_rows_equal_stats_of_writer(payloads: list[bytes]) -> None:
    """An invocation that adopts an object computes its statistics from the rows."""
    rows, table = table_of(*payloads)
    recomputed = stats_of(parquet.read(parquet.write(table)))
    assert Counter(recomputed.ids) == Counter(rows.stats.ids)
    assert recomputed.minutes == rows.stats.minutes


def test_repaired_event_is_good_with_the_code_of_its_repair() -> None:
    repaired = msgspec.structs.replace(accepted("a"), repair="invalid_timestamp")
    records = [
        packed(header("1"), [repaired, accepted("b", index=1)]),
        packed(header("2"), [msgspec.structs.replace(repaired, message_id="c")], [rejected()]),
        packed(header("3"), [repaired]),
    ]
    rows = {(row["request_id"], row["message_id"]): row for row in rows_of(*records)}
    reasons = {key: (row["verdict"], row["reason_code"]) for key, row in rows.items() if key[1]}
    assert reasons[("1", "a")] == reasons[("2", "c")] == (GOOD, "invalid_timestamp")
    assert rows[("1", "a")]["reason"]
    assert reasons[("1", "b")] == (GOOD, None)
    assert reasons[("3", "a")] == (DUPLICATE, "duplicate_in_object")


def test_event_that_violates_a_plan_is_good_with_the_reason_of_its_mark() -> None:
    marked = msgspec.structs.replace(accepted("a"), repair="plan_violation")
    (row,) = rows_of(packed(header("1"), [marked]))
    assert (row["verdict"], row["reason_code"]) == (GOOD, "plan_violation")
    assert "tracking plan" in row["reason"]


def test_request_without_events_counts_in_no_minute() -> None:
    rows, _ = table_of(packed(header(), []), packed(header(), [], [rejected()]), b"[]")
    assert not rows.stats.minutes


@given(st.lists(stream_payloads(), max_size=8))
def test_bulk_and_line_by_line_decoding_agree(payloads: list[bytes]) -> None:
    """Bulk decoding and line-by-line decoding return the same rows."""
    _, together = table_of(*payloads)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decode, "inflated", lambda _: None)
        patched.setattr(decode, "plain_together", lambda *_: None)
        _, separately = table_of(*payloads)
    assert in_order(together) == in_order(separately)


def record_of_lines(*lines: bytes, accepted: int) -> bytes:
    """Return a record with arbitrary lines and a header that claims `accepted` events."""
    head = msgspec.structs.replace(header(), accepted=accepted)
    return gzip.compress(b"\n".join([msgspec.json.encode(head), *lines]), mtime=0)


_LINE: Final = msgspec.json.encode(accepted("a"))
_PAGE: Final = b'{"type":"page"}'


@pytest.mark.parametrize(
    "payloads",
    [
        # Two documents on one line and an empty line: the number of documents fits.
        [record_of_lines(_LINE + _LINE, b" ", b"", accepted=2)],
        [record_of_lines(_LINE + _LINE, b"", b"", accepted=2)],
        [record_of_lines(_LINE + _LINE, b"", accepted=2)],
        [record_of_lines(_LINE + b" ", b" " + _LINE, b"", accepted=2)],
        [record_of_lines(_LINE[:1] + b"\n" + _LINE[1:], _LINE + _LINE, b"", accepted=3)],
        [record_of_lines(_LINE, b"\r", b"", accepted=2)],
        # The last line has no newline, or the record has no lines.
        [record_of_lines(_LINE, accepted=1)],
        [record_of_lines(b"", accepted=0)],
        [record_of_lines(accepted=0)],
        # One record has a document too many, the other one too few.
        [record_of_lines(_LINE + _LINE, b"", accepted=1), record_of_lines(b" ", b"", accepted=1)],
        [_PAGE + _PAGE, b" "],
        [_PAGE + b"\n" + _PAGE, b"{}", b""],
        [b'{"type":"page","a":[{}', b'{"type":"page"}]}'],
        [b'{"type":"page","a":"}', b'{"}'],
        # The number of documents equals that of records, but they don't match.
        [b'{"type":"page","a":"}', b'{"}', _PAGE + _PAGE],
        [b'{"type":"page","a":"\xc3', b'\xa9"}'],
        [b" " + _PAGE + b"\n", _PAGE],
        [b"1", b"2"],
    ],
)
def test_records_decoded_together_do_not_affect_each_other(payloads: list[bytes]) -> None:
    _, together = table_of(*payloads)
    separately = [row for payload in payloads for row in table_of(payload)[1].to_pylist()]
    columns = ("verdict", "reason_code", "type", "event_json", "raw", "record_index")
    assert [
        [row[name] for name in columns] for row in in_order(together) if row["verdict"] == BAD
    ] == [[row[name] for name in columns] for row in separately if row["verdict"] == BAD]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decode, "inflated", lambda _: None)
        patched.setattr(decode, "plain_together", lambda *_: None)
        _, line_by_line = table_of(*payloads)
    assert in_order(together) == in_order(line_by_line)


def test_collector_records_are_decoded_in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fallback to the slow decoder would return correct rows but invalidate benchmarks."""

    def line_by_line(*_: object) -> None:
        raise AssertionError("the slow decoder was used")

    for name in ("line", "plain"):
        monkeypatch.setattr(decode, name, line_by_line)
    monkeypatch.setattr(clickstream, "unpack", line_by_line)
    events = [accepted("a", "/é", 0), accepted("b", '/"}\n{', 1, a=[{}, {"type": "}{"}])]
    rows, _ = table_of(
        packed(header(), events),
        plain(type="page", messageId="c"),
        packed(header(), [accepted("d")]),
        plain(type="page", a=[{}, {}]),
    )
    assert rows.counts == {GOOD: 5, BAD: 0, DUPLICATE: 0}


@given(st.text(st.characters()) | st.binary().map(lambda data: base64.b64encode(data).decode()))
@example("QQ==\ud83d")
@example("QQ==QQ==")
@example("QR==")
def test_payload_is_decoded_like_standard_library(payload: str) -> None:
    try:
        expected = binascii.a2b_base64(payload)
    except (binascii.Error, ValueError):
        expected = payload.encode("utf-8", "surrogatepass")
    assert StreamRecord(1, 0, payload).data() == expected


@given(
    st.lists(stream_payloads() | st.just(b'{"type":"page"}'), max_size=12),
    st.integers(1, 9),
    st.integers(1, 1_000),
)
def test_object_ends_at_record_that_reaches_its_limit(
    payloads: list[bytes], max_rows: int, max_bytes: int
) -> None:
    """The end doesn't depend on the chunk size."""
    packets = [
        StreamRecord(number, ARRIVED, base64.b64encode(payload).decode())
        for number, payload in enumerate(payloads, 1)
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("stream_processor.rows.event_rows.CHUNK_EVENTS", 3)
        chunked = EventRows("shard", frozenset())
        taken = chunked.take(packets, max_rows, max_bytes)
        single, count = EventRows("shard", frozenset()), 0
        for packet in packets:
            single.add(packet.data(), packet.sequence, packet.arrived_ms)
            count += 1
            if single.size >= max_rows or single.text_bytes >= max_bytes:
                break
        assert taken == count
        assert chunked.finish().to_pylist() == single.finish().to_pylist()
    assert chunked.stats == single.stats


def in_order(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: [row[name] for name in _POSITION])


@given(json_values())
def test_json_of_another_producer_becomes_rows(value: Any) -> None:
    rows, table = table_of(msgspec.json.encode(value))
    assert len(table) == rows.expected_rows
    assert len(table) == event_count(value)


def event_count(value: Any) -> int:
    """Return the number of events in a JSON document: a list, a batch, or one event."""
    if isinstance(value, dict) and isinstance(value.get("sentAt"), str | None):
        value = value.get("batch")
    return len(value) if isinstance(value, list) else 1


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ({"batch": [{}, {}]}, 2),
        ({"batch": []}, 0),
        ({"batch": None}, 1),
        ({"batch": [{}, {}], "sentAt": 7}, 1),
        ([[], {}, 1], 3),
        ([], 0),
        ("text", 1),
    ],
)
def test_json_document_becomes_one_row_per_event(value: Any, count: int) -> None:
    assert event_count(value) == count
    assert len(rows_of(msgspec.json.encode(value))) == count


@given(st.dictionaries(st.text(max_size=6), json_values(), max_size=5))
def test_event_json_keeps_every_field(fields: dict[str, Any]) -> None:
    event = {**fields, "type": "track"}
    (row,) = rows_of(packed(header(), [accepted("m", **event)]))
    assert row["verdict"] == GOOD
    sent = {"type": "page", "messageId": "m", "properties": {"path": "/"}} | event
    assert msgspec.json.decode(row["event_json"]) == msgspec.json.decode(msgspec.json.encode(sent))


def test_event_fields_are_mapped_to_columns() -> None:
    event = accepted(
        "m",
        "/courses",
        userId="u",
        anonymousId="a",
        name="Courses",
        properties={"path": "/courses", "url": "https://x/courses", "title": "Courses"},
        context={
            "page": {"referrer": "https://search/", "search": "?q=1", "title": "not this one"},
            "campaign": {"source": "mail", "medium": "m", "name": "n", "term": "t", "content": "c"},
            "locale": "en-GB",
            "library": {"name": "analytics.js"},
        },
    )
    facts = {"region": "ENG", "city": "London", "time_zone": "Europe/London", "device": "tablet"}
    (row,) = rows_of(packed(header(sent_at=RECEIVED, bot=True, ip="192.0.2.0", **facts), [event]))
    expected = {
        "type": "page",
        "name": "Courses",
        "user_id": "u",
        "anonymous_id": "a",
        "source": "portal",
        "request_id": "request",
        "page_url": "https://x/courses",
        "page_path": "/courses",
        "page_title": "Courses",
        "page_referrer": "https://search/",
        "page_search": "?q=1",
        "campaign_source": "mail",
        "campaign_content": "c",
        "locale": "en-GB",
        "library": "analytics.js",
        "bot": True,
        "ip": "192.0.2.0",
        "country": "GB",
        "record_index": 0,
        "schema_version": 1,
        **facts,
    }
    assert {name: row[name] for name in expected} == expected
    for name in ("timestamp", "original_timestamp", "sent_at", "received_at"):
        assert row[name].isoformat(timespec="milliseconds") == "2026-11-21T11:00:00.123+00:00"


def test_events_without_context_use_context_of_batch() -> None:
    shared = msgspec.Raw(b'{"locale":"de","campaign":{"source":"batch"}}')
    own = accepted("b", context={"locale": "fr"})
    rows = rows_of(packed(header(context=shared), [accepted("a"), own]))
    assert [(r["locale"], r["campaign_source"]) for r in rows] == [("de", "batch"), ("fr", None)]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "record_unknown"),
        (b"\xff\x00", "record_unknown"),
        (b"\x1f\x8bno", "record_gzip"),
        (packed(header(), [accepted("m")])[:-9], "record_gzip"),
        (packed(header(), [accepted("m")]) + b"x", "record_trailing"),
        (gzip.compress(b"not json\n", mtime=0), "record_header"),
        (gzip.compress(b'{"v":2}\n', mtime=0), "record_version"),
        (
            gzip.compress(
                zlib.decompress(packed(header(), [accepted("m")]), 31) + b"{}\n", mtime=0
            ),
            "record_count",
        ),
        (
            gzip.compress(b" " * (clickstream.record.MAX_INFLATED_BYTES + 1), mtime=0),
            "record_inflated_size",
        ),
        (b"{", "event_json"),
        (b'{"type":1}', "event_type"),
        (b'{"type":""}', "event_type"),
        (b"[3]", "event_object"),
        (b'{"type":"page","a":"\xff"}', "event_utf8"),
        (b"[" * 100_000, "event_json"),
    ],
)
def test_unreadable_payload_becomes_bad_row_with_raw_bytes(payload: bytes, code: str) -> None:
    good = packed(header("other"), [accepted("good")])
    rows = {row["message_id"]: row for row in rows_of(good, payload, b'{"type":"page"}')}
    (bad,) = [row for row in rows.values() if row["verdict"] == BAD]
    assert bad["reason_code"] == code
    # The bad row of a list has the text of its invalid element.
    assert bad["raw"] == (b"3" if payload == b"[3]" else payload)
    assert rows["good"]["verdict"] == GOOD


def test_invalid_line_becomes_one_bad_row() -> None:
    head = header()
    record = zlib.decompress(packed(head, [accepted("a"), accepted("b"), accepted("c")]), 31)
    lines = record.split(b"\n")
    lines[2] = b'{"i":1,"message_id":7}'
    rows = rows_of(gzip.compress(b"\n".join(lines), mtime=0))
    assert [(row["verdict"], row["reason_code"]) for row in rows] == [
        (GOOD, None),
        (BAD, "record_line"),
        (GOOD, None),
    ]


def test_rejected_event_keeps_reason_and_raw_text() -> None:
    (good, bad) = rows_of(packed(header(), [accepted("a")], [rejected("too_old", raw='{"a":1}')]))
    assert good["verdict"] == GOOD
    assert (bad["reason_code"], bad["reason"], bad["raw"]) == ("too_old", "not today", b'{"a":1}')
    assert bad["request_id"] == "request"


def test_duplicates_are_found_in_object_and_in_window() -> None:
    record = packed(header(), [accepted("a"), accepted("b"), accepted("a")])
    rows, table = table_of(
        record, packed(header(source="other"), [accepted("a")]), window=frozenset({"portal\0b"})
    )
    assert table.column("verdict").to_pylist() == [GOOD, DUPLICATE, DUPLICATE, GOOD]
    assert table.column("reason_code").to_pylist()[1:3] == [
        "duplicate_in_window",
        "duplicate_in_object",
    ]
    assert rows.stats.ids == ["portal\0a", "other\0a"]


@pytest.mark.parametrize("count", [CHUNK_EVENTS - 1, CHUNK_EVENTS, CHUNK_EVENTS + 1])
def test_rows_are_kept_in_order_at_chunk_boundaries(count: int) -> None:
    records = [packed(header(f"r{n}"), [accepted(f"m{n}")]) for n in range(count)]
    rows, table = table_of(*records)
    assert table.column("message_id").to_pylist() == [f"m{n}" for n in range(count)]
    assert table.column("request_id").to_pylist() == [f"r{n}" for n in range(count)]
    assert rows.stats.minutes[RECEIVED[:16]].events == count


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-21T11:00:00.123456Z", "2026-11-21T11:00:00.123+00:00"),
        ("2026-11-21T12:00:00+01:00", "2026-11-21T11:00:00.000+00:00"),
        ("2026-11-21T11:00:00", "2026-11-21T11:00:00.000+00:00"),
        ("2026-11-21", "2026-11-21T00:00:00.000+00:00"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999+00:00"),
        ("yesterday", "2026-11-21T11:00:00.000+00:00"),
        ("99999-01-01T00:00:00Z", "2026-11-21T11:00:00.000+00:00"),
    ],
)
def test_timestamp_is_parsed_or_replaced_by_arrival_time(text: str, instant: str) -> None:
    (row,) = rows_of(plain(type="page", timestamp=text))
    assert row["timestamp"].isoformat(timespec="milliseconds") == instant


def test_numeric_ids_become_text() -> None:
    (row,) = rows_of(plain(type="page", userId=42, anonymousId=1.5, context={"page": "none"}))
    assert (row["user_id"], row["anonymous_id"]) == ("42", "1.5")


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5_000])
def test_number_beyond_a_double_is_left_out_of_the_columns(number: str) -> None:
    """The collector doesn't read these fields, so it accepts the event."""
    event = f'{{"type":"page","userId":7,"properties":{{"url":{number},"title":8.5}}}}'
    line = msgspec.structs.replace(accepted("a"), event=msgspec.Raw(event.encode()))
    for payload in (packed(header(), [line]), event.encode()):
        (row,) = rows_of(payload)
        assert (row["verdict"], row["reason_code"]) == (GOOD, None)
        assert (row["user_id"], row["page_url"], row["page_title"]) == ("7", None, "8.5")
        assert row["event_json"] == event
    (row,) = rows_of(event.replace("8.5", r'"\ud83d"').encode())
    assert (row["verdict"], row["reason_code"]) == (BAD, "event_json")


def test_plain_batches_lists_and_lines_become_one_row_per_event() -> None:
    batch = plain(batch=[{"type": "page"}, {"type": "track"}], sentAt=RECEIVED)
    rows = rows_of(
        batch, b'[{"type":"page"}]', b'{"type":"a"}\n\n{"type":"b"}\n', b' {"type":"c"} '
    )
    assert [row["type"] for row in rows] == ["page", "track", "page", "a", "b", "c"]
    assert [row["sent_at"] is not None for row in rows] == [True, True, False, False, False, False]
    assert {row["source"] for row in rows} == {None}


def test_plain_event_with_timestamp_shares_message_id_with_its_copy() -> None:
    timed = plain(type="page", timestamp=RECEIVED)
    rows = rows_of(timed, timed, plain(type="page"), plain(type="page"))
    assert [row["verdict"] for row in rows] == [GOOD, DUPLICATE, GOOD, GOOD]
    assert len({row["message_id"] for row in rows}) == 3


def test_rows_of_server_batch_have_facts_of_their_own_visitors() -> None:
    bot = clickstream.Visitor(ip="198.51.100.0", user_agent="Googlebot", bot=True, country="US")
    phone = clickstream.Visitor(device="mobile", city="Patan", time_zone="Asia/Kathmandu")
    facts = [bot, None, phone, phone, bot]
    good = [
        msgspec.structs.replace(accepted(f"m-{n}", index=n), visitor=visitor)
        for n, visitor in enumerate(facts)
    ]
    payload = packed(header(ip="203.0.113.0", device="desktop"), good, [rejected(index=5)])
    alone = packed(header("other"), [accepted("m-9")])
    names = ("ip", "user_agent", "bot", "country", "city", "time_zone", "device")
    own = [
        tuple(getattr(visitor or header(ip="203.0.113.0", device="desktop"), n) for n in names)
        for visitor in (*facts, None)
    ]
    for payloads in ([payload, alone], [payload], [packed(header(ip="203.0.113.0"), good[:1])]):
        rows = rows_of(*payloads)
        table_rows = [row for row in rows if row["request_id"] == "request"]
        assert [tuple(row[name] for name in names) for row in table_rows] == own[: len(table_rows)]
        assert [row["record_index"] for row in table_rows] == list(range(len(table_rows)))
        assert len({row["sequence_number"] for row in table_rows}) == 1
    assert [row["request_id"] for row in rows_of(payload, alone)] == ["request"] * 6 + ["other"]
    assert len({row["sequence_number"] for row in rows_of(payload, alone)}) == 2


def test_visitors_of_server_batch_are_counted_by_their_own_facts() -> None:
    bot = clickstream.Visitor(bot=True, country="US")
    good = [accepted("m-0"), msgspec.structs.replace(accepted("m-1", index=1), visitor=bot)]
    rows, table = table_of(packed(header(), good))
    (minute,) = rows.stats.minutes.values()
    assert (minute.events, minute.bots, minute.countries) == (2, 1, {"GB": 1, "US": 1})
    assert stats_of(parquet.read(parquet.write(table))).minutes == rows.stats.minutes
