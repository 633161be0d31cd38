"""Bytes of a record to its events: the collector's layout, or plain JSON of another producer.

Nothing here raises for what the bytes say: what cannot be read comes back as `Bad`.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec
from zlib_ng import zlib_ng

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
    """Rows, a list per part of a row. What is no event has placeholders, and stands in `bad`.

    `joined` is all texts end to end, where they were decoded together.
    """

    ids: list[str]
    timestamps: list[str]
    originals: list[str | None]
    events: list[Event]
    texts: list[bytes | None]
    bad: dict[int, Bad]
    joined: bytes | None = None

    @classmethod
    def none(cls) -> "Rows":
        """No rows yet."""
        return cls([], [], [], [], [], {})

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, row: "tuple[Line, Event, bytes] | Bad") -> None:
        """Append one row."""
        if isinstance(row, Bad):
            self.bad[len(self)] = row
        line, event, text = (NO_LINE, NO_EVENT, None) if isinstance(row, Bad) else row
        self.ids.append(line.message_id)
        self.timestamps.append(line.timestamp)
        self.originals.append(line.original_timestamp)
        self.events.append(event)
        self.texts.append(text)
        self.joined = None

    def extend(self, other: "Rows") -> None:
        """Append all rows of another."""
        start = len(self)
        self.ids += other.ids
        self.timestamps += other.timestamps
        self.originals += other.originals
        self.events += other.events
        self.texts += other.texts
        self.bad |= {start + row: bad for row, bad in other.bad.items()}
        self.joined = None


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
_OPEN: Final = ord("{")
_CLOSE: Final = ord("}")
#: JSON's own white space (RFC 8259 section 2).
_SPACE: Final = b" \t\n\r"


def inflated(data: bytes) -> tuple[clickstream.Header, memoryview] | None:
    """The header and the lines of a record with nothing odd about it, without a list of lines.

    None for any other record: `clickstream.unpack` then says what it is, and is right.
    """
    # Half of zlib's time, for a sixth of all there is to do. `clickstream.unpack` stays with zlib,
    # and has the last word on what is refused here.
    inflater = zlib_ng.decompressobj(_GZIP)
    try:
        text = inflater.decompress(data, _SOUND)
        end = text.index(b"\n") + 1
        header = _header_decoder.decode(text[:end])
    except (zlib_ng.error, ValueError, *UNREADABLE):  # type: ignore[misc] # its stub says "Exception"
        return None
    sound = (
        inflater.eof
        and not inflater.unused_data
        and header.v == clickstream.VERSION
        and header.rejected == 0
        and _objects(text, end) == header.accepted
    )
    return (header, memoryview(text)[end:]) if sound else None


def _objects(text: bytes, start: int) -> int:
    """How many lines there are from `start` on; -1 where one is not `{...}` and a line feed.

    JSON never has "}", white space and "{" in a row. So where a decoder finds as many objects as
    there are such lines, each line is one object: it cannot have taken two lines for one.
    """
    count = 0
    before = start
    # Jumping from line feed to line feed is faster than `bytes.count`, which looks at every byte.
    while (at := text.find(b"\n", before)) >= 0:
        if text[before] != _OPEN or text[at - 1] != _CLOSE:
            return -1
        count += 1
        before = at + 1
    return count if before == len(text) else -1


def together(records: Iterable[tuple[memoryview | bytes, int]]) -> Rows | None:
    """Decode the accepted lines of many records, and how many each has by its header's word.

    None where any needs `line`.
    """
    lines: list[Line] = []
    try:
        for text, accepted in records:
            of_record = _lines_decoder.decode_lines(text)
            if len(of_record) != accepted:
                return None
            lines += of_record
    except UNREADABLE:
        return None
    raws = [line.event for line in lines]
    joined = b"".join(raws)
    events = fields.events(joined, len(raws))
    if events is None:
        return None
    ids = [line.message_id for line in lines]
    timestamps = [line.timestamp for line in lines]
    originals = [line.original_timestamp for line in lines]
    return Rows(ids, timestamps, originals, events, [*raws], {}, joined)


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


def plain_together(
    texts: Sequence[bytes], place: Callable[[int], str], received: Sequence[str]
) -> Rows | None:
    """Decode many plain events at once, one per record. None where any is not just that.

    `place` names the record of a row among all. `received` says when each came.
    """
    # One end to end with the next, as in `_objects`: none can reach into the other.
    if not all(text and text[0] == _OPEN and text[-1] == _CLOSE for text in texts):
        return None
    joined = b"".join(texts)
    events = fields.plain(joined, len(texts))
    if events is None:
        return None
    ids = [event.message_id for event in events]
    return Rows(
        [
            known or _derived_id(events[row], texts[row], f"{place(row)}:0")
            for row, known in enumerate(ids)
        ],
        [
            event.timestamp or event.original_timestamp or at
            for event, at in zip(events, received, strict=True)
        ],
        [event.original_timestamp or event.timestamp for event in events],
        list(events),
        list(texts),
        {},
        joined,
    )


def plain(data: bytes, place: str, received_at: str) -> tuple[Rows, str | None]:
    """Decode one record of another producer: an event, a batch, a list, or a document per line.

    `place` names the record among all, for events without an id. Returns also when it was sent.
    """
    rows = Rows.none()
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
    """What the collector would have worked out for the event."""
    return Line(
        event.message_id or _derived_id(event, text, place),
        event.timestamp or event.original_timestamp or received_at,
        event.original_timestamp or event.timestamp,
        _NOTHING,
    )


def _derived_id(event: PlainEvent, text: bytes, place: str) -> str:
    """An id for an event without one, which a re-sent copy shares where that is certain.

    Two equal events without a time may both be meant, so their ids are their places.
    """
    timed = (event.timestamp or event.original_timestamp) is not None
    named = text if timed else place.encode()
    return "derived-" + hashlib.sha256(named).hexdigest()[:32]
