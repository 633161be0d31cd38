"""Run a handler under a simulated mapping with seeded faults.

    from aws_emulator.simulator import Faults, Simulator, fault_point, kinesis_records

    report = Simulator(
        kinesis_records([b"…", b"…"]),
        {"BatchSize": 10, "FunctionResponseTypes": ["ReportBatchItemFailures"],
         "BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 3},
        handler,                    # handler(event: dict) -> response. Exceptions are function
                                    # errors, but AssertionError ends the run and is re-raised.
        seed=4711,                  # or a random.Random (Hypothesis: st.randoms())
        faults=Faults.heavy(),      # or Faults(crash=.1, …), or Faults(script={7: "crash"})
    ).run()
    assert not report.unaccounted

The handler's fakes call `fault_point("label", error=…)` before and after each effect. No other code
runs between two fault points, so that fakes can use plain dicts. The arguments determine the run;
`report.trace` lists its faults in order.

A run varies the number of records per read (and so the batch boundaries), the interleaving of
concurrent invocations, the checkpoint from which a restarted mapping resumes, and the progress of
zombies.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_emulator.event_sources.errors import PollerError
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record
from aws_emulator.event_sources.shard_processor import Discard, Invoke
from aws_emulator.simulator.faults import FaultInjector, Faults, PointFault
from aws_emulator.simulator.report import Report, SimulatedShard
from aws_emulator.simulator.samples import mapping
from aws_emulator.simulator.simulated_mapping import Call, ShardReader, SimulatedMapping
from aws_emulator.simulator.tasks import Handler, Task

#: Steps after which a run counts as stuck, for example on a poison record with infinite retries.
MAX_STEPS: Final = 20_000


class StuckError(PollerError):
    """Raised when a run doesn't end: the handler always fails, and no limit discards the batch."""

    code = "simulation_stuck"


class Simulator:
    """One run of a handler. `records` are the records of one shard, or several shards.

    Raises:
        InvalidMappingError: A setting of the mapping is out of bounds.
    """

    def __init__(
        self,
        records: Sequence[Record] | Sequence[SimulatedShard],
        mapping_config: EventSourceMapping | Mapping[str, Any],
        handler: Handler,
        seed: int | random.Random = 0,
        faults: Faults | None = None,
    ) -> None:
        config = (
            mapping_config
            if isinstance(mapping_config, EventSourceMapping)
            else mapping(mapping_config)
        )
        self._rng = seed if isinstance(seed, random.Random) else random.Random(seed)
        self._faults = FaultInjector(faults or Faults(), self._rng)
        self._mapping = SimulatedMapping(
            _shards(records), config, handler, self._at_point, self._rng
        )
        self.report = self._mapping.report
        self._slow: set[int] = set()
        self._calls = 0

    def run(self) -> Report:
        """Deliver all records and return the report.

        Raises:
            StuckError: The run doesn't end within MAX_STEPS steps.
        """
        simulated = self._mapping
        steps = 0
        try:
            while not simulated.done:
                steps += 1
                if steps > MAX_STEPS:
                    raise StuckError(f"The records were not delivered after {MAX_STEPS} steps.")
                self._step()
            while simulated.zombies and self._rng.random() < 0.9:
                self._step_zombie()
        finally:
            simulated.abandon()
        simulated.close_report()
        self.report.trace = list(self._faults.trace)
        self.report.points = self._faults.points
        return self.report

    def _step(self) -> None:
        simulated = self._mapping
        if self._faults.chance("restart", self._faults.faults.restart, "a step"):
            simulated.restart(lambda: self._rng.randint(1, 3))
        simulated.start_shards()
        acted = False
        for reader in self._rng.sample(list(simulated.readers.values()), len(simulated.readers)):
            acted |= self._read(reader)
            acted |= self._start_due(reader)
            simulated.retire(reader)
        if simulated.running:
            self._advance_call()
        elif not acted:
            simulated.pass_time()
            simulated.now += self._rng.random() * 0.1
        if simulated.zombies and self._rng.random() > 0.7:
            self._step_zombie()

    def _read(self, reader: ShardReader) -> bool:
        if not reader.processor.can_read or self._rng.random() > 0.7:
            return False
        # GetRecords may return any number of the arrived records, including zero.
        arrived = reader.arrived(self._mapping.now)
        upto = arrived - self._rng.randint(0, arrived - reader.next)
        return self._mapping.read(reader, upto) > 0

    def _start_due(self, reader: ShardReader) -> bool:
        due = reader.processor.due_actions(self._mapping.now)
        for action in due:
            if isinstance(action, Discard):
                self._mapping.send_discard(reader, action)
            elif self._faults.chance("throttle", self._faults.faults.throttle, "an invocation"):
                self._mapping.throttle(reader, action)
            else:
                self._start_call(reader, action)
        return bool(due)

    def _start_call(self, reader: ShardReader, action: Invoke) -> None:
        rates = self._faults.faults
        slow = self._faults.chance("time-out", rates.timeout, f"call {self._calls}")
        if self._faults.chance("overlap", rates.overlap, f"call {self._calls}"):
            self._mapping.call_duplicate(reader, action)
            self._calls += 1
        call = self._mapping.call(reader, action)
        self._calls += 1
        if slow:
            self._slow.add(call.task.number)

    def _advance_call(self) -> None:
        running = self._mapping.running
        call: Call = self._rng.choice(running)
        slow = call.task.number in self._slow
        alone = len(running) == 1 and not slow and not self._faults.faults.script
        if alone and not call.task.threaded:
            call.task.run()
        else:
            call.task.step()
        if not self._mapping.settle(call) and slow and self._rng.random() > 0.6:
            self._mapping.time_out(call)

    def _at_point(self, task: Task, label: str, can_fail: bool) -> PointFault | None:
        if not task.threaded and self._mapping.zombies and self._rng.random() > 0.5:
            self._step_zombie()
        return self._faults.at_point(f"call {task.number}: {label}", can_fail=can_fail)

    def _step_zombie(self) -> None:
        task = self._rng.choice(self._mapping.zombies)
        if self._rng.random() > 0.9:
            task.abandon()
        else:
            task.step()
        if task.done:
            self._mapping.zombies.remove(task)


def _shards(records: Sequence[Record] | Sequence[SimulatedShard]) -> list[SimulatedShard]:
    shards = [item for item in records if isinstance(item, SimulatedShard)]
    if shards:
        return shards
    single = [item for item in records if isinstance(item, Record)]
    return [SimulatedShard("shardId-000000000000", single)]
