"""Count the newest entry of each log: the hourly job's part of the commit protocol.

A writer can crash between the PUT of an entry and its count. The next writer of the log counts it,
but the log of an ended hour gets no other writer.
"""

from datetime import datetime, timedelta
from typing import Final

from stream_processor.commit import event_objects
from stream_processor.commit.event_writer import EventWriter
from stream_processor.storage import lake_keys, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_types import LogPosition
from stream_processor.storage.log_names import LogName, entry_of
from stream_processor.storage.log_rows import LogRow

#: Hours before the job whose logs are checked: a batch is delivered again for a while.
_HOURS: Final = timedelta(hours=3)


def count(app: AppContext, at: datetime) -> int:
    """Count the entries that no row knows, of the hours before `at`; return how many.

    Raises:
        StorageError: S3 or DynamoDB failed.
    """
    first, last = (round(it.timestamp() * 1000) for it in (at - _HOURS, at))
    newest: dict[LogName, int] = {}
    for hour in lake_keys.hours(lake_keys.EVENTS, first, last):
        for log, number in filter(None, map(entry_of, app.lake.keys(hour))):
            newest[log] = max(number, newest.get(log, 0))
    counted, writer = 0, EventWriter(app)
    for log, number in newest.items():
        row = LogRow(app.checkpoints, log, app.settings.retention_hours)
        known = row.read()
        if known is None or known.entries <= number:
            _count(app, writer, row, number, known)
            counted += 1
    return counted


def _count(
    app: AppContext, writer: EventWriter, row: LogRow, number: int, known: LogPosition | None
) -> None:
    key = row.log.key(number)
    writer.count(row.log, number, event_objects.stats_of(parquet.read(app.lake.read(key))))
    if known is not None:
        summary = lake_keys.summary(app.lake, key).summary
        row.advance(LogPosition(number, summary.previous, known.old).after(summary))
