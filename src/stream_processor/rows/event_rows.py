"""Records of events to the columns of the lake, a thousand events at a time.

Working on chunks keeps a few thousand objects alive instead of a few hundred thousand: half the
time and a third of the memory of doing a whole batch at once.
"""

from collections.abc import Container, Sequence
from typing import Final, NamedTuple

import pyarrow as pa

import clickstream
from stream_processor.ingest import decode, invocation
from stream_processor.ingest.decoded_rows import AcceptedLine, BadRow
from stream_processor.ingest.event_schema import Event
from stream_processor.ingest.invocation import StreamRecord
from stream_processor.rows.deduplicate import Deduplicator
from stream_processor.rows.event_chunk import SCHEMA as CHUNK_SCHEMA
from stream_processor.rows.event_chunk import EventChunk
from stream_processor.rows.lake_schema import EVENTS, SCHEMA_VERSION
from stream_processor.rows.object_stats import MessageKey
from stream_processor.rows.record_columns import RecordColumns, RecordHead

#: Events per chunk. 500 to 1,000 measured best: fewer pay per call, more outgrow the caches.
CHUNK_EVENTS: Final = 1_000


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
        self.expected_rows = 0
        self.text_bytes = 0
        self._deduplicator = Deduplicator(window)
        self.stats = self._deduplicator.stats
        self.counts = self._deduplicator.counts
        self.reasons = self._deduplicator.reasons
        self._shard = shard
        self._records = RecordColumns()
        self._packed: list[_Packed] = []
        #: Records of other producers, usually one event each: which, and their bytes.
        self._plain: list[int] = []
        self._texts: list[bytes] = []
        self._waiting = 0
        self._chunks: list[pa.RecordBatch] = []

    @property
    def size(self) -> int:
        """How many rows there will be at least; a plain record may hold more than one."""
        return self.expected_rows + len(self._plain)

    def take(self, packets: Sequence[StreamRecord], most_rows: int, most_bytes: int) -> int:
        """Take records until there are as many rows, or as much text; how many were taken."""
        taken = 0
        while taken < len(packets):
            some = packets[taken : taken + CHUNK_EVENTS - self._waiting]
            payloads = invocation.payloads(some)
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

    def add(self, data: bytes, sequence: int, arrived_ms: int) -> None:
        """Take one record, whatever its bytes are."""
        if clickstream.is_packed(data):
            self._add_packed(data, sequence, arrived_ms)
        else:
            self._add_plain([data], [StreamRecord(sequence, arrived_ms, "")])
        if self._waiting >= CHUNK_EVENTS:
            self.flush()

    def add_event(
        self, row: tuple[AcceptedLine, Event, bytes], head: RecordHead, sequence: int
    ) -> None:
        """Take one event that is decoded already, with what it has from its record."""
        self._add_row(row, self._records.add_head(head, sequence))

    def _add_plain(self, payloads: Sequence[bytes], packets: Sequence[StreamRecord]) -> None:
        self._plain += self._records.add_plain(packets)
        self._texts += payloads
        self.text_bytes += sum(map(len, payloads))
        self._waiting += len(packets)

    def _add_packed(self, data: bytes, sequence: int, arrived_ms: int) -> None:
        lines: clickstream.Lines | None = None
        sound = decode.inflated(data)
        if sound is not None:
            header, whole = sound
            self.text_bytes += len(whole)
        else:
            try:
                lines = clickstream.unpack(data)
            except clickstream.RecordError as error:
                # A record that cannot be read at all is one row that holds it.
                bad = BadRow(f"record_{error.code}", str(error), data)
                self._add_row(bad, self._records.add(sequence, arrived_ms))
                return
            header, whole = lines.header, None
            self.text_bytes += sum(map(len, lines.accepted)) + sum(map(len, lines.rejected))
        count = header.accepted + header.rejected
        record = self._records.add(sequence, arrived_ms, header)
        self._packed.append(_Packed(record, header.accepted, whole, lines))
        self.expected_rows += count
        self._waiting += count

    def _add_row(self, row: tuple[AcceptedLine, Event, bytes] | BadRow, record: int) -> None:
        chunk = EventChunk()
        chunk.rows.add(row)
        self._close_record(chunk, record)
        self.expected_rows += 1
        self._close(chunk)

    def finish(self) -> pa.Table:
        """All rows as a table with the columns of `schema.EVENTS`."""
        self.flush()
        rows = pa.Table.from_batches(self._chunks, CHUNK_SCHEMA)
        # What is large and done with goes before the writer needs its own room.
        self._chunks.clear()
        self._deduplicator.clear()
        index = rows.column("record").combine_chunks()
        columns = {name: rows.column(name) for name in CHUNK_SCHEMA.names}
        columns |= self._records.columns(index)
        # When it happened; where that is not known, when it was received.
        happened = columns["timestamp"].combine_chunks()
        columns["timestamp"] = happened.fill_null(columns["received_at"])
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
            self._texts.clear()
        self._waiting = 0

    def _packed_chunk(self) -> EventChunk:
        chunk = EventChunk()
        texts = [(one.whole, one.accepted) for one in self._packed if one.whole is not None]
        decoded = decode.together(texts) if len(texts) == len(self._packed) else None
        if decoded is not None:
            chunk.rows = decoded
            for one in self._packed:
                self._close_record(chunk, one.record, one.accepted)
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
            self._close_record(chunk, one.record)
        return chunk

    def _plain_chunk(self) -> EventChunk:
        chunk = EventChunk()
        decoded = decode.plain_together(self._texts, self._place)
        if decoded is not None:
            chunk.rows = decoded
            arrived = self._records.arrived
            chunk.close_singles(self._plain, [arrived[record] // 60_000 for record in self._plain])
            self.expected_rows += len(decoded)
            return chunk
        for row, record in enumerate(self._plain):
            rows, sent_at = decode.plain(self._texts[row], self._place(row))
            self.expected_rows += len(rows)
            chunk.rows.extend(rows)
            if sent_at is not None:
                self._records.say_sent(record, sent_at)
            self._close_record(chunk, record)
        return chunk

    def _place(self, row: int) -> str:
        """Where the plain record of a row lies."""
        return f"{self._shard}:{self._records.sequence(self._plain[row])}"

    def _close_record(self, chunk: EventChunk, record: int, count: int | None = None) -> None:
        of = self._records
        chunk.close_record(record, of.header(record), of.minute(record), count)

    def _close(self, chunk: EventChunk) -> None:
        if len(chunk):
            chunk.fill()
            self._deduplicator.classify(chunk)
            self._chunks.append(chunk.columns())
