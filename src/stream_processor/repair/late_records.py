"""Write records that arrive late: discarded by Lambda, or lost and read from the stream again.

Records before the shard's high-water mark go to `redrive-<shard>-<first sequence number>.parquet`,
in the hour of their arrival. Only records that no object holds are written, so every run is
idempotent.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from stream_processor.commit import change_objects, event_objects, protocol
from stream_processor.commit.shard_writer import ShardWriter
from stream_processor.ingest.invocation import Batch, ChangeRecord, StreamRecord
from stream_processor.repair import existing_ids
from stream_processor.rows import change_rows
from stream_processor.rows.object_stats import MessageKey, ObjectStats
from stream_processor.storage import lake_keys, object_writer, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_keys import ShardPrefix
from stream_processor.storage.lake_types import PendingObject, SequencedRecord
from stream_processor.storage.live_counters import LiveCounters

#: Prefix of these objects' names, before the shard's.
REDRIVE_PREFIX: Final = "redrive-"
#: An object can be named after a record that arrived this many hours before its others: Lambda
#: discards records that are older.
_MAX_BATCH_HOURS: Final = 25


class LateRecords:
    """Write late records with the commit protocol, or to a redrive object.

    Records after the shard's high-water mark go through the commit protocol, so that a concurrent
    invocation with the same records conflicts in the usual way. Records before it go to a redrive
    object. `previous` is the sequence number before the first record in the stream, if it is known:
    with it `verify` can tell that nothing is missing between the two.
    """

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._bucket = app.lake

    def events(self, batch: Batch[StreamRecord], previous: int | None = None) -> int:
        """Write the records of one shard that no object holds; return how many.

        Raises:
            StorageError: S3 or DynamoDB failed. Written objects stay; run it again.
            StreamProcessorError: An object can't be built or written.
        """
        limits = self._app.settings

        def build(rest: Sequence[StreamRecord], before: int | None) -> PendingObject[ObjectStats]:
            pending = event_objects.build(limits, batch.shard, rest, before, frozenset())
            copies = self._copies(pending, rest)
            if not copies:
                return pending
            return event_objects.build(limits, batch.shard, rest, before, copies)

        def count(name: str, last: int, stats: ObjectStats) -> None:
            live = LiveCounters(self._app.live, name, limits.live_hours, limits.live_pages)
            live.count(last, stats, time.time())

        missing = self.missing(lake_keys.EVENTS, [batch.shard], batch.records)
        name = f"{batch.stream}#{batch.shard}"
        keys = ShardPrefix(lake_keys.EVENTS, batch.shard)
        shard = ShardWriter(self._app, name, keys, event_objects.stats_of)
        return self._write(shard, missing, build, count, previous)

    def changes(
        self, batch: Batch[ChangeRecord], shards: Sequence[str], previous: int | None = None
    ) -> int:
        """Write the changes that no object of these shards holds; return how many.

        Raises:
            StorageError: S3 or DynamoDB failed. Written objects stay; run it again.
            StreamProcessorError: An object can't be built or written.
        """
        own_changes = [c for c in batch.records if change_rows.own(c, self._app.settings.region)]
        missing = self.missing(lake_keys.CHANGES, shards, own_changes)
        name = f"{batch.stream}#{batch.shard}"
        keys = ShardPrefix(lake_keys.CHANGES, batch.shard)
        shard: ShardWriter[None] = ShardWriter(self._app, name, keys, lambda _: None)
        return self._write(
            shard,
            missing,
            lambda rest, before: change_objects.build(batch, rest, before),
            lambda *_: None,
            previous,
        )

    def missing[R: SequencedRecord](
        self, prefix: str, shards: Sequence[str], records: Sequence[R]
    ) -> list[R]:
        """Return the records that no object of these shards holds, redrive objects included.

        Raises:
            StorageError: S3 failed.
            ObjectMetadataError: An object has no valid summary.
        """
        uncovered = list(records)
        for shard in shards:
            keys = ShardPrefix(prefix, shard)
            uncovered = lake_keys.uncovered(self._bucket, keys, uncovered, _MAX_BATCH_HOURS)
            if uncovered:
                redriven = self._redriven(ShardPrefix(prefix, REDRIVE_PREFIX + shard), uncovered)
                uncovered = [record for record in uncovered if record.sequence not in redriven]
        return uncovered

    def _redriven(self, keys: ShardPrefix, records: Sequence[SequencedRecord]) -> set[int]:
        """Return the sequence numbers in redrive objects, whose ranges can have gaps."""
        arrived = [record.arrived_ms for record in records]
        since = min(arrived) - _MAX_BATCH_HOURS * 3_600_000
        return {
            sequence
            for hour in lake_keys.hours(keys.prefix, since, max(arrived))
            for key in keys.within(self._bucket, hour)
            for sequence in sequences(self._bucket.read(key))
        }

    def _copies(
        self, pending: PendingObject[ObjectStats], records: Sequence[StreamRecord]
    ) -> set[MessageKey]:
        """Return the events that are good rows in the lake already: the client sent them twice."""
        arrived = [record.arrived_ms for record in records[: pending.summary.records]]
        seconds = self._app.settings.window_seconds
        return existing_ids.good_ids_around(
            self._bucket, min(arrived), max(arrived), seconds, pending.stats.ids
        )

    def _write[R: SequencedRecord, T](
        self,
        shard: ShardWriter[T],
        missing: Sequence[R],
        build: Callable[[Sequence[R], int | None], PendingObject[T]],
        count: Callable[[str, int, T], None],
        previous: int | None,
    ) -> int:
        mark = shard.high_water_mark() if missing else None
        past = [r for r in missing if mark is not None and r.sequence <= mark.high]
        ahead = missing[len(past) :]
        outcome = protocol.commit(
            ahead,
            checkpoints=shard,
            objects=shard,
            build=build,
            name=lambda first: shard.keys.key(first.sequence, first.arrived_ms),
            committed=lambda it: count(shard.name, it.summary.last, it.stats),
            has_time=lambda: True,
        )
        if outcome.error is not None:
            raise outcome.error
        keys = ShardPrefix(shard.keys.prefix, REDRIVE_PREFIX + shard.keys.shard)
        unwritten: Sequence[R] = past
        while unwritten:
            pending = build(unwritten, previous)
            key = keys.key(unwritten[0].sequence, unwritten[0].arrived_ms)
            if object_writer.create(self._bucket, key, pending) is None:
                previous = pending.summary.last
                name = f"{shard.name}#{REDRIVE_PREFIX}{pending.summary.first}"
                count(name, previous, pending.stats)
                unwritten = unwritten[pending.summary.records :]
            else:
                # Another operator wrote the object first: its records are done.
                stored = sequences(self._bucket.read(key))
                unwritten = [record for record in unwritten if record.sequence not in stored]
        return len(missing)


def sequences(body: bytes) -> set[int]:
    """Return the sequence numbers of an object's rows."""
    column = parquet.read(body, ["sequence_number"]).column("sequence_number")
    return set(map(int, column.unique().to_pylist()))
