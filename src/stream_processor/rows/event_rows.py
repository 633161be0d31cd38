"""Convert the records of one object into a table with the columns of the lake.

Works on chunks of a thousand events, which keeps a few thousand Python objects alive instead of a
few hundred thousand: half the time and a third of the memory of a whole batch at once.
"""

import hashlib
from collections.abc import Container, Sequence
from itertools import groupby
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa

import clickstream
from signed_snapshot.persons import Persons
from stream_processor.ingest import decode
from stream_processor.ingest import records as stream_records
from stream_processor.ingest.decoded_rows import AcceptedLine, BadRow
from stream_processor.ingest.event_schema import Event
from stream_processor.ingest.records import StreamRecord
from stream_processor.rows import suppress
from stream_processor.rows.deduplicate import Deduplicator
from stream_processor.rows.event_chunk import SCHEMA as CHUNK_SCHEMA
from stream_processor.rows.event_chunk import EventChunk
from stream_processor.rows.lake_schema import EVENTS, SCHEMA_VERSION
from stream_processor.rows.object_stats import MessageKey
from stream_processor.rows.record_columns import RecordColumns, RecordHead

#: 500 to 1,000 measured best: smaller chunks cost more calls, larger ones exceed the CPU caches.
CHUNK_EVENTS: Final = 1_000
_NO_VISITOR: Final = clickstream.Visitor()


class _Packed(NamedTuple):
    """A packed record whose events are still text: joined lines (`whole`) or separate ones."""

    record: int
    accepted: int
    whole: memoryview | None
    lines: clickstream.Lines | None


class EventRows:
    """Collect records of one shard into one table.

    `expected_rows` is the number of rows that the records declare, counted independently of the
    rows that are made: the conservation check compares the two. Events in `window` are duplicates,
    and those of `persons` aren't stored.
    """

    def __init__(
        self, shard: str, window: Container[MessageKey], persons: Persons | None = None
    ) -> None:
        self.expected_rows = 0
        self.text_bytes = 0
        self._deduplicator = Deduplicator(window)
        self.stats = self._deduplicator.stats
        self.counts = self._deduplicator.counts
        self.reasons = self._deduplicator.reasons
        self._persons = persons
        self._shard = shard
        self._records = RecordColumns()
        self._packed: list[_Packed] = []
        #: Records of other producers, usually one event each: record numbers and payloads.
        self._plain: list[int] = []
        self._texts: list[bytes] = []
        self._waiting = 0
        self._chunks: list[pa.RecordBatch] = []
        self._digest = hashlib.sha256(shard.encode())

    @property
    def size(self) -> int:
        """Minimum number of rows so far; a plain record can hold more than one."""
        return self.expected_rows + len(self._plain)

    def take(self, records: Sequence[StreamRecord], max_rows: int, max_bytes: int) -> int:
        """Add records until a limit is reached; return how many were added."""
        count = 0
        while count < len(records):
            part = records[count : count + CHUNK_EVENTS - self._waiting]
            payloads = stream_records.payloads(part)
            size = sum(map(len, payloads))
            if (
                self.size + len(part) < max_rows
                and self.text_bytes + size < max_bytes
                and not any(map(clickstream.is_packed, {data[:2] for data in payloads}))
            ):
                self._add_plain(payloads, part)
                count += len(part)
                if self._waiting >= CHUNK_EVENTS:
                    self.flush()
                if self.size >= max_rows:
                    return count
                continue
            for data, record in zip(payloads, part, strict=True):
                self.add(data, record.sequence, record.arrived_ms)
                count += 1
                if self.size >= max_rows or self.text_bytes >= max_bytes:
                    return count
        return count

    def add(self, data: bytes, sequence: int, arrived_ms: int) -> None:
        """Add one record with arbitrary bytes."""
        if clickstream.is_packed(data):
            self._add_packed(data, sequence, arrived_ms)
        else:
            self._add_plain([data], [StreamRecord(sequence, arrived_ms, "")])
        if self._waiting >= CHUNK_EVENTS:
            self.flush()

    def add_event(
        self, row: tuple[AcceptedLine, Event, bytes], head: RecordHead, sequence: int
    ) -> None:
        """Add one event that is decoded already, with the head of its record."""
        self._add_row(row, self._records.add_head(head, sequence))

    def _add_plain(self, payloads: Sequence[bytes], records: Sequence[StreamRecord]) -> None:
        self._plain += self._records.add_plain(records)
        self._texts += payloads
        self.text_bytes += sum(map(len, payloads))
        self._waiting += len(records)

    def _add_packed(self, data: bytes, sequence: int, arrived_ms: int) -> None:
        lines: clickstream.Lines | None = None
        inflated = decode.inflated(data)
        if inflated is not None:
            header, whole = inflated
            self.text_bytes += len(whole)
        else:
            try:
                lines = clickstream.unpack(data)
            except clickstream.RecordError as error:
                self._add_unpacked(data, sequence, arrived_ms, error)
                return
            header, whole = lines.header, None
            self.text_bytes += sum(map(len, lines.accepted)) + sum(map(len, lines.rejected))
        count = header.accepted + header.rejected
        record = self._records.add(sequence, arrived_ms, header)
        self._packed.append(_Packed(record, header.accepted, whole, lines))
        self.expected_rows += count
        self._waiting += count

    def _add_unpacked(
        self, data: bytes, sequence: int, arrived_ms: int, error: clickstream.RecordError
    ) -> None:
        """Add a gzip record that isn't the collector's: JSON of another producer, or unreadable."""
        record = self._records.add(sequence, arrived_ms)
        other = decode.gzip_of_json(data, f"{self._shard}:{sequence}")
        if error.code != "header" or other is None:
            # A record that can't be read becomes one bad row with all its bytes.
            self._add_row(BadRow(f"record_{error.code}", str(error), data), record)
            return
        rows, sent_at = other
        if sent_at is not None:
            self._records.set_sent_at(record, sent_at)
        chunk = EventChunk()
        chunk.rows.extend(rows)
        self._suppress(chunk)
        self._close_record(chunk, record)
        self.expected_rows += len(rows)
        self.text_bytes += sum(len(text or b"") for text in rows.texts)
        self._close(chunk)

    def _add_row(self, row: tuple[AcceptedLine, Event, bytes] | BadRow, record: int) -> None:
        chunk = EventChunk()
        chunk.rows.add(row)
        self._suppress(chunk)
        self._close_record(chunk, record)
        self.expected_rows += 1
        self._close(chunk)

    def finish(self) -> pa.Table:
        """Return all rows as a table with the columns of `lake_schema.EVENTS`."""
        self.flush()
        rows = pa.Table.from_batches(self._chunks, CHUNK_SCHEMA)
        # Free memory before the Parquet writer allocates its own.
        self._chunks.clear()
        self._deduplicator.clear()
        index = rows.column("record").combine_chunks()
        columns = {name: rows.column(name) for name in CHUNK_SCHEMA.names}
        sequences = self._records.sequence_texts()
        columns |= self._records.columns(index, sequences)
        # An event without a valid timestamp gets the time at which it was received.
        happened = columns["timestamp"].combine_chunks()
        columns["timestamp"] = happened.fill_null(columns["received_at"])
        length = len(rows)
        columns["shard_id"] = pa.DictionaryArray.from_arrays(
            pa.repeat(pa.scalar(0, pa.int32()), length), pa.array([self._shard])
        )
        columns["object_id"] = pa.repeat(pa.scalar(self._object_id(sequences), pa.int64()), length)
        columns["schema_version"] = pa.repeat(pa.scalar(SCHEMA_VERSION, pa.int32()), length)
        return pa.table({name: columns[name] for name in EVENTS.names})

    def _object_id(self, sequences: Sequence[str]) -> int:
        """Return the digest of the rows: their records, positions, ids and verdicts."""
        self._digest.update(",".join(sequences).encode())
        return int.from_bytes(self._digest.digest()[:8], "big", signed=True)

    def flush(self) -> None:
        """Convert the records of an incomplete chunk."""
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
            self._suppress(chunk, has_header=True)
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
            self._suppress(chunk, has_header=True)
            self._close_record(chunk, one.record)
        return chunk

    def _plain_chunk(self) -> EventChunk:
        chunk = EventChunk()
        decoded = decode.plain_together(self._texts, self._record_name)
        if decoded is not None:
            chunk.rows = decoded
            self._suppress(chunk)
            arrived = self._records.arrived
            chunk.close_singles(self._plain, [arrived[record] // 60_000 for record in self._plain])
            self.expected_rows += len(decoded)
            return chunk
        for row, record in enumerate(self._plain):
            rows, sent_at = decode.plain(self._texts[row], self._record_name(row))
            self.expected_rows += len(rows)
            chunk.rows.extend(rows)
            if sent_at is not None:
                self._records.set_sent_at(record, sent_at)
            self._suppress(chunk)
            self._close_record(chunk, record)
        return chunk

    def _record_name(self, row: int) -> str:
        """Return a unique name for the plain record of a row."""
        return f"{self._shard}:{self._records.sequence(self._plain[row])}"

    def _suppress(self, chunk: EventChunk, *, has_header: bool = False) -> None:
        """Remove what the rows since the last closed record say of suppressed persons."""
        if self._persons is None:
            return
        hidden = suppress.suppress(
            chunk.rows, len(chunk.record), self._persons, is_collected=has_header
        )
        if has_header:
            # They don't have the facts of the request either.
            chunk.rows.visitors |= dict.fromkeys(hidden, _NO_VISITOR)

    def _close_record(self, chunk: EventChunk, record: int, count: int | None = None) -> None:
        of = self._records
        header, minute = of.header(record), of.minute(record)
        if not chunk.rows.visitors:
            chunk.close_record(record, header, minute, count)
            return
        start = len(chunk.record)
        end = len(chunk) if count is None else start + count
        for visitor, group in groupby(range(start, end), chunk.rows.visitors.get):
            rows = list(group)
            if visitor is None:
                of_rows, facts = record, header
            else:
                facts = msgspec.structs.replace(header, **msgspec.structs.asdict(visitor))
                of_rows = of.add_variant(record, facts)
            chunk.close_record(of_rows, facts, minute, len(rows), rows[0] - start)

    def _close(self, chunk: EventChunk) -> None:
        if len(chunk):
            chunk.fill()
            self._deduplicator.classify(chunk)
            self._digest.update(chunk.identity())
            self._chunks.append(chunk.columns())


def empty() -> pa.Table:
    """Return a table without rows."""
    return EventRows("", frozenset()).finish()
