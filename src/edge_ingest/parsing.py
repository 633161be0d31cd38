"""Parsing: turn a request into a `Payload` whose events are still JSON text.

Keeping events as text lets `validation` reject one event without its neighbours, and lets the
record contain the client's bytes unchanged.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from clickstream.event import MAX_DEPTH, Context, too_deep
from edge_ingest import pixel, request_body
from edge_ingest.cloudfront_event import Request
from edge_ingest.errors import BadRequestError, ContentTooLargeError
from edge_ingest.routes import Route

_NULL: Final = msgspec.Raw(b"null")


class _Batch(msgspec.Struct, rename="camel"):
    batch: list[msgspec.Raw]
    context: msgspec.Raw = _NULL
    sent_at: Any = None
    write_key: Any = None


class _Single(msgspec.Struct, rename="camel"):
    sent_at: Any = None
    write_key: Any = None


class Payload(msgspec.Struct, frozen=True):
    """A parsed body. `events` and `context` (of the batch) are JSON texts without a line feed.

    `sent_at` and `write_key` can be any JSON value. `body` is the whole decoded body.
    """

    body: bytes
    events: list[bytes]
    context: bytes
    context_view: Context | None
    sent_at: object
    write_key: object


_batch_decoder: Final = msgspec.json.Decoder(_Batch)
_single_decoder: Final = msgspec.json.Decoder(_Single)
_context_decoder: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(
    Context | list[Any] | None
)
_DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

# A UTF-16 surrogate escape, alone or as a pair, or an escaped backslash, which can precede `u`.
_SURROGATES: Final = (
    rb"\\\\|(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)

# A structural character after any other text. An unterminated string matches to the end of the
# text. Possessive quantifiers prevent backtracking.
_MARK: Final = rb'(?s)(?:[^][{},"]++|"[^"\\]*+(?:\\.?[^"\\]*+)*+"?)*+([][{},])'
# Each takes a microsecond, and the function has a fourteenth of a vCPU. Batches of 4 MB that SDKs
# send have half as many. Compressed, 4 million brackets are a request of 4 KB.
_MAX_MARKS: Final = 250_000
#: The highest `batch_events` of a source.
_MAX_EVENTS: Final = 5_000
_BATCH_KEY: Final = rb'"batch"\s*:\s*\Z'


def parse(route: Route, request: Request, query: Mapping[str, str], max_bytes: int) -> Payload:
    """Return the payload of a request to a `batch`, `event` or `pixel` route.

    Raises:
        BadRequestError: The body or the pixel's `data` can't be decoded or parsed.
        ContentTooLargeError: The body exceeds `max_bytes`.
    """
    if route.kind == "pixel" and route.event_type:
        return parse_event(pixel.event_json(request, query, route.event_type))
    body = request_body.decode(request.body, max_bytes)
    return parse_batch(body) if route.kind == "batch" else parse_event(body)


def replace_lone_surrogates(text: bytes) -> bytes:
    r"""Return a JSON text with `\ufffd` in place of each escaped surrogate without its pair.

    JavaScript's strings can end inside an emoji, and `JSON.stringify` then escapes its first half.
    No decoder accepts it (RFC 8259 §8.2), so the alternative would be to lose the event.
    """
    if b"\\u" not in text:
        return text

    def repaired(match: re.Match[bytes]) -> bytes:
        escape = match.group()
        return escape if match[1] or escape == rb"\\" else rb"\ufffd"

    return re.sub(_SURROGATES, repaired, text)


def parse_event(body: bytes) -> Payload:
    """Parse a body that is one event.

    Raises:
        BadRequestError: The body isn't a JSON object in UTF-8.
    """  # noqa: DOC501 - `_bad_request` returns the error
    try:
        _check_utf8(body)
        event = _single_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequestError("invalid_event", "the body isn't a JSON object") from error
    except _DECODE_ERRORS as error:
        if (repaired := replace_lone_surrogates(body)) != body:
            return parse_event(repaired)
        raise _bad_request(error) from error
    return Payload(body, _one_line([body]), b"null", None, event.sent_at, event.write_key)


def parse_batch(body: bytes) -> Payload:
    """Parse a body that is a batch: an object with a list of events under `batch`.

    One invalid event (NaN, invalid UTF-8, deep nesting) doesn't invalidate the
    batch: if the body as a whole can't be decoded, this function splits it at the events by its
    structural characters, and only the rest must be valid JSON.

    Raises:
        BadRequestError: The body without its events isn't valid JSON, or `batch` isn't a list.
        ContentTooLargeError: A batch with an invalid event has over 5,000.
    """  # noqa: DOC501 - `_bad_request` returns the error
    try:
        _check_utf8(body)
        document = _batch_decoder.decode(body)
        events = list(map(bytes, document.batch))
    except _DECODE_ERRORS as error:
        body = replace_lone_surrogates(body)
        events, skeleton = _split(body)
        try:
            _check_utf8(skeleton)
            document = _batch_decoder.decode(skeleton)
        except _DECODE_ERRORS:
            raise _bad_request(error) from error
        if len(document.batch) != len(events):
            raise _bad_request(error) from error
    context = bytes(document.context)
    context_view = _decode_context(context)
    if context_view is None:
        context = b"null"
    if b"\n" in body:
        events, context = _one_line(events), *_one_line([context])
    return Payload(body, events, context, context_view, document.sent_at, document.write_key)


def _decode_context(text: bytes) -> Context | None:
    """Return the batch's context. PHP encodes an empty associative array as an empty list.

    Raises:
        BadRequestError: The context isn't an object, or nests too deeply.
    """
    try:
        context: Context | list[Any] | None = _context_decoder.decode(text)
    except msgspec.ValidationError as error:
        raise BadRequestError("invalid_context", "`context` isn't an object") from error
    if isinstance(context, list):
        if context:
            raise BadRequestError("invalid_context", "`context` isn't an object")
        return None
    if too_deep(text):
        raise BadRequestError(
            "invalid_context", f"`context` has more than {MAX_DEPTH} nested levels"
        )
    return context


def _one_line(texts: list[bytes]) -> list[bytes]:
    # A record has one event per line. In valid JSON a line feed can only be white space between
    # tokens: inside a string it must be escaped.
    return [text.replace(b"\n", b" ") for text in texts]


def _check_utf8(body: bytes) -> None:
    # msgspec doesn't check the encoding of values that it skips.
    if not body.isascii():
        body.decode()


def _bad_request(error: Exception) -> BadRequestError:
    if isinstance(error, msgspec.ValidationError):
        return BadRequestError("invalid_batch", "the body isn't an object with a list `batch`")
    if isinstance(error, UnicodeDecodeError):
        return BadRequestError("invalid_utf8", "the body isn't valid UTF-8")
    return BadRequestError("invalid_json", "the body isn't valid JSON")


def _split(body: bytes) -> tuple[list[bytes], bytes]:
    """Return the events of a batch, and the body with `null` in place of each event.

    If the structure ends early or has more than `_MAX_MARKS` characters, the second item contains
    the remaining text.

    Raises:
        ContentTooLargeError: The batch has too many events.
    """
    depth = 0
    start = -1  # offset of the current event, -1 outside the batch
    events: list[bytes] = []
    skeleton: list[bytes] = []
    copied = 0  # offset up to which the body is in `skeleton` or in `events`
    end = 0
    mark = re.compile(_MARK)
    for _ in range(_MAX_MARKS):
        # `finditer` would search the rest of the text again from each of its characters.
        token = mark.match(body, end)
        if token is None:
            break
        char, position, end = token[1], token.start(1), token.end()
        if char in b"{[":
            depth += 1
            if start < 0 and depth == 2 and char == b"[" and _opens_batch(body, position):
                start = end
                skeleton.append(body[copied:start])
        elif char in b"}]":
            depth -= 1
        if start >= 0 and ((depth == 2 and char == b",") or depth == 1):
            text = body[start:position].strip()
            if not text and char == b",":
                break  # an empty list item: invalid JSON for every parser
            if text:
                if len(events) == _MAX_EVENTS:
                    raise ContentTooLargeError(
                        "too_many_events", f"the batch exceeds {_MAX_EVENTS} events"
                    )
                events.append(text)
                skeleton.append(b"null")
            skeleton.append(char)
            copied = end
            start = end if depth == 2 else -1
    return events, b"".join([*skeleton, body[copied:]])


def _opens_batch(body: bytes, bracket: int) -> bool:
    return re.search(_BATCH_KEY, body[max(0, bracket - 64) : bracket]) is not None
