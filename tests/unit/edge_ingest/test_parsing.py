"""Tests for `parsing`: batches, single events, and invalid events among valid ones."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest import parsing
from edge_ingest.errors import BadRequestError, ContentTooLargeError
from tests import strategies

# Texts that json or msgspec (or both) can't parse.
INVALID = [
    b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":NaN}',
    b'{"a":-Infinity}', b'{"a":"\\q"}', b'{"a":"\\u12"}', b'{"a":01}', b'{"a":1.}', b'{"a":tru}',
    b'{"a":"\x01"}', b'{"a":1}{"b":2}', b"{'a':1}", b'{"a" 1}', b'{"a":1,}',
    b"[" * 30_000 + b"]" * 30_000, b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
]  # fmt: skip

REJECTION_CODES = {
    *("invalid_json", "invalid_utf8", "invalid_batch", "invalid_event", "invalid_context"),
}


def batch_of(*texts: bytes) -> bytes:
    return (
        b'{"sentAt":"2026-11-21T12:00:00Z","batch":[' + b",".join(texts) + b'],"context":{"a":1}}'
    )


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        (r"\ud83d", "\ufffd"),
        (r"\uDC00x", "\ufffdx"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\u0041\\\ud83d", "\ufffdA\\\ufffd"),
        (r"\\ud83d\ud83d", "\\ud83d\ufffd"),
        (r"\"\ud83d\/", '"\ufffd/'),
    ],
)
def test_lone_surrogate_becomes_the_replacement_character(text: str, repaired: str) -> None:
    event = f'{{"type":"track","a":"{text}"}}'.encode()
    assert json.loads(parsing.parse_event(event).events[0])["a"] == repaired
    neighbours = [b'{"type":"track"}', b'{"a":NaN}']
    for others in ([], neighbours):
        batch = parsing.parse_batch(batch_of(event, *others))
        assert json.loads(batch.events[0])["a"] == repaired
        assert batch.events[1:] == others


@given(st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010, categories=None)))
def test_any_escaped_text_is_accepted(text: str) -> None:
    event = json.dumps({"type": "track", "a": text}).encode()
    (stored,) = parsing.parse_event(event).events
    expected = json.loads(event)["a"].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert json.loads(stored)["a"] == expected


@given(st.lists(strategies.json_objects, max_size=4), st.sampled_from([None, 1, 4]))
def test_batch_events_are_equal_to_the_sent_events(
    events: list[dict[str, Any]], indent: int | None
) -> None:
    body = json.dumps({"batch": events, "writeKey": "k", "sentAt": "s"}, indent=indent).encode()
    batch = parsing.parse_batch(body)
    assert [json.loads(text) for text in batch.events] == events
    assert (batch.write_key, batch.sent_at, batch.context) == ("k", "s", b"null")
    assert not any(b"\n" in text for text in batch.events)


@pytest.mark.parametrize("invalid", INVALID, ids=lambda text: repr(text[:16]))
@pytest.mark.parametrize("index", [0, 1, 2])
def test_invalid_event_leaves_its_neighbours_unchanged(invalid: bytes, index: int) -> None:
    texts = [b'{"type":"track"}', '{"name":"é, [\\"x\\"] {"}'.encode()]
    texts.insert(index, invalid)
    batch = parsing.parse_batch(batch_of(*texts))
    assert batch.events == texts
    assert batch.context == b'{"a":1}'
    assert batch.sent_at == "2026-11-21T12:00:00Z"


@given(st.lists(strategies.json_objects, max_size=4), st.integers(0, 4), st.sampled_from(INVALID))
def test_splitting_and_decoding_agree(
    events: list[dict[str, Any]], index: int, invalid: bytes
) -> None:
    texts = [json.dumps(event, ensure_ascii=False).encode() for event in events]
    assert parsing.parse_batch(batch_of(*texts)).events == texts
    texts.insert(min(index, len(texts)), invalid)
    assert parsing.parse_batch(batch_of(*texts)).events == texts


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"not json", "invalid_json"),
        (b'{"batch":[{"type":"track"}', "invalid_json"),
        (b'{"batch":[{"a":"\\ud800"}', "invalid_json"),
        (b'{"batch":[{"a":1},]}', "invalid_json"),
        (b'{"batch":[{"a":"\\ud800"},]}', "invalid_json"),
        (b'{"batch":[{"a":"\\ud800"}]]', "invalid_json"),
        (b'{"batch":[{}],"x":"\xff"}', "invalid_utf8"),
        (b'{"batch":[{}]} x', "invalid_json"),
        (b"[]", "invalid_batch"),
        (b"{}", "invalid_batch"),
        (b'"batch"', "invalid_batch"),
        (b"null", "invalid_batch"),
        (b'{"batch":{}}', "invalid_batch"),
        (b'{"batch":null}', "invalid_batch"),
        (b'{"x":{"batch":[{"a":"\\ud800"}]}}', "invalid_json"),
        (b'{"batch":[],"context":7}', "invalid_context"),
        (b'{"batch":[],"context":{"x":' + b"[" * 600 + b"]" * 600 + b"}}", "invalid_context"),
        (b'{"x":' + b"[" * 100_000, "invalid_json"),
        ('{"batch":[]}'.encode("utf-16"), "invalid_utf8"),
    ],
)  # fmt: skip
def test_batch_without_valid_structure_is_rejected(body: bytes, code: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parsing.parse_batch(body)
    assert caught.value.code == code


@pytest.mark.parametrize("is_over", [False, True])
def test_batch_is_split_up_to_a_number_of_structural_characters(*, is_over: bool) -> None:
    # Besides the commas: four of the batch up to its end, and four of the second event.
    commas = parsing._MAX_MARKS - 8 + is_over
    texts = [b"NaN", b'{"a":[' + b"0," * commas + b"0]}"]
    body = b'{"batch":[' + b",".join(texts) + b"]}"
    if is_over:
        with pytest.raises(BadRequestError, match="the body isn't valid JSON"):
            parsing.parse_batch(body)
    else:
        assert parsing.parse_batch(body).events == texts


@pytest.mark.parametrize("valid", [4_999, 5_000])
def test_batch_with_an_invalid_event_is_split_into_5000_events(valid: int) -> None:
    texts = [b"NaN", *[b"{}"] * valid]
    if valid == 5_000:
        with pytest.raises(ContentTooLargeError, match="5000"):
            parsing.parse_batch(batch_of(*texts))
    else:
        assert parsing.parse_batch(batch_of(*texts)).events == texts


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_arbitrary_body_is_parsed_or_rejected(body: bytes) -> None:
    for hostile in (body, b'{"batch":[' + body, b'{"batch":[' + body + b"]}"):
        for parse in (parsing.parse_batch, parsing.parse_event):
            try:
                payload = parse(hostile)
            except BadRequestError as error:
                code = error.code
            else:
                assert not any(b"\n" in text for text in (*payload.events, payload.context))
                continue
            assert code in REJECTION_CODES


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "invalid_json"), (b"7", "invalid_batch"), (b"[]", "invalid_batch"),
     (b'{"a":"\xff"}', "invalid_utf8"), (b'{"a":NaN}', "invalid_json")],
)  # fmt: skip
def test_single_event_that_is_not_an_object_is_rejected(body: bytes, code: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parsing.parse_event(body)
    assert caught.value.code == code.replace("batch", "event")
