"""Write records that arrive late: discarded by Lambda, or lost and read from the stream again.

They are written by the function's own writer, so that operators and invocations can write the same
records at the same time. Only records that no entry holds are written, so every run is idempotent.
"""

from collections.abc import Sequence
from typing import Any

from stream_processor.commit import change_writer, event_objects
from stream_processor.commit.event_writer import EventWriter
from stream_processor.commit.protocol import Outcome
from stream_processor.ingest.records import Batch, ChangeRecord, StreamRecord
from stream_processor.repair import existing_ids
from stream_processor.rows import change_rows
from stream_processor.rows.object_stats import MessageKey
from stream_processor.storage.app_context import AppContext


class LateRecords:
    """Write the late records of a shard by the commit protocol."""

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._bucket = app.lake

    def events(self, batch: Batch[StreamRecord]) -> int:
        """Write the records of one shard that no entry holds; return how many.

        Raises:
            StorageError: S3 or DynamoDB failed. Written objects stay; run it again.
            StreamProcessorError: An object can't be built or written.
        """
        # A process that runs for long would keep the ids of entries that were deleted since.
        writer = EventWriter(self._app)
        return _written(writer.write(batch, lambda: True, lambda: self._good_copies(batch)))

    def changes(self, batch: Batch[ChangeRecord]) -> int:
        """Write the changes of one shard that no entry holds; return how many.

        Raises:
            StorageError: S3 or DynamoDB failed. Written objects stay; run it again.
            StreamProcessorError: An object can't be built or written.
        """
        regions = self._app.settings.exported_regions
        own_changes = [c for c in batch.records if change_rows.own(c, regions)]
        return _written(change_writer.write(self._app, batch, own_changes, lambda: True))

    def _good_copies(self, batch: Batch[StreamRecord]) -> set[MessageKey]:
        """Return the events that are good rows in the lake already: the client sent them twice."""
        limits = self._app.settings
        rest: Sequence[StreamRecord] = batch.records
        arrived = [record.arrived_ms for record in rest]
        ids: set[MessageKey] = set()
        while rest:
            pending = event_objects.build(limits, batch.shard, rest, None, frozenset())
            ids.update(pending.stats.ids)
            rest = rest[pending.taken :]
        return existing_ids.good_ids_around(
            self._bucket, min(arrived), max(arrived), limits.window_seconds, ids
        )


def _written(outcome: Outcome[Any]) -> int:
    if outcome.error is not None:
        raise outcome.error
    return sum(it.summary.records for it in outcome.commits if not it.adopted)
