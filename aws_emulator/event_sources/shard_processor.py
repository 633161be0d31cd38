"""The state machine of one shard: records and outcomes in, invocations and discards out.

It does no I/O and reads no clock. The caller (`ShardPoller` or the fault simulator) adds records,
runs the due actions, and reports their outcomes. Each `BatchQueue` has at most one running action:
"the number of concurrent batches that Lambda polls from a shard via a parallelization factor from 1
(default) to 10" (with-kinesis).
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from aws_emulator.event_sources import filters
from aws_emulator.event_sources.batch_queue import BatchQueue
from aws_emulator.event_sources.batch_rules import (
    MAX_PAYLOAD_BYTES,
    Batch,
    DiscardedBatch,
    backoff,
    decide_next,
    discard_expired,
)
from aws_emulator.event_sources.checkpoint_tracker import CheckpointTracker
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record, payload, queue_index
from aws_emulator.event_sources.responses import Outcome, count_succeeded
from aws_emulator.event_sources.tumbling_windows import TumblingWindow, update_state

#: Limits of the records in flight of one shard. They bound the memory when a function stalls.
MAX_READ_AHEAD_RECORDS: Final = 20_000
MAX_READ_AHEAD_BYTES: Final = 4 * MAX_PAYLOAD_BYTES


@dataclass(frozen=True, slots=True)
class Invoke:
    """Invoke the function with `event` (JSON text), then call `complete_invocation`."""

    queue: int
    batch: Batch
    event: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Discard:
    """Send a batch to the on-failure destination, then call `complete_discard`."""

    queue: int
    discard: DiscardedBatch
    event: str


@dataclass(slots=True)
class Counts:
    """Numbers of finished records of a shard."""

    delivered: int = 0
    discarded: int = 0
    filtered: int = 0


class ShardProcessor:
    """Process one shard from the checkpoint `position` (None for a new shard).

    `windows` holds the tumbling windows that were open at the checkpoint, by queue index.
    """

    def __init__(
        self,
        config: EventSourceMapping,
        shard_id: str,
        *,
        position: str | None = None,
        windows: dict[int, TumblingWindow] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.config = config
        self.shard_id = shard_id
        self.counts = Counts()
        self.last_read = position
        self.caught_up_at: float | None = None
        self._rng = rng
        self._closed = False
        self._bytes = 0
        self._tracker = CheckpointTracker(position)
        self._queues = [
            BatchQueue(config, number) for number in range(config.parallelization_factor)
        ]
        for number, window in (windows or {}).items():
            if number < len(self._queues) and config.tumbling_window_s:
                self._queues[number].window = window

    # --- state ----------------------------------------------------------------------------------

    @property
    def position(self) -> str | None:
        """The checkpoint: all records up to this sequence number are finished."""
        return self._tracker.position

    @property
    def windows(self) -> dict[int, TumblingWindow]:
        """The open tumbling windows by queue index; stored with the checkpoint."""
        return {queue.number: queue.window for queue in self._queues if queue.window}

    @property
    def in_flight(self) -> int:
        """The number of records that were read and that the checkpoint has not passed."""
        return len(self._tracker)

    @property
    def oldest_arrival(self) -> float | None:
        """The arrival time of the first unfinished record, in Unix seconds."""
        record = self._tracker.oldest
        return record.arrived if record else None

    @property
    def can_read(self) -> bool:
        """Whether the read-ahead limits allow another read."""
        ahead = max(
            MAX_READ_AHEAD_RECORDS, 2 * self.config.batch_size * self.config.parallelization_factor
        )
        return self.in_flight < ahead and self._bytes < MAX_READ_AHEAD_BYTES

    @property
    def finished(self) -> bool:
        """Whether the shard is closed and fully processed, so that its children may start."""
        return self._closed and all(queue.idle for queue in self._queues)

    def wake_at(self) -> float | None:
        """Return the next time at which an action can be due without a new record or outcome."""
        times = (queue.wake_at() for queue in self._queues)
        return min((time for time in times if time is not None), default=None)

    # --- input and actions ----------------------------------------------------------------------

    def read(self, records: Iterable[Record], now: float, *, caught_up: bool) -> None:
        """Add records in the order of the shard; `caught_up` means that the read reached the tip.

        Skips records up to the last one read: a renewed shard iterator may repeat them.
        """
        last = int(self.last_read) if self.last_read else -1
        fresh = [record for record in records if record.number > last]
        self._tracker.add(fresh)
        # "If you're using batching windows, Lambda applies your filter criteria to each new event
        # to determine whether to add it to the current batch." (invocation-eventfiltering)
        accepted = [record for record in fresh if filters.accepts(self.config, record)]
        if len(accepted) < len(fresh):
            numbers = {record.number for record in accepted}
            self._tracker.finish(r for r in fresh if r.number not in numbers)
            self.counts.filtered += len(fresh) - len(accepted)
        for record in accepted:
            self._queues[queue_index(record.key, len(self._queues))].add(record, now)
            self._bytes += len(record.text)
        if fresh:
            self.last_read = fresh[-1].sequence
        if caught_up:
            self.caught_up_at = now

    def close(self) -> None:
        """Mark the shard as ended: pending records no longer wait for a full batch."""
        self._closed = True

    def due_actions(self, now: float) -> list[Invoke | Discard]:
        """Return the actions to start now. A queue's next action waits for the end of this one."""
        actions = []
        for queue in self._queues:
            if not queue.busy and (action := self._next(queue, now)):
                queue.busy = True
                actions.append(action)
        return actions

    def complete_invocation(self, action: Invoke, outcome: Outcome, now: float) -> None:
        """Report the outcome of an invocation."""
        queue = self._queues[action.queue]
        queue.action_ended(now)
        if action.final:
            self._window_ended(queue, outcome, now)
            return
        decision = decide_next(self.config, action.batch, outcome, self._rng)
        if queue.window and decision.done:
            queue.window = update_state(queue.window, outcome)
        self._finish(decision.done)
        self.counts.delivered += len(decision.done)
        queue.work.extendleft(reversed(decision.next))
        queue.not_before = now + decision.wait_s

    def complete_discard(self, action: Discard, now: float) -> None:
        """Report that a discarded batch was sent to its destination."""
        queue = self._queues[action.queue]
        queue.action_ended(now)
        self._finish(action.discard.batch.records)
        self.counts.discarded += len(action.discard.batch.records)

    # --- private --------------------------------------------------------------------------------

    def _finish(self, records: tuple[Record, ...]) -> None:
        self._tracker.finish(records)
        self._bytes -= sum(len(record.text) for record in records)

    def _next(self, queue: BatchQueue, now: float) -> Invoke | Discard | None:
        if not queue.work:
            if queue.window_over(closed=self._closed, caught_up_at=self.caught_up_at):
                return (
                    self._invoke(queue, Batch(()), final=True) if now >= queue.not_before else None
                )
            queue.fill_batch(now, closed=self._closed)
        if not queue.work or now < queue.not_before:
            return None
        item = queue.work.popleft()
        if isinstance(item, DiscardedBatch):
            return self._discard(queue, item)
        expired, rest = discard_expired(self.config, item, now)
        if expired:
            if rest:
                queue.work.appendleft(rest)
            return self._discard(queue, expired)
        return self._invoke(queue, item)

    def _invoke(self, queue: BatchQueue, batch: Batch, *, final: bool = False) -> Invoke:
        return Invoke(queue.number, batch, self._event(queue, batch, final=final), final)

    def _discard(self, queue: BatchQueue, discard: DiscardedBatch) -> Discard:
        return Discard(queue.number, discard, self._event(queue, discard.batch, final=False))

    def _event(self, queue: BatchQueue, batch: Batch, *, final: bool) -> str:
        return payload(batch.records, self._window_fields(queue, final=final))

    def _window_fields(self, queue: BatchQueue, *, final: bool) -> dict[str, Any] | None:
        if not queue.window:
            return None
        return queue.window.event_fields(
            final=final, shard_id=self.shard_id, stream_arn=self.config.source_arn
        )

    def _window_ended(self, queue: BatchQueue, outcome: Outcome, now: float) -> None:
        # "If invocation is unsuccessful, your Lambda function suspends further processing until a
        # successful invocation." (services-kinesis-windows)
        if count_succeeded(self.config, (), outcome) is None:
            queue.window, queue.final_attempts = None, 0
            return
        queue.final_attempts += 1
        queue.not_before = now + backoff(queue.final_attempts, self._rng)
