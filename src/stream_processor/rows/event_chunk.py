"""A chunk of decoded events, and its conversion to an Arrow record batch."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import pyarrow as pa

import clickstream
from stream_processor.ingest import event_schema
from stream_processor.ingest.decoded_rows import DecodedRows
from stream_processor.ingest.event_schema import (
    NO_CAMPAIGN,
    NO_CONTEXT,
    NO_LIBRARY,
    NO_PAGE,
    Campaign,
    Context,
    Page,
)
from stream_processor.rows.lake_schema import BAD, DUPLICATE, EVENTS, GOOD
from stream_processor.rows.object_stats import MessageKey, Minute, message_key
from stream_processor.rows.record_columns import NO_HEADER, as_array, minute_of
from stream_processor.rows.timestamps import instants

_GOOD: Final = pa.scalar(GOOD)
#: The reason of a good row with a reason code.
_REPAIRED: Final = "the collector replaced or ignored an invalid value of the event"
#: Codes of accepted events that have a reason besides a repair.
_MARKED: Final = {"plan_violation": "the event violates the tracking plan of its source"}


type Values = list[str | None]


class Span(NamedTuple):
    """Consecutive rows with one header that were received in the same minute."""

    header: clickstream.Header
    minute: Minute
    start: int
    end: int


#: The columns that differ between rows, and `record`: the number of the row's record.
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


class EventChunk:
    """Rows in order. A bad row has placeholders and an entry in `rows.bad`."""

    def __init__(self) -> None:
        self.rows = DecodedRows.none()
        self.contexts: list[Context] = []
        self.paths: list[str | None] = []
        self._pages: list[Page] = []
        self._context_pages: list[Page] = []
        self.keys: list[MessageKey] = []
        self.record = array("i")
        self.index = array("i")
        self.spans: list[Span] = []
        self.duplicate: dict[int, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def close_record(
        self,
        record: int,
        header: clickstream.Header,
        minute: Minute,
        count: int | None = None,
        first: int = 0,
    ) -> None:
        """Assign the rows since the last closed record, all or `count` of them, to a record.

        `record_index` is a row's position in its record, `first` the position of the first of them.
        """
        start = len(self.record)
        count = len(self) - start if count is None else count
        self.record.extend([record] * count)
        self.index.extend(range(first, first + count))
        self.spans.append(Span(header, minute, start, start + count))

    def close_singles(self, records: Sequence[int], minutes: Sequence[int]) -> None:
        """Assign each row to its own record without a header.

        `minutes` are the minutes since 1970 in which the records arrived.
        """
        self.record.extend(records)
        self.index.extend(bytes(len(records)))
        start = 0
        for minute, rows in groupby(minutes):
            end = start + len(list(rows))
            self.spans.append(Span(NO_HEADER, minute_of(minute), start, end))
            start = end

    def minutes(self) -> Iterator[tuple[Minute, int, int]]:
        """Yield the minute, first row and end of consecutive rows received in one minute."""
        for minute, group in groupby(self.spans, attrgetter("minute")):
            spans = list(group)
            yield minute, spans[0].start, spans[-1].end

    def fill(self) -> None:
        """Derive keys, contexts and page paths from the rows and their records' headers."""
        self.contexts = [event.context or NO_CONTEXT for event in self.rows.events]
        for header, _, start, end in self.spans:
            source = message_key(header.source, "")
            self.keys += [source + message_id for message_id in self.rows.ids[start:end]]
            if header is not NO_HEADER and bytes(header.context) != b"null":
                shared = event_schema.context(header.context)
                for row in range(start, end):
                    if self.contexts[row] is NO_CONTEXT:
                        self.contexts[row] = shared
        self._pages = [event.properties or NO_PAGE for event in self.rows.events]
        self._context_pages = [context.page or NO_PAGE for context in self.contexts]
        self.paths = _either(
            [it.path for it in self._pages], lambda: [it.path for it in self._context_pages]
        )

    def identity(self) -> bytes:
        """Return what distinguishes these rows from those of another object of the same records."""
        left_out = f"{sorted(self.rows.bad)} {sorted(self.duplicate)}"
        ids = "\0".join(self.rows.ids)
        return f"{left_out} {ids}".encode("utf-8", "surrogatepass") + self.index.tobytes()

    def columns(self) -> pa.RecordBatch:
        """Return the rows as a record batch with `SCHEMA`."""
        events, contexts = self.rows.events, self.contexts
        bad = self.rows.bad
        repaired = {
            row: (code, _MARKED.get(code, _REPAIRED)) for row, code in self.rows.repairs.items()
        }
        reasons = {row: (one.code, one.reason) for row, one in bad.items()} | self.duplicate
        stated = repaired | reasons
        values: dict[str, Sequence[object] | pa.Array | None] = {
            "verdict": self._verdicts() if reasons else pa.repeat(_GOOD, len(self)),
            "reason_code": self._sparse({row: why[0] for row, why in stated.items()}),
            "reason": self._sparse({row: why[1] for row, why in stated.items()}),
            "message_id": [message_id or None for message_id in self.rows.ids],
            "type": [event.type or None for event in events],
            "event": [event.event for event in events],
            "name": [event.name for event in events],
            "user_id": [event.user_id for event in events],
            "anonymous_id": [event.anonymous_id for event in events],
            **self._times(),
            "locale": [context.locale for context in contexts],
            "library": [(context.library or NO_LIBRARY).name for context in contexts],
            "event_json": self.rows.json(),
            "raw": self._sparse({row: one.raw for row, one in bad.items()}),
            "record_index": as_array(self.index, pa.int32()),
            "record": as_array(self.record, pa.int32()),
            "page_path": self.paths,
            **self._page_columns(),
            **self._campaign_columns(),
        }
        arrays = [_array(values.get(field.name), field.type, len(self)) for field in SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)

    def _page_columns(self) -> dict[str, list[str | None]]:
        own, others = self._pages, self._context_pages
        return {
            "page_url": _either([it.url for it in own], lambda: [it.url for it in others]),
            "page_title": _either([it.title for it in own], lambda: [it.title for it in others]),
            "page_referrer": _either(
                [it.referrer for it in own], lambda: [it.referrer for it in others]
            ),
            "page_search": _either([it.search for it in own], lambda: [it.search for it in others]),
        }

    def _campaign_columns(self) -> dict[str, Sequence[object]]:
        context_campaigns = [context.campaign for context in self.contexts]
        if not any(context_campaigns):
            return {}  # most visits have no campaign
        campaigns = [campaign or NO_CAMPAIGN for campaign in context_campaigns]
        return {
            f"campaign_{name}": list(map(attrgetter(name), campaigns))
            for name in Campaign.__struct_fields__
        }

    def _times(self) -> dict[str, pa.Array]:
        timestamps = instants(self.rows.timestamps)
        # A producer with only one of the two times sends it as both.
        same = self.rows.originals == self.rows.timestamps
        originals = timestamps if same else instants(self.rows.originals)
        return {"timestamp": timestamps, "original_timestamp": originals}

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


def _either(own: Values, others: Callable[[], Values]) -> Values:
    """Return each event's own page field, or its context's if it has none.

    Comprehensions read fields faster than `attrgetter`.
    """
    if None not in own:
        return own
    if own.count(None) == len(own):
        return others()
    return [other if value is None else value for value, other in zip(own, others(), strict=True)]


def _array(values: Sequence[object] | pa.Array | None, kind: pa.DataType, length: int) -> pa.Array:
    if values is None:
        return pa.nulls(length, kind)
    return values if isinstance(values, pa.Array) else pa.array(values, kind)
