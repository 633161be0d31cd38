"""Bytes of a record to its lines: the collector's layout, or plain JSON of another producer.

Nothing here raises for what the bytes say: what cannot be read comes back as a `Bad` line.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

import clickstream
from stream_processor.fields import UNREADABLE


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that cannot become an event: a stable code, a sentence, and the bytes themselves."""

    code: str
    reason: str
    raw: bytes


class Line(msgspec.Struct, frozen=True, gc=False):
    """An accepted event: the part of `clickstream.Accepted` that this reader uses."""

    message_id: str
    timestamp: str
    event: msgspec.Raw
    original_timestamp: str | None = None


class _Batch(msgspec.Struct, frozen=True, rename="camel"):
    """Plain JSON of another producer: an event, or a Segment batch."""

    message_id: str | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: str | None = None
    batch: list[msgspec.Raw] | None = None


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A record whose events are still text. `texts` are lines of the layout, `lines` are read.

    A record has either: the collector's come as text, so that a thousand are decoded in one call.
    """

    header: clickstream.Header
    texts: list[bytes]
    lines: list[Line]
    bad: list[Bad]

    @property
    def units(self) -> int:
        """How many rows come of it, by its own word."""
        return len(self.texts) + len(self.lines) + len(self.bad)

    @property
    def size(self) -> int:
        """Bytes of text that it holds in memory."""
        return (
            sum(map(len, self.texts))
            + sum(len(bytes(line.event)) for line in self.lines)
            + sum(len(bad.raw) for bad in self.bad)
        )


_NO_HEADER: Final = clickstream.Header(
    request_id="", received_at="", source="", stream_region="", edge_region=""
)
_line_decoder: Final = msgspec.json.Decoder(Line)
_rejected_decoder: Final = msgspec.json.Decoder(clickstream.Rejected)
_batch_decoder: Final = msgspec.json.Decoder(_Batch)
_list_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])
#: JSON's own white space (RFC 8259 section 2).
_SPACE: Final = b" \t\n\r"


def unpack(data: bytes, place: str, arrived_ms: int) -> Unpacked:
    """Tell a record's lines apart. `place` names the record among all, for events without an id."""
    if clickstream.is_packed(data):
        return _packed(data, arrived_ms)
    return _plain(data, place, arrived_ms)


def lines(texts: list[bytes]) -> list[Line] | None:
    """Decode many lines at once. None where any of them needs `line`."""
    try:
        decoded = _line_decoder.decode_lines(b"\n".join(texts))
    except UNREADABLE:
        return None
    return decoded if len(decoded) == len(texts) else None


def line(text: bytes) -> Line | Bad:
    """Decode one accepted line."""
    try:
        return _line_decoder.decode(text)
    except UNREADABLE:
        return Bad("record_line", "a line of the record is not what its place says", text)


def _packed(data: bytes, arrived_ms: int) -> Unpacked:
    try:
        record = clickstream.unpack(data)
    except clickstream.RecordError as error:
        bad = Bad(f"record_{error.code}", str(error), data)
        return Unpacked(_arrived(arrived_ms), [], [], [bad])
    return Unpacked(record.header, record.accepted, [], [_rejected(r) for r in record.rejected])


def _rejected(text: bytes) -> Bad:
    try:
        refused = _rejected_decoder.decode(text)
    except UNREADABLE:
        return Bad("record_line", "a line of the record is not what its place says", text)
    return Bad(refused.code, refused.message, refused.raw.encode())


def _plain(data: bytes, place: str, arrived_ms: int) -> Unpacked:
    header = _arrived(arrived_ms)
    text = data.strip(_SPACE)
    if text[:1] not in (b"{", b"["):
        bad = Bad("record_unknown", "the record is neither packed nor JSON", data)
        return Unpacked(header, [], [], [bad])
    try:
        parts, sent_at = _parts(text)
    except UNREADABLE:
        # Several JSON documents, a line each, as log shippers write them.
        parts, sent_at = [part for part in text.split(b"\n") if part.strip(_SPACE)], None
    read = [event(part, f"{place}:{n}", header.received_at) for n, part in enumerate(parts)]
    return Unpacked(
        msgspec.structs.replace(header, sent_at=sent_at),
        [],
        [line for line in read if isinstance(line, Line)],
        [line for line in read if isinstance(line, Bad)],
    )


def _parts(text: bytes) -> tuple[list[bytes], str | None]:
    if text[:1] == b"[":
        return [bytes(part) for part in _list_decoder.decode(text)], None
    whole = _batch_decoder.decode(text)
    if whole.batch is not None:
        return [bytes(part) for part in whole.batch], whole.sent_at
    return [text], whole.sent_at


def event(text: bytes, place: str, received_at: str) -> Line | Bad:
    """Read a plain event. `place` and `received_at` stand in for an id and a time."""
    try:
        known = _batch_decoder.decode(text)
    except UNREADABLE:
        return Bad(
            "event_json", "the event is no JSON object with texts for its id and times", text
        )
    timestamp = known.timestamp or known.original_timestamp
    return Line(
        message_id=known.message_id or _derived(text, place, timed=timestamp is not None),
        timestamp=timestamp or received_at,
        event=msgspec.Raw(text),
        original_timestamp=known.original_timestamp or known.timestamp,
    )


def _derived(text: bytes, place: str, *, timed: bool) -> str:
    """Give an event without an id one that a re-sent copy shares, where that is certain.

    Two equal events without a time may both be meant: their ids are their places.
    """
    return "derived-" + hashlib.sha256(text if timed else place.encode()).hexdigest()[:32]


def _arrived(arrived_ms: int) -> clickstream.Header:
    """Stand in for the header that a record does not have: the shard knows when it came."""
    at = datetime.fromtimestamp(arrived_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return msgspec.structs.replace(_NO_HEADER, received_at=at.replace("+00:00", "Z"))
