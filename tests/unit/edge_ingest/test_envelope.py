"""A body is taken apart into events; what is wrong in one of them harms no neighbour."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest import envelope
from edge_ingest.errors import MalformedError
from tests import strategies as mine

# Texts that Python's json or msgspec or both refuse, or that end in an exception in one of them.
POISON = [
    b'{"a":"\\ud800"}', b'{"a":"\\udc00x"}', b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":NaN}',
    b'{"a":-Infinity}', b'{"a":"\\q"}', b'{"a":"\\u12"}', b'{"a":01}', b'{"a":1.}', b'{"a":tru}',
    b'{"a":"\x01"}', b'{"a":1}{"b":2}', b"{'a':1}", b'{"a" 1}', b'{"a":1,}',
    b"[" * 30_000 + b"]" * 30_000, b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
]  # fmt: skip


def batch_of(*texts: bytes) -> bytes:
    return (
        b'{"sentAt":"2026-11-21T12:00:00Z","batch":[' + b",".join(texts) + b'],"context":{"a":1}}'
    )


@given(st.lists(mine.json_objects, max_size=4), st.sampled_from([None, 1, 4]))
def test_events_keep_their_meaning(events: list[dict[str, Any]], indent: int | None) -> None:
    body = json.dumps({"batch": events, "writeKey": "k", "sentAt": "s"}, indent=indent).encode()
    found = envelope.batch(body)
    assert [json.loads(text) for text in found.events] == events
    assert (found.write_key, found.sent_at, found.context) == ("k", "s", b"null")
    assert not any(b"\n" in text for text in found.events)


@pytest.mark.parametrize("poison", POISON, ids=lambda text: repr(text[:16]))
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_poisoned_event_leaves_its_neighbours_alone(poison: bytes, place: int) -> None:
    texts = [b'{"type":"track"}', '{"name":"é, [\\"x\\"] {"}'.encode()]
    texts.insert(place, poison)
    found = envelope.batch(batch_of(*texts))
    assert found.events == texts
    assert found.context == b'{"a":1}'
    assert found.sent_at == "2026-11-21T12:00:00Z"


@given(st.lists(mine.json_objects, max_size=4), st.integers(0, 4), st.sampled_from(POISON))
def test_cutting_and_parsing_agree(events: list[dict[str, Any]], place: int, poison: bytes) -> None:
    texts = [json.dumps(event, ensure_ascii=False).encode() for event in events]
    assert envelope.batch(batch_of(*texts)).events == texts
    texts.insert(min(place, len(texts)), poison)
    assert envelope.batch(batch_of(*texts)).events == texts


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
        (b'{"batch":[{}],"sentAt":"\\ud800"}', "invalid_json"),
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
def test_what_stands_around_the_events_must_be_sound(body: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        envelope.batch(body)
    assert caught.value.code == code


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_body_is_taken_or_malformed(body: bytes) -> None:
    for hostile in (body, b'{"batch":[' + body, b'{"batch":[' + body + b"]}"):
        for take in (envelope.batch, envelope.single):
            try:
                found = take(hostile)
            except MalformedError as error:
                outcome = error.code
            else:
                outcome = f"{len(found.events)} events"
            assert outcome


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "invalid_json"), (b"7", "invalid_batch"), (b"[]", "invalid_batch"),
     (b'{"a":"\xff"}', "invalid_utf8"), (b'{"a":NaN}', "invalid_json")],
)  # fmt: skip
def test_a_single_event_must_be_an_object(body: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        envelope.single(body)
    assert caught.value.code == code.replace("batch", "event")
