"""The writer of `events/`, for EventsFunction, `redrive` and `verify --restore` alike."""

import time
from collections import OrderedDict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from stream_processor.commit import event_objects, protocol, shard_log
from stream_processor.commit.protocol import Outcome
from stream_processor.commit.shard_log import ShardLog
from stream_processor.errors import MissingObjectError
from stream_processor.ingest.records import Batch, StreamRecord
from stream_processor.rows.dedup_window import DedupLimits, DedupWindow
from stream_processor.rows.object_stats import MessageKey, ObjectStats
from stream_processor.storage import lake_keys, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_types import LogPosition, PendingObject
from stream_processor.storage.live_counters import LiveCounters
from stream_processor.storage.log_names import LogName
from stream_processor.storage.log_rows import LogRow

#: Shards whose deduplication windows a process keeps: Lambda sends it several shards in turn.
_MAX_WINDOWS: Final = 16

type EventLog = ShardLog[ObjectStats]


@dataclass(frozen=True, slots=True)
class _Either:
    """The ids in one of two containers."""

    one: Container[MessageKey]
    other: Container[MessageKey]

    def __contains__(self, key: object) -> bool:
        return key in self.one or key in self.other


class EventWriter:
    """Write batches of events. Keeps the deduplication windows of recent shards in memory."""

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._windows: OrderedDict[str, DedupWindow] = OrderedDict()

    def write(
        self,
        batch: Batch[StreamRecord],
        has_time: Callable[[], bool],
        good_copies: Callable[[], Container[MessageKey]] = frozenset,
    ) -> Outcome[ObjectStats]:
        """Bring the records of one shard into its logs.

        `good_copies` returns further events that are good rows in the lake. It is called at most
        once, before the first entry.

        Raises:
            StreamProcessorError: The first entry failed, and nothing is written.
        """
        limits = self._app.settings
        name = f"{batch.stream}#{batch.shard}"
        shard = lake_keys.events_shard(limits.stage, batch.stream, batch.shard)
        window = self._window(name)
        # Once for a batch. A repetition with another list finds the entries by their records.
        persons = self._app.suppression.persons() if self._app.suppression else None
        copies = cache(good_copies)

        def open_log(record: StreamRecord) -> EventLog:
            return self._log(LogName.of(lake_keys.EVENTS, shard, record.arrived_ms), name)

        def draft(
            log: EventLog, position: LogPosition, rest: Sequence[StreamRecord]
        ) -> PendingObject[ObjectStats]:
            self._catch_up(window, log, position.entries, rest)
            known = _Either(window, copies())
            return event_objects.build(limits, batch.shard, rest, position.high, known, persons)

        outcome = protocol.commit(batch.records, open_log=open_log, draft=draft, has_time=has_time)
        shard_log.report(name, outcome, batch.records)
        return outcome

    def _catch_up(
        self,
        window: DedupWindow,
        log: EventLog,
        entries: int,
        records: Sequence[StreamRecord],
    ) -> None:
        """Read the entries that the window lacks: of the log, and of the hours beside the records.

        The number of entries in the hours beside comes from their rows, else from a listing.
        """
        if not window.limits.objects:
            return
        if log.has_lost_entry or entries < window.read.get(str(log.name), 0):
            # The records can be those of a deleted entry that the window still has.
            window.clear()
            log.has_lost_entry = False
        arrived = [record.arrived_ms for record in records]
        reach_ms = window.limits.seconds * 1000
        beside = list(log.name.around(min(arrived) - reach_ms, max(arrived) + reach_ms))
        known = [(it, self._entries(window, it)) for it in beside if it > log.name]
        known = [*reversed(known), (log.name, entries)]
        known += [(it, self._entries(window, it)) for it in reversed(beside) if it < log.name]
        names = {str(name): name for name, _ in known}
        window.catch_up(
            [(str(name), count) for name, count in known],
            lambda text, number: self._ids(names[text], number),
        )

    def _entries(self, window: DedupWindow, log: LogName) -> int:
        row = LogRow(self._app.checkpoints, log, self._app.settings.retention_hours).read()
        if row is not None:
            return row.entries
        if str(log) in window.read:
            return 0
        return max(log.numbers(self._app.lake), default=-1) + 1

    def _ids(self, log: LogName, number: int) -> Sequence[MessageKey]:
        try:
            body = self._app.lake.read(log.key(number))
        except MissingObjectError:
            return ()  # Somebody deleted the entry.
        return event_objects.stats_of(parquet.read(body)).ids

    def count(self, log: LogName, number: int, stats: ObjectStats) -> None:
        """Add the good rows of an entry to the live counters.

        Raises:
            StorageError: DynamoDB failed.
        """
        limits = self._app.settings
        live = LiveCounters(self._app.live, log, limits.live_hours, limits.live_pages)
        live.count(number, stats, time.time())

    def _log(self, log: LogName, name: str) -> EventLog:
        def count(of: LogName, number: int, stats: ObjectStats) -> None:
            self.count(of, number, stats)
            if name in self._windows:
                self._windows[name].add(str(of), number, stats.ids)

        return ShardLog(self._app, log, name, event_objects.stats_of, count)

    def _window(self, name: str) -> DedupWindow:
        limits = self._app.settings
        window = self._windows.pop(name, None)
        if window is None:
            window = DedupWindow(
                DedupLimits(limits.window_seconds, limits.window_objects, limits.window_ids)
            )
        self._windows[name] = window
        if len(self._windows) > _MAX_WINDOWS:
            self._windows.popitem(last=False)
        return window
