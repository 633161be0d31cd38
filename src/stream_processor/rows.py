"""Records of events to the columns of the lake, a thousand events at a time.

Working on chunks keeps a few thousand objects alive instead of a few hundred thousand: half the
time and a third of the memory of doing a whole batch at once. What all events of a record share is
turned into columns once per record, and spread over its rows by index.
"""

from array import array
from collections.abc import Container
from operator import attrgetter
from typing import Final, NamedTuple

import pyarrow as pa

import clickstream
from stream_processor import decode
from stream_processor.chain import padded
from stream_processor.chunk import SCHEMA as CHUNK_SCHEMA
from stream_processor.chunk import Chunk, Head, as_array
from stream_processor.decode import Bad, Line
from stream_processor.fields import Event
from stream_processor.schema import BAD, DUPLICATE, EVENTS, GOOD, SCHEMA_VERSION
from stream_processor.tally import MessageKey, Tally
from stream_processor.times import instants

#: Events per chunk. 500 to 1,000 measured best: fewer pay per call, more outgrow the caches.
CHUNK_EVENTS: Final = 1_000

#: Texts that all events of a record share.
_SHARED: Final = {
    name: attrgetter(name)
    for name in (
        "source",
        "stream_region",
        "edge_region",
        "request_id",
        "country",
        "region",
        "city",
        "time_zone",
        "device",
        "ip",
        "user_agent",
    )
}


class _Packed(NamedTuple):
    """A record of the collector whose events are still text."""

    record: int
    header: clickstream.Header
    accepted: list[bytes]
    rejected: list[bytes]


class _Plain(NamedTuple):
    """A record of another producer: usually one event."""

    record: int
    data: bytes
    received_at: str


class EventRows:
    """Gathers records of one shard into one table.

    `units` counts what came in by the records' own word, apart from the rows that went out: the
    law in = good + bad + duplicate compares the two.
    """

    def __init__(self, shard: str, window: Container[MessageKey]) -> None:
        self.units = 0
        self.text_bytes = 0
        self.tally = Tally()
        self.counts = {GOOD: 0, BAD: 0, DUPLICATE: 0}
        self.reasons: dict[str, int] = {}
        self._shard = shard
        self._window = window
        self._seen: set[MessageKey] = set()
        self._sequences: list[int] = []
        self._heads: list[Head] = []
        self._packed: list[_Packed] = []
        self._plain: list[_Plain] = []
        self._waiting = 0
        self._chunks: list[pa.RecordBatch] = []

    def add(self, data: bytes, sequence: int, arrived_ms: int) -> None:
        """Take one record, whatever its bytes are."""
        record = len(self._sequences)
        self._sequences.append(sequence)
        if clickstream.is_packed(data):
            self._add_packed(data, record, arrived_ms)
        else:
            received_at = decode.iso(arrived_ms)
            self._heads.append(Head(decode.NO_HEADER, received_at, None))
            self._plain.append(_Plain(record, data, received_at))
            self.text_bytes += len(data)
            self._waiting += 1
        if self._waiting >= CHUNK_EVENTS:
            self.flush()

    def add_event(
        self, row: tuple[Line, Event, bytes], header: clickstream.Header, sequence: int
    ) -> None:
        """Take one event that is decoded already, with the header that it had."""
        chunk = Chunk()
        chunk.rows.add(row)
        head = Head(header, header.received_at, header.sent_at)
        chunk.close_record(len(self._sequences), head)
        self._sequences.append(sequence)
        self._heads.append(head)
        self.units += 1
        self._close(chunk)

    def _add_packed(self, data: bytes, record: int, arrived_ms: int) -> None:
        try:
            lines = clickstream.unpack(data)
        except clickstream.RecordError as error:
            head = Head(decode.NO_HEADER, decode.iso(arrived_ms), None)
            self._heads.append(head)
            self.units += 1
            chunk = Chunk()
            chunk.rows.add(Bad(f"record_{error.code}", str(error), data))
            chunk.close_record(record, head)
            self._close(chunk)
            return
        header = lines.header
        self._heads.append(Head(header, header.received_at, header.sent_at))
        self._packed.append(_Packed(record, header, lines.accepted, lines.rejected))
        self.units += header.accepted + header.rejected
        self.text_bytes += sum(map(len, lines.accepted)) + sum(map(len, lines.rejected))
        self._waiting += header.accepted + header.rejected

    def finish(self) -> pa.Table:
        """All rows as a table with the columns of `schema.EVENTS`."""
        self.flush()
        rows = pa.Table.from_batches(self._chunks, CHUNK_SCHEMA)
        index = rows.column("record").combine_chunks()
        columns = {name: rows.column(name) for name in CHUNK_SCHEMA.names}
        columns |= {name: _spread(values, index) for name, values in self._of_records().items()}
        numbers, facts = self._facts()
        of_header = numbers.take(index)
        columns |= {name: _spread(values, of_header) for name, values in facts.items()}
        length = len(rows)
        columns["shard_id"] = pa.DictionaryArray.from_arrays(
            pa.repeat(pa.scalar(0, pa.int32()), length), pa.array([self._shard])
        )
        columns["schema_version"] = pa.repeat(pa.scalar(SCHEMA_VERSION, pa.int32()), length)
        return pa.table({name: columns[name] for name in EVENTS.names})

    def _of_records(self) -> dict[str, pa.Array]:
        return {
            "received_at": instants([head.received_at for head in self._heads]),
            "sent_at": instants([head.sent_at for head in self._heads]),
            "sequence_number": pa.array(list(map(padded, self._sequences)), pa.string()),
        }

    def _facts(self) -> tuple[pa.Array, dict[str, pa.Array]]:
        """What the headers say, once per header; and which header each record has."""
        places: dict[int, int] = {}
        headers: list[clickstream.Header] = []
        numbers = array("i")
        for head in self._heads:
            place = places.setdefault(id(head.header), len(headers))
            if place == len(headers):
                headers.append(head.header)
            numbers.append(place)
        # A record of another producer has no request: what the edge would know is not known.
        flags = {
            name: pa.array(
                [getattr(h, name) if h is not decode.NO_HEADER else None for h in headers],
                pa.bool_(),
            )
            for name in ("failover", "bot")
        }
        texts = {
            name: pa.array([of(header) or None for header in headers], pa.string())
            for name, of in _SHARED.items()
        }
        return as_array(numbers), {**flags, **texts}

    def flush(self) -> None:
        """Turn what waits for the rest of its chunk into rows now."""
        if self._packed:
            self._close(self._packed_chunk())
            self._packed.clear()
        if self._plain:
            self._close(self._plain_chunk())
            self._plain.clear()
        self._waiting = 0

    def _packed_chunk(self) -> Chunk:
        chunk = Chunk()
        decoded = decode.together([text for one in self._packed for text in one.accepted])
        if decoded is not None and not any(one.rejected for one in self._packed):
            chunk.rows = decoded
            decoded = None
            start = 0
            for one in self._packed:
                start += len(one.accepted)
                chunk.close_record(one.record, self._heads[one.record], upto=start)
            return chunk
        start = 0
        for one in self._packed:
            end = start + len(one.accepted)
            if decoded is not None:
                chunk.rows.lines += decoded.lines[start:end]
                chunk.rows.events += decoded.events[start:end]
                chunk.rows.texts += decoded.texts[start:end]
            else:
                for text in one.accepted:
                    chunk.rows.add(decode.line(text))
            start = end
            for text in one.rejected:
                chunk.rows.add(decode.rejected(text))
            chunk.close_record(one.record, self._heads[one.record])
        return chunk

    def _plain_chunk(self) -> Chunk:
        chunk = Chunk()
        places = [f"{self._shard}:{self._sequences[one.record]}" for one in self._plain]
        decoded = decode.plain_together(
            [one.data for one in self._plain], places, [one.received_at for one in self._plain]
        )
        if decoded is not None:
            chunk.rows = decoded
            for number, one in enumerate(self._plain, 1):
                chunk.close_record(one.record, self._heads[one.record], upto=number)
            self.units += len(self._plain)
            return chunk
        for one, place in zip(self._plain, places, strict=True):
            rows, sent_at = decode.plain(one.data, place, one.received_at)
            self.units += len(rows.lines)
            chunk.rows.extend(rows)
            self._heads[one.record] = Head(decode.NO_HEADER, one.received_at, sent_at)
            chunk.close_record(one.record, self._heads[one.record])
        return chunk

    def _close(self, chunk: Chunk) -> None:
        if len(chunk):
            chunk.fill()
            self._judge(chunk)
            self._count(chunk)
            self._chunks.append(chunk.columns())

    def _judge(self, chunk: Chunk) -> None:
        """Find the duplicates among the rows that are not bad."""
        fresh = set(chunk.keys)
        if (
            not chunk.rows.bad
            and len(fresh) == len(chunk.keys)
            and fresh.isdisjoint(self._seen)
            and not any(map(self._window.__contains__, fresh))
        ):
            self._seen |= fresh
            return
        for row, key in enumerate(chunk.keys):
            if row in chunk.rows.bad:
                continue
            if key in self._seen:
                chunk.duplicate[row] = ("duplicate_in_object", "its id is in the same object")
            elif key in self._window:
                chunk.duplicate[row] = ("duplicate_in_window", "its id is in a recent object")
            else:
                self._seen.add(key)

    def _count(self, chunk: Chunk) -> None:
        bad = chunk.rows.bad
        self.counts[BAD] += len(bad)
        self.counts[DUPLICATE] += len(chunk.duplicate)
        self.counts[GOOD] += len(chunk) - len(bad) - len(chunk.duplicate)
        for one in bad.values():
            self.reasons[one.code] = self.reasons.get(one.code, 0) + 1
        paths, keys = chunk.paths(), chunk.keys
        left_out = bad.keys() | chunk.duplicate.keys()
        for head, start, end in chunk.spans:
            if left_out:
                rows = [row for row in range(start, end) if row not in left_out]
                pages, ids = [paths[row] for row in rows], [keys[row] for row in rows]
            else:
                pages, ids = paths[start:end], keys[start:end]
            if ids:
                self.tally.add(head.header, head.received_at[:16], pages, ids)


def _spread(values: pa.Array, index: pa.Array) -> pa.Array:
    """What each record says, for each of its rows.

    A text is spread as a number and a list of the texts, which is how Parquet writes it anyway.
    """
    if values.null_count == len(values):
        return pa.nulls(len(index), values.type)
    if values.type != pa.string():
        return values.take(index)
    coded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices.take(index), coded.dictionary)
