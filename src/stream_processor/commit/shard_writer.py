"""The commit protocol's view of one shard: its checkpoint in DynamoDB and its objects in S3."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pyarrow as pa

import telemetry
from stream_processor.commit.protocol import Commit, Outcome
from stream_processor.storage import held_records, lake_keys, object_writer, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.checkpoints import Checkpoint
from stream_processor.storage.held_records import Lookup
from stream_processor.storage.lake_keys import ShardPrefix
from stream_processor.storage.lake_types import (
    ExistingObject,
    HighWaterMark,
    PendingObject,
    SequencedRecord,
)


class ShardWriter[T]:
    """Read and write one shard. Implement `CheckpointStore` and `ObjectStore`.

    `name` is "<stream>#<shard>"; `stats_of` counts the rows of an object.
    """

    def __init__(
        self, app: AppContext, name: str, keys: ShardPrefix, stats_of: Callable[[pa.Table], T]
    ) -> None:
        self.name = name
        self.keys = keys
        self._bucket = app.lake
        self._checkpoint = Checkpoint(app.checkpoints, name)
        self._hours = app.settings.retention_hours
        self._live_seconds = app.settings.live_hours * 3_600
        self._stats_of = stats_of

    def high_water_mark(self) -> HighWaterMark | None:
        """Read the shard's mark; if its checkpoint is lost, rebuild it from the lake.

        Raises:
            StorageError: DynamoDB or S3 failed.
        """
        mark = self._checkpoint.read()
        if mark is None:
            mark = lake_keys.last_committed(self._bucket, self.keys, datetime.now(UTC), self._hours)
            if mark is not None:
                telemetry.error("checkpoint rebuilt", shard=self.name, high=str(mark.high))
                telemetry.count("RowsRebuilt", 1)
                self._checkpoint.advance(mark)
        return mark

    def advance(self, mark: HighWaterMark) -> None:
        """Store the mark, unless the stored one is equal or higher.

        Raises:
            StorageError: DynamoDB failed.
        """
        self._checkpoint.advance(mark)

    def uncounted(self, mark: HighWaterMark, first: SequencedRecord) -> list[str]:
        """List the shard's objects after the mark and before `first`.

        An older object than the live counters has nothing left to count.

        Raises:
            StorageError: S3 failed.
        """
        return lake_keys.between(self._bucket, self.keys, mark, first, self._live_seconds)

    def look_up[R: SequencedRecord](self, records: Sequence[R]) -> Lookup[R]:
        """Look records up in the shard's objects.

        Raises:
            StorageError: S3 failed.
            ObjectMetadataError: An object has no valid summary.
        """
        return held_records.look_up(self._bucket, self.keys, records)

    def read(self, key: str) -> bytes:
        """Return the body of an object.

        Raises:
            StorageError: S3 failed.
        """
        return self._bucket.read(key)

    def existing(self, key: str) -> ExistingObject:
        """Read an object's summary.

        Raises:
            StorageError: S3 failed.
            ObjectMetadataError: The object's metadata has no valid summary.
        """
        return lake_keys.summary(self._bucket, key)

    def create(self, key: str, pending: PendingObject[T]) -> ExistingObject | None:
        """Write an object if its key is free; else return the existing one.

        Raises:
            ConservationError: The summary doesn't count the rows of the body.
            StorageError: S3 failed.
            ObjectMetadataError: The metadata of the existing object has no valid summary.
        """
        return object_writer.create(self._bucket, key, pending)

    def stats(self, key: str) -> T:
        """Count the rows of an object in the lake.

        Raises:
            StorageError: S3 failed.
        """
        return self._stats_of(parquet.read(self._bucket.read(key)))


def report[T](shard: str, outcome: Outcome[T], batch: Sequence[SequencedRecord]) -> None:
    """Log the outcome of a batch and emit its metrics."""
    for commit in outcome.commits:
        report_commit(shard, commit)
    if outcome.unwritten is not None:
        telemetry.warning(
            "batch not finished",
            shard=shard,
            unwritten=str(outcome.unwritten),
            error=repr(outcome.error) if outcome.error else "time",
        )
        telemetry.count("BatchesCutShort", 1)
    elif batch:
        age = datetime.now(UTC).timestamp() - batch[0].arrived_ms / 1000
        telemetry.seconds("ArrivalToLake", max(age, 0.0))


def report_commit[T](shard: str, commit: Commit[T]) -> None:
    """Log one object and emit its metrics."""
    summary = commit.summary
    telemetry.info(
        "object adopted" if commit.adopted else "object written",
        shard=shard,
        key=commit.key,
        first=str(summary.first),
        last=str(summary.last),
        records=summary.records,
        good=summary.good,
        bad=summary.bad,
        duplicate=summary.duplicate,
        bytes=commit.size,
    )
    if commit.adopted:
        # The invocation that wrote the object has counted its rows.
        telemetry.count("ObjectsAdopted", 1)
        return
    rows = summary.good + summary.bad + summary.duplicate
    telemetry.count("ObjectsWritten", 1)
    telemetry.count("BytesWritten", commit.size)
    for name, value in (
        ("RowsIn", rows),
        ("RowsGood", summary.good),
        ("RowsBad", summary.bad),
        ("RowsDuplicate", summary.duplicate),
    ):
        telemetry.count(name, value)
