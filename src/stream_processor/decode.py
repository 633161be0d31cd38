"""Bytes of a record to its events: the collector's layout, or plain JSON of another producer.

Nothing here raises for what the bytes say: what cannot be read comes back as `Bad`.
"""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

import clickstream
from stream_processor import fields
from stream_processor.fields import NO_EVENT, UNREADABLE, Event, EventError, PlainEvent


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that cannot become an event: a stable code, a sentence, and the bytes themselves."""

    code: str
    reason: str
    raw: bytes


class Line(msgspec.Struct, frozen=True, gc=False):
    """What stands beside an event: the part of `clickstream.Accepted` that this reader uses."""

    message_id: str
    timestamp: str
    original_timestamp: str | None
    event: msgspec.Raw


@dataclass(slots=True)
class Rows:
    """Rows, a list per part of a row. What is no event has placeholders, and stands in `bad`."""

    lines: list[Line]
    events: list[Event]
    texts: list[bytes | None]
    bad: dict[int, Bad]

    def add(self, row: "tuple[Line, Event, bytes] | Bad") -> None:
        """Append one row."""
        if isinstance(row, Bad):
            self.bad[len(self.lines)] = row
        line, event, text = (NO_LINE, NO_EVENT, None) if isinstance(row, Bad) else row
        self.lines.append(line)
        self.events.append(event)
        self.texts.append(text)

    def extend(self, other: "Rows") -> None:
        """Append all rows of another."""
        start = len(self.lines)
        self.lines += other.lines
        self.events += other.events
        self.texts += other.texts
        self.bad |= {start + row: bad for row, bad in other.bad.items()}


class _Batch(msgspec.Struct, frozen=True, rename="camel"):
    """Plain JSON that may be a Segment batch."""

    sent_at: str | None = None
    batch: list[msgspec.Raw] | None = None


_NOTHING: Final = msgspec.Raw(b"")
NO_LINE: Final = Line("", "", None, _NOTHING)
#: Stands in for the header of a record that has none: what the edge would know is not known.
NO_HEADER: Final = clickstream.Header(
    request_id="", received_at="", source="", stream_region="", edge_region=""
)
_GZIP: Final = 31  # zlib manual, inflateInit2: 15 bits of window, +16 for the gzip wrapper
#: Bytes of a record that is read the short way; what is larger goes the careful way.
_SOUND: Final = 4 * 1024 * 1024
_header_decoder: Final = msgspec.json.Decoder(clickstream.Header)
_lines_decoder: Final = msgspec.json.Decoder(Line)
_line_decoder: Final = msgspec.json.Decoder(clickstream.Accepted)
_rejected_decoder: Final = msgspec.json.Decoder(clickstream.Rejected)
_batch_decoder: Final = msgspec.json.Decoder(_Batch)
_list_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])
#: JSON's own white space (RFC 8259 section 2).
_SPACE: Final = b" \t\n\r"


def inflated(data: bytes) -> tuple[clickstream.Header, bytes] | None:
    """The header and the lines of a record with nothing odd about it, without a list of lines.

    None for any other record: `clickstream.unpack` then says what it is, and is right.
    """
    inflater = zlib.decompressobj(_GZIP)
    try:
        text = inflater.decompress(data, _SOUND)
        end = text.index(b"\n") + 1
        header = _header_decoder.decode(text[:end])
    except (zlib.error, ValueError, *UNREADABLE):
        return None
    lines = text[end:]
    sound = (
        inflater.eof
        and not inflater.unused_data
        and header.v == clickstream.VERSION
        and header.rejected == 0
        and lines.count(b"\n") == header.accepted
        and (lines.endswith(b"\n") or not lines)
        and b"\n\n" not in lines
    )
    return (header, lines) if sound else None


def together(texts: Sequence[bytes]) -> Rows | None:
    """Decode the accepted lines of many records at once. None where any needs `line`."""
    try:
        lines = _lines_decoder.decode_lines(b"".join(texts))
    except UNREADABLE:
        return None
    raws = [line.event for line in lines]
    events = fields.events(raws)
    if events is None:
        return None
    return Rows(lines, events, list(map(bytes, raws)), {})


def line(text: bytes) -> tuple[Line, Event, bytes] | Bad:
    """Decode one accepted line, whatever the order of its keys."""
    try:
        whole = _line_decoder.decode(text)
    except UNREADABLE:
        return Bad("record_line", "a line of the record is not what its place says", text)
    raw = bytes(whole.event)
    try:
        event = fields.event(raw)
    except EventError as error:
        return Bad(error.code, str(error), raw)
    beside = Line(whole.message_id, whole.timestamp, whole.original_timestamp, whole.event)
    return beside, event, raw


def rejected(text: bytes) -> Bad:
    """Decode one rejected line: bad already, for the collector's own reason."""
    try:
        refused = _rejected_decoder.decode(text)
    except UNREADABLE:
        return Bad("record_line", "a line of the record is not what its place says", text)
    return Bad(refused.code, refused.message, refused.raw.encode())


def plain_together(texts: list[bytes], places: list[str], received: list[str]) -> Rows | None:
    """Decode many plain events at once, one per record. None where any is not just that."""
    events = fields.plain(texts)
    if events is None:
        return None
    lines = [
        _beside(event, text, f"{place}:0", at)
        for event, text, place, at in zip(events, texts, places, received, strict=True)
    ]
    return Rows(lines, list(events), list(texts), {})


def plain(data: bytes, place: str, received_at: str) -> tuple[Rows, str | None]:
    """Decode one record of another producer: an event, a batch, a list, or a document per line.

    `place` names the record among all, for events without an id. Returns also when it was sent.
    """
    rows = Rows([], [], [], {})
    text = data.strip(_SPACE)
    if text[:1] not in (b"{", b"["):
        rows.add(Bad("record_unknown", "the record is neither packed nor JSON", data))
        return rows, None
    try:
        parts, sent_at = _parts(text)
    except UNREADABLE:
        # Several JSON documents, a line each, as log shippers write them.
        parts, sent_at = [part for part in text.split(b"\n") if part.strip(_SPACE)], None
    for number, part in enumerate(parts):
        rows.add(plain_event(part, f"{place}:{number}", received_at))
    return rows, sent_at


def plain_event(text: bytes, place: str, received_at: str) -> tuple[Line, Event, bytes] | Bad:
    """Decode one plain event. `place` and `received_at` stand in for an id and a time."""
    try:
        event = fields.plain_event(text)
    except EventError as error:
        return Bad(error.code, str(error), text)
    return _beside(event, text, place, received_at), event, text


@lru_cache(maxsize=1_024)
def iso(at_ms: int) -> str:
    """A time as the collector writes it."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")


def _parts(text: bytes) -> tuple[list[bytes], str | None]:
    if text[:1] == b"[":
        return [bytes(part) for part in _list_decoder.decode(text)], None
    whole = _batch_decoder.decode(text)
    if whole.batch is not None:
        return [bytes(part) for part in whole.batch], whole.sent_at
    return [text], whole.sent_at


def _beside(event: PlainEvent, text: bytes, place: str, received_at: str) -> Line:
    """What the collector would have worked out for the event.

    An event without an id gets one that a re-sent copy shares, where that is certain: two equal
    events without a time may both be meant, so their ids are their places.
    """
    timestamp = event.timestamp or event.original_timestamp
    message_id = event.message_id
    if not message_id:
        named = place.encode() if timestamp is None else text
        message_id = "derived-" + hashlib.sha256(named).hexdigest()[:32]
    return Line(
        message_id,
        timestamp or received_at,
        event.original_timestamp or event.timestamp,
        _NOTHING,
    )
