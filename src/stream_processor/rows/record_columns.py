"""Columns that all rows of a record share: sequence number, arrival, and the request's header.

Values are converted once per header and spread over the rows by index.
"""

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Final, NamedTuple

import pyarrow as pa

import clickstream
from stream_processor.ingest.records import StreamRecord
from stream_processor.ingest.sequence_numbers import SEQUENCE_DIGITS
from stream_processor.rows.timestamps import MILLI, instants

#: Header of a record from another producer: the collector's fields are unknown.
NO_HEADER: Final = clickstream.Header(
    request_id="", received_at="", source="", stream_region="", edge_region=""
)

#: Text fields that all events of a request share.
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


class RecordHead(NamedTuple):
    """The shared values of a record's rows: header (or `NO_HEADER`), arrival and time sent."""

    header: clickstream.Header
    arrived_ms: int
    sent_at: str | None


class RecordColumns:
    """Records in order: sequence number, arrival (Unix ms) and header of each."""

    def __init__(self) -> None:
        self.headers: list[clickstream.Header] = [NO_HEADER]
        self.arrived = array("q")
        # Each sequence number once, and the position of each record's: a writer of dictionary pages
        # relies on distinct values.
        self._sequences: list[int] = []
        self._sequence = array("i")
        self._header = array("i")
        self._sent: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.arrived)

    def add(self, sequence: int, arrived_ms: int, header: clickstream.Header | None = None) -> int:
        """Add a record and return its number."""
        if header is not None:
            self.headers.append(header)
        self._header.append(0 if header is None else len(self.headers) - 1)
        self._sequence.append(len(self._sequences))
        self._sequences.append(sequence)
        self.arrived.append(arrived_ms)
        return len(self) - 1

    def add_variant(self, record: int, header: clickstream.Header) -> int:
        """Add a record again, with other facts about the visitor, and return the new number."""
        self.headers.append(header)
        self._header.append(len(self.headers) - 1)
        self._sequence.append(self._sequence[record])
        self.arrived.append(self.arrived[record])
        return len(self) - 1

    def add_plain(self, records: Sequence[StreamRecord]) -> range:
        """Add records without headers and return their numbers."""
        first = len(self)
        self._header.extend([0] * len(records))
        of = len(self._sequences)
        self._sequence.extend(range(of, of + len(records)))
        self._sequences += [record.sequence for record in records]
        self.arrived.extend([record.arrived_ms for record in records])
        return range(first, len(self))

    def add_head(self, head: RecordHead, sequence: int) -> int:
        """Add a record whose head is known and return its number."""
        if head.header is not NO_HEADER:
            return self.add(sequence, head.arrived_ms, head.header)
        record = self.add(sequence, head.arrived_ms)
        if head.sent_at is not None:
            self.set_sent_at(record, head.sent_at)
        return record

    def set_sent_at(self, record: int, sent_at: str) -> None:
        """Set the `sentAt` of a record without a header."""
        self._sent[record] = sent_at

    def header(self, record: int) -> clickstream.Header:
        """Return the header of a record, or `NO_HEADER`."""
        return self.headers[self._header[record]]

    def sequence(self, record: int) -> int:
        """Return the sequence number of a record."""
        return self._sequences[self._sequence[record]]

    def sequence_texts(self) -> list[str]:
        """Return the sequence numbers as texts, each once."""
        return [str(sequence) for sequence in self._sequences]

    def minute(self, record: int) -> str:
        """Return the minute in which a record was received, as "YYYY-MM-DDTHH:MM"."""
        return self.header(record).received_at[:16] or minute_of(self.arrived[record] // 60_000)

    def columns(self, record: pa.Array, sequences: Sequence[str]) -> dict[str, pa.Array]:
        """Return the shared columns; `record` holds the record number of each row.

        `sequences` are those of `sequence_texts`, so that each number is converted once.
        """
        header = as_array(self._header, pa.int32()).take(record)
        sequence = as_array(self._sequence, pa.int32()).take(record)
        numbers = pa.array([text.zfill(SEQUENCE_DIGITS) for text in sequences], pa.string())
        received = instants([header.received_at or None for header in self.headers]).take(header)
        if received.null_count:
            # No header, or an invalid time in it: use the stream's arrival time.
            received = received.fill_null(as_array(self.arrived, MILLI).take(record))
        sent_times = instants([header.sent_at for header in self.headers]).take(header)
        if self._sent:
            sent_at = instants([self._sent.get(number) for number in range(len(self))])
            sent_times = sent_times.fill_null(sent_at.take(record))
        return {
            "received_at": received,
            "sent_at": sent_times,
            "sequence_number": pa.DictionaryArray.from_arrays(sequence, numbers),
            **{name: _spread(values, header) for name, values in _facts(self.headers).items()},
        }


@lru_cache(maxsize=1_024)
def minute_of(minute: int) -> str:
    """Format a number of minutes since 1970 as "YYYY-MM-DDTHH:MM" (UTC)."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M")


def as_array(values: "array[int]", kind: pa.DataType) -> pa.Array:
    """Return an Arrow array over a C array's memory, without a copy."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def _facts(headers: Sequence[clickstream.Header]) -> dict[str, pa.Array]:
    # A record of another producer has no request, so these fields are null.
    flags = {
        name: pa.array([None, *(getattr(header, name) for header in headers[1:])], pa.bool_())
        for name in ("failover", "bot")
    }
    texts = {
        name: pa.array([of(header) or None for header in headers], pa.string())
        for name, of in _SHARED.items()
    }
    return {**flags, **texts}


def _spread(values: pa.Array, index: pa.Array) -> pa.Array:
    """Repeat each header's value for each of its rows.

    Texts become a dictionary array, which is how Parquet stores them.
    """
    if values.null_count == len(values):
        return pa.nulls(len(index), values.type)
    if values.type != pa.string():
        return values.take(index)
    coded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices.take(index), coded.dictionary)
