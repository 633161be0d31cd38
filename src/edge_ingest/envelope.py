"""A body taken apart into events that are still text, so that each is judged by itself."""

import re
from typing import Any, Final, NamedTuple

import msgspec

from clickstream.event import DEPTH, Context, too_deep
from edge_ingest.errors import MalformedError

_NULL: Final = msgspec.Raw(b"null")


class _Batch(msgspec.Struct, rename="camel"):
    batch: list[msgspec.Raw]
    context: msgspec.Raw = _NULL
    sent_at: Any = None
    write_key: Any = None


class _Single(msgspec.Struct, rename="camel"):
    sent_at: Any = None
    write_key: Any = None


class Envelope(NamedTuple):
    """What a body holds: each event's JSON text, and what stands around them."""

    events: list[bytes]
    context: bytes
    outer: Context | None  # the same, read
    sent_at: object
    write_key: object


_batch_decoder: Final = msgspec.json.Decoder(_Batch)
_single_decoder: Final = msgspec.json.Decoder(_Single)
_context_decoder: Final[msgspec.json.Decoder[Context | None]] = msgspec.json.Decoder(Context | None)
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

# A JSON string, or a character that gives the text its structure. A string that never ends takes
# the rest of the text with it. Possessive, so that no text makes it try twice.
_TOKEN: Final = rb'(?s)"[^"\\]*+(?:\\.?[^"\\]*+)*+"?|[][{},]'
_BATCH_KEY: Final = rb'"batch"\s*:\s*\Z'


def single(body: bytes) -> Envelope:
    """Take a body that is one event.

    Raises:
        MalformedError: it is not a JSON object in UTF-8.
    """
    try:
        _check_utf8(body)
        found = _single_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise MalformedError("invalid_event", "the body is not an object") from error
    except _FAULTS as error:
        raise _malformed(error) from error
    return Envelope(_one_line([body]), b"null", None, found.sent_at, found.write_key)


def batch(body: bytes) -> Envelope:
    """Take a body that is a batch: an object with a list of events under `batch`.

    A fault inside one event (a lone surrogate, NaN, bytes that are not UTF-8, nesting without
    end) is that event's, not its neighbours': where the body as a whole cannot be read, the
    events are cut out by the text's structure, and what is left must be sound.

    Raises:
        MalformedError: what stands around the events is not JSON, or `batch` is no list.
    """
    try:
        _check_utf8(body)
        found = _batch_decoder.decode(body)
        events = list(map(bytes, found.batch))
    except _FAULTS as error:
        events, around = _cut(body)
        try:
            _check_utf8(around)
            found = _batch_decoder.decode(around)
        except _FAULTS:
            raise _malformed(error) from error
        if len(found.batch) != len(events):
            raise _malformed(error) from error
    context = bytes(found.context)
    outer = _context(context)
    if b"\n" in body:
        events, context = _one_line(events), *_one_line([context])
    return Envelope(events, context, outer, found.sent_at, found.write_key)


def _context(text: bytes) -> Context | None:
    try:
        context = _context_decoder.decode(text)
    except msgspec.ValidationError as error:
        raise MalformedError("invalid_context", "`context` is not an object") from error
    if too_deep(text):
        raise MalformedError("invalid_context", f"`context` nests deeper than {DEPTH} levels")
    return context


def _one_line(texts: list[bytes]) -> list[bytes]:
    # The record has a line for each event. Between the tokens of JSON a line feed is white space;
    # inside a string it would be an escape, or the text no JSON.
    return [text.replace(b"\n", b" ") for text in texts]


def _check_utf8(body: bytes) -> None:
    # msgspec passes over a value that it does not decode without reading its encoding.
    if not body.isascii():
        body.decode()


def _malformed(error: Exception) -> MalformedError:
    if isinstance(error, msgspec.ValidationError):
        return MalformedError("invalid_batch", "the body is not an object with a list `batch`")
    if isinstance(error, UnicodeDecodeError):
        return MalformedError("invalid_utf8", "the body is not UTF-8")
    return MalformedError("invalid_json", "the body is not JSON")


def _cut(body: bytes) -> tuple[list[bytes], bytes]:
    """Cut the events out of a body; return them, and the body with `null` for each of them.

    A body that cannot be cut to its end is returned with what it still holds, which is no JSON.
    """
    depth = 0
    start = -1  # of the event under way, where there is one
    events: list[bytes] = []
    around: list[bytes] = []
    kept = 0  # how far the body is in `around` or cut out
    for token in re.finditer(_TOKEN, body):
        mark = token.group()
        if mark in b"{[":
            depth += 1
            if start < 0 and depth == 2 and mark == b"[" and _opens_batch(body, token.start()):
                start = token.end()
                around.append(body[kept:start])
        elif mark in b"}]":
            depth -= 1
        if start >= 0 and ((depth == 2 and mark == b",") or depth == 1):
            text = body[start : token.start()].strip()
            if not text and mark == b",":
                break  # nothing before a comma: no reader takes that, so there is no more to cut
            if text:
                events.append(text)
                around.append(b"null")
            around.append(mark)
            kept = token.end()
            start = token.end() if depth == 2 else -1
    return events, b"".join([*around, body[kept:]])


def _opens_batch(body: bytes, bracket: int) -> bool:
    return re.search(_BATCH_KEY, body[max(0, bracket - 64) : bracket]) is not None
