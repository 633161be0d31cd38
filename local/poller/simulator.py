"""A shard in memory, a handler, and everything that AWS allows to go wrong between them.

The batches are cut, retried, split, dropped and checkpointed by `shard.py` and `rules.py`: the
very code that the poller runs. A test of exactly-once looks like this:

    from local.poller.simulator import Faults, Simulator, fault_point, kinesis_records

    report = Simulator(
        kinesis_records([b"…", b"…"]),
        {"BatchSize": 10, "FunctionResponseTypes": ["ReportBatchItemFailures"],
         "BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 3},
        handler,                    # handler(event: dict) -> response; exceptions are failures,
                                    # but for AssertionError, which ends the run and is raised
        seed=4711,                  # or a random.Random (Hypothesis: st.randoms())
        faults=Faults.heavy(),      # or Faults(crash=.1, …), or Faults(script={7: "crash"})
    ).run()
    assert not report.unaccounted
    # …and now compare what lies in the fake S3 with the records.

The handler's fakes call `fault_point("what", error=…)` before and after each effect; see there.
Between two fault points nothing else runs, so plain dicts are fine in the fakes. A run is decided
by its arguments; `report.trace` names the faults in the order in which they fell.

What a run varies by itself: how many records each read brings and when (so the boundaries of
batches), how calls of several shards or lanes interleave, where a restarted poller goes on (at one
of its last checkpoints, so that other boundaries repeat old records), and how far zombies get.
Time is simulated: back-off, age and windows cost nothing.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from local.poller.destinations import invocation_record
from local.poller.errors import PollerError
from local.poller.faults import Faults, FaultSource, PointFault
from local.poller.filters import keeps
from local.poller.mapping import MappingConfig
from local.poller.records import Record, sequences
from local.poller.responses import Outcome
from local.poller.samples import dynamodb_records, kinesis_records, mapping
from local.poller.shard import Drop, Invoke, Shard
from local.poller.simulation import CallLog, DiscardLog, Report, SimulatedShard
from local.poller.tasks import Crash, Handler, Task, fault_point
from local.poller.topology import ShardInfo, startable
from local.poller.windows import Window

__all__ = [
    "CallLog",
    "Crash",
    "DiscardLog",
    "Faults",
    "Report",
    "SimulatedShard",
    "Simulator",
    "StuckError",
    "dynamodb_records",
    "fault_point",
    "kinesis_records",
    "mapping",
]

#: Steps after which a run is taken for endless (a poison record under infinite retries).
STEP_LIMIT = 20_000


class StuckError(PollerError):
    """Raised when a run does not end: the handler fails for ever and nothing lets the batch go."""

    code = "simulation_stuck"


@dataclass(slots=True)
class _Reader:
    """A shard that is being read, and what a restarted poller would know of it."""

    source: SimulatedShard
    machine: Shard
    next: int = 0
    saved: list[tuple[str | None, dict[int, Window]]] = field(default_factory=list)


@dataclass(slots=True)
class _Running:
    reader: _Reader
    action: Invoke
    task: Task
    log: CallLog
    slow: bool


class Simulator:
    """One run. `records` is one shard's records, or several shards."""

    def __init__(
        self,
        records: Sequence[Record] | Sequence[SimulatedShard],
        mapping_config: MappingConfig | Mapping[str, Any],
        handler: Handler,
        seed: int | random.Random = 0,
        faults: Faults | None = None,
    ) -> None:
        self.report = Report()
        self._config = (
            mapping_config if isinstance(mapping_config, MappingConfig) else mapping(mapping_config)
        )
        self._handler = handler
        self._rng = (
            seed if isinstance(seed, random.Random) else random.Random(seed)  # noqa: S311 -- a run must be repeatable, not unguessable
        )
        self._faults = FaultSource(faults or Faults(), self._rng)
        self._shards = _shards(records)
        self._now = min((r.arrived for s in self._shards for r in s.records), default=0.0)
        self._readers: dict[str, _Reader] = {}
        self._finished: set[str] = set()
        self._running: list[_Running] = []
        self._zombies: list[Task] = []
        self._calls = 0

    def run(self) -> Report:
        """Deliver everything. Raises StuckError where that does not come to an end."""
        steps = 0
        try:
            while len(self._finished) < len(self._shards):
                steps += 1
                if steps > STEP_LIMIT:
                    raise StuckError(f"not delivered after {STEP_LIMIT} steps")
                self._step()
            while self._zombies and self._rng.random() < 0.9:
                self._step_zombie()
        finally:
            for task in [*self._zombies, *(running.task for running in self._running)]:
                task.abandon()
        self._close_report()
        return self.report

    # --- one step -------------------------------------------------------------------------------

    def _step(self) -> None:
        if self._faults.chance("restart", self._faults.faults.restart, "a step of the poller"):
            self._restart()
        self._start_shards()
        acted = False
        for reader in self._rng.sample(list(self._readers.values()), len(self._readers)):
            acted |= self._read(reader)
            acted |= self._start_due(reader)
            self._retire(reader)
        if self._running:
            self._advance_call()
        elif not acted:
            self._pass_time()
        if self._zombies and self._rng.random() > 0.7:
            self._step_zombie()

    def _start_shards(self) -> None:
        infos = [ShardInfo(shard.shard_id, shard.parents, closed=True) for shard in self._shards]
        ready = {s.shard_id for s in startable(infos, self._readers, self._finished)}
        for shard in self._shards:
            if shard.shard_id in ready:
                self._readers[shard.shard_id] = _Reader(
                    shard, Shard(self._config, shard.shard_id, rng=self._rng)
                )

    def _read(self, reader: _Reader) -> bool:
        records, machine = reader.source.records, reader.machine
        if not machine.has_room or self._rng.random() > 0.7:
            return False
        arrived = reader.next
        while arrived < len(records) and records[arrived].arrived <= self._now:
            arrived += 1
        # GetRecords brings what it likes, also nothing, of what has arrived.
        upto = arrived - self._rng.randint(0, arrived - reader.next)
        chunk, reader.next = records[reader.next : upto], upto
        before = machine.counts.filtered
        machine.read(chunk, self._now, caught_up=upto == arrived)
        if machine.counts.filtered > before:
            self._note_filtered(chunk)
            self._save(reader)
        if upto == len(records):
            machine.close()
        return bool(chunk)

    def _start_due(self, reader: _Reader) -> bool:
        due = reader.machine.due(self._now)
        for action in due:
            if isinstance(action, Drop):
                self._discard(reader, action)
            elif self._faults.chance("throttle", self._faults.faults.throttle, "an invocation"):
                reader.machine.invoked(action, Outcome("not_invoked", status=429), self._now)
            else:
                self._start_call(reader, action)
        return bool(due)

    def _retire(self, reader: _Reader) -> None:
        if reader.machine.finished:
            self._finished.add(reader.source.shard_id)
            del self._readers[reader.source.shard_id]

    def _pass_time(self) -> None:
        times = [r.machine.wake_at() for r in self._readers.values()]
        arrivals = [
            r.source.records[r.next].arrived
            for r in self._readers.values()
            if r.next < len(r.source.records)
        ]
        ahead = [time for time in [*times, *arrivals] if time is not None and time > self._now]
        self._now = min(ahead, default=self._now) + self._rng.random() * 0.1

    # --- calls ----------------------------------------------------------------------------------

    def _start_call(self, reader: _Reader, action: Invoke) -> None:
        rates = self._faults.faults
        slow = self._faults.chance("time-out", rates.timeout, f"call {self._calls}")
        if self._faults.chance("overlap", rates.overlap, f"call {self._calls}"):
            self._zombies.append(self._new_call(reader, action, slow=False).task)
            self.report.zombies += 1
        self._running.append(self._new_call(reader, action, slow=slow))

    def _new_call(self, reader: _Reader, action: Invoke, *, slow: bool) -> _Running:
        task = Task(self._calls, self._handler, action.event, self._at_point)
        log = CallLog(self._calls, reader.source.shard_id, sequences(action.batch.records))
        self._calls += 1
        self.report.calls.append(log)
        return _Running(reader, action, task, log, slow)

    def _advance_call(self) -> None:
        call = self._rng.choice(self._running)
        alone = len(self._running) == 1 and not call.slow and not self._faults.faults.script
        if alone and not call.task.threaded:
            call.task.run()
        else:
            call.task.step()
        if call.task.done:
            failed = call.task.outcome.kind != "returned"
            self._end_call(call, call.task.outcome, "failed" if failed else "returned")
        elif call.task.timed_out or (call.slow and self._rng.random() > 0.6):
            self._zombies.append(call.task)
            self.report.zombies += 1
            self._end_call(call, Outcome("function_error", error="Unhandled"), "timed out")

    def _end_call(
        self, call: _Running, outcome: Outcome, seen: Literal["returned", "failed", "timed out"]
    ) -> None:
        self._running.remove(call)
        call.log.seen = seen
        machine = call.reader.machine
        before = machine.counts.delivered
        machine.invoked(call.action, outcome, self._now)
        count = machine.counts.delivered - before
        done = self.report.delivered.setdefault(call.reader.source.shard_id, [])
        done.extend(call.log.sequences[:count])
        self._save(call.reader)

    def _at_point(self, task: Task, label: str, can_fail: bool) -> PointFault | None:
        if not task.threaded and self._zombies and self._rng.random() > 0.5:
            self._step_zombie()
        return self._faults.at_point(f"call {task.number}: {label}", can_fail=can_fail)

    def _step_zombie(self) -> None:
        task = self._rng.choice(self._zombies)
        if self._rng.random() > 0.9:
            task.abandon()
        else:
            task.step()
        if task.done:
            self._zombies.remove(task)

    # --- the poller's own memory ------------------------------------------------------------------

    def _save(self, reader: _Reader) -> None:
        position = reader.machine.position
        reader.saved.append((position, reader.machine.windows))
        written = self.report.checkpoints.setdefault(reader.source.shard_id, [])
        if position is not None and written[-1:] != [position]:
            written.append(position)

    def _restart(self) -> None:
        self.report.restarts += 1
        for running in self._running:
            self._zombies.append(running.task)
            self.report.zombies += 1
        self._running.clear()
        for reader in self._readers.values():
            # The file may lie a few batches behind what the poller had in memory.
            behind = self._rng.randint(1, 3)
            position, windows = reader.saved[-behind] if behind <= len(reader.saved) else (None, {})
            del reader.saved[max(0, len(reader.saved) - behind + 1) :]
            reader.next = _after(reader.source.records, position)
            reader.machine = Shard(
                self._config,
                reader.source.shard_id,
                position=position,
                windows=windows,
                rng=self._rng,
            )

    def _discard(self, reader: _Reader, action: Drop) -> None:
        document = invocation_record(
            self._config, reader.source.shard_id, action.discard, self._now
        )
        self.report.discards.append(
            DiscardLog(
                reader.source.shard_id,
                sequences(action.discard.batch.records),
                action.discard.condition,
                document,
                action.event,
            )
        )
        reader.machine.dropped(action, self._now)
        self._save(reader)

    def _note_filtered(self, chunk: Sequence[Record]) -> None:
        self.report.filtered.update(
            record.sequence for record in chunk if not keeps(self._config, record)
        )

    def _close_report(self) -> None:
        report = self.report
        accounted = {s for done in report.delivered.values() for s in done}
        accounted.update(report.discarded, report.filtered)
        everything = {record.sequence for shard in self._shards for record in shard.records}
        report.unaccounted = everything - accounted
        report.trace = list(self._faults.trace)
        report.points = self._faults.points


def _shards(records: Sequence[Record] | Sequence[SimulatedShard]) -> list[SimulatedShard]:
    shards = [item for item in records if isinstance(item, SimulatedShard)]
    if shards:
        return shards
    single = [item for item in records if isinstance(item, Record)]
    return [SimulatedShard("shardId-000000000000", single)]


def _after(records: Sequence[Record], position: str | None) -> int:
    if position is None:
        return 0
    return sum(record.number <= int(position) for record in records)
