"""Tests for `request_body`: base64, gzip and size limits."""

import base64
import gzip
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest import request_body
from edge_ingest.errors import BadRequestError, ContentTooLargeError

LIMIT = 1000


def body(data: bytes, **fields: object) -> dict[str, object]:
    encoded = base64.b64encode(data).decode()
    return {"data": encoded, "encoding": "base64", "inputTruncated": False} | fields


@given(st.binary(max_size=200).filter(lambda data: data[:2] != b"\x1f\x8b"))
def test_gzip_body_decodes_like_plain_body(data: bytes) -> None:
    expected = data.removeprefix(b"\xef\xbb\xbf")
    assert request_body.decode(body(data), LIMIT) == expected
    assert request_body.decode(body(gzip.compress(data, mtime=0)), LIMIT) == expected


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        lambda data: gzip.compress(data, mtime=0),
        lambda data: gzip.compress(data, 9, mtime=0),
    ],
)
def test_body_over_the_limit_is_too_large(pack: object) -> None:
    assert callable(pack)
    assert len(request_body.decode(body(pack(b"x" * LIMIT)), LIMIT)) == LIMIT
    with pytest.raises(ContentTooLargeError) as caught:
        request_body.decode(body(pack(b"x" * (LIMIT + 1))), LIMIT)
    assert caught.value.code == "body_too_large"


@pytest.mark.parametrize("pack", [bytes, lambda data: gzip.compress(data, mtime=0)])
def test_byte_order_mark_is_removed(pack: Callable[[bytes], bytes]) -> None:
    assert request_body.decode(body(pack(b"\xef\xbb\xbf{}")), LIMIT) == b"{}"


def test_gzip_bomb_is_too_large_and_not_decompressed() -> None:
    bomb = gzip.compress(b" " * 200_000_000, 1, mtime=0)
    event_body = body(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(ContentTooLargeError):
            request_body.decode(event_body, LIMIT)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 3 * len(bomb)


def test_truncated_body_is_too_large() -> None:
    with pytest.raises(ContentTooLargeError) as caught:
        request_body.decode(body(b"{}", inputTruncated=True), LIMIT)
    assert caught.value.code == "body_truncated"


@given(st.data())
def test_damaged_gzip_is_rejected(data: st.DataObject) -> None:
    whole = gzip.compress(b'{"batch":[]}', mtime=0)
    cut = whole[: data.draw(st.integers(2, len(whole) - 1))]
    for damaged in (cut, whole + b"x", whole + cut, b"\x1f\x8b" + whole):
        with pytest.raises(BadRequestError) as caught:
            request_body.decode(body(damaged), LIMIT)
        assert caught.value.code == "invalid_gzip"


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_gzip_members_are_concatenated(parts: list[bytes]) -> None:
    members = b"".join(gzip.compress(part, mtime=0) for part in parts)
    whole = b"".join(parts).removeprefix(b"\xef\xbb\xbf")
    if len(b"".join(parts)) <= LIMIT:
        assert request_body.decode(body(members), LIMIT) == whole


def test_gzip_members_over_the_limit_together_are_too_large() -> None:
    half = gzip.compress(b" " * (LIMIT // 2 + 1), mtime=0)
    with pytest.raises(ContentTooLargeError):
        request_body.decode(body(half + half), LIMIT)


@pytest.mark.parametrize("data", ["*", "A", "AAA", "Zm9v\n", "é", 7, ["Zm9v"]])
def test_invalid_base64_is_rejected(data: object) -> None:
    with pytest.raises(BadRequestError) as caught:
        request_body.decode({"data": data, "encoding": "base64"}, LIMIT)
    assert caught.value.code == "invalid_base64"


@pytest.mark.parametrize("empty", [{}, {"data": ""}, {"data": None, "encoding": "base64"}])
def test_missing_body_is_empty(empty: dict[str, object]) -> None:
    assert request_body.decode(empty, LIMIT) == b""


def test_text_encoding_is_not_decoded() -> None:
    assert request_body.decode({"data": "{}", "encoding": "text"}, LIMIT) == b"{}"
