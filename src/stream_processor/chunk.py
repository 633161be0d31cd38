"""A thousand events, as lists on their way to columns."""

from array import array
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

import msgspec
import pyarrow as pa

import clickstream
from stream_processor import fields
from stream_processor.decode import Bad, Line
from stream_processor.fields import (
    NO_CAMPAIGN,
    NO_CONTEXT,
    NO_EVENT,
    NO_LIBRARY,
    NO_PAGE,
    Campaign,
    Context,
    Event,
    EventError,
    Page,
)
from stream_processor.schema import BAD, DUPLICATE, EVENTS, GOOD
from stream_processor.tally import MessageKey
from stream_processor.times import instants

_NOTHING: Final = msgspec.Raw(b"")
_NO_LINE: Final = Line(message_id="", timestamp="", event=_NOTHING)

#: The columns that differ from row to row, and `record`: which of the records a row is from.
SCHEMA: Final = pa.schema(
    [
        EVENTS.field(name)
        for name in (
            "verdict",
            "reason_code",
            "reason",
            "message_id",
            "type",
            "event",
            "name",
            "user_id",
            "anonymous_id",
            "timestamp",
            "original_timestamp",
            *(f"page_{name}" for name in Page.__struct_fields__),
            *(f"campaign_{name}" for name in Campaign.__struct_fields__),
            "locale",
            "library",
            "event_json",
            "raw",
            "record_index",
        )
    ]
    + [pa.field("record", pa.int32())]
)


class Chunk:
    """Rows in order. A row that is no event holds placeholders, and stands in `bad`."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.events: list[Event] = []
        self.contexts: list[Context] = []
        self.keys: list[MessageKey] = []
        self.record = array("i")
        self.index = array("i")
        self.spans: list[tuple[clickstream.Header, int, int]] = []
        self.bad: dict[int, Bad] = {}
        self.duplicate: dict[int, tuple[str, str]] = {}
        self._paths: list[str | None] | None = None

    def extend(
        self,
        record: int,
        header: clickstream.Header,
        lines: Sequence[Line | Bad],
        bad: Sequence[Bad],
    ) -> None:
        """Append the rows of one record. `record_index` is a row's place in its record."""
        start = len(self.lines)
        for line in lines:
            if isinstance(line, Bad):
                self.bad[len(self.lines)] = line
                self.lines.append(_NO_LINE)
            else:
                self.lines.append(line)
        for line in bad:
            self.bad[len(self.lines)] = line
            self.lines.append(_NO_LINE)
        count = len(self.lines) - start
        self.record.extend([record] * count)
        self.index.extend(range(count))
        self.spans.append((header, start, start + count))

    def decode(self) -> None:
        """Decode the events of all rows: together, and one by one where that does not work."""
        if not self.bad:
            decoded = fields.events([line.event for line in self.lines])
            if decoded is not None:
                self.events = decoded
        if len(self.events) != len(self.lines):
            self.events = [self._event(row, line) for row, line in enumerate(self.lines)]
        self.contexts = [event.context or NO_CONTEXT for event in self.events]
        for header, start, end in self.spans:
            self.keys += [(header.source, line.message_id) for line in self.lines[start:end]]
            if bytes(header.context) != b"null":
                shared = fields.context(header.context)
                for row in range(start, end):
                    if self.contexts[row] is NO_CONTEXT:
                        self.contexts[row] = shared

    def _event(self, row: int, line: Line) -> Event:
        if row in self.bad:
            return NO_EVENT
        try:
            return fields.event(line.event)
        except EventError as error:
            self.bad[row] = Bad(error.code, str(error), bytes(line.event))
            self.lines[row] = _NO_LINE
            return NO_EVENT

    def paths(self) -> list[str | None]:
        """The page of each row, for the live counters."""
        if self._paths is None:
            self._paths = [own.path or shared.path for own, shared in self._pages()]
        return self._paths

    def _pages(self) -> Iterable[tuple[Page, Page]]:
        """What each event says of its page itself, and what its context says."""
        own = [event.properties or NO_PAGE for event in self.events]
        shared = [context.page or NO_PAGE for context in self.contexts]
        return zip(own, shared, strict=True)

    def columns(self) -> pa.RecordBatch:
        """The rows as a batch of `SCHEMA`."""
        lines, events, contexts = self.lines, self.events, self.contexts
        reasons = {row: (bad.code, bad.reason) for row, bad in self.bad.items()} | self.duplicate
        values: dict[str, Sequence[object] | pa.Array | None] = {
            "verdict": self._verdicts(),
            "reason_code": self._sparse({row: why[0] for row, why in reasons.items()}),
            "reason": self._sparse({row: why[1] for row, why in reasons.items()}),
            "message_id": [line.message_id or None for line in lines],
            "type": [event.type or None for event in events],
            "event": [event.event for event in events],
            "name": [event.name for event in events],
            "user_id": [event.user_id for event in events],
            "anonymous_id": [event.anonymous_id for event in events],
            "timestamp": self._timestamps(),
            "original_timestamp": instants([line.original_timestamp for line in lines]),
            "locale": [context.locale for context in contexts],
            "library": [(context.library or NO_LIBRARY).name for context in contexts],
            "event_json": self._texts(),
            "raw": self._sparse({row: bad.raw for row, bad in self.bad.items()}),
            "record_index": _ints(self.index),
            "record": _ints(self.record),
            **self._page_columns(),
            **self._campaign_columns(),
        }
        arrays = [_array(values.get(field.name), field.type, len(lines)) for field in SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)

    def _page_columns(self) -> dict[str, Sequence[object]]:
        pages = list(self._pages())
        return {
            "page_url": [own.url or shared.url for own, shared in pages],
            "page_path": self.paths(),
            "page_title": [own.title or shared.title for own, shared in pages],
            "page_referrer": [own.referrer or shared.referrer for own, shared in pages],
            "page_search": [own.search or shared.search for own, shared in pages],
        }

    def _campaign_columns(self) -> dict[str, Sequence[object]]:
        given = [context.campaign for context in self.contexts]
        if not any(given):
            return {}  # most visits come of no campaign
        campaigns = [campaign or NO_CAMPAIGN for campaign in given]
        return {
            f"campaign_{name}": list(map(attrgetter(name), campaigns))
            for name in Campaign.__struct_fields__
        }

    def _texts(self) -> pa.Array:
        """The events as they were sent. They are known to be UTF-8."""
        texts = [bytes(line.event) if line is not _NO_LINE else None for line in self.lines]
        return pa.array(texts, pa.binary()).view(pa.string())

    def _verdicts(self) -> list[str]:
        verdicts = [GOOD] * len(self.lines)
        for row in self.duplicate:
            verdicts[row] = DUPLICATE
        for row in self.bad:
            verdicts[row] = BAD
        return verdicts

    def _sparse[V](self, values: dict[int, V]) -> list[V | None] | None:
        if not values:
            return None
        column: list[V | None] = [None] * len(self.lines)
        for row, value in values.items():
            column[row] = value
        return column

    def _timestamps(self) -> pa.Array:
        """When it happened; where that cannot be read, when it was received."""
        texts: list[str | None] = [line.timestamp or None for line in self.lines]
        column = instants(texts)
        if column.null_count > len(self.bad):
            known = column.is_valid().to_pylist()
            for header, start, end in self.spans:
                for row in range(start, end):
                    if not known[row] and row not in self.bad:
                        texts[row] = header.received_at
            column = instants(texts)
        return column


def _array(values: Sequence[object] | pa.Array | None, kind: pa.DataType, length: int) -> pa.Array:
    if values is None:
        return pa.nulls(length, kind)
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


def _ints(values: "array[int]") -> pa.Array:
    """An array of C ints as Arrow's, without a copy."""
    return pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(values)])
