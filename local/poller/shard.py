"""One shard of one mapping, as a state machine: records and answers in, invocations out.

It does no I/O and reads no clock. Whoever drives it (the poller's threads or the fault simulator)
reads records into it, carries out the actions that are due, and tells it how they ended. Each
lane holds one batch at a time: "the number of concurrent batches that Lambda polls from a shard
via a parallelization factor from 1 (default) to 10" (with-kinesis).
"""

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from local.poller import filters
from local.poller.mapping import MappingConfig
from local.poller.records import Record, lane_of, payload
from local.poller.responses import Outcome, done_count
from local.poller.rules import PAYLOAD_LIMIT, Batch, Discard, backoff, cut, expire, settle
from local.poller.watermark import Watermark
from local.poller.windows import STATE_LIMIT, Window, carried, start_of

#: How much a shard reads ahead of what is finished: a stalled function must not fill the memory.
READ_AHEAD_RECORDS, READ_AHEAD_BYTES = 20_000, 4 * PAYLOAD_LIMIT


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call the function with `event` (JSON text), then tell `Shard.invoked`."""

    lane: int
    batch: Batch
    event: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Send a given-up batch to the on-failure destination, then tell `Shard.dropped`."""

    lane: int
    discard: Discard
    event: str


@dataclass(slots=True)
class Counts:
    """What became of the records of a shard, in records."""

    delivered: int = 0
    discarded: int = 0
    filtered: int = 0


@dataclass(slots=True)
class _Lane:
    number: int
    pending: deque[Record] = field(default_factory=deque)
    pending_bytes: int = 0
    work: deque[Batch | Discard] = field(default_factory=deque)
    busy: bool = False
    not_before: float = 0.0
    opened: float | None = None
    window: Window | None = None
    final_tries: int = 0


class Shard:
    """The rules of one shard. `position` is the checkpoint to go on from, None at the start."""

    def __init__(
        self,
        config: MappingConfig,
        shard_id: str,
        *,
        position: str | None = None,
        windows: dict[int, Window] | None = None,
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
        self._watermark = Watermark(position)
        self._lanes = [_Lane(number) for number in range(config.parallelization)]
        for number, window in (windows or {}).items():
            if number < len(self._lanes) and config.tumbling_s:
                self._lanes[number].window = window

    # --- what the driver asks -------------------------------------------------------------------

    @property
    def position(self) -> str | None:
        """The checkpoint: every record up to this sequence number is finished."""
        return self._watermark.position

    @property
    def windows(self) -> dict[int, Window]:
        """The open tumbling windows by lane; kept with the checkpoint."""
        return {lane.number: lane.window for lane in self._lanes if lane.window}

    @property
    def in_flight(self) -> int:
        """Records that are read and not behind the checkpoint."""
        return len(self._watermark)

    @property
    def oldest_arrival(self) -> float | None:
        """When the first unfinished record arrived (Unix seconds)."""
        record = self._watermark.oldest
        return record.arrived if record else None

    @property
    def has_room(self) -> bool:
        """Whether the driver should read on."""
        ahead = max(READ_AHEAD_RECORDS, 2 * self.config.batch_size * self.config.parallelization)
        return self.in_flight < ahead and self._bytes < READ_AHEAD_BYTES

    @property
    def finished(self) -> bool:
        """Whether the shard is closed and everything in it is done: its children may start."""
        idle = all(
            not (lane.busy or lane.work or lane.pending or lane.window) for lane in self._lanes
        )
        return self._closed and idle

    def wake_at(self) -> float | None:
        """The next time at which something can be due without a new record or answer."""
        times = []
        for lane in self._lanes:
            if lane.busy:
                continue
            if lane.work:
                times.append(lane.not_before)
            elif lane.pending and lane.opened is not None:
                times.append(lane.opened + self.config.window_s)
            elif lane.window:
                times.append(max(lane.not_before, lane.window.end))
        return min(times, default=None)

    # --- what the driver tells ------------------------------------------------------------------

    def read(self, records: Iterable[Record], now: float, *, caught_up: bool) -> None:
        """Take in records in the shard's order; `caught_up` where the read reached the tip.

        Records at or before the last one read are passed over: a renewed iterator may repeat them.
        """
        last = int(self.last_read) if self.last_read else -1
        fresh = [record for record in records if record.number > last]
        self._watermark.read(fresh)
        # "If you're using batching windows, Lambda applies your filter criteria to each new event
        # to determine whether to add it to the current batch." (invocation-eventfiltering)
        kept = [record for record in fresh if filters.keeps(self.config, record)]
        if len(kept) < len(fresh):
            wanted = {record.number for record in kept}
            self._watermark.finish(r for r in fresh if r.number not in wanted)
            self.counts.filtered += len(fresh) - len(kept)
        for record in kept:
            self._queue(record, now)
        if fresh:
            self.last_read = fresh[-1].sequence
        if caught_up:
            self.caught_up_at = now

    def close(self) -> None:
        """The shard has ended: what is gathered is sent without waiting for more."""
        self._closed = True

    def due(self, now: float) -> list[Invoke | Drop]:
        """Everything that is to be done now. Each action's lane waits until its end is told."""
        actions = []
        for lane in self._lanes:
            if not lane.busy and (action := self._next(lane, now)):
                lane.busy = True
                actions.append(action)
        return actions

    def invoked(self, action: Invoke, outcome: Outcome, now: float) -> None:
        """Tell how an invocation ended."""
        lane = self._lanes[action.lane]
        lane.busy = False
        # "If you configure a batching window, the next window begins as soon as the previous
        # function invocation completes." (invocation-eventsourcemapping)
        lane.opened = now
        if action.final:
            self._window_ended(lane, outcome, now)
            return
        decision = settle(self.config, action.batch, outcome, self._rng)
        if lane.window and decision.done:
            lane.window = carried(lane.window, outcome)
        self._finish(decision.done)
        self.counts.delivered += len(decision.done)
        lane.work.extendleft(reversed(decision.next))
        lane.not_before = now + decision.wait_s

    def dropped(self, action: Drop, now: float) -> None:
        """Tell that a discard has been sent to its destination."""
        lane = self._lanes[action.lane]
        lane.busy = False
        lane.opened = now
        self._finish(action.discard.batch.records)
        self.counts.discarded += len(action.discard.batch.records)

    # --- inside -----------------------------------------------------------------------------------

    def _queue(self, record: Record, now: float) -> None:
        lane = self._lanes[lane_of(record.key, len(self._lanes))]
        # A window that ran out with nothing in it begins anew with the first record; AWS's pages
        # are silent about it.
        expired = lane.opened is None or now >= lane.opened + self.config.window_s
        if not lane.pending and expired:
            lane.opened = now
        lane.pending.append(record)
        lane.pending_bytes += len(record.text) + 1
        self._bytes += len(record.text)

    def _finish(self, records: tuple[Record, ...]) -> None:
        self._watermark.finish(records)
        self._bytes -= sum(len(record.text) for record in records)

    def _next(self, lane: _Lane, now: float) -> Invoke | Drop | None:
        if not lane.work:
            if self._window_over(lane):
                return self._invoke(lane, Batch(()), final=True) if now >= lane.not_before else None
            self._gather(lane, now)
        if not lane.work or now < lane.not_before:
            return None
        item = lane.work.popleft()
        if isinstance(item, Discard):
            return self._drop(lane, item)
        gone, rest = expire(self.config, item, now)
        if gone:
            if rest:
                lane.work.appendleft(rest)
            return self._drop(lane, gone)
        return self._invoke(lane, item)

    def _invoke(self, lane: _Lane, batch: Batch, *, final: bool = False) -> Invoke:
        return Invoke(lane.number, batch, self._event(lane, batch, final=final), final)

    def _drop(self, lane: _Lane, discard: Discard) -> Drop:
        return Drop(lane.number, discard, self._event(lane, discard.batch, final=False))

    def _event(self, lane: _Lane, batch: Batch, *, final: bool) -> str:
        return payload(batch.records, self._members(lane, final=final))

    def _members(self, lane: _Lane, *, final: bool) -> dict[str, Any] | None:
        if not lane.window:
            return None
        return lane.window.members(
            final=final, shard_id=self.shard_id, stream_arn=self.config.source_arn
        )

    def _gather(self, lane: _Lane, now: float) -> None:
        """Move the next batch from what is pending to what is due, if it is time."""
        if not lane.pending:
            return
        count = self._in_window(lane)
        window_ends = count < len(lane.pending)
        full = count >= self.config.batch_size or lane.pending_bytes >= PAYLOAD_LIMIT
        # "Before invoking the function, Lambda continues to read records from the event source
        # until it has gathered a full batch, the batching window expires, or the batch reaches the
        # payload limit of 6 MB." (with-kinesis)
        over = lane.opened is None or now >= lane.opened + self.config.window_s
        if not (full or over or window_ends or self._closed):
            return
        # "reserve" leaves room for the state of a tumbling window beside the records.
        reserve = STATE_LIMIT if self.config.tumbling_s else 0
        count = cut(islice(lane.pending, count), self.config.batch_size, reserve)
        records = tuple(lane.pending.popleft() for _ in range(count))
        lane.pending_bytes -= sum(len(record.text) + 1 for record in records)
        lane.work.append(Batch(records))
        lane.not_before = now

    def _in_window(self, lane: _Lane) -> int:
        """How many pending records belong to the lane's open window, which opens if none is."""
        seconds = self.config.tumbling_s
        if not seconds:
            return len(lane.pending)
        if lane.window is None:
            lane.window = Window(start_of(lane.pending[0].arrived, seconds), seconds)
        # Arrival times are approximate: a record of an ended window counts for the open one.
        for place, record in enumerate(lane.pending):
            if start_of(record.arrived, seconds) > lane.window.start:
                return place
        return len(lane.pending)

    def _window_over(self, lane: _Lane) -> bool:
        window = lane.window
        if window is None:
            return False
        if window.early:
            return True
        if lane.pending:
            return start_of(lane.pending[0].arrived, window.seconds) > window.start
        # "When the shard ends, Lambda considers the window closed, and the child shards start their
        # own window in a fresh state." (services-kinesis-windows)
        # An idle shard's window is over once a read after its end has found nothing more.
        return self._closed or (self.caught_up_at or 0.0) >= window.end

    def _window_ended(self, lane: _Lane, outcome: Outcome, now: float) -> None:
        # "If invocation is unsuccessful, your Lambda function suspends further processing until a
        # successful invocation." (services-kinesis-windows)
        if done_count(self.config, (), outcome) is None:
            lane.window, lane.final_tries = None, 0
            return
        lane.final_tries += 1
        lane.not_before = now + backoff(lane.final_tries, self._rng)
