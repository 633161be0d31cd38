"""The queue of one concurrent batch of a shard: pending records, batches, the tumbling window.

`ShardProcessor` owns one queue for each unit of ParallelizationFactor.
"""

from collections import deque
from itertools import islice

from aws_emulator.event_sources.batch_rules import (
    MAX_PAYLOAD_BYTES,
    Batch,
    DiscardedBatch,
    cut_batch,
)
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record
from aws_emulator.event_sources.tumbling_windows import (
    MAX_STATE_BYTES,
    TumblingWindow,
    window_start,
)


class BatchQueue:
    """Records and batches of one concurrent batch, in the order of the shard.

    `work` holds the batches to invoke or to discard next. `busy` is set while an action of this
    queue runs. No action starts before `not_before`, the end of a back-off. Times are Unix seconds.
    """

    def __init__(self, config: EventSourceMapping, number: int) -> None:
        self.number = number
        self.work: deque[Batch | DiscardedBatch] = deque()
        self.busy = False
        self.not_before = 0.0
        self.window: TumblingWindow | None = None
        self.final_attempts = 0
        self._config = config
        self._pending: deque[Record] = deque()
        self._pending_bytes = 0
        self._opened: float | None = None

    @property
    def idle(self) -> bool:
        """Whether the queue is empty and no action runs."""
        return not (self.busy or self.work or self._pending or self.window)

    def add(self, record: Record, now: float) -> None:
        """Add a pending record."""
        # AWS doesn't document when the batching window of an idle shard starts. Here the first
        # record after an expired, empty window starts a new one.
        if not self._pending and self._batching_window_expired(now):
            self._opened = now
        self._pending.append(record)
        self._pending_bytes += len(record.text) + 1

    def action_ended(self, now: float) -> None:
        """Record the end of the queue's running action."""
        self.busy = False
        # "If you configure a batching window, the next window begins as soon as the previous
        # function invocation completes." (invocation-eventsourcemapping)
        self._opened = now

    def wake_at(self) -> float | None:
        """Return the next time at which an action can be due without a new record or outcome."""
        if self.busy:
            return None
        if self.work:
            return self.not_before
        if self._pending and self._opened is not None:
            return self._opened + self._config.batching_window_s
        return max(self.not_before, self.window.end) if self.window else None

    def fill_batch(self, now: float, *, closed: bool) -> None:
        """Move pending records into a batch if it is full or its batching window expired.

        A `closed` shard gets no more records, so its last batch doesn't wait.
        """
        if not self._pending:
            return
        count = self._count_in_window()
        window_ends = count < len(self._pending)
        full = count >= self._config.batch_size or self._pending_bytes >= MAX_PAYLOAD_BYTES
        # "Before invoking the function, Lambda continues to read records from the event source
        # until it has gathered a full batch, the batching window expires, or the batch reaches the
        # payload limit of 6 MB." (with-kinesis)
        if not (full or self._batching_window_expired(now) or window_ends or closed):
            return
        # The event of a tumbling window carries the state beside the records.
        reserve = MAX_STATE_BYTES if self._config.tumbling_window_s else 0
        count = cut_batch(islice(self._pending, count), self._config.batch_size, reserve)
        records = tuple(self._pending.popleft() for _ in range(count))
        self._pending_bytes -= sum(len(record.text) + 1 for record in records)
        self.work.append(Batch(records))
        self.not_before = now

    def window_over(self, *, closed: bool, caught_up_at: float | None) -> bool:
        """Whether the open tumbling window has received all of its records."""
        window = self.window
        if window is None:
            return False
        if window.early:
            return True
        if self._pending:
            return window_start(self._pending[0].arrived, window.seconds) > window.start
        # "When the shard ends, Lambda considers the window closed, and the child shards start their
        # own window in a fresh state." (services-kinesis-windows)
        # On an idle shard, the window ends with the first read after its end that finds no records.
        return closed or (caught_up_at or 0.0) >= window.end

    def _batching_window_expired(self, now: float) -> bool:
        return self._opened is None or now >= self._opened + self._config.batching_window_s

    def _count_in_window(self) -> int:
        """Count the pending records of the open tumbling window; open a window if needed."""
        seconds = self._config.tumbling_window_s
        if not seconds:
            return len(self._pending)
        if self.window is None:
            self.window = TumblingWindow(window_start(self._pending[0].arrived, seconds), seconds)
        # Arrival times are approximate: a late record of an earlier window joins the open one.
        for position, record in enumerate(self._pending):
            if window_start(record.arrived, seconds) > self.window.start:
                return position
        return len(self._pending)
