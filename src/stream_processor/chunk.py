"""A thousand events, as lists on their way to columns."""

from array import array
from collections.abc import Sequence
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
    Context,
    Event,
    EventError,
)
from stream_processor.schema import BAD, DUPLICATE, EVENTS, GOOD
from stream_processor.tally import MessageKey
from stream_processor.times import instants

_NOTHING: Final = msgspec.Raw(b"")
_NO_LINE: Final = Line(message_id="", timestamp="", event=_NOTHING)
_PAGE: Final = fields.Page.__struct_fields__
_CAMPAIGN: Final = fields.Campaign.__struct_fields__

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
            *(f"page_{name}" for name in _PAGE),
            *(f"campaign_{name}" for name in _CAMPAIGN),
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
        return self._page("path")

    def _page(self, name: str) -> list[str | None]:
        of = _GETTERS[name]
        return [
            of(event.properties or NO_PAGE) or of(context.page or NO_PAGE)
            for event, context in zip(self.events, self.contexts, strict=True)
        ]

    def columns(self) -> pa.RecordBatch:
        """The rows as a batch of `SCHEMA`."""
        lines, events = self.lines, self.events
        campaigns = [context.campaign or NO_CAMPAIGN for context in self.contexts]
        reasons = {row: (bad.code, bad.reason) for row, bad in self.bad.items()} | self.duplicate
        values: dict[str, object] = {
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
            "locale": [context.locale for context in self.contexts],
            "library": [(context.library or NO_LIBRARY).name for context in self.contexts],
            "event_json": pa.array(
                [bytes(line.event) if line is not _NO_LINE else None for line in lines],
                pa.binary(),
            ).cast(pa.string()),
            "raw": self._sparse({row: bad.raw for row, bad in self.bad.items()}),
            "record_index": _ints(self.index),
            "record": _ints(self.record),
        }
        for name in _PAGE:
            values[f"page_{name}"] = self._page(name)
        for name in _CAMPAIGN:
            of = _GETTERS[name]
            values[f"campaign_{name}"] = [of(campaign) for campaign in campaigns]
        arrays = [
            value if isinstance(value, pa.Array) else pa.array(value, field.type)
            for field in SCHEMA
            for value in [values[field.name]]
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)

    def _verdicts(self) -> list[str]:
        verdicts = [GOOD] * len(self.lines)
        for row in self.duplicate:
            verdicts[row] = DUPLICATE
        for row in self.bad:
            verdicts[row] = BAD
        return verdicts

    def _sparse[V](self, values: dict[int, V]) -> list[V | None]:
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


_GETTERS: Final = {name: attrgetter(name) for name in {*_PAGE, *_CAMPAIGN}}


def _ints(values: "array[int]") -> pa.Array:
    """An array of C ints as Arrow's, without a copy."""
    return pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(values)])
