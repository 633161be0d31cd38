"""Records to rows: nothing lost, nothing raised, whatever the bytes are."""

import base64
import binascii
import gzip
import zlib
from collections import Counter
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import clickstream
from stream_processor.commit.event_objects import stats_of
from stream_processor.ingest import decode
from stream_processor.ingest.invocation import StreamRecord
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

ARRIVED = 1_795_258_800_000


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
def test_in_is_good_and_bad_and_duplicate(payloads: list[bytes]) -> None:
    """The law, for records of any kind: the collector's, broken ones, plain ones, noise."""
    rows, table = table_of(*payloads)
    verdicts = Counter(table.column("verdict").to_pylist())
    assert rows.expected_rows == len(table) == sum(rows.counts.values())
    assert {name: verdicts[name] for name in rows.counts} == rows.counts
    assert parquet.read(parquet.write(table)).schema.equals(EVENTS)
    for row in table.to_pylist():
        assert (row["verdict"] == BAD) == (row["raw"] is not None)
        assert (row["verdict"] == GOOD) == (row["reason_code"] is None)
        assert (row["verdict"] == BAD) == (row["event_json"] is None)
    places = Counter(zip(*(table.column(n).to_pylist() for n in _PLACE), strict=True))
    assert not places or max(places.values()) == 1


_PLACE = ("sequence_number", "record_index")


@given(st.lists(stream_payloads(), max_size=12))
def test_counting_rows_again_gives_what_the_writer_counted(payloads: list[bytes]) -> None:
    """Another invocation that adopts the object counts it from its rows."""
    rows, table = table_of(*payloads)
    again = stats_of(parquet.read(parquet.write(table)))
    assert Counter(again.ids) == Counter(rows.stats.ids)
    assert again.minutes == rows.stats.minutes


def test_a_request_without_events_counts_in_no_minute() -> None:
    rows, _ = table_of(packed(header(), []), packed(header(), [], [rejected()]), b"[]")
    assert not rows.stats.minutes


@given(st.lists(stream_payloads(), max_size=8))
def test_the_short_way_and_the_careful_way_agree(payloads: list[bytes]) -> None:
    """What is decoded together is what comes of decoding it line by line."""
    _, together = table_of(*payloads)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decode, "inflated", lambda _: None)
        patched.setattr(decode, "plain_together", lambda *_: None)
        _, alone = table_of(*payloads)
    assert in_order(together) == in_order(alone)


def lined(*lines: bytes, accepted: int) -> bytes:
    """A record of lines that no collector writes, under a header that counts them."""
    head = msgspec.structs.replace(header(), accepted=accepted)
    return gzip.compress(b"\n".join([msgspec.json.encode(head), *lines]))


_LINE = msgspec.json.encode(accepted("a"))
_PAGE = b'{"type":"page"}'


@pytest.mark.parametrize(
    "payloads",
    [
        # Two documents on a line, and a line of none: as many documents as lines.
        [lined(_LINE + _LINE, b" ", b"", accepted=2)],
        [lined(_LINE + _LINE, b"", b"", accepted=2)],
        [lined(_LINE + _LINE, b"", accepted=2)],
        [lined(_LINE + b" ", b" " + _LINE, b"", accepted=2)],
        [lined(_LINE[:1] + b"\n" + _LINE[1:], _LINE + _LINE, b"", accepted=3)],
        [lined(_LINE, b"\r", b"", accepted=2)],
        # The last line is not ended, or there is none.
        [lined(_LINE, accepted=1)],
        [lined(b"", accepted=0)],
        [lined(accepted=0)],
        # One record has what the other lacks.
        [lined(_LINE + _LINE, b"", accepted=1), lined(b" ", b"", accepted=1)],
        [_PAGE + _PAGE, b" "],
        [_PAGE + b"\n" + _PAGE, b"{}", b""],
        [b'{"type":"page","a":[{}', b'{"type":"page"}]}'],
        [b'{"type":"page","a":"}', b'{"}'],
        # As many documents as records, though none of them is one.
        [b'{"type":"page","a":"}', b'{"}', _PAGE + _PAGE],
        [b'{"type":"page","a":"\xc3', b'\xa9"}'],
        [b" " + _PAGE + b"\n", _PAGE],
        [b"1", b"2"],
    ],
)
def test_records_that_are_read_together_do_not_reach_into_each_other(payloads: list[bytes]) -> None:
    _, together = table_of(*payloads)
    alone = [row for payload in payloads for row in table_of(payload)[1].to_pylist()]
    kept = ("verdict", "reason_code", "type", "event_json", "raw", "record_index")
    assert [
        [row[name] for name in kept] for row in in_order(together) if row["verdict"] == BAD
    ] == [[row[name] for name in kept] for row in alone if row["verdict"] == BAD]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decode, "inflated", lambda _: None)
        patched.setattr(decode, "plain_together", lambda *_: None)
        _, careful = table_of(*payloads)
    assert in_order(together) == in_order(careful)


def test_what_the_collector_writes_is_read_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or every figure of the benchmarks is wrong, though every row is right."""

    def careful(*_: object) -> None:
        raise AssertionError("the careful way was taken")

    for name in ("line", "plain"):
        monkeypatch.setattr(decode, name, careful)
    monkeypatch.setattr(clickstream, "unpack", careful)
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
def test_a_payload_is_what_the_standard_library_makes_of_it(payload: str) -> None:
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
def test_an_object_ends_at_the_record_that_fills_it(
    payloads: list[bytes], most_rows: int, most_bytes: int
) -> None:
    """However many records are taken at a time."""
    packets = [
        StreamRecord(number, ARRIVED, base64.b64encode(payload).decode())
        for number, payload in enumerate(payloads, 1)
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("stream_processor.rows.event_rows.CHUNK_EVENTS", 3)
        some = EventRows("shard", frozenset())
        taken = some.take(packets, most_rows, most_bytes)
        one_by_one, count = EventRows("shard", frozenset()), 0
        for packet in packets:
            one_by_one.add(packet.data(), packet.sequence, packet.arrived_ms)
            count += 1
            if one_by_one.size >= most_rows or one_by_one.text_bytes >= most_bytes:
                break
        assert taken == count
        assert some.finish().to_pylist() == one_by_one.finish().to_pylist()
    assert some.stats == one_by_one.stats


def in_order(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: [row[name] for name in _PLACE])


@given(json_values())
def test_every_json_of_another_producer_is_a_row(value: Any) -> None:
    rows, table = table_of(msgspec.json.encode(value))
    assert len(table) == rows.expected_rows
    assert len(table) == (len(value) if isinstance(value, list) else 1) or isinstance(value, dict)


@given(st.dictionaries(st.text(max_size=6), json_values(), max_size=5))
def test_no_field_of_an_event_is_lost(fields: dict[str, Any]) -> None:
    event = {**fields, "type": "track"}
    (row,) = rows_of(packed(header(), [accepted("m", **event)]))
    assert row["verdict"] == GOOD
    sent = {"type": "page", "messageId": "m", "properties": {"path": "/"}} | event
    assert msgspec.json.decode(row["event_json"]) == msgspec.json.decode(msgspec.json.encode(sent))


def test_what_people_ask_about_is_in_columns_of_its_own() -> None:
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


def test_the_context_of_a_batch_is_that_of_its_events_that_have_none() -> None:
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
            gzip.compress(zlib.decompress(packed(header(), [accepted("m")]), 31) + b"{}\n"),
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
def test_what_cannot_be_read_is_a_bad_row_with_its_bytes(payload: bytes, code: str) -> None:
    good = packed(header("other"), [accepted("good")])
    rows = {
        row["message_id"]: row for row in rows_of(good, payload, good[:0] or b'{"type":"page"}')
    }
    (bad,) = [row for row in rows.values() if row["verdict"] == BAD]
    assert bad["reason_code"] == code
    assert bad["raw"] == payload or code == "event_object"
    assert rows["good"]["verdict"] == GOOD


def test_a_line_that_is_no_event_costs_one_line() -> None:
    head = header()
    record = zlib.decompress(packed(head, [accepted("a"), accepted("b"), accepted("c")]), 31)
    lines = record.split(b"\n")
    lines[2] = b'{"i":1,"message_id":7}'
    rows = rows_of(gzip.compress(b"\n".join(lines)))
    assert [(row["verdict"], row["reason_code"]) for row in rows] == [
        (GOOD, None),
        (BAD, "record_line"),
        (GOOD, None),
    ]


def test_a_rejected_event_keeps_the_collectors_reason_and_its_text() -> None:
    (good, bad) = rows_of(packed(header(), [accepted("a")], [rejected("too_old", raw='{"a":1}')]))
    assert good["verdict"] == GOOD
    assert (bad["reason_code"], bad["reason"], bad["raw"]) == ("too_old", "not today", b'{"a":1}')
    assert bad["request_id"] == "request"


def test_duplicates_are_found_in_the_object_and_in_the_window() -> None:
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
def test_chunks_end_where_they_may(count: int) -> None:
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
def test_a_time_is_what_it_says_or_when_it_came(text: str, instant: str) -> None:
    (row,) = rows_of(plain(type="page", timestamp=text))
    assert row["timestamp"].isoformat(timespec="milliseconds") == instant


def test_ids_that_were_sent_as_numbers_are_texts() -> None:
    (row,) = rows_of(plain(type="page", userId=42, anonymousId=1.5, context={"page": "none"}))
    assert (row["user_id"], row["anonymous_id"]) == ("42", "1.5")


def test_plain_batches_lists_and_lines_are_events_each() -> None:
    batch = plain(batch=[{"type": "page"}, {"type": "track"}], sentAt=RECEIVED)
    rows = rows_of(
        batch, b'[{"type":"page"}]', b'{"type":"a"}\n\n{"type":"b"}\n', b' {"type":"c"} '
    )
    assert [row["type"] for row in rows] == ["page", "track", "page", "a", "b", "c"]
    assert [row["sent_at"] is not None for row in rows] == [True, True, False, False, False, False]
    assert {row["source"] for row in rows} == {None}


def test_a_plain_event_has_an_id_that_a_second_copy_shares_where_that_is_certain() -> None:
    timed = plain(type="page", timestamp=RECEIVED)
    rows = rows_of(timed, timed, plain(type="page"), plain(type="page"))
    assert [row["verdict"] for row in rows] == [GOOD, DUPLICATE, GOOD, GOOD]
    assert len({row["message_id"] for row in rows}) == 3
