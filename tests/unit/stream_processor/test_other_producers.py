"""Tests of records that other producers send: KPL aggregates and gzip of JSON."""

import gzip
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_processor.ingest import kpl
from stream_processor.rows.lake_schema import BAD, GOOD
from tests.unit.stream_processor.sample_records import accepted, header, packed, plain
from tests.unit.stream_processor.test_event_rows import rows_of


def varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def aggregate(records: Sequence[bytes]) -> bytes:
    """Return the records as the Kinesis Producer Library aggregates them."""
    message = field(1, b"a key") + field(2, b"0")
    for record in records:
        # partition_key_index = 0, explicit_hash_key_index = 0, data, tags
        message += field(3, b"\x08\x00\x10\x00" + field(3, record) + field(4, b"\x0a\x01t"))
    return b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message).digest()


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_aggregate_returns_its_user_records(records: list[bytes]) -> None:
    assert kpl.user_records(aggregate(records)) == records


@given(st.binary(max_size=200))
def test_arbitrary_message_of_aggregate_raises_only_its_own_error(message: bytes) -> None:
    digest = hashlib.md5(message).digest()
    with suppress(kpl.AggregateError):
        kpl.user_records(b"\xf3\x89\x9a\xc2" + message + digest)


def test_events_of_aggregate_become_rows_with_distinct_ids() -> None:
    inner = [plain(type="page"), plain(type="page"), plain(batch=[{"type": "track"}]), b"no JSON"]
    rows = rows_of(
        aggregate([*inner, gzip.compress(plain(type="screen"), mtime=0)]), plain(type="page")
    )
    assert [(row["verdict"], row["type"]) for row in rows] == [
        (GOOD, "page"),
        (GOOD, "page"),
        (GOOD, "track"),
        (BAD, None),
        (GOOD, "screen"),
        (GOOD, "page"),
    ]
    assert [row["record_index"] for row in rows] == [0, 1, 2, 3, 4, 0]
    ids = [row["message_id"] for row in rows if row["verdict"] == GOOD]
    assert len(set(ids)) == len(ids)


def test_damaged_aggregate_becomes_bad_row_that_names_the_library() -> None:
    damaged = aggregate([plain(type="page")])[:-1] + b"\0"
    nested = aggregate([aggregate([plain(type="page")]), gzip.compress(b"text", mtime=0)])
    rows = rows_of(damaged, nested)
    assert {(row["verdict"], row["reason_code"]) for row in rows} == {(BAD, "record_kpl")}
    assert rows[0]["raw"] == damaged
    assert "Kinesis Producer Library" in rows[0]["reason"]
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("text", "types"),
    [
        (plain(type="page"), ["page"]),
        (b'[{"type":"page"},{"type":"track"}]', ["page", "track"]),
        (b'{"type":"page"}\n{"type":"track"}\n', ["page", "track"]),
        (b'{"type":"page"}\n{"no":"type"}\n', ["page", None]),
        (plain(batch=[{"type": "page"}], sentAt="2026-11-21T11:00:00Z"), ["page"]),
    ],
)
def test_gzip_of_json_is_read_as_plain_json(text: bytes, types: list[str | None]) -> None:
    records = [
        gzip.compress(text, mtime=0),
        packed(header(), [accepted("m")]),
        gzip.compress(text, mtime=0),
    ]
    rows = sorted(rows_of(*records), key=lambda it: (it["sequence_number"], it["record_index"]))
    assert [row["type"] for row in rows] == [*types, "page", *types]
    assert (rows[0]["sent_at"] is not None) == (b"sentAt" in text)


def test_gzip_of_json_without_event_keeps_the_reason_of_its_header() -> None:
    for text in (json.dumps({"v": 9}).encode(), b'{"message":"log line"}', b"text"):
        (row,) = rows_of(gzip.compress(text, mtime=0))
        assert (row["verdict"], row["reason_code"]) in {
            (BAD, "record_version"),
            (BAD, "record_header"),
        }
        assert row["raw"] == gzip.compress(text, mtime=0)
