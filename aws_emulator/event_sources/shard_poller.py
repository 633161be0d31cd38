"""The thread that polls one shard: it reads records and runs the actions of a `ShardProcessor`."""

import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

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

#: Seconds between two reads at the tip of a shard that returns records. "Each shard can support up
#: to five read transactions per second" (Kinesis, service-sizes-and-limits).
POLL_INTERVAL_S: Final = 0.2
#: Seconds between two reads of a shard that returns no records. "Lambda polls each shard [...] at a
#: base rate of once per second" (with-kinesis). Idle systems need little CPU then.
IDLE_POLL_INTERVAL_S: Final = 1.0
#: Seconds between two attempts of a failed read.
READ_RETRY_INTERVAL_S: Final = 0.5
#: Attempts to send a discarded batch to its destination. AWS emits DestinationDeliveryFailures and
#: continues; so does the poller, after attempts that cover the creation time of a destination.
MAX_DESTINATION_ATTEMPTS: Final = 6


@dataclass(frozen=True, slots=True)
class Completion:
    """A completed action. A discard has no `outcome`; `sent` tells whether it was sent."""

    action: Invoke | Discard
    outcome: Outcome | None
    sent: bool = True
    elapsed_ms: int = 0


def next_interval(interval: float, *, records: bool) -> float:
    """Return the seconds to the next read of a shard after a read at the interval `interval`.

    The interval doubles with each read without records, up to `IDLE_POLL_INTERVAL_S`.
    """
    if records:
        return POLL_INTERVAL_S
    return min(2 * interval, IDLE_POLL_INTERVAL_S)


class ShardPoller(threading.Thread):
    """Poll one shard until the shard ends or `stop` is called.

    `status` is replaced after each step. `saved` is called with the current checkpoint.
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
        self._shard_ended = False
        self._next_read = 0.0
        self._interval = POLL_INTERVAL_S
        self._behind_ms: int | None = None
        self._last_error: tuple[str, str] | None = None
        self._running_actions = 0
        self._stopping = threading.Event()
        self._completions: queue.SimpleQueue[Completion | None] = queue.SimpleQueue()
        self._action_queues: dict[int, queue.SimpleQueue[Invoke | Discard | None]] = {}

    @property
    def finished(self) -> bool:
        """Whether the shard is closed and fully processed, so that its children may start."""
        return self._processor.finished and not self.gone

    @property
    def gone(self) -> bool:
        """Whether the shard or its stream was deleted."""
        return self._iterator.gone

    def stop(self) -> None:
        """Ask the thread to end after its running actions."""
        self._stopping.set()
        self._completions.put(None)

    def run(self) -> None:
        """Poll the shard until it ends or the poller stops."""
        try:
            while not self._processor.finished and not (
                self._stopping.is_set() and not self._running_actions
            ):
                if not self._stopping.is_set():
                    self._read_if_due()
                    self._start_due_actions()
                self._update_status()
                self._wait()
            self._update_status()
        finally:
            for action_queue in self._action_queues.values():
                action_queue.put(None)

    # --- reading ----------------------------------------------------------------------------------

    def _read_if_due(self) -> None:
        now = time.time()
        if self._shard_ended or now < self._next_read or not self._processor.can_read:
            return
        page = self._iterator.read(self._processor.last_read)
        self._log_error_once(self._iterator.error)
        if page is None:
            self._next_read = now + READ_RETRY_INTERVAL_S
        else:
            self._processor.read(page.records, now, caught_up=page.caught_up)
            self._behind_ms = page.behind_ms
            self._interval = next_interval(self._interval, records=bool(page.records))
            self._next_read = now + self._interval if page.caught_up else now
        # "NextShardIterator: … If set to null, the shard has been closed and the requested iterator
        # does not return any more data." (API_GetRecords)
        if self._iterator.gone or (page and page.next is None):
            self._shard_ended = True
            self._processor.close()

    def _log_error_once(self, error: tuple[str, str] | None) -> None:
        """Log an error once, not on every attempt."""
        if error and error != self._last_error:
            event, reason = error
            self._log(event, reason=reason)
        self._last_error = error

    # --- invoking ---------------------------------------------------------------------------------

    def _start_due_actions(self) -> None:
        for action in self._processor.due_actions(time.time()):
            self._running_actions += 1
            action_queue = self._action_queues.get(action.queue)
            if action_queue is None:
                action_queue = self._action_queues[action.queue] = queue.SimpleQueue()
                threading.Thread(
                    target=self._run_actions, args=(action_queue,), daemon=True
                ).start()
            action_queue.put(action)

    def _run_actions(self, action_queue: "queue.SimpleQueue[Invoke | Discard | None]") -> None:
        """Run the actions of one concurrent batch, each until its outcome is known."""
        while (action := action_queue.get()) is not None:
            if isinstance(action, Invoke):
                started = time.monotonic()
                outcome = self._target.invoke(self.config, action.event)
                elapsed_ms = round((time.monotonic() - started) * 1000)
                self._completions.put(Completion(action, outcome, elapsed_ms=elapsed_ms))
            else:
                self._completions.put(Completion(action, None, self._send(action)))

    def _send(self, action: Discard) -> bool:
        for attempt in range(1, MAX_DESTINATION_ATTEMPTS + 1):
            try:
                self._target.send_to_destination(
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
        if not self._shard_ended and self._processor.can_read and not self._stopping.is_set():
            wakes.append(self._next_read)
        until = min((wake for wake in wakes if wake is not None), default=now + POLL_INTERVAL_S)
        try:
            completion = self._completions.get(timeout=max(0.0, min(until - now, 1.0)))
            while True:
                if completion:
                    self._complete(completion)
                completion = self._completions.get_nowait()
        except queue.Empty:
            pass

    def _complete(self, completion: Completion) -> None:
        self._running_actions -= 1
        now = time.time()
        action = completion.action
        if isinstance(action, Invoke):
            if completion.outcome:
                before = self._processor.counts.delivered
                self._processor.complete_invocation(action, completion.outcome, now)
                delivered = self._processor.counts.delivered - before
                self._log_invocation(action, completion.outcome, delivered, completion.elapsed_ms)
        elif completion.sent or not self._stopping.is_set():
            # A discard that a stop interrupted is not completed: it is repeated after a restart.
            self._log_discard(action, sent=completion.sent)
            self._processor.complete_discard(action, now)

    # --- status and log ---------------------------------------------------------------------------

    def _update_status(self) -> None:
        processor = self._processor
        oldest = processor.oldest_arrival
        self.status = ShardStatus(
            shard_id=self.shard_id,
            last_read=processor.last_read,
            checkpoint=processor.position,
            in_flight=processor.in_flight,
            behind_ms=self._behind_ms,
            iterator_age_ms=max(0, round((time.time() - oldest) * 1000)) if oldest else 0,
            # A shard that has ended isn't caught up: its children are not listed yet.
            caught_up_at=None if self._shard_ended else processor.caught_up_at,
            delivered=processor.counts.delivered,
            discarded=processor.counts.discarded,
            filtered=processor.counts.filtered,
        )
        self._saved(
            Checkpoint(processor.position, self._since, self.finished, dict(processor.windows))
        )

    def _log_invocation(self, action: Invoke, outcome: Outcome, done: int, ms: int) -> None:
        records = action.batch.records
        # The last invocation of a tumbling window has no records, and isn't worth a line.
        positions = {"first": records[0].sequence, "last": records[-1].sequence} if records else {}
        fields: dict[str, object] = {
            "records": len(records),
            **positions,
            "attempt": action.batch.invocations + 1,
            "request_id": outcome.request_id,
            "ms": ms,
        }
        if done == len(records) and outcome.kind == "returned":
            if records:
                self._log("invoked", **fields)
            return
        self.failures += 1
        failure = {"kind": outcome.kind, "error": outcome.error, "error_type": error_type(outcome)}
        self._log("invoke_failed", **failure, **fields, done=done)

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
