"""One shard of one mapping, as a state machine: records and answers in, invocations out.

It does no I/O and reads no clock. Whoever drives it (the poller's threads or the fault simulator)
reads records into it, carries out the actions that are due, and tells it how they ended. Each
lane holds one batch at a time: "the number of concurrent batches that Lambda polls from a shard
via a parallelization factor from 1 (default) to 10" (with-kinesis).
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aws_emulator.event_sources import filters
from aws_emulator.event_sources.lane import Lane
from aws_emulator.event_sources.mapping import MappingConfig
from aws_emulator.event_sources.records import Record, lane_of, payload
from aws_emulator.event_sources.responses import Outcome, done_count
from aws_emulator.event_sources.rules import PAYLOAD_LIMIT, Batch, Discard, backoff, expire, settle
from aws_emulator.event_sources.watermark import Watermark
from aws_emulator.event_sources.windows import Window, carried

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
        self._lanes = [Lane(config, number) for number in range(config.parallelization)]
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
        return self._closed and all(lane.idle for lane in self._lanes)

    def wake_at(self) -> float | None:
        """The next time at which something can be due without a new record or answer."""
        times = (lane.wake_at() for lane in self._lanes)
        return min((time for time in times if time is not None), default=None)

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
            self._lanes[lane_of(record.key, len(self._lanes))].queue(record, now)
            self._bytes += len(record.text)
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
        lane.released(now)
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
        lane.released(now)
        self._finish(action.discard.batch.records)
        self.counts.discarded += len(action.discard.batch.records)

    # --- inside -----------------------------------------------------------------------------------

    def _finish(self, records: tuple[Record, ...]) -> None:
        self._watermark.finish(records)
        self._bytes -= sum(len(record.text) for record in records)

    def _next(self, lane: Lane, now: float) -> Invoke | Drop | None:
        if not lane.work:
            if lane.window_over(closed=self._closed, caught_up_at=self.caught_up_at):
                return self._invoke(lane, Batch(()), final=True) if now >= lane.not_before else None
            lane.gather(now, closed=self._closed)
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

    def _invoke(self, lane: Lane, batch: Batch, *, final: bool = False) -> Invoke:
        return Invoke(lane.number, batch, self._event(lane, batch, final=final), final)

    def _drop(self, lane: Lane, discard: Discard) -> Drop:
        return Drop(lane.number, discard, self._event(lane, discard.batch, final=False))

    def _event(self, lane: Lane, batch: Batch, *, final: bool) -> str:
        return payload(batch.records, self._members(lane, final=final))

    def _members(self, lane: Lane, *, final: bool) -> dict[str, Any] | None:
        if not lane.window:
            return None
        return lane.window.members(
            final=final, shard_id=self.shard_id, stream_arn=self.config.source_arn
        )

    def _window_ended(self, lane: Lane, outcome: Outcome, now: float) -> None:
        # "If invocation is unsuccessful, your Lambda function suspends further processing until a
        # successful invocation." (services-kinesis-windows)
        if done_count(self.config, (), outcome) is None:
            lane.window, lane.final_tries = None, 0
            return
        lane.final_tries += 1
        lane.not_before = now + backoff(lane.final_tries, self._rng)
