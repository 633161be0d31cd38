"""An event source mapping that does one thing at a time, when it is told to.

It reads shards, invokes, takes answers, gives batches up, and forgets, as
`aws_emulator.event_sources.shard` and `aws_emulator.event_sources.rules` allow.
The caller decides when each step happens and which fault occurs. Time advances only when the caller
sets `now`.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from aws_emulator.event_sources.destinations import invocation_record
from aws_emulator.event_sources.filters import accepts
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record, sequence_numbers
from aws_emulator.event_sources.resharding import ShardInfo, startable_shards
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.event_sources.shard_processor import Discard, Invoke, ShardProcessor
from aws_emulator.event_sources.tumbling_windows import Window
from aws_emulator.simulator.report import CallLog, DiscardLog, Report, SimulatedShard
from aws_emulator.simulator.tasks import Decider, Handler, Task

#: How a call ends whose function ran out of time.
TIMED_OUT = Outcome("function_error", error="Unhandled")
#: How a call ends that never reached its function.
THROTTLED = Outcome("not_invoked", status=429)


@dataclass(slots=True)
class ShardReader:
    """A shard that is being read, and what a restarted poller would know of it."""

    shard: SimulatedShard
    processor: ShardProcessor
    next: int = 0
    saved: list[tuple[str | None, dict[int, Window]]] = field(default_factory=list)

    def arrived(self, now: float) -> int:
        """How far the shard can be read."""
        records, place = self.shard.records, self.next
        while place < len(records) and records[place].arrived <= now:
            place += 1
        return place


@dataclass(slots=True)
class Call:
    """One invocation that the mapping waits for."""

    reader: ShardReader
    action: Invoke
    task: Task
    log: CallLog


class SimulatedMapping:
    """The mapping over some shards. `shards` may grow: a shard is read once its parents are."""

    def __init__(
        self,
        shards: list[SimulatedShard],
        config: EventSourceMapping,
        handler: Handler,
        decide: Decider,
        rng: random.Random | None = None,
    ) -> None:
        self.shards = shards
        self.config = config
        self.report = Report()
        self.now = min((r.arrived for s in shards for r in s.records), default=0.0)
        self.readers: dict[str, ShardReader] = {}
        self.finished: set[str] = set()
        self.running: list[Call] = []
        #: Calls that nobody waits for any more and whose code still runs.
        self.zombies: list[Task] = []
        self._handler = handler
        self._decide = decide
        self._rng = rng
        self._calls = 0

    @property
    def done(self) -> bool:
        """Whether all shards are closed and read to their end."""
        return len(self.finished) == len(self.shards)

    # --- the stream -----------------------------------------------------------------------------

    def start_shards(self) -> None:
        """Begin with the shards that may be read by now."""
        infos = [ShardInfo(one.shard_id, one.parents, closed=one.closed) for one in self.shards]
        ready = {info.shard_id for info in startable_shards(infos, self.readers, self.finished)}
        for shard in self.shards:
            if shard.shard_id in ready:
                processor = ShardProcessor(self.config, shard.shard_id, rng=self._rng)
                self.readers[shard.shard_id] = ShardReader(shard, processor, shard.trimmed)

    def read(self, reader: ShardReader, upto: int) -> int:
        """Read a shard up to a place; how many records that were."""
        arrived = reader.arrived(self.now)
        upto = max(reader.next, min(upto, arrived))
        chunk = reader.shard.records[reader.next : upto]
        reader.next = upto
        before = reader.processor.counts.filtered
        reader.processor.read(chunk, self.now, caught_up=upto == arrived)
        if reader.processor.counts.filtered > before:
            gone = [record for record in chunk if not accepts(self.config, record)]
            self.report.filtered.update(sequence_numbers(gone))
            self._save(reader)
        if reader.shard.closed and upto == len(reader.shard.records):
            reader.processor.close()
        return len(chunk)

    def retire(self, reader: ShardReader) -> None:
        """Leave a shard that is closed and done, so that its children can be read."""
        if reader.processor.finished:
            self.finished.add(reader.shard.shard_id)
            del self.readers[reader.shard.shard_id]

    def pass_time(self) -> bool:
        """Move on to the next time at which something is due; False where nothing will be."""
        times = [reader.processor.wake_at() for reader in self.readers.values()]
        arrivals = [
            reader.shard.records[reader.next].arrived
            for reader in self.readers.values()
            if reader.next < len(reader.shard.records)
        ]
        ahead = [time for time in [*times, *arrivals] if time is not None and time > self.now]
        self.now = min(ahead, default=self.now)
        return bool(ahead)

    # --- calls ----------------------------------------------------------------------------------

    def throttle(self, reader: ShardReader, action: Invoke) -> None:
        """Answer an invocation with 429: it does not reach the function."""
        reader.processor.complete_invocation(action, THROTTLED, self.now)

    def call(self, reader: ShardReader, action: Invoke) -> Call:
        """Invoke the function. Nothing of it has run yet."""
        call = self._new_call(reader, action)
        self.running.append(call)
        return call

    def call_duplicate(self, reader: ShardReader, action: Invoke) -> Task:
        """Deliver a batch a second time, with nobody to wait for the answer."""
        task = self._new_call(reader, action).task
        self._leave(task)
        return task

    def time_out(self, call: Call) -> None:
        """Give a call up. Its code runs on while its batch is retried."""
        self._leave(call.task)
        self._end(call, TIMED_OUT, "timed out")

    def settle(self, call: Call) -> bool:
        """Take the answer of a call that has ended; False where it has not."""
        if call.task.done:
            returned = call.task.outcome.kind == "returned"
            self._end(call, call.task.outcome, "returned" if returned else "failed")
        elif call.task.timed_out:
            self.time_out(call)
        else:
            return False
        return True

    def send_discard(self, reader: ShardReader, action: Discard) -> None:
        """Send a batch that is given up to its destination."""
        document = invocation_record(self.config, reader.shard.shard_id, action.discard, self.now)
        numbers = sequence_numbers(action.discard.batch.records)
        self.report.discards.append(
            DiscardLog(
                reader.shard.shard_id, numbers, action.discard.condition, document, action.event
            )
        )
        reader.processor.complete_discard(action, self.now)
        self._save(reader)

    def _new_call(self, reader: ShardReader, action: Invoke) -> Call:
        task = Task(self._calls, self._handler, action.event, self._decide)
        log = CallLog(self._calls, reader.shard.shard_id, sequence_numbers(action.batch.records))
        self._calls += 1
        self.report.calls.append(log)
        return Call(reader, action, task, log)

    def _leave(self, task: Task) -> None:
        self.zombies.append(task)
        self.report.zombies += 1

    def _end(
        self, call: Call, outcome: Outcome, seen: Literal["returned", "failed", "timed out"]
    ) -> None:
        self.running.remove(call)
        call.log.seen = seen
        processor = call.reader.processor
        before = processor.counts.delivered
        processor.complete_invocation(call.action, outcome, self.now)
        count = processor.counts.delivered - before
        done = self.report.delivered.setdefault(call.reader.shard.shard_id, [])
        done.extend(call.log.sequence_numbers[:count])
        self._save(call.reader)

    # --- the mapping's own memory -----------------------------------------------------------------

    def _save(self, reader: ShardReader) -> None:
        position = reader.processor.position
        reader.saved.append((position, reader.processor.windows))
        written = self.report.checkpoints.setdefault(reader.shard.shard_id, [])
        if position is not None and written[-1:] != [position]:
            written.append(position)

    def restart(self, behind: Callable[[], int]) -> None:
        """Lose what is in memory, and go on from a checkpoint: `behind` tells which, 1 the last.

        What was under way runs on with nobody to wait for it.
        """
        self.report.restarts += 1
        self._forget_calls()
        for reader in self.readers.values():
            back = behind()
            position, windows = reader.saved[-back] if back <= len(reader.saved) else (None, {})
            del reader.saved[max(0, len(reader.saved) - back + 1) :]
            shard = reader.shard
            reader.next = max(_after(shard.records, position), shard.trimmed)
            reader.processor = ShardProcessor(
                self.config, shard.shard_id, position=position, windows=windows, rng=self._rng
            )

    def recreate(self) -> None:
        """Delete the mapping and make it anew at TRIM_HORIZON: every shard from its beginning."""
        self._forget_calls()
        self.readers.clear()
        self.finished.clear()
        self.start_shards()

    def _forget_calls(self) -> None:
        for call in self.running:
            self._leave(call.task)
        self.running.clear()

    def abandon(self) -> None:
        """End every call where it stands."""
        for task in [*self.zombies, *(call.task for call in self.running)]:
            task.abandon()

    def close_report(self) -> None:
        """Work out what is neither delivered nor discarded nor filtered."""
        report = self.report
        accounted = {number for done in report.delivered.values() for number in done}
        accounted.update(report.discarded, report.filtered)
        everything = {r.sequence for one in self.shards for r in one.records[one.trimmed :]}
        report.unaccounted = everything - accounted


def _after(records: Sequence[Record], position: str | None) -> int:
    if position is None:
        return 0
    return sum(record.number <= int(position) for record in records)
