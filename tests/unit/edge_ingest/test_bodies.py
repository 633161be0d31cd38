"""Bodies: base64 and gzip are undone within their bounds, whatever the content type says."""

import base64
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest import bodies
from edge_ingest.errors import MalformedError, TooLargeError

LIMIT = 1000


def body(data: bytes, **fields: object) -> dict[str, object]:
    encoded = base64.b64encode(data).decode()
    return {"data": encoded, "encoding": "base64", "inputTruncated": False} | fields


@given(st.binary(max_size=200).filter(lambda data: data[:2] != b"\x1f\x8b"))
def test_plain_and_gzip_are_the_same(data: bytes) -> None:
    expected = data.removeprefix(b"\xef\xbb\xbf")
    assert bodies.read(body(data), LIMIT) == expected
    assert bodies.read(body(gzip.compress(data)), LIMIT) == expected


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: gzip.compress(data, 9)])
def test_the_limit_is_exact_at_n_and_one_past_it(pack: object) -> None:
    assert callable(pack)
    assert len(bodies.read(body(pack(b"x" * LIMIT)), LIMIT)) == LIMIT
    with pytest.raises(TooLargeError) as caught:
        bodies.read(body(pack(b"x" * (LIMIT + 1))), LIMIT)
    assert caught.value.code == "body_too_large"


def test_a_bomb_is_not_inflated() -> None:
    bomb = gzip.compress(b" " * 200_000_000, 1)
    with pytest.raises(TooLargeError):
        bodies.read(body(bomb), LIMIT)


def test_a_body_that_cloudfront_cut_off_is_too_large() -> None:
    with pytest.raises(TooLargeError) as caught:
        bodies.read(body(b"{}", inputTruncated=True), LIMIT)
    assert caught.value.code == "body_truncated"


@given(st.data())
def test_damaged_gzip_is_malformed(data: st.DataObject) -> None:
    whole = gzip.compress(b'{"batch":[]}')
    cut = whole[: data.draw(st.integers(2, len(whole) - 1))]
    for damaged in (cut, whole + b"x", whole + whole, b"\x1f\x8b" + whole):
        with pytest.raises(MalformedError) as caught:
            bodies.read(body(damaged), LIMIT)
        assert caught.value.code == "invalid_gzip"


@pytest.mark.parametrize("data", ["*", "A", "AAA", "Zm9v\n", "é", 7, ["Zm9v"]])
def test_what_is_not_base64_is_malformed(data: object) -> None:
    with pytest.raises(MalformedError) as caught:
        bodies.read({"data": data, "encoding": "base64"}, LIMIT)
    assert caught.value.code == "invalid_base64"


@pytest.mark.parametrize("empty", [{}, {"data": ""}, {"data": None, "encoding": "base64"}])
def test_no_body_is_an_empty_one(empty: dict[str, object]) -> None:
    assert bodies.read(empty, LIMIT) == b""


def test_text_is_taken_as_it_is() -> None:
    assert bodies.read({"data": "{}", "encoding": "text"}, LIMIT) == b"{}"
