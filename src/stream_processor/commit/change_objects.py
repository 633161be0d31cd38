"""DynamoDB stream records to a pending object of `changes/`."""

from collections.abc import Sequence

from stream_processor.ingest.records import Batch, ChangeRecord
from stream_processor.rows import change_rows
from stream_processor.storage import object_writer
from stream_processor.storage.lake_types import PendingObject
from stream_processor.storage.object_writer import RecordRange


def build(
    batch: Batch[ChangeRecord], changes: Sequence[ChangeRecord], previous: int | None
) -> PendingObject[None]:
    """Build an object of some changes of one shard.

    Raises:
        ConservationError: The rows and the records disagree.
    """
    table_name = batch.stream.partition("/")[0]
    rows = [change_rows.row(change, table_name, batch.shard) for change in changes]
    return object_writer.build(
        change_rows.table(rows),
        rows_in=len(changes),
        counts=change_rows.counts(rows),
        covers=RecordRange.of(changes, previous, len(changes)),
        stats=None,
    )
