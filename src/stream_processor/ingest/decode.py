"""Decode record payloads into events: the collector's packed layout, or plain JSON.

No input raises an exception: events that can't be decoded are returned as `BadRow`.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from zlib_ng import zlib_ng

import clickstream
from stream_processor.ingest import event_schema, kpl
from stream_processor.ingest.decoded_rows import NOTHING, AcceptedLine, BadRow, DecodedRows
from stream_processor.ingest.event_schema import UNREADABLE, Event, EventError, PlainEvent


class _Batch(msgspec.Struct, frozen=True, rename="camel"):
    """Plain JSON that may be a Segment batch."""

    sent_at: str | None = None
    batch: list[msgspec.Raw] | None = None


_GZIP: Final = 31  # zlib manual, inflateInit2: 15 bits of window, +16 for the gzip wrapper
#: Larger records take the slow path.
_MAX_FAST_PATH_BYTES: Final = 4 * 1024 * 1024
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
    """Return the header and the joined lines of a regular packed record (the fast path).

    Returns None for any other record: `clickstream.unpack` then decodes or rejects it.
    """
    # zlib-ng halves a step that is a sixth of the CPU time. `clickstream.unpack` uses zlib, and
    # decides on every record that is rejected here.
    inflater = zlib_ng.decompressobj(_GZIP)
    try:
        text = inflater.decompress(data, _MAX_FAST_PATH_BYTES)
        end = text.index(b"\n") + 1
        header = _header_decoder.decode(text[:end])
    except (zlib_ng.error, ValueError, *UNREADABLE):  # type: ignore[misc] # its stub says "Exception"
        return None
    regular = (
        inflater.eof
        and not inflater.unused_data
        and header.v == clickstream.VERSION
        and header.rejected == 0
        and _objects(text, end) == header.accepted
    )
    return (header, memoryview(text)[end:]) if regular else None


def _objects(text: bytes, start: int) -> int:
    """Count the lines from `start` on; -1 if a line isn't `{...}` and a line feed.

    JSON never contains "}", white space and "{" in sequence. So if a decoder finds as many objects
    as there are such lines, each line is one object: no object spans two lines.
    """
    count = 0
    before = start
    # `find` from line feed to line feed is faster than `bytes.count`, which reads every byte.
    while (at := text.find(b"\n", before)) >= 0:
        if text[before] != _OPEN or text[at - 1] != _CLOSE:
            return -1
        count += 1
        before = at + 1
    return count if before == len(text) else -1


def together(records: Iterable[tuple[memoryview | bytes, int]]) -> DecodedRows | None:
    """Decode the accepted lines of many records, each with the line count of its header.

    Returns None if any line needs `line`, the slow path.
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
    repairs = _present([line.repair for line in lines])
    visitors = _present([line.visitor for line in lines])
    return DecodedRows(ids, timestamps, originals, events, [*raws], {}, joined, repairs, visitors)


def _present[V](values: list[V | None]) -> dict[int, V]:
    """Return the values that aren't None, by position; nearly always there are none."""
    if values.count(None) == len(values):
        return {}
    return {row: value for row, value in enumerate(values) if value is not None}


def line(text: bytes) -> tuple[AcceptedLine, Event, bytes] | BadRow:
    """Decode one accepted line, with its keys in any order."""
    try:
        whole = _line_decoder.decode(text)
    except UNREADABLE:
        return BadRow("record_line", "the line isn't a valid line of its section", text)
    raw = bytes(whole.event)
    try:
        event = event_schema.event(raw)
    except EventError as error:
        return BadRow(error.code, str(error), raw)
    fields = AcceptedLine(
        whole.message_id,
        whole.timestamp,
        whole.original_timestamp,
        whole.event,
        whole.repair,
        whole.visitor,
    )
    return fields, event, raw


def rejected(text: bytes) -> BadRow:
    """Decode one rejected line, which keeps the collector's reason."""
    try:
        refused = _rejected_decoder.decode(text)
    except UNREADABLE:
        return BadRow("record_line", "the line isn't a valid line of its section", text)
    return BadRow(refused.code, refused.message, refused.raw.encode())


def plain_together(texts: Sequence[bytes], name_of: Callable[[int], str]) -> DecodedRows | None:
    """Decode many records of one plain event each; None if any record is something else.

    `name_of` returns a unique name for the record at a position.
    """
    # As in `_objects`: an object that ends at the end of its line can't continue in the next.
    if {text[:1] for text in texts} != {b"{"} or {text[-1:] for text in texts} != {b"}"}:
        return None
    events = event_schema.plain(b"\n".join(texts), len(texts))
    if events is None:
        return None
    return DecodedRows(
        [
            event.message_id or _derived_id(event, texts[row], f"{name_of(row)}:0")
            for row, event in enumerate(events)
        ],
        [event.timestamp or event.original_timestamp for event in events],
        [event.original_timestamp or event.timestamp for event in events],
        list[Event](events),
        list[bytes | None](texts),
        {},
        b"".join(texts),
    )


def plain(data: bytes, record_name: str) -> tuple[DecodedRows, str | None]:
    """Decode one plain JSON record: an event, a batch, a list, or one document per line.

    A record that the Kinesis Producer Library aggregated has several of these. `record_name` is
    unique, for events without an id. Returns the rows and the record's `sentAt`, if it has one.
    """
    rows = DecodedRows.none()
    if kpl.is_aggregate(data):
        return _aggregate(data, record_name), None
    text = data.strip(_SPACE)
    if text[:1] not in (b"{", b"["):
        rows.add(BadRow("record_unknown", "the record is neither packed nor JSON", data))
        return rows, None
    try:
        parts, sent_at = _parts(text)
    except UNREADABLE:
        # JSON Lines, as log shippers write them.
        parts, sent_at = [part for part in text.split(b"\n") if part.strip(_SPACE)], None
    for number, part in enumerate(parts):
        rows.add(plain_event(part, f"{record_name}:{number}"))
    return rows, sent_at


def _aggregate(data: bytes, record_name: str) -> DecodedRows:
    rows = DecodedRows.none()
    try:
        records = kpl.user_records(data)
    except kpl.AggregateError as error:
        rows.add(BadRow("record_kpl", f"{error} (Kinesis Producer Library)", data))
        return rows
    for number, record in enumerate(records):
        name = f"{record_name}:{number}"
        if kpl.is_aggregate(record):
            rows.add(BadRow("record_kpl", "the aggregate is in another aggregate", record))
        elif clickstream.is_packed(record):
            inner = gzip_of_json(record, name)
            if inner is not None:
                rows.extend(inner[0])
            else:
                rows.add(
                    BadRow("record_kpl", "a record of the aggregate is gzip of no JSON", record)
                )
        else:
            rows.extend(plain(record, name)[0])
    return rows


def gzip_of_json(data: bytes, record_name: str) -> tuple[DecodedRows, str | None] | None:
    """Decode a gzip record of another producer as `plain` does; None if it has no valid event."""
    inflater = zlib_ng.decompressobj(_GZIP)
    try:
        text = inflater.decompress(data, clickstream.record.MAX_INFLATED_BYTES)
    except zlib_ng.error:  # type: ignore[misc] # its stub says "Exception"
        return None
    if not inflater.eof or inflater.unused_data:
        return None
    rows, sent_at = plain(text, record_name)
    return (rows, sent_at) if len(rows) > len(rows.bad) else None


def plain_event(text: bytes, record_name: str) -> tuple[AcceptedLine, Event, bytes] | BadRow:
    """Decode one plain event. `record_name` is its id if it has none."""
    try:
        event = event_schema.plain_event(text)
    except EventError as error:
        return BadRow(error.code, str(error), text)
    line = AcceptedLine(
        event.message_id or _derived_id(event, text, record_name),
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


def _derived_id(event: PlainEvent, text: bytes, record_name: str) -> str:
    """Return an id for an event without one, equal for copies that were certainly re-sent.

    Two equal events without a timestamp can be two real events, so their id is
    their record's name.
    """
    timed = (event.timestamp or event.original_timestamp) is not None
    hashed = text if timed else record_name.encode()
    return "derived-" + hashlib.sha256(hashed).hexdigest()[:32]
