"""A thousand events, as lists on their way to columns."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, groupby
from operator import attrgetter
from typing import Final, NamedTuple, cast

import pyarrow as pa

import clickstream
from stream_processor import fields
from stream_processor.decode import Rows
from stream_processor.fields import (
    NO_CAMPAIGN,
    NO_CONTEXT,
    NO_LIBRARY,
    NO_PAGE,
    Campaign,
    Context,
    Page,
)
from stream_processor.schema import BAD, DUPLICATE, EVENTS, GOOD
from stream_processor.tally import MessageKey, message_key
from stream_processor.times import instants

_GOOD: Final = pa.scalar(GOOD)


class Head(NamedTuple):
    """What the rows of a record share. `header` is one object for all records without any."""

    header: clickstream.Header
    received_at: str
    sent_at: str | None


class Span(NamedTuple):
    """Rows that have one head: those of a record, or of several."""

    head: Head
    start: int
    end: int


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
    """Rows in order. A row that is no event holds placeholders, and stands in `rows.bad`."""

    def __init__(self) -> None:
        self.rows = Rows.none()
        self.contexts: list[Context] = []
        self.keys: list[MessageKey] = []
        self.record = array("i")
        self.index = array("i")
        self.spans: list[Span] = []
        self.duplicate: dict[int, tuple[str, str]] = {}
        self._paths: list[str | None] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def close_record(self, record: int, head: Head, upto: int | None = None) -> None:
        """Say which record the rows are of that came since the last one was closed, `upto` a row.

        `record_index` is a row's place in its record.
        """
        start = self.spans[-1].end if self.spans else 0
        count = (len(self) if upto is None else upto) - start
        self.record.extend([record] * count)
        self.index.extend(range(count))
        self.spans.append(Span(head, start, start + count))

    def close_singles(self, records: Sequence[int], heads: Sequence[Head]) -> None:
        """Say that each row is a record of its own, and what heads they have."""
        self.record.extend(records)
        self.index.extend(bytes(len(records)))
        start = 0
        for head, rows in groupby(heads):
            end = start + sum(1 for _ in rows)
            self.spans.append(Span(head, start, end))
            start = end

    def minutes(self) -> Iterator[tuple[clickstream.Header, str, int, int]]:
        """Runs of rows of one header and one minute of arrival."""
        run: tuple[clickstream.Header, str, int, int] | None = None
        for head, start, end in self.spans:
            minute = head.received_at[:16]
            if run is not None and run[0] is head.header and run[1] == minute:
                run = (*run[:3], end)
                continue
            if run is not None:
                yield run
            run = (head.header, minute, start, end)
        if run is not None:
            yield run

    def fill(self) -> None:
        """Work out what rows take from their record: their source, and its context."""
        self.contexts = [event.context or NO_CONTEXT for event in self.rows.events]
        for header, _, start, end in self.minutes():
            source = message_key(header.source, "")
            self.keys += [source + message_id for message_id in self.rows.ids[start:end]]
            if bytes(header.context) != b"null":
                shared = fields.context(header.context)
                for row in range(start, end):
                    if self.contexts[row] is NO_CONTEXT:
                        self.contexts[row] = shared

    def paths(self) -> list[str | None]:
        """The page of each row, for the live counters."""
        if self._paths is None:
            self._paths = self._either(
                [(event.properties or NO_PAGE).path for event in self.rows.events],
                attrgetter("path"),
            )
        return self._paths

    def _either(self, own: list[str | None], of: Callable[[Page], str | None]) -> list[str | None]:
        """What each event says of its page itself; where it says nothing, what its context says."""
        if None not in own:
            return own
        return [
            of(context.page) if value is None and context.page is not None else value
            for value, context in zip(own, self.contexts, strict=True)
        ]

    def columns(self) -> pa.RecordBatch:
        """The rows as a batch of `SCHEMA`."""
        events, contexts = self.rows.events, self.contexts
        bad = self.rows.bad
        reasons = {row: (one.code, one.reason) for row, one in bad.items()} | self.duplicate
        values: dict[str, Sequence[object] | pa.Array | None] = {
            "verdict": self._verdicts() if reasons else pa.repeat(_GOOD, len(self)),
            "reason_code": self._sparse({row: why[0] for row, why in reasons.items()}),
            "reason": self._sparse({row: why[1] for row, why in reasons.items()}),
            "message_id": [message_id or None for message_id in self.rows.ids],
            "type": [event.type or None for event in events],
            "event": [event.event for event in events],
            "name": [event.name for event in events],
            "user_id": [event.user_id for event in events],
            "anonymous_id": [event.anonymous_id for event in events],
            "timestamp": self._timestamps(),
            "original_timestamp": instants(self.rows.originals),
            "locale": [context.locale for context in contexts],
            "library": [(context.library or NO_LIBRARY).name for context in contexts],
            "event_json": self._texts(),
            "raw": self._sparse({row: one.raw for row, one in bad.items()}),
            "record_index": as_array(self.index),
            "record": as_array(self.record),
            **self._page_columns(),
            **self._campaign_columns(),
        }
        arrays = [_array(values.get(field.name), field.type, len(self)) for field in SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)

    def _page_columns(self) -> dict[str, Sequence[object]]:
        own = [event.properties or NO_PAGE for event in self.rows.events]
        return {
            "page_url": self._either([page.url for page in own], attrgetter("url")),
            "page_path": self.paths(),
            "page_title": self._either([page.title for page in own], attrgetter("title")),
            "page_referrer": self._either([page.referrer for page in own], attrgetter("referrer")),
            "page_search": self._either([page.search for page in own], attrgetter("search")),
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
        texts, joined = self.rows.texts, self.rows.joined
        if joined is None:
            copies = [None if text is None else bytes(text) for text in texts]
            return pa.array(copies, pa.binary()).view(pa.string())
        ends = array("i", accumulate(map(len, cast("list[bytes]", texts)), initial=0))
        return pa.Array.from_buffers(
            pa.string(), len(self), [None, pa.py_buffer(ends), pa.py_buffer(joined)]
        )

    def _verdicts(self) -> list[str]:
        verdicts = [GOOD] * len(self)
        for row in self.duplicate:
            verdicts[row] = DUPLICATE
        for row in self.rows.bad:
            verdicts[row] = BAD
        return verdicts

    def _sparse[V](self, values: dict[int, V]) -> list[V | None] | None:
        if not values:
            return None
        column: list[V | None] = [None] * len(self)
        for row, value in values.items():
            column[row] = value
        return column

    def _timestamps(self) -> pa.Array:
        """When it happened; where that cannot be read, when it was received."""
        texts: list[str | None] = [text or None for text in self.rows.timestamps]
        column = instants(texts)
        if column.null_count > len(self.rows.bad):
            known = column.is_valid().to_pylist()
            for head, start, end in self.spans:
                for row in range(start, end):
                    if not known[row] and row not in self.rows.bad:
                        texts[row] = head.received_at
            column = instants(texts)
        return column


def _array(values: Sequence[object] | pa.Array | None, kind: pa.DataType, length: int) -> pa.Array:
    if values is None:
        return pa.nulls(length, kind)
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


def as_array(values: "array[int]") -> pa.Array:
    """An array of C ints as Arrow's, without a copy."""
    return pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(values)])
