"""Records of events to the columns of the lake, a thousand events at a time.

Working on chunks keeps a few thousand objects alive instead of a few hundred thousand: half the
time and a third of the memory of doing a whole batch at once. What all events of a record share is
turned into columns once per record, and spread over its rows by index.
"""

from collections.abc import Container, Sequence
from typing import Final

import pyarrow as pa

import clickstream
from stream_processor import decode
from stream_processor.chain import padded
from stream_processor.chunk import SCHEMA as CHUNK_SCHEMA
from stream_processor.chunk import Chunk
from stream_processor.decode import Bad, Line, Unpacked
from stream_processor.schema import BAD, DUPLICATE, EVENTS, GOOD, SCHEMA_VERSION
from stream_processor.tally import MessageKey, Tally
from stream_processor.times import instants

#: Events per chunk. 500 to 1,000 measured best: fewer pay per call, more outgrow the caches.
CHUNK_EVENTS: Final = 1_000

#: Texts that all events of a record share.
_SHARED: Final = (
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


class EventRows:
    """Gathers records of one shard into one table.

    `units` counts what came in by the records' own word, apart from the rows that went out: the
    law in = good + bad + duplicate compares the two.
    """

    def __init__(self, shard: str, window: Container[MessageKey]) -> None:
        self.units = 0
        self.text_bytes = 0
        self.records: list[tuple[clickstream.Header, int]] = []
        self.tally = Tally()
        self.counts = {GOOD: 0, BAD: 0, DUPLICATE: 0}
        self.reasons: dict[str, int] = {}
        self._shard = shard
        self._window = window
        self._seen: set[MessageKey] = set()
        self._pending: list[tuple[int, Unpacked]] = []
        self._waiting = 0
        self._chunks: list[pa.RecordBatch] = []

    def add(self, data: bytes, sequence: int, arrived_ms: int) -> None:
        """Take one record, whatever its bytes are."""
        self.take(decode.unpack(data, f"{self._shard}:{sequence}", arrived_ms), sequence)

    def take(self, unpacked: Unpacked, sequence: int) -> None:
        """Take a record that is unpacked already."""
        self.units += unpacked.units
        self.text_bytes += unpacked.size
        self._pending.append((len(self.records), unpacked))
        self.records.append((unpacked.header, sequence))
        self._waiting += unpacked.units
        if self._waiting >= CHUNK_EVENTS:
            self._flush()

    def finish(self) -> pa.Table:
        """All rows as a table with the columns of `schema.EVENTS`."""
        self._flush()
        rows = pa.Table.from_batches(self._chunks, CHUNK_SCHEMA)
        index = rows.column("record").combine_chunks()
        columns = {name: rows.column(name) for name in CHUNK_SCHEMA.names}
        columns |= {name: _spread(values, index) for name, values in self._shared().items()}
        columns["schema_version"] = pa.repeat(pa.scalar(SCHEMA_VERSION, pa.int32()), len(rows))
        return pa.table({name: columns[name] for name in EVENTS.names})

    def _shared(self) -> dict[str, pa.Array]:
        headers = [header for header, _ in self.records]
        # A record of another producer has no request: what the edge would know is not known.
        known = [bool(header.request_id) for header in headers]
        flags = {
            name: [getattr(h, name) if k else None for h, k in zip(headers, known, strict=True)]
            for name in ("failover", "bot")
        }
        texts = {name: [getattr(header, name) or None for header in headers] for name in _SHARED}
        return {
            **{name: pa.array(values, pa.string()) for name, values in texts.items()},
            **{name: pa.array(values, pa.bool_()) for name, values in flags.items()},
            "received_at": instants([header.received_at for header in headers]),
            "sent_at": instants([header.sent_at for header in headers]),
            "shard_id": pa.array([self._shard] * len(headers), pa.string()),
            "sequence_number": pa.array([padded(s) for _, s in self.records], pa.string()),
        }

    def _flush(self) -> None:
        chunk = Chunk()
        texts = [text for _, unpacked in self._pending for text in unpacked.texts]
        decoded = decode.lines(texts)
        start = 0
        for record, unpacked in self._pending:
            end = start + len(unpacked.texts)
            lines: Sequence[Line | Bad]
            if decoded is not None:
                lines = decoded[start:end]
            else:
                lines = [decode.line(text) for text in unpacked.texts]
            start = end
            chunk.extend(record, unpacked.header, [*lines, *unpacked.lines], unpacked.bad)
        self._pending.clear()
        self._waiting = 0
        if chunk.lines:
            chunk.decode()
            self._judge(chunk)
            self._count(chunk)
            self._chunks.append(chunk.columns())

    def _judge(self, chunk: Chunk) -> None:
        """Find the duplicates among the rows that are not bad."""
        fresh = set(chunk.keys)
        if (
            not chunk.bad
            and len(fresh) == len(chunk.keys)
            and fresh.isdisjoint(self._seen)
            and not any(key in self._window for key in fresh)
        ):
            self._seen |= fresh
            return
        for row, key in enumerate(chunk.keys):
            if row in chunk.bad:
                continue
            if key in self._seen:
                chunk.duplicate[row] = ("duplicate_in_object", "its id is in the same object")
            elif key in self._window:
                chunk.duplicate[row] = ("duplicate_in_window", "its id is in a recent object")
            else:
                self._seen.add(key)

    def _count(self, chunk: Chunk) -> None:
        self.counts[BAD] += len(chunk.bad)
        self.counts[DUPLICATE] += len(chunk.duplicate)
        self.counts[GOOD] += len(chunk.lines) - len(chunk.bad) - len(chunk.duplicate)
        for bad in chunk.bad.values():
            self.reasons[bad.code] = self.reasons.get(bad.code, 0) + 1
        left_out = chunk.bad.keys() | chunk.duplicate.keys()
        paths = chunk.paths()
        for header, start, end in chunk.spans:
            rows = range(start, end)
            if left_out:
                rows = [row for row in rows if row not in left_out]  # type: ignore[assignment] # both iterate
            if not rows:
                continue
            figures = self.tally.minute(header.received_at[:16])
            figures.events += len(rows)
            figures.bots += len(rows) * header.bot
            figures.sources[header.source] += len(rows)
            if header.country:
                figures.countries[header.country] += len(rows)
            for row in rows:
                path = paths[row]
                if path is not None:
                    figures.pages[path] += 1
            self.tally.ids += [chunk.keys[row] for row in rows]


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
