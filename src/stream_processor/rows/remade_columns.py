"""Make the columns that are read from a stored event again, by the current code. Pure.

A row keeps its record, its position, its verdict, its id and its times: the writer, the index of
copies and `verify` see the same row. What the event doesn't state itself also stays: the context of
its request isn't stored, only the columns that were read from it.
"""

from typing import Any, Final, NamedTuple

import pyarrow as pa

from stream_processor.ingest import event_schema
from stream_processor.ingest.decoded_rows import NOTHING, AcceptedLine
from stream_processor.ingest.event_schema import NO_CONTEXT, Campaign, Page
from stream_processor.rows.event_chunk import EventChunk
from stream_processor.rows.lake_schema import EVENTS
from stream_processor.rows.record_columns import NO_HEADER

#: Columns of the event itself.
_OF_EVENT: Final = ("type", "event", "name", "user_id", "anonymous_id")
#: Columns of the event's properties, or of its context.
_OF_PAGE: Final = tuple(f"page_{name}" for name in Page.__struct_fields__)
#: Columns of the event's context, or of its request's.
_OF_CONTEXT: Final = (
    *(f"campaign_{name}" for name in Campaign.__struct_fields__),
    *("locale", "library"),
)
COLUMNS: Final = (*_OF_EVENT, *_OF_PAGE, *_OF_CONTEXT)


class Remade(NamedTuple):
    """The table, and what changed in it.

    `changed` is the number of changed rows; `refused` are rows whose event is invalid by the
    current code. They stay as they are.
    """

    table: pa.Table
    changed: int
    refused: int


def remade(table: pa.Table) -> Remade:
    """Return an object's rows as the current code makes them, in the same order."""
    rows = _complete(table)
    numbers: list[int] = []
    refused = 0
    chunk = EventChunk()
    for number, text in enumerate(rows.column("event_json").to_pylist()):
        if text is None:  # bad, or erased
            continue
        raw = text.encode()
        try:
            event = event_schema.event(raw)
        except event_schema.EventError:
            refused += 1
            continue
        chunk.rows.add((AcceptedLine("", None, None, NOTHING), event, raw))
        numbers.append(number)
    if not numbers:
        return Remade(rows, 0, refused)
    chunk.close_record(0, NO_HEADER, "")
    chunk.fill()
    new = chunk.columns()
    has_context = [context is not NO_CONTEXT for context in chunk.contexts]
    columns: dict[str, list[Any]] = {}
    changed: set[int] = set()
    for name in COLUMNS:
        values = rows.column(name).to_pylist()
        for number, value, own in zip(
            numbers, new.column(name).to_pylist(), has_context, strict=True
        ):
            # Without a context of its own, the event had that of its request.
            of_request = not own and (name in _OF_CONTEXT or (name in _OF_PAGE and value is None))
            if not of_request and value != values[number]:
                values[number] = value
                changed.add(number)
        columns[name] = values
    arrays = [
        pa.array(columns[it.name], it.type) if it.name in columns else rows.column(it.name)
        for it in rows.schema
    ]
    return Remade(pa.table(arrays, schema=rows.schema), len(changed), refused)


def _complete(table: pa.Table) -> pa.Table:
    """Return the table with the columns that are made here, in the lake's order."""
    known = set(table.schema.names)
    schema = pa.schema([it for it in EVENTS if it.name in known or it.name in COLUMNS])
    return pa.table(
        [
            table.column(it.name).cast(it.type)
            if it.name in known
            else pa.nulls(len(table), it.type)
            for it in schema
        ],
        schema=schema,
    )
