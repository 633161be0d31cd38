"""Tests the stream record: round trips, splitting, and rejection of invalid bytes."""

import gzip
import json
import os
import string
import zlib
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clickstream
from clickstream import record
from tests import strategies

type Packed = tuple[clickstream.Header, list[clickstream.Accepted], list[clickstream.Rejected]]

HEADER: Final = clickstream.Header(
    request_id="r",
    received_at="2026-11-21T12:00:00.000Z",
    source="portal",
    stream_region="us-east-1",
    edge_region="us-east-1",
)


def event(i: int, payload: str) -> clickstream.Accepted:
    return clickstream.Accepted(
        i=i,
        message_id=f"m{i}",
        message_id_source="client",
        timestamp="2026-11-21T12:00:00.000Z",
        original_timestamp=None,
        event=msgspec.Raw(msgspec.json.encode({"payload": payload})),
    )


def random_text(size: int) -> str:
    """Return random text that gzip hardly compresses: 6 bits per byte."""
    alphabet = string.ascii_letters + string.digits + "-_"
    return "".join(alphabet[b & 63] for b in os.urandom(size))


@given(strategies.packed_requests())
def test_decode_returns_encoded_request(packed: Packed) -> None:
    header, accepted, rejected = packed
    (data,) = clickstream.encode(header, accepted, rejected)
    decoded = clickstream.decode(data)
    assert decoded.accepted == accepted
    assert decoded.rejected == rejected
    assert [bytes(a.event) for a in decoded.accepted] == [bytes(a.event) for a in accepted]
    assert decoded.header == msgspec.structs.replace(
        header, accepted=len(accepted), rejected=len(rejected), part=0, parts=1
    )


@given(strategies.packed_requests())
def test_record_is_gzip_of_json_lines(packed: Packed) -> None:
    header, accepted, rejected = packed
    (data,) = clickstream.encode(header, accepted, rejected)
    assert clickstream.is_packed(data)
    text = gzip.decompress(data).decode()
    assert text.endswith("\n")
    lines = text.split("\n")[:-1]
    first = json.loads(lines[0])
    assert first["v"] == 1
    assert len(lines) == 1 + first["accepted"] + first["rejected"]
    sent = [e.i for e in accepted] + [e.i for e in rejected]
    assert [json.loads(line)["i"] for line in lines[1:]] == sent


@given(strategies.packed_requests())
def test_small_text_is_no_larger_than_with_the_longest_window(packed: Packed) -> None:
    """A text of at most 16 KiB is compressed with a window of that length."""
    for data in clickstream.encode(*packed):
        text = gzip.decompress(data)
        assert len(data) <= len(zlib.compress(text, 1, 31)) * 1.02 + 16


@given(strategies.packed_requests())
def test_encode_is_deterministic(packed: Packed) -> None:
    assert clickstream.encode(*packed) == clickstream.encode(*packed)


@given(strategies.packed_requests(), st.integers(400, 3000))
def test_parts_of_split_request_contain_all_events(packed: Packed, limit: int) -> None:
    header, accepted, rejected = packed
    # A single event must fit with the longest part numbers, by which the parts are measured.
    singles: list[tuple[list[clickstream.Accepted], list[clickstream.Rejected]]] = [([], [])]
    singles += [*(([one], []) for one in accepted), *(([], [one]) for one in rejected)]
    smallest = max(len(record._pack(header, a, r, 9999, 9999) or b"") for a, r in singles)
    parts = clickstream.encode(header, accepted, rejected, max(limit, smallest))
    decoded = [clickstream.decode(part) for part in parts]
    assert all(len(part) <= max(limit, smallest) + 8 for part in parts)
    assert [e for r in decoded for e in r.accepted] == accepted
    assert [e for r in decoded for e in r.rejected] == rejected
    assert [(r.header.part, r.header.parts) for r in decoded] == [
        (n, len(parts)) for n in range(len(parts))
    ]


def test_encode_splits_request_one_byte_over_limit() -> None:
    events = [event(i, random_text(2000)) for i in range(4)]
    (whole,) = clickstream.encode(HEADER, events, [])
    assert len(clickstream.encode(HEADER, events, [], limit=len(whole))) == 1
    parts = clickstream.encode(HEADER, events, [], limit=len(whole) - 1)
    assert len(parts) == 2
    assert [e for part in parts for e in clickstream.decode(part).accepted] == events


def test_encode_splits_request_over_one_mebibyte() -> None:
    events = [event(i, random_text(32_000)) for i in range(50)]
    parts = clickstream.encode(HEADER, events, [])
    assert len(parts) == 2
    assert all(len(part) + 64 <= 1024 * 1024 for part in parts)
    assert [e.i for part in parts for e in clickstream.decode(part).accepted] == list(range(50))


def test_encode_raises_when_one_event_exceeds_limit() -> None:
    with pytest.raises(clickstream.RecordError) as caught:
        clickstream.encode(HEADER, [event(0, random_text(2000))], [], limit=1000)
    assert caught.value.code == "record_size"


def test_decode_ignores_unknown_keys() -> None:
    line = json.loads(msgspec.json.encode(HEADER)) | {"new": {"key": 1}}
    data = zlib.compress(json.dumps(line).encode(), 1, 31)
    assert clickstream.decode(data).header == HEADER


@given(st.integers(2, 9), st.dictionaries(st.text(max_size=5), st.integers(), max_size=3))
def test_decode_rejects_higher_version(version: int, rest: dict[str, int]) -> None:
    data = zlib.compress(json.dumps({**rest, "v": version}).encode(), 1, 31)
    with pytest.raises(clickstream.RecordError) as caught:
        clickstream.decode(data)
    assert caught.value.code == "version"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (b"", "header"),
        (b"\n", "header"),
        (b"[]", "header"),
        (b'{"v":"1"}', "header"),
        (b'{"v":1}', "header"),
        (b"\xff\xfe", "header"),
        (b"[" * 200_000, "header"),
        (msgspec.json.encode(HEADER) + b"\n{}", "count"),
        (msgspec.json.encode(msgspec.structs.replace(HEADER, accepted=1)), "count"),
        (msgspec.json.encode(msgspec.structs.replace(HEADER, accepted=-1)), "count"),
        (msgspec.json.encode(msgspec.structs.replace(HEADER, accepted=1)) + b"\n{}", "line"),
        (msgspec.json.encode(msgspec.structs.replace(HEADER, rejected=1)) + b"\n\xff", "line"),
    ],
)
def test_decode_rejects_invalid_lines_with_code(lines: bytes, code: str) -> None:
    with pytest.raises(clickstream.RecordError) as caught:
        clickstream.decode(zlib.compress(lines, 1, 31))
    assert caught.value.code == code


@given(st.binary(max_size=200))
def test_decode_raises_record_error_for_arbitrary_bytes(data: bytes) -> None:
    for hostile in (data, b"\x1f\x8b" + data, zlib.compress(data, 1, 31)):
        with pytest.raises(clickstream.RecordError):
            clickstream.decode(hostile)


@given(strategies.packed_requests(), st.data())
def test_decode_rejects_truncated_or_extended_record(packed: Packed, data: st.DataObject) -> None:
    (whole,) = clickstream.encode(*packed)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(clickstream.RecordError) as caught:
        clickstream.decode(whole[:cut])
    assert caught.value.code == "gzip"
    with pytest.raises(clickstream.RecordError) as caught:
        clickstream.decode(whole + b"x")
    assert caught.value.code == "trailing"


@pytest.mark.parametrize(("over", "code"), [(0, "header"), (1, "inflated_size")])
def test_decode_rejects_record_that_inflates_one_byte_over_limit(over: int, code: str) -> None:
    bomb = zlib.compress(b" " * (record.MAX_INFLATED_BYTES + over), 9, 31)
    with pytest.raises(clickstream.RecordError) as caught:
        clickstream.decode(bomb)
    assert caught.value.code == code


@given(st.text(max_size=30), st.text(max_size=30))
def test_partition_key_is_stable_for_a_visitor_and_day(salt: str, visitor: str) -> None:
    key = clickstream.partition_key(salt, "2026-11-21", visitor)
    assert key == clickstream.partition_key(salt, "2026-11-21", visitor)
    assert len(key) == 32
    assert set(key) <= set("0123456789abcdef")
    others = {
        clickstream.partition_key(salt, "2026-11-21", visitor + "x"),
        clickstream.partition_key(salt, "2026-11-22", visitor),
        clickstream.partition_key(salt + "x", "2026-11-21", visitor),
    }
    assert key not in others
    assert len(others) == 3
