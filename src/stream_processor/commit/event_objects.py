"""Kinesis records to a pending object of `events/`, and such an object's stats."""

import gc
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pyarrow as pa

import telemetry
from signed_snapshot.persons import Persons
from stream_processor.ingest.records import StreamRecord
from stream_processor.rows import object_stats, verdicts
from stream_processor.rows.event_rows import EventRows
from stream_processor.rows.object_stats import MessageKey, ObjectStats
from stream_processor.settings import Settings
from stream_processor.storage import object_writer, parquet
from stream_processor.storage.lake_types import PendingObject
from stream_processor.storage.object_writer import RecordRange

_STATS_COLUMNS: Final = (
    "verdict",
    "source",
    "message_id",
    "received_at",
    "page_path",
    "country",
    "bot",
)


def build(
    limits: Settings,
    shard: str,
    records: Sequence[StreamRecord],
    previous: int | None,
    window: Container[MessageKey],
    persons: Persons | None = None,
) -> PendingObject[ObjectStats]:
    """Build an object of the first records, up to the limits of one object.

    Events whose key is in `window` become duplicates, and those of `persons` bad rows without data.

    Raises:
        ConservationError: The rows and the records disagree.
    """
    rows = EventRows(shard, window, persons)
    with _gc_paused():
        record_count = rows.take(records, limits.object_events, limits.object_bytes)
        table = rows.finish()
    rows.stats.verdicts = verdicts.newest(table)
    if rows.reasons:
        telemetry.warning("bad rows", shard=shard, reasons=rows.reasons)
    return object_writer.build(
        table,
        rows_in=rows.expected_rows,
        counts=rows.counts,
        covers=RecordRange.of(
            records[:record_count], previous, parquet.count_distinct(table, "sequence_number")
        ),
        stats=rows.stats,
    )


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Pause the garbage collector, which would scan the growing lists of rows again and again.

    The rows have no reference cycles, so the collector has nothing to free.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def stats_of(table: pa.Table) -> ObjectStats:
    """Count the rows of an object that another invocation wrote."""
    columns = [table.column(name).to_pylist() for name in _STATS_COLUMNS]
    stats = object_stats.of_rows(
        (verdict, source_id or "", message_id, f"{received:%Y-%m-%dT%H:%M}", page, country, bot)
        for verdict, source_id, message_id, received, page, country, bot in zip(
            *columns, strict=True
        )
    )
    stats.verdicts = verdicts.newest(table)
    return stats
