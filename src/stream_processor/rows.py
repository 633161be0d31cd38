"""Records of events to the columns of the lake, a thousand events at a time.

Working on chunks keeps a few thousand objects alive instead of a few hundred thousand: half the
time and a third of the memory of doing a whole batch at once. What all events of a record share is
turned into columns once per record, and spread over its rows by index.
"""

from collections.abc import Container, Sequence
from typing import Final, NamedTuple

import pyarrow as pa

import clickstream
from stream_processor import decode, heads, source
from stream_processor.chunk import SCHEMA as CHUNK_SCHEMA
from stream_processor.chunk import Chunk, Head
from stream_processor.decode import Bad, Line
from stream_processor.fields import Event
from stream_processor.schema import BAD, DUPLICATE, EVENTS, GOOD, SCHEMA_VERSION
from stream_processor.source import Packet
from stream_processor.tally import MessageKey, Tally

#: Events per chunk. 500 to 1,000 measured best: fewer pay per call, more outgrow the caches.
CHUNK_EVENTS: Final = 1_000

#: Stands in until a record of another producer is read.
_UNKNOWN: Final = Head(decode.NO_HEADER, "", None)


class _Packed(NamedTuple):
    """A record of the collector, its events still text: all lines in one, or told apart."""

    record: int
    accepted: int
    whole: memoryview | None
    lines: clickstream.Lines | None


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
        #: Records of other producers, usually one event each: which, its bytes, when it came.
        self._plain: list[tuple[int, bytes, int]] = []
        self._waiting = 0
        self._chunks: list[pa.RecordBatch] = []

    @property
    def size(self) -> int:
        """How many rows there will be at least; a plain record may hold more than one."""
        return self.units + len(self._plain)

    def take(self, packets: Sequence[Packet], most_rows: int, most_bytes: int) -> int:
        """Take records until there are as many rows, or as much text; how many were taken."""
        taken = 0
        while taken < len(packets):
            some = packets[taken : taken + CHUNK_EVENTS - self._waiting]
            payloads = source.data(some)
            size = sum(map(len, payloads))
            if (
                self.size + len(some) < most_rows
                and self.text_bytes + size < most_bytes
                and not any(map(clickstream.is_packed, payloads))
            ):
                self._add_plain(payloads, some)
                taken += len(some)
                if self._waiting >= CHUNK_EVENTS:
                    self.flush()
                if self.size >= most_rows:
                    return taken
                continue
            for data, packet in zip(payloads, some, strict=True):
                self.add(data, packet.sequence, packet.arrived_ms)
                taken += 1
                if self.size >= most_rows or self.text_bytes >= most_bytes:
                    return taken
        return taken

    def _add_plain(self, payloads: Sequence[bytes], packets: Sequence[Packet]) -> None:
        """Take records of other producers, as `add` does, in one go."""
        first = len(self._sequences)
        self._sequences += [packet.sequence for packet in packets]
        self._heads += [_UNKNOWN] * len(packets)
        arrived = [packet.arrived_ms for packet in packets]
        self._plain += zip(range(first, first + len(packets)), payloads, arrived, strict=True)
        self.text_bytes += sum(map(len, payloads))
        self._waiting += len(packets)

    def add(self, data: bytes, sequence: int, arrived_ms: int) -> None:
        """Take one record, whatever its bytes are."""
        record = len(self._sequences)
        self._sequences.append(sequence)
        if clickstream.is_packed(data):
            self._add_packed(data, record, arrived_ms)
        else:
            self._heads.append(_UNKNOWN)
            self._plain.append((record, data, arrived_ms))
            self.text_bytes += len(data)
            self._waiting += 1
        if self._waiting >= CHUNK_EVENTS:
            self.flush()

    def add_event(self, row: tuple[Line, Event, bytes], head: Head, sequence: int) -> None:
        """Take one event that is decoded already, with the head of the record that it was in."""
        chunk = Chunk()
        chunk.rows.add(row)
        chunk.close_record(len(self._sequences), head)
        self._sequences.append(sequence)
        self._heads.append(head)
        self.units += 1
        self._close(chunk)

    def _add_packed(self, data: bytes, record: int, arrived_ms: int) -> None:
        lines: clickstream.Lines | None = None
        sound = decode.inflated(data)
        if sound is not None:
            header, whole = sound
            self.text_bytes += len(whole)
        else:
            try:
                lines = clickstream.unpack(data)
            except clickstream.RecordError as error:
                self._add_bad(Bad(f"record_{error.code}", str(error), data), record, arrived_ms)
                return
            header, whole = lines.header, None
            self.text_bytes += sum(map(len, lines.accepted)) + sum(map(len, lines.rejected))
        count = header.accepted + header.rejected
        self._heads.append(Head(header, header.received_at, header.sent_at))
        self._packed.append(_Packed(record, header.accepted, whole, lines))
        self.units += count
        self._waiting += count

    def _add_bad(self, bad: Bad, record: int, arrived_ms: int) -> None:
        """Take a record that cannot be read at all: one row that holds it."""
        head = Head(decode.NO_HEADER, decode.iso(arrived_ms), None)
        self._heads.append(head)
        self.units += 1
        chunk = Chunk()
        chunk.rows.add(bad)
        chunk.close_record(record, head)
        self._close(chunk)

    def finish(self) -> pa.Table:
        """All rows as a table with the columns of `schema.EVENTS`."""
        self.flush()
        rows = pa.Table.from_batches(self._chunks, CHUNK_SCHEMA)
        # What is large and done with goes before the writer needs its own room.
        self._chunks.clear()
        self._seen.clear()
        index = rows.column("record").combine_chunks()
        columns = {name: rows.column(name) for name in CHUNK_SCHEMA.names}
        columns |= heads.columns(self._heads, self._sequences, index)
        length = len(rows)
        columns["shard_id"] = pa.DictionaryArray.from_arrays(
            pa.repeat(pa.scalar(0, pa.int32()), length), pa.array([self._shard])
        )
        columns["schema_version"] = pa.repeat(pa.scalar(SCHEMA_VERSION, pa.int32()), length)
        return pa.table({name: columns[name] for name in EVENTS.names})

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
        texts = [(one.whole, one.accepted) for one in self._packed if one.whole is not None]
        decoded = decode.together(texts) if len(texts) == len(self._packed) else None
        if decoded is not None:
            chunk.rows = decoded
            start = 0
            for one in self._packed:
                start += one.accepted
                chunk.close_record(one.record, self._heads[one.record], upto=start)
            return chunk
        for one in self._packed:
            if one.whole is not None:
                alone = decode.together([(one.whole, one.accepted)])
                accepted = bytes(one.whole).split(b"\n")[:-1]
            else:
                assert one.lines is not None
                alone, accepted = None, one.lines.accepted
            if alone is not None:
                chunk.rows.extend(alone)
            else:
                for text in accepted:
                    chunk.rows.add(decode.line(text))
            for text in one.lines.rejected if one.lines is not None else ():
                chunk.rows.add(decode.rejected(text))
            chunk.close_record(one.record, self._heads[one.record])
        return chunk

    def _plain_chunk(self) -> Chunk:
        chunk = Chunk()
        records = [record for record, _, _ in self._plain]
        texts = [data for _, data, _ in self._plain]
        received = [decode.iso(arrived_ms) for _, _, arrived_ms in self._plain]
        decoded = decode.plain_together(texts, self._place, received)
        if decoded is not None:
            chunk.rows = decoded
            bare = {at: Head(decode.NO_HEADER, at, None) for at in dict.fromkeys(received)}
            of_rows = [bare[at] for at in received]
            for record, head in zip(records, of_rows, strict=True):
                self._heads[record] = head
            chunk.close_singles(records, of_rows)
            self.units += len(texts)
            return chunk
        for row, record in enumerate(records):
            rows, sent_at = decode.plain(texts[row], self._place(row), received[row])
            self.units += len(rows)
            chunk.rows.extend(rows)
            self._heads[record] = Head(decode.NO_HEADER, received[row], sent_at)
            chunk.close_record(record, self._heads[record])
        return chunk

    def _place(self, row: int) -> str:
        """Where the plain record of a row lies."""
        return f"{self._shard}:{self._sequences[self._plain[row][0]]}"

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
        for header, minute, start, end in chunk.minutes():
            if left_out:
                rows = [row for row in range(start, end) if row not in left_out]
                pages, ids = [paths[row] for row in rows], [keys[row] for row in rows]
            else:
                pages, ids = paths[start:end], keys[start:end]
            if ids:
                self.tally.add(header, minute, pages, ids)
