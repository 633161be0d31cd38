"""Bytes of a record to its events: the collector's layout, or plain JSON of another producer.

Nothing here raises for what the bytes say: what cannot be read comes back as `Bad`.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from zlib_ng import zlib_ng

import clickstream
from stream_processor.ingest import event_schema
from stream_processor.ingest.decoded_rows import NOTHING, AcceptedLine, BadRow, DecodedRows
from stream_processor.ingest.event_schema import UNREADABLE, Event, EventError, PlainEvent


class _Batch(msgspec.Struct, frozen=True, rename="camel"):
    """Plain JSON that may be a Segment batch."""

    sent_at: str | None = None
    batch: list[msgspec.Raw] | None = None


_GZIP: Final = 31  # zlib manual, inflateInit2: 15 bits of window, +16 for the gzip wrapper
#: Bytes of a record that is read the short way; what is larger goes the careful way.
_SOUND: Final = 4 * 1024 * 1024
_header_decoder: Final = msgspec.json.Decoder(clickstream.Header)
_lines_decoder: Final = msgspec.json.Decoder(AcceptedLine)
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


def together(records: Iterable[tuple[memoryview | bytes, int]]) -> DecodedRows | None:
    """Decode the accepted lines of many records, and how many each has by its header's word.

    None where any needs `line`.
    """
    lines: list[AcceptedLine] = []
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
    events = event_schema.events(joined, len(raws))
    if events is None:
        return None
    ids = [line.message_id for line in lines]
    timestamps = [line.timestamp for line in lines]
    originals = [line.original_timestamp for line in lines]
    return DecodedRows(ids, timestamps, originals, events, [*raws], {}, joined)


def line(text: bytes) -> tuple[AcceptedLine, Event, bytes] | BadRow:
    """Decode one accepted line, whatever the order of its keys."""
    try:
        whole = _line_decoder.decode(text)
    except UNREADABLE:
        return BadRow("record_line", "a line of the record is not what its place says", text)
    raw = bytes(whole.event)
    try:
        event = event_schema.event(raw)
    except EventError as error:
        return BadRow(error.code, str(error), raw)
    beside = AcceptedLine(whole.message_id, whole.timestamp, whole.original_timestamp, whole.event)
    return beside, event, raw


def rejected(text: bytes) -> BadRow:
    """Decode one rejected line: bad already, for the collector's own reason."""
    try:
        refused = _rejected_decoder.decode(text)
    except UNREADABLE:
        return BadRow("record_line", "a line of the record is not what its place says", text)
    return BadRow(refused.code, refused.message, refused.raw.encode())


def plain_together(texts: Sequence[bytes], place: Callable[[int], str]) -> DecodedRows | None:
    """Decode many plain events at once, one per record. None where any is not just that.

    `place` names the record of a row among all.
    """
    # As in `_objects`: a text that ends a line cannot reach into the next.
    if {text[:1] for text in texts} != {b"{"} or {text[-1:] for text in texts} != {b"}"}:
        return None
    events = event_schema.plain(b"\n".join(texts), len(texts))
    if events is None:
        return None
    return DecodedRows(
        [
            event.message_id or _derived_id(event, texts[row], f"{place(row)}:0")
            for row, event in enumerate(events)
        ],
        [event.timestamp or event.original_timestamp for event in events],
        [event.original_timestamp or event.timestamp for event in events],
        list[Event](events),
        list[bytes | None](texts),
        {},
        b"".join(texts),
    )


def plain(data: bytes, place: str) -> tuple[DecodedRows, str | None]:
    """Decode one record of another producer: an event, a batch, a list, or a document per line.

    `place` names the record among all, for events without an id. Returns also when it was sent.
    """
    rows = DecodedRows.none()
    text = data.strip(_SPACE)
    if text[:1] not in (b"{", b"["):
        rows.add(BadRow("record_unknown", "the record is neither packed nor JSON", data))
        return rows, None
    try:
        parts, sent_at = _parts(text)
    except UNREADABLE:
        # Several JSON documents, a line each, as log shippers write them.
        parts, sent_at = [part for part in text.split(b"\n") if part.strip(_SPACE)], None
    for number, part in enumerate(parts):
        rows.add(plain_event(part, f"{place}:{number}"))
    return rows, sent_at


def plain_event(text: bytes, place: str) -> tuple[AcceptedLine, Event, bytes] | BadRow:
    """Decode one plain event. `place` stands in for an id."""
    try:
        event = event_schema.plain_event(text)
    except EventError as error:
        return BadRow(error.code, str(error), text)
    line = AcceptedLine(
        event.message_id or _derived_id(event, text, place),
        event.timestamp or event.original_timestamp,
        event.original_timestamp or event.timestamp,
        NOTHING,
    )
    return line, event, text


def _parts(text: bytes) -> tuple[list[bytes], str | None]:
    if text[:1] == b"[":
        return [bytes(part) for part in _list_decoder.decode(text)], None
    whole = _batch_decoder.decode(text)
    if whole.batch is not None:
        return [bytes(part) for part in whole.batch], whole.sent_at
    return [text], whole.sent_at


def _derived_id(event: PlainEvent, text: bytes, place: str) -> str:
    """An id for an event without one, which a re-sent copy shares where that is certain.

    Two equal events without a time may both be meant, so their ids are their places.
    """
    timed = (event.timestamp or event.original_timestamp) is not None
    named = text if timed else place.encode()
    return "derived-" + hashlib.sha256(named).hexdigest()[:32]
