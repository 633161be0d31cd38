"""One shard, read and delivered: the thread that drives a `Shard` against the real services."""

import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from aws_emulator.event_sources.checkpoints import Checkpoint
from aws_emulator.event_sources.errors import PollerError
from aws_emulator.event_sources.json_log import JsonLog
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.event_sources.shard_iterator import ShardIterator
from aws_emulator.event_sources.shard_processor import Discard, Invoke, ShardProcessor
from aws_emulator.event_sources.status import ShardStatus
from aws_emulator.event_sources.streams import StartingPosition, Stream
from aws_emulator.event_sources.target import Target, error_type

#: "Each shard can support up to five read transactions per second" (Kinesis,
#: service-sizes-and-limits): as often as may be, for a short way from a record to its function.
POLL_INTERVAL_S = 0.2
#: Seconds between two tries of a read that was refused.
READ_RETRY_INTERVAL_S = 0.5
#: Tries to send a discarded batch to its destination. AWS counts DestinationDeliveryFailures and
#: goes on; so does this, after it has tried as long as a destination may take to be made.
MAX_DESTINATION_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of an action: its outcome (None for a discard), and when it began and ended."""

    action: Invoke | Discard
    outcome: Outcome | None
    sent: bool = True


class ShardPoller(threading.Thread):
    """Reads one shard until it ends or is told to stop; see `status` and `failed` for how it is.

    `saved` is called with the checkpoint whenever it has moved.
    """

    def __init__(
        self,
        config: EventSourceMapping,
        shard_id: str,
        stream: Stream,
        target: Target,
        json_log: JsonLog,
        checkpoint: Checkpoint,
        start: StartingPosition,
        saved: Callable[[Checkpoint], None],
    ) -> None:
        super().__init__(name=f"{config.uuid[:8]}/{shard_id}", daemon=True)
        self.config = config
        self.shard_id = shard_id
        self.status = ShardStatus(shard_id)
        self.failures = 0
        self.undelivered_discards = 0
        self._target = target
        self._json_log = json_log
        self._since = checkpoint.since
        self._iterator = ShardIterator(config, shard_id, stream, start, checkpoint.since)
        self._saved = saved
        self._processor = ShardProcessor(
            config,
            shard_id,
            position=checkpoint.position,
            windows=checkpoint.windows,
            rng=random.Random(),  # noqa: S311 -- jitter of the back-off
        )
        self._ended = False
        self._next_read = 0.0
        self._behind_ms: int | None = None
        self._last_error: tuple[str, str] | None = None
        self._busy = 0
        self._stopping = threading.Event()
        self._inbox: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()
        self._outboxes: dict[int, queue.SimpleQueue[Invoke | Discard | None]] = {}

    @property
    def finished(self) -> bool:
        """Whether the shard is closed and everything in it is done: its children may start."""
        return self._processor.finished and not self.gone

    @property
    def gone(self) -> bool:
        """Whether the shard, or its whole stream, is no longer there."""
        return self._iterator.gone

    def stop(self) -> None:
        """Start nothing new. The thread ends once what is under way has ended."""
        self._stopping.set()
        self._inbox.put(None)

    def run(self) -> None:
        try:
            while not self._processor.finished and not (self._stopping.is_set() and not self._busy):
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
        if self._ended or now < self._next_read or not self._processor.can_read:
            return
        page = self._iterator.read(self._processor.last_read)
        self._log_error_once(self._iterator.error)
        if page is None:
            self._next_read = now + READ_RETRY_INTERVAL_S
        else:
            self._processor.read(page.records, now, caught_up=page.caught_up)
            self._behind_ms = page.behind_ms
            self._next_read = now + POLL_INTERVAL_S if page.caught_up else now
        # "NextShardIterator: … If set to null, the shard has been closed and the requested iterator
        # does not return any more data." (API_GetRecords)
        if self._iterator.gone or (page and page.next is None):
            self._ended = True
            self._processor.close()

    def _log_error_once(self, error: tuple[str, str] | None) -> None:
        """Log once, not at every try."""
        if error and error != self._last_error:
            event, reason = error
            self._log(event, reason=reason)
        self._last_error = error

    # --- delivering -------------------------------------------------------------------------------

    def _begin_due(self) -> None:
        for action in self._processor.due_actions(time.time()):
            self._busy += 1
            outbox = self._outboxes.get(action.queue)
            if outbox is None:
                outbox = self._outboxes[action.queue] = queue.SimpleQueue()
                threading.Thread(target=self._work, args=(outbox,), daemon=True).start()
            outbox.put(action)

    def _work(self, outbox: "queue.SimpleQueue[Invoke | Discard | None]") -> None:
        """One lane's own thread: it waits for the function, and decides nothing."""
        while (action := outbox.get()) is not None:
            if isinstance(action, Invoke):
                self._inbox.put(Ended(action, self._target.invoke(self.config, action.event)))
            else:
                self._inbox.put(Ended(action, None, self._send(action)))

    def _send(self, action: Discard) -> bool:
        for attempt in range(1, MAX_DESTINATION_ATTEMPTS + 1):
            try:
                self._target.discard(
                    self.config, self.shard_id, action.discard, action.event, time.time()
                )
            except PollerError as error:
                if attempt == MAX_DESTINATION_ATTEMPTS:
                    self._log("destination_failed", reason=str(error), attempts=attempt)
                elif self._stopping.wait(0.1 * 2**attempt):
                    break
            else:
                return True
        return False

    def _wait(self) -> None:
        now = time.time()
        wakes = [self._processor.wake_at()]
        if not self._ended and self._processor.can_read and not self._stopping.is_set():
            wakes.append(self._next_read)
        until = min((wake for wake in wakes if wake is not None), default=now + POLL_INTERVAL_S)
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
                before = self._processor.counts.delivered
                self._processor.complete_invocation(action, ended.outcome, now)
                done = self._processor.counts.delivered - before
                self._log_failure(action, ended.outcome, done)
        elif ended.sent or not self._stopping.is_set():
            # Stopped before it could be sent: the batch stays, and is given up after the restart.
            self._log_discard(action, sent=ended.sent)
            self._processor.complete_discard(action, now)

    # --- what others see --------------------------------------------------------------------------

    def _note(self) -> None:
        processor = self._processor
        oldest = processor.oldest_arrival
        self.status = ShardStatus(
            shard_id=self.shard_id,
            last_read=processor.last_read,
            checkpoint=processor.position,
            in_flight=processor.in_flight,
            behind_ms=self._behind_ms,
            iterator_age_ms=max(0, round((time.time() - oldest) * 1000)) if oldest else 0,
            # A shard that has ended is not the tip: its children have yet to be found.
            caught_up_at=None if self._ended else processor.caught_up_at,
            delivered=processor.counts.delivered,
            discarded=processor.counts.discarded,
            filtered=processor.counts.filtered,
        )
        self._saved(
            Checkpoint(processor.position, self._since, self.finished, dict(processor.windows))
        )

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

    def _log_discard(self, action: Discard, *, sent: bool) -> None:
        batch = action.discard.batch
        if not sent:
            self.undelivered_discards += 1
        self._log(
            "discarded",
            condition=action.discard.condition,
            records=len(batch.records),
            first=batch.records[0].sequence,
            last=batch.records[-1].sequence,
            destination=self.config.on_failure_destination,
            sent=sent,
        )

    def _log(self, event: str, **fields: object) -> None:
        self._json_log.write(
            event,
            mapping=self.config.uuid,
            region=self.config.region,
            shard=self.shard_id,
            **fields,
        )
