"""EventsFunction: events from Kinesis (or Kafka) to the lake and the live counters."""

import os
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import telemetry
from stream_processor import settings
from stream_processor.commit import event_objects, late_objects, protocol, shard_writer
from stream_processor.commit.protocol import Commit
from stream_processor.commit.shard_writer import ShardWriter
from stream_processor.handlers import partial_batch
from stream_processor.handlers.partial_batch import HasTime
from stream_processor.ingest import invocation
from stream_processor.ingest.records import Batch, StreamRecord
from stream_processor.rows.dedup_window import DedupLimits, DedupWindow
from stream_processor.rows.object_stats import MessageKey, ObjectStats
from stream_processor.storage import lake_keys
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_keys import ShardPrefix
from stream_processor.storage.lake_types import HighWaterMark, PendingObject
from stream_processor.storage.live_counters import LiveCounters

#: Shards whose deduplication windows a process keeps: Lambda sends it several shards in turn.
_MAX_WINDOWS: Final = 16


@telemetry.instrumented
def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Commit a batch to the lake and return `batchItemFailures`.

    EventBridge Scheduler invokes the same function for the hourly compaction: one package and one
    role less.

    Raises:
        StreamProcessorError: Nothing was committed, so Lambda retries the whole batch.
    """
    if "scheduled_time" in event:
        return _hourly(event, _handler().app, partial_batch.has_time(context))
    return _handler().handle(event, partial_batch.has_time(context))


def _hourly(event: Mapping[str, Any], app: AppContext, has_time: HasTime) -> dict[str, Any]:
    """Compact, and check the other schedule: a run that didn't start can't report itself."""
    from stream_processor.compaction import compact
    from stream_processor.repair.overdue import is_overdue

    result = compact.scheduled(event, app, has_time)
    overdue = is_overdue(app.lake, datetime.fromisoformat(event["scheduled_time"]))
    telemetry.count("ReconciliationsOverdue", int(overdue))
    return result


@cache
def _handler() -> "EventsHandler":
    return EventsHandler(AppContext.from_settings(settings.parse(os.environ)))


class EventsHandler:
    """Commit batches of events. Keep the deduplication windows of recent shards in memory."""

    def __init__(self, app: AppContext) -> None:
        self.app = app
        self._windows: OrderedDict[str, DedupWindow] = OrderedDict()

    def handle(self, event: Mapping[str, Any], has_time: HasTime) -> dict[str, Any]:
        """Commit the batches of an invocation event and return `batchItemFailures`.

        Raises:
            SourceError: The event comes from neither Kinesis nor Kafka.
            StreamProcessorError: The first object of a batch failed.
        """
        batches = invocation.stream_batches(
            event, kafka_partial_response=self.app.settings.kafka_partial_response
        )
        return partial_batch.respond(batches, lambda batch: self.run(batch, has_time))

    def run(self, batch: Batch[StreamRecord], has_time: HasTime) -> int | None:
        """Commit one batch; return the first sequence number that isn't committed, or None.

        Raises:
            StreamProcessorError: The batch's first object failed, and nothing is committed.
        """
        limits = self.app.settings
        name = f"{batch.stream}#{batch.shard}"
        keys = ShardPrefix(
            lake_keys.EVENTS, lake_keys.events_shard(limits.stage, batch.stream, batch.shard)
        )
        shard = ShardWriter(self.app, name, keys, event_objects.stats_of)
        live = LiveCounters(self.app.live, name, limits.live_hours, limits.live_pages)
        window = self._window(name)

        def build(rest: Sequence[StreamRecord], previous: int | None) -> PendingObject[ObjectStats]:
            self._catch_up(window, shard, previous, rest[0].arrived_ms)
            return event_objects.build(limits, batch.shard, rest, previous, window)

        def committed(commit: Commit[ObjectStats]) -> None:
            live.count(commit.summary.last, commit.stats, time.time())
            # An adopted object can come after others that the window hasn't read: then the window
            # reads it with them, before the next object is built.
            if window.high == commit.summary.previous:
                window.add(commit.summary.last, commit.stats.ids)

        def count_late(late_name: str, last: int, stats: ObjectStats) -> None:
            counters = LiveCounters(self.app.live, late_name, limits.live_hours, limits.live_pages)
            counters.count(last, stats, time.time())
            if window.high is not None:
                window.add(window.high, stats.ids)

        def write_missing(records: Sequence[StreamRecord], mark: HighWaterMark) -> int:
            is_current = False

            def build_late(missing: Sequence[StreamRecord]) -> PendingObject[ObjectStats]:
                nonlocal is_current
                if not is_current:
                    # The records can be those of a deleted object that the window still has.
                    window.clear()
                    is_current = True
                newest = max(mark.arrived_ms, missing[-1].arrived_ms)
                self._catch_up(window, shard, mark.high, newest)
                return event_objects.build(limits, batch.shard, missing, None, window, late=True)

            return late_objects.write_missing(shard, records, build_late, count_late)

        outcome = protocol.commit(
            batch.records,
            checkpoints=shard,
            objects=shard,
            build=build,
            name=lambda first: keys.key(first.sequence, first.arrived_ms),
            committed=committed,
            write_missing=write_missing,
            has_time=has_time,
        )
        shard_writer.report(name, outcome, batch.records)
        return outcome.unwritten

    def _window(self, name: str) -> DedupWindow:
        limits = self.app.settings
        window = self._windows.pop(name, None)
        if window is None:
            window = DedupWindow(
                DedupLimits(limits.window_seconds, limits.window_objects, limits.window_ids)
            )
        self._windows[name] = window
        if len(self._windows) > _MAX_WINDOWS:
            self._windows.popitem(last=False)
        return window

    def _catch_up(
        self,
        window: DedupWindow,
        shard: ShardWriter[ObjectStats],
        high: int | None,
        arrived_ms: int,
    ) -> None:
        bucket = self.app.lake
        seconds = self.app.settings.window_seconds

        def ids_of(key: str) -> tuple[int, Sequence[MessageKey]]:
            return lake_keys.summary(bucket, key).summary.last, shard.stats(key).ids

        window.catch_up(
            high,
            lambda: lake_keys.recent(bucket, shard.keys, arrived_ms, seconds),
            shard.keys.first,
            ids_of,
        )
