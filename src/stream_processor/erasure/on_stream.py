"""A person's records on the events stream, and in batches that Lambda discarded."""

import json
import sys
from collections.abc import Iterator, Sequence

import pyarrow as pa

from stream_processor.erasure import person as persons
from stream_processor.erasure.person import Person
from stream_processor.ingest import invocation
from stream_processor.ingest.records import StreamRecord
from stream_processor.repair.redrive import parse_failure
from stream_processor.repair.stream_reader import StreamReader
from stream_processor.rows.event_rows import EventRows
from stream_processor.storage import lake_keys, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.position import Position


def waiting(
    app: AppContext, streams: StreamReader, person: Person, start: Position
) -> Iterator[tuple[Position, int]]:
    """Read the stream in pages; yield the position after each, and how many of its records wait.

    Those are records with the person that aren't in the lake yet.

    Raises:
        StorageError: S3 or the stream failed.
    """
    stage = app.settings.stage
    shard, _, since = start.after.rpartition(" ")
    for batch in streams.events(app.settings.retention_hours, (shard, int(since or 0))):
        name = lake_keys.events_shard(stage, batch.stream, batch.shard)
        table = _table(batch.records, name)
        theirs = persons.records(table, persons.rows_of(table, person))
        if theirs:
            theirs -= _in_lake(app, batch.records)
        last = max(it.arrived_ms for it in batch.records)
        yield Position("stream", f"{batch.shard} {last}"), len(theirs)


def is_in_batch(person: Person, body: bytes) -> bool:
    """Return whether a discarded batch has something of the person."""
    text = body.decode("utf-8", "replace")
    if person.is_named_in(text):
        return True
    try:
        document, event = parse_failure(body)
        if "DDBStreamBatchInfo" in document:
            return person.is_named_in(json.dumps(event))
        batches = list(invocation.stream_batches(event))
    except Exception:  # noqa: BLE001 - not a batch of Lambda: its text was searched
        return False
    return any(persons.rows_of(_table(it.records, it.shard), person) for it in batches)


def _in_lake(app: AppContext, records: Sequence[StreamRecord]) -> set[tuple[str, str]]:
    """Return the shard and sequence number of the erased rows of the hours of some records."""
    ids: set[tuple[str, str]] = set()
    hours = lake_keys.around(lake_keys.EVENTS, records, lake_keys.MAX_OBJECT_SPAN_MS)
    for key in (key for hour in hours for key in app.lake.keys(hour)):
        if key.endswith(lake_keys.SUFFIX):
            columns = ("shard_id", "sequence_number", "verdict")
            ids |= persons.records(parquet.read(app.lake.read(key), columns), [])
    return ids


def _table(records: Sequence[StreamRecord], shard: str) -> pa.Table:
    """Return the rows that the function would write for records."""
    rows = EventRows(shard, frozenset())
    rows.take(records, sys.maxsize, sys.maxsize)
    return rows.finish()
