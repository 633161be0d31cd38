"""Decoded rows as columns: one list per field of a row."""

from array import array
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, cast

import msgspec
import pyarrow as pa

import clickstream
from stream_processor.ingest.event_schema import NO_EVENT, Context, Event


@dataclass(frozen=True, slots=True)
class BadRow:
    """An event that can't be decoded: a stable reason code, a sentence, and its bytes."""

    code: str
    reason: str
    raw: bytes


class AcceptedLine(msgspec.Struct, frozen=True, gc=False):
    """The fields of `clickstream.Accepted` that this package reads."""

    message_id: str
    timestamp: str | None
    original_timestamp: str | None
    event: msgspec.Raw
    repair: str | None = None
    visitor: clickstream.Visitor | None = None


@dataclass(slots=True)
class DecodedRows:
    """Rows in order, one list per field. A bad row has placeholders and an entry in `bad`.

    `joined` is the concatenation of all texts, if they were decoded together. `repairs` are the
    codes of values that the collector replaced, by row; `visitors` are facts that replace those in
    the record's header, by row.
    """

    ids: list[str]
    timestamps: list[str | None]
    originals: list[str | None]
    events: list[Event]
    texts: list[bytes | None]
    bad: dict[int, BadRow]
    joined: bytes | None = None
    repairs: dict[int, str] = field(default_factory=dict)
    visitors: dict[int, clickstream.Visitor] = field(default_factory=dict)

    @classmethod
    def none(cls) -> "DecodedRows":
        """Return an empty set of rows."""
        return cls([], [], [], [], [], {})

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, row: "tuple[AcceptedLine, Event, bytes] | BadRow") -> None:
        """Append one row."""
        if isinstance(row, BadRow):
            self.bad[len(self)] = row
        line, event, text = (NO_LINE, NO_EVENT, None) if isinstance(row, BadRow) else row
        if line.repair is not None:
            self.repairs[len(self)] = line.repair
        if line.visitor is not None:
            self.visitors[len(self)] = line.visitor
        self.ids.append(line.message_id)
        self.timestamps.append(line.timestamp)
        self.originals.append(line.original_timestamp)
        self.events.append(event)
        self.texts.append(text)
        self.joined = None

    def replace(self, row: int, bad: BadRow) -> None:
        """Replace a row by a bad one, of which nothing else is known."""
        self.bad[row] = bad
        self.ids[row], self.timestamps[row] = NO_LINE.message_id, NO_LINE.timestamp
        self.originals[row], self.events[row] = NO_LINE.original_timestamp, NO_CONTEXT_EVENT
        self.texts[row] = None
        self.repairs.pop(row, None)
        self.visitors.pop(row, None)
        self.joined = None

    def extend(self, other: "DecodedRows") -> None:
        """Append all rows of `other`."""
        start = len(self)
        self.ids += other.ids
        self.timestamps += other.timestamps
        self.originals += other.originals
        self.events += other.events
        self.texts += other.texts
        self.repairs |= {start + row: code for row, code in other.repairs.items()}
        self.visitors |= {start + row: facts for row, facts in other.visitors.items()}
        self.bad |= {start + row: bad for row, bad in other.bad.items()}
        self.joined = None

    def json(self) -> pa.Array:
        """Return the events' JSON as sent. The decoder has checked that it is UTF-8."""
        if self.joined is None:
            copies = [None if text is None else bytes(text) for text in self.texts]
            return pa.array(copies, pa.binary()).view(pa.string())
        ends = array("i", accumulate(map(len, cast("list[bytes]", self.texts)), initial=0))
        return pa.Array.from_buffers(
            pa.string(), len(self), [None, pa.py_buffer(ends), pa.py_buffer(self.joined)]
        )


#: Of a replaced row: with a context of its own, so that it doesn't get that of its record.
NO_CONTEXT_EVENT: Final = Event(type="", context=Context())
NOTHING: Final = msgspec.Raw(b"")
NO_LINE: Final = AcceptedLine("", "", None, NOTHING)
