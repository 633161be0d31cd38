"""The records of an object, and what all rows of a record share as columns.

What a header says is made a column once per header, and spread over the rows by index.
"""

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Final, NamedTuple

import pyarrow as pa

import clickstream
from stream_processor.ingest.invocation import StreamRecord
from stream_processor.ingest.sequence_numbers import padded
from stream_processor.rows.timestamps import MILLI, instants

#: Stands in for the header of a record that has none: what the edge would know is not known.
NO_HEADER: Final = clickstream.Header(
    request_id="", received_at="", source="", stream_region="", edge_region=""
)

#: Texts that all events of a request share.
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
    """What the rows of a record share: its header or `NO_HEADER`, and when it came and was sent."""

    header: clickstream.Header
    arrived_ms: int
    sent_at: str | None


class RecordColumns:
    """Records in order: where each lies in its shard, when it came, and its request's header."""

    def __init__(self) -> None:
        self.headers: list[clickstream.Header] = [NO_HEADER]
        self.arrived = array("q")
        self._sequences: list[int] = []
        self._header = array("i")
        self._sent: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._sequences)

    def add(self, sequence: int, arrived_ms: int, header: clickstream.Header | None = None) -> int:
        """Take in a record; its number among all."""
        if header is not None:
            self.headers.append(header)
        self._header.append(0 if header is None else len(self.headers) - 1)
        self._sequences.append(sequence)
        self.arrived.append(arrived_ms)
        return len(self) - 1

    def add_plain(self, packets: Sequence[StreamRecord]) -> range:
        """Take in records without headers, as `add` does; their numbers."""
        first = len(self)
        self._header.extend([0] * len(packets))
        self._sequences += [packet.sequence for packet in packets]
        self.arrived.extend([packet.arrived_ms for packet in packets])
        return range(first, len(self))

    def add_head(self, head: RecordHead, sequence: int) -> int:
        """Take in a record whose head is known; its number."""
        if head.header is not NO_HEADER:
            return self.add(sequence, head.arrived_ms, head.header)
        record = self.add(sequence, head.arrived_ms)
        if head.sent_at is not None:
            self.say_sent(record, head.sent_at)
        return record

    def say_sent(self, record: int, sent_at: str) -> None:
        """Say when a record without a header was sent, by its own word."""
        self._sent[record] = sent_at

    def header(self, record: int) -> clickstream.Header:
        """The header of a record, or `NO_HEADER`."""
        return self.headers[self._header[record]]

    def sequence(self, record: int) -> int:
        """The sequence number of a record."""
        return self._sequences[record]

    def minute(self, record: int) -> str:
        """The minute in which a record was received."""
        return self.header(record).received_at[:16] or minute_of(self.arrived[record] // 60_000)

    def columns(self, record: pa.Array) -> dict[str, pa.Array]:
        """The columns, for the number of each row's record."""
        header = as_array(self._header, pa.int32()).take(record)
        numbers = pa.array(list(map(padded, self._sequences)), pa.string())
        received = instants([header.received_at or None for header in self.headers]).take(header)
        if received.null_count:
            # No request, or a time that cannot be read: when the stream took it.
            received = received.fill_null(as_array(self.arrived, MILLI).take(record))
        sent = instants([header.sent_at for header in self.headers]).take(header)
        if self._sent:
            said = instants([self._sent.get(number) for number in range(len(self))])
            sent = sent.fill_null(said.take(record))
        return {
            "received_at": received,
            "sent_at": sent,
            "sequence_number": pa.DictionaryArray.from_arrays(record, numbers),
            **{name: _spread(values, header) for name, values in _facts(self.headers).items()},
        }


@lru_cache(maxsize=1_024)
def minute_of(minute: int) -> str:
    """A minute since 1970 as the collector's times begin."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M")


def as_array(values: "array[int]", kind: pa.DataType) -> pa.Array:
    """An array of C numbers as Arrow's of the same width, without a copy."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def _facts(headers: Sequence[clickstream.Header]) -> dict[str, pa.Array]:
    # A record of another producer has no request: what the edge would know is not known.
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
    """What each header says, for each of its rows.

    A text is spread as a number and a list of the texts, which is how Parquet writes it anyway.
    """
    if values.null_count == len(values):
        return pa.nulls(len(index), values.type)
    if values.type != pa.string():
        return values.take(index)
    coded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices.take(index), coded.dictionary)
