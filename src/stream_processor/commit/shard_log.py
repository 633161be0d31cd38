"""The commit protocol's view of one log: its row in DynamoDB and its entries in S3."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pyarrow as pa

import telemetry
from stream_processor.commit.protocol import Commit, Outcome
from stream_processor.errors import MigrationError, MissingObjectError
from stream_processor.storage import held_records, lake_keys, log_rows, object_writer, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_keys import ShardPrefix
from stream_processor.storage.lake_types import (
    ExistingObject,
    LogPosition,
    PendingObject,
    SequencedRecord,
)
from stream_processor.storage.log_names import LogName
from stream_processor.storage.log_rows import LogRow


class ShardLog[T]:
    """Read and write one log. Implements `Log`.

    `stream_shard` is "<stream>#<shard>", the key of the shard's checkpoint in versions before the
    logs. `stats_of` counts the rows of an entry, and `count` adds them to the live counters.
    """

    def __init__(
        self,
        app: AppContext,
        name: LogName,
        stream_shard: str,
        stats_of: Callable[[pa.Table], T],
        count: Callable[[LogName, int, T], None],
    ) -> None:
        self.name = name
        self.row = LogRow(app.checkpoints, name, app.settings.retention_hours)
        self._bucket = app.lake
        self._stream_shard = stream_shard
        self._stats_of = stats_of
        self._count = count
        #: Whether somebody deleted an entry that the writer looked for.
        self.has_lost_entry = False

    def position(self) -> LogPosition:
        """State A: read the row. Without one, list the log, count its newest entry and write it.

        Raises:
            MigrationError: The shard's objects have the old names and `migrate` didn't run.
            StorageError: DynamoDB or S3 failed.
        """
        return self.row.read() or self._rebuilt()

    def _rebuilt(self) -> LogPosition:
        numbers = self.name.numbers(self._bucket)
        position = LogPosition(0, None, self._old_end())
        if not numbers:
            return position
        newest = numbers[-1]
        summary = self.existing(newest).summary
        self.count(newest, self.stats(newest))
        position = LogPosition(newest, summary.previous, position.old).after(summary)
        self.row.advance(position)
        # A writer that crashed after its first entry leaves a log without a row, too.
        if newest and self.row.expires_at > time.time():
            telemetry.error("row of a log rebuilt", log=str(self.name), entries=position.entries)
            telemetry.count("RowsRebuilt", 1)
        return position

    def _old_end(self) -> int | None:
        old = log_rows.old_end(self.row.table, self.name.prefix, self.name.shard)
        if old is None and self.row.table.get({"chain": {"S": self._stream_shard}}) is not None:
            raise MigrationError(
                f"The shard {self._stream_shard} has objects of an earlier version. Disable the "
                "event source mappings, wait 15 minutes, run `make migrate`, and enable them."
            )
        return old

    def in_old_objects[R: SequencedRecord](self, records: Sequence[R]) -> set[int]:
        """Return those of the records that objects with the old names hold.

        Raises:
            StorageError: S3 failed.
            ObjectMetadataError: An object has no valid summary.
        """
        keys = ShardPrefix(self.name.prefix, self.name.shard)
        missing = held_records.missing(self._bucket, keys, records)
        return {it.sequence for it in records} - {it.sequence for it in missing}

    def key(self, number: int) -> str:
        """Return the key of an entry."""
        return self.name.key(number)

    def existing(self, number: int) -> ExistingObject:
        """Read an entry's summary.

        Raises:
            MissingObjectError: Somebody deleted the entry.
            StorageError: S3 failed.
            ObjectMetadataError: The entry's metadata has no valid summary.
        """
        try:
            return lake_keys.summary(self._bucket, self.key(number))
        except MissingObjectError:
            self.has_lost_entry = True
            raise

    def sequences(self, number: int) -> set[int]:
        """Return the sequence numbers of the records in an entry.

        Raises:
            StorageError: S3 failed.
        """
        return held_records.sequences(self._bucket.read(self.key(number)))

    def stats(self, number: int) -> T:
        """Count the rows of an entry in the lake.

        Raises:
            StorageError: S3 failed.
        """
        return self._stats_of(parquet.read(self._bucket.read(self.key(number))))

    def create(self, number: int, pending: PendingObject[T]) -> ExistingObject | None:
        """Write an entry if its number is free; else return the existing one.

        Raises:
            ConservationError: The summary doesn't count the rows of the body.
            StorageError: S3 failed.
            ObjectMetadataError: The metadata of the existing entry has no valid summary.
        """
        return object_writer.create(self._bucket, self.key(number), pending)

    def count(self, number: int, stats: T) -> None:
        """Add the good rows of an entry to the live counters.

        Raises:
            StorageError: DynamoDB failed.
        """
        self._count(self.name, number, stats)

    def advance(self, position: LogPosition) -> None:
        """Store the position, unless the stored one knows as many entries.

        Raises:
            StorageError: DynamoDB failed.
        """
        self.row.advance(position)


def report[T](shard: str, outcome: Outcome[T], batch: Sequence[SequencedRecord]) -> None:
    """Log the outcome of a batch and emit its metrics."""
    for commit in outcome.commits:
        _report_commit(shard, commit)
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


def _report_commit[T](shard: str, commit: Commit[T]) -> None:
    """Log one entry and emit its metrics."""
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
    telemetry.count("ObjectsWritten", 1)
    telemetry.count("BytesWritten", commit.size)
    for name, value in (
        ("RowsIn", summary.rows),
        ("RowsGood", summary.good),
        ("RowsBad", summary.bad),
        ("RowsDuplicate", summary.duplicate),
    ):
        telemetry.count(name, value)
