"""Write records that arrive late: discarded by Lambda, or lost and read from the stream again.

They are written by the function's own commit protocol, so that operators and invocations can write
the same records at the same time. Only records that no object holds are written, so every run is
idempotent.
"""

import time
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Final

from stream_processor.commit import change_objects, event_objects, late_objects, protocol
from stream_processor.commit.shard_writer import ShardWriter
from stream_processor.ingest.records import Batch, ChangeRecord, StreamRecord
from stream_processor.repair import existing_ids
from stream_processor.rows import change_rows
from stream_processor.rows.object_stats import MessageKey, ObjectStats
from stream_processor.storage import held_records, lake_keys
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_keys import ShardPrefix
from stream_processor.storage.lake_types import HighWaterMark, PendingObject, SequencedRecord
from stream_processor.storage.live_counters import LiveCounters

#: Within this age (seconds) an invocation can still hold a record: Lambda discards older ones, and
#: stops the last invocation that has them at the function's timeout.
_MAX_HELD_S: Final = lake_keys.MAX_OBJECT_SPAN_MS // 1000


class LateRecords:
    """Write the late records of a shard by the commit protocol.

    A record that an invocation can still hold is written alone: then an object of the operator
    never has a record in common with one of the invocation, unless both start with that record and
    S3 accepts only one of them. Older records share objects.
    """

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._bucket = app.lake

    def events(self, batch: Batch[StreamRecord]) -> int:
        """Write the records of one shard that no object holds; return how many.

        Raises:
            StorageError: S3 or DynamoDB failed. Written objects stay; run it again.
            StreamProcessorError: An object can't be built or written.
        """
        limits = self._app.settings
        # The events of this batch that are good rows in the lake, once an object is built.
        good: set[MessageKey] | None = None

        def build(
            rest: Sequence[StreamRecord], before: int | None, *, late: bool = False
        ) -> PendingObject[ObjectStats]:
            nonlocal good
            if good is None:
                good = self._good_copies(batch)
            return event_objects.build(limits, batch.shard, _apart(rest), before, good, late=late)

        def count(name: str, last: int, stats: ObjectStats) -> None:
            live = LiveCounters(self._app.live, name, limits.live_hours, limits.live_pages)
            live.count(last, stats, time.time())
            if good is not None:
                good.update(stats.ids)

        shard_id = lake_keys.events_shard(limits.stage, batch.stream, batch.shard)
        keys = ShardPrefix(lake_keys.EVENTS, shard_id)
        name = f"{batch.stream}#{batch.shard}"
        shard = ShardWriter(self._app, name, keys, event_objects.stats_of)
        return _write(shard, batch.records, build, count)

    def changes(self, batch: Batch[ChangeRecord], shards: Sequence[str]) -> int:
        """Write the changes that no object of these shards holds; return how many.

        Raises:
            StorageError: S3 or DynamoDB failed. Written objects stay; run it again.
            StreamProcessorError: An object can't be built or written.
        """
        regions = self._app.settings.exported_regions
        missing = [c for c in batch.records if change_rows.own(c, regions)]
        for shard_id in shards:
            keys = ShardPrefix(lake_keys.CHANGES, shard_id)
            missing = held_records.look_up(self._bucket, keys, missing).missing

        def build(
            rest: Sequence[ChangeRecord], before: int | None, *, late: bool = False
        ) -> PendingObject[None]:
            limit = self._app.settings.object_events
            return change_objects.build(batch, _apart(rest)[:limit], before, late=late)

        name = f"{batch.stream}#{batch.shard}"
        keys = ShardPrefix(lake_keys.CHANGES, batch.shard)
        shard: ShardWriter[None] = ShardWriter(self._app, name, keys, lambda _: None)
        return _write(shard, missing, build, lambda *_: None)

    def _good_copies(self, batch: Batch[StreamRecord]) -> set[MessageKey]:
        """Return the events that are good rows in the lake already: the client sent them twice."""
        limits, rest = self._app.settings, batch.records
        arrived = [record.arrived_ms for record in rest]
        ids: set[MessageKey] = set()
        while rest:
            pending = event_objects.build(limits, batch.shard, rest, None, frozenset())
            ids.update(pending.stats.ids)
            rest = rest[pending.summary.records :]
        return existing_ids.good_ids_around(
            self._bucket, min(arrived), max(arrived), limits.window_seconds, ids
        )


def _apart[R: SequencedRecord](records: Sequence[R]) -> Sequence[R]:
    """Return the first record alone, if an invocation can hold it; else the older records."""
    held_since = (time.time() - _MAX_HELD_S) * 1000
    if records[0].arrived_ms > held_since:
        return records[:1]
    return list(takewhile(lambda record: record.arrived_ms <= held_since, records))


def _write[R: SequencedRecord, T](
    shard: ShardWriter[T],
    records: Sequence[R],
    build: Callable[..., PendingObject[T]],
    count: Callable[[str, int, T], None],
) -> int:
    written = 0

    def write_missing(behind: Sequence[R], _: HighWaterMark) -> None:
        nonlocal written
        written += late_objects.write_missing(
            shard, behind, lambda rest: build(rest, None, late=True), count
        )

    outcome = protocol.commit(
        records,
        checkpoints=shard,
        objects=shard,
        build=build,
        name=lambda first: shard.keys.key(first.sequence, first.arrived_ms),
        committed=lambda it: count(shard.name, it.summary.last, it.stats),
        write_missing=write_missing,
        has_time=lambda: True,
    )
    if outcome.error is not None:
        raise outcome.error
    return written + sum(it.summary.records for it in outcome.commits if not it.adopted)
