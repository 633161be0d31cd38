"""One shard, read and delivered: the thread that drives a `Shard` against the real services."""

import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from aws_emulator.event_sources.checkpoints import Checkpoint
from aws_emulator.event_sources.cursor import Cursor
from aws_emulator.event_sources.errors import PollerError
from aws_emulator.event_sources.journal import Journal
from aws_emulator.event_sources.mapping import MappingConfig
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.event_sources.shard import Drop, Invoke, Shard
from aws_emulator.event_sources.sources import Source, Start
from aws_emulator.event_sources.status import ShardStatus
from aws_emulator.event_sources.target import Target, error_type

#: "Each shard can support up to five read transactions per second" (Kinesis,
#: service-sizes-and-limits): as often as may be, for a short way from a record to its function.
POLL_S = 0.2
#: Seconds between two tries of a read that was refused.
RETRY_S = 0.5
#: Tries to send a discarded batch to its destination. AWS counts DestinationDeliveryFailures and
#: goes on; so does this, after it has tried as long as a destination may take to be made.
DESTINATION_TRIES = 6


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of an action: its outcome (None for a discard), and when it began and ended."""

    action: Invoke | Drop
    outcome: Outcome | None
    sent: bool = True


class ShardReader(threading.Thread):
    """Reads one shard until it ends or is told to stop; see `status` and `failed` for how it is.

    `saved` is called with the checkpoint whenever it has moved.
    """

    def __init__(
        self,
        config: MappingConfig,
        shard_id: str,
        source: Source,
        target: Target,
        journal: Journal,
        checkpoint: Checkpoint,
        start: Start,
        saved: Callable[[Checkpoint], None],
    ) -> None:
        super().__init__(name=f"{config.uuid[:8]}/{shard_id}", daemon=True)
        self.config = config
        self.shard_id = shard_id
        self.status = ShardStatus(shard_id)
        self.failures = 0
        self.undelivered = 0
        self._target = target
        self._journal = journal
        self._since = checkpoint.since
        self._cursor = Cursor(config, shard_id, source, start, checkpoint.since)
        self._saved = saved
        self._machine = Shard(
            config,
            shard_id,
            position=checkpoint.position,
            windows=checkpoint.windows,
            rng=random.Random(),  # noqa: S311 -- jitter of the back-off
        )
        self._ended = False
        self._next_read = 0.0
        self._behind_ms: int | None = None
        self._complaint: tuple[str, str] | None = None
        self._busy = 0
        self._stopping = threading.Event()
        self._inbox: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()
        self._outboxes: dict[int, queue.SimpleQueue[Invoke | Drop | None]] = {}

    @property
    def finished(self) -> bool:
        """Whether the shard is closed and everything in it is done: its children may start."""
        return self._machine.finished and not self.gone

    @property
    def gone(self) -> bool:
        """Whether the shard, or its whole stream, is no longer there."""
        return self._cursor.gone

    def stop(self) -> None:
        """Start nothing new. The thread ends once what is under way has ended."""
        self._stopping.set()
        self._inbox.put(None)

    def run(self) -> None:
        try:
            while not self._machine.finished and not (self._stopping.is_set() and not self._busy):
                if not self._stopping.is_set():
                    self._read_if_due()
                    self._begin_due()
                self._note()
                self._wait()
            self._note()
        finally:
            for outbox in self._outboxes.values():
                outbox.put(None)

    # --- reading ----------------------------------------------------------------------------------

    def _read_if_due(self) -> None:
        now = time.time()
        if self._ended or now < self._next_read or not self._machine.has_room:
            return
        page = self._cursor.read(self._machine.last_read)
        self._complain(self._cursor.complaint)
        if page is None:
            self._next_read = now + RETRY_S
        else:
            self._machine.read(page.records, now, caught_up=page.caught_up)
            self._behind_ms = page.behind_ms
            self._next_read = now + POLL_S if page.caught_up else now
        # "NextShardIterator: … If set to null, the shard has been closed and the requested iterator
        # does not return any more data." (API_GetRecords)
        if self._cursor.gone or (page and page.next is None):
            self._ended = True
            self._machine.close()

    def _complain(self, complaint: tuple[str, str] | None) -> None:
        """Log once, not at every try."""
        if complaint and complaint != self._complaint:
            event, reason = complaint
            self._log(event, reason=reason)
        self._complaint = complaint

    # --- delivering -------------------------------------------------------------------------------

    def _begin_due(self) -> None:
        for action in self._machine.due(time.time()):
            self._busy += 1
            outbox = self._outboxes.get(action.lane)
            if outbox is None:
                outbox = self._outboxes[action.lane] = queue.SimpleQueue()
                threading.Thread(target=self._work, args=(outbox,), daemon=True).start()
            outbox.put(action)

    def _work(self, outbox: "queue.SimpleQueue[Invoke | Drop | None]") -> None:
        """One lane's own thread: it waits for the function, and decides nothing."""
        while (action := outbox.get()) is not None:
            if isinstance(action, Invoke):
                self._inbox.put(Ended(action, self._target.invoke(self.config, action.event)))
            else:
                self._inbox.put(Ended(action, None, self._send(action)))

    def _send(self, action: Drop) -> bool:
        for attempt in range(1, DESTINATION_TRIES + 1):
            try:
                self._target.discard(
                    self.config, self.shard_id, action.discard, action.event, time.time()
                )
            except PollerError as error:
                if attempt == DESTINATION_TRIES:
                    self._log("destination_failed", reason=str(error), attempts=attempt)
                elif self._stopping.wait(0.1 * 2**attempt):
                    break
            else:
                return True
        return False

    def _wait(self) -> None:
        now = time.time()
        wakes = [self._machine.wake_at()]
        if not self._ended and self._machine.has_room and not self._stopping.is_set():
            wakes.append(self._next_read)
        until = min((wake for wake in wakes if wake is not None), default=now + POLL_S)
        try:
            ended = self._inbox.get(timeout=max(0.0, min(until - now, 1.0)))
            while True:
                if ended:
                    self._settle(ended)
                ended = self._inbox.get_nowait()
        except queue.Empty:
            pass

    def _settle(self, ended: Ended) -> None:
        self._busy -= 1
        now = time.time()
        action = ended.action
        if isinstance(action, Invoke):
            if ended.outcome:
                before = self._machine.counts.delivered
                self._machine.invoked(action, ended.outcome, now)
                done = self._machine.counts.delivered - before
                self._log_failure(action, ended.outcome, done)
        elif ended.sent or not self._stopping.is_set():
            # Stopped before it could be sent: the batch stays, and is given up after the restart.
            self._log_discard(action, sent=ended.sent)
            self._machine.dropped(action, now)

    # --- what others see --------------------------------------------------------------------------

    def _note(self) -> None:
        machine = self._machine
        oldest = machine.oldest_arrival
        self.status = ShardStatus(
            shard_id=self.shard_id,
            last_read=machine.last_read,
            checkpoint=machine.position,
            in_flight=machine.in_flight,
            behind_ms=self._behind_ms,
            iterator_age_ms=max(0, round((time.time() - oldest) * 1000)) if oldest else 0,
            # A shard that has ended is not the tip: its children have yet to be found.
            caught_up_at=None if self._ended else machine.caught_up_at,
            delivered=machine.counts.delivered,
            discarded=machine.counts.discarded,
            filtered=machine.counts.filtered,
        )
        self._saved(Checkpoint(machine.position, self._since, self.finished, dict(machine.windows)))

    def _log_failure(self, action: Invoke, outcome: Outcome, done: int) -> None:
        if done == len(action.batch.records) and outcome.kind == "returned":
            return
        self.failures += 1
        self._log(
            "invoke_failed",
            kind=outcome.kind,
            error=outcome.error,
            error_type=error_type(outcome),
            records=len(action.batch.records),
            done=done,
            attempt=action.batch.invocations + 1,
        )

    def _log_discard(self, action: Drop, *, sent: bool) -> None:
        batch = action.discard.batch
        if not sent:
            self.undelivered += 1
        self._log(
            "discarded",
            condition=action.discard.condition,
            records=len(batch.records),
            first=batch.records[0].sequence,
            last=batch.records[-1].sequence,
            destination=self.config.destination,
            sent=sent,
        )

    def _log(self, event: str, **fields: object) -> None:
        self._journal.write(
            event,
            mapping=self.config.uuid,
            region=self.config.region,
            shard=self.shard_id,
            **fields,
        )
