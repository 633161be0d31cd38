"""An in-memory event source mapping whose steps the caller runs one at a time.

Each step (read, invoke, settle, discard, restart) obeys
`aws_emulator.event_sources.shard_processor`. The caller decides the order of steps and the faults.
Time advances only when the caller sets `now` or calls `pass_time`.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from aws_emulator.event_sources.destinations import invocation_record
from aws_emulator.event_sources.filters import accepts
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record, sequence_numbers
from aws_emulator.event_sources.resharding import ShardInfo, startable_shards
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.event_sources.shard_processor import Discard, Invoke, ShardProcessor
from aws_emulator.event_sources.tumbling_windows import TumblingWindow
from aws_emulator.simulator.report import CallLog, DiscardLog, Report, SimulatedShard
from aws_emulator.simulator.tasks import Decider, Handler, Task

#: The outcome of an invocation that timed out.
TIMED_OUT: Final = Outcome("function_error", error="Unhandled")
#: The outcome of an invocation that Lambda throttled.
THROTTLED: Final = Outcome("not_invoked", status=429)


@dataclass(slots=True)
class ShardReader:
    """A shard that the mapping reads. `saved` holds the checkpoints for a restart, oldest first."""

    shard: SimulatedShard
    processor: ShardProcessor
    next: int = 0
    saved: list[tuple[str | None, dict[int, TumblingWindow]]] = field(default_factory=list)

    def arrived(self, now: float) -> int:
        """Return the position after the last record that has arrived."""
        records, position = self.shard.records, self.next
        while position < len(records) and records[position].arrived <= now:
            position += 1
        return position


@dataclass(slots=True)
class Call:
    """One invocation whose outcome the mapping waits for."""

    reader: ShardReader
    action: Invoke
    task: Task
    log: CallLog


class SimulatedMapping:
    """A mapping of some shards. The caller may append to `shards`; parents are read first.

    `decide` returns the fault at each fault point of a handler.
    """

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
        #: Invocations that the mapping no longer waits for and whose code still runs.
        self.zombies: list[Task] = []
        self._handler = handler
        self._decide = decide
        self._rng = rng
        self._calls = 0

    @property
    def done(self) -> bool:
        """Whether all shards are closed and fully processed."""
        return len(self.finished) == len(self.shards)

    # --- the stream -----------------------------------------------------------------------------

    def start_shards(self) -> None:
        """Start to read the shards whose parents are finished."""
        infos = [ShardInfo(one.shard_id, one.parents, closed=one.closed) for one in self.shards]
        ready = {info.shard_id for info in startable_shards(infos, self.readers, self.finished)}
        for shard in self.shards:
            if shard.shard_id in ready:
                processor = ShardProcessor(self.config, shard.shard_id, rng=self._rng)
                self.readers[shard.shard_id] = ShardReader(shard, processor, shard.trimmed)

    def read(self, reader: ShardReader, upto: int) -> int:
        """Read a shard up to the position `upto`; return the number of records."""
        arrived = reader.arrived(self.now)
        upto = max(reader.next, min(upto, arrived))
        chunk = reader.shard.records[reader.next : upto]
        reader.next = upto
        before = reader.processor.counts.filtered
        reader.processor.read(chunk, self.now, caught_up=upto == arrived)
        if reader.processor.counts.filtered > before:
            filtered = [record for record in chunk if not accepts(self.config, record)]
            self.report.filtered.update(sequence_numbers(filtered))
            self._save(reader)
        if reader.shard.closed and upto == len(reader.shard.records):
            reader.processor.close()
        return len(chunk)

    def retire(self, reader: ShardReader) -> None:
        """Remove a closed and fully processed shard, so that its children can be read."""
        if reader.processor.finished:
            self.finished.add(reader.shard.shard_id)
            del self.readers[reader.shard.shard_id]

    def pass_time(self) -> bool:
        """Set `now` to the next time at which an action is due; return False without one."""
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
        """Respond to an invocation with 429, without reaching the function."""
        reader.processor.complete_invocation(action, THROTTLED, self.now)

    def call(self, reader: ShardReader, action: Invoke) -> Call:
        """Start an invocation. The caller runs its task."""
        call = self._new_call(reader, action)
        self.running.append(call)
        return call

    def call_duplicate(self, reader: ShardReader, action: Invoke) -> Task:
        """Start a second invocation of a batch, whose outcome the mapping ignores."""
        task = self._new_call(reader, action).task
        self._continue_as_zombie(task)
        return task

    def time_out(self, call: Call) -> None:
        """Time an invocation out. Its code keeps running while its batch is retried."""
        self._continue_as_zombie(call.task)
        self._end(call, TIMED_OUT, "timed out")

    def settle(self, call: Call) -> bool:
        """Process the outcome of an invocation; return False if it is still running."""
        if call.task.done:
            returned = call.task.outcome.kind == "returned"
            self._end(call, call.task.outcome, "returned" if returned else "failed")
        elif call.task.timed_out:
            self.time_out(call)
        else:
            return False
        return True

    def send_discard(self, reader: ShardReader, action: Discard) -> None:
        """Send a discarded batch to its destination."""
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

    def _continue_as_zombie(self, task: Task) -> None:
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
        delivered = self.report.delivered.setdefault(call.reader.shard.shard_id, [])
        delivered.extend(call.log.sequence_numbers[:count])
        self._save(call.reader)

    # --- checkpoints ----------------------------------------------------------------------------

    def _save(self, reader: ShardReader) -> None:
        position = reader.processor.position
        reader.saved.append((position, reader.processor.windows))
        written = self.report.checkpoints.setdefault(reader.shard.shard_id, [])
        if position is not None and written[-1:] != [position]:
            written.append(position)

    def restart(self, behind: Callable[[], int]) -> None:
        """Lose the memory and resume each shard from a checkpoint.

        `behind` returns the checkpoint to use, counted from the end: 1 is the last one. Running
        invocations continue as zombies.
        """
        self.report.restarts += 1
        self._abandon_calls()
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
        """Delete the mapping and create it at TRIM_HORIZON: read every shard from its start."""
        self._abandon_calls()
        self.readers.clear()
        self.finished.clear()
        self.start_shards()

    def _abandon_calls(self) -> None:
        for call in self.running:
            self._continue_as_zombie(call.task)
        self.running.clear()

    def abandon(self) -> None:
        """End every running invocation at its current fault point."""
        for task in [*self.zombies, *(call.task for call in self.running)]:
            task.abandon()

    def close_report(self) -> None:
        """Compute the unaccounted records of the report."""
        report = self.report
        accounted = {number for numbers in report.delivered.values() for number in numbers}
        accounted.update(report.discarded, report.filtered)
        everything = {r.sequence for one in self.shards for r in one.records[one.trimmed :]}
        report.unaccounted = everything - accounted


def _after(records: Sequence[Record], position: str | None) -> int:
    if position is None:
        return 0
    return sum(record.number <= int(position) for record in records)
