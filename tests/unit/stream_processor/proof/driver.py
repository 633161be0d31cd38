"""Drives a simulated stream, its mapping and the handler's processes, one step per method.

`state_machine.Proof` calls the steps in the order that Hypothesis draws.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import pytest

from aws_emulator.event_sources.shard_processor import Discard
from aws_emulator.simulator import (
    PointFault,
    ShardReader,
    SimulatedMapping,
    SimulatedShard,
    Task,
    mapping,
)
from tests.unit.stream_processor.fakes import FakeAws
from tests.unit.stream_processor.proof import fault_plan
from tests.unit.stream_processor.proof.fault_plan import FaultPlan
from tests.unit.stream_processor.proof.handlers import (
    STREAM,
    SimulatedChangesHandler,
    SimulatedHandler,
)
from tests.unit.stream_processor.proof.lake_checker import (
    ExpectedRecord,
    InvariantError,
    LakeChecker,
    RecordId,
)

#: Shortly before the end of an hour and of a day.
START: Final = datetime(2026, 11, 21, 23, 59, 57, tzinfo=UTC).timestamp()
#: The longer Timeout of the two functions in seconds, "the amount of time (in seconds) that Lambda
#: allows a function to run before stopping it" (API_FunctionConfiguration). Zombies end at it.
TIMEOUT_S: Final = 900
#: Steps after which an undelivered record counts as stuck.
MAX_DRAIN_STEPS: Final = 150

type Fault = tuple[tuple[fault_plan.FaultKind | None, str, str], int]

NO_FAULT: Final[Fault] = ((None, "", ""), 0)


class Driver:
    """One run of `handler_type`."""

    handler_type: ClassVar[type[SimulatedHandler]]
    #: Totals of all runs by name, for the report.
    counts: ClassVar[Counter[str]] = Counter()

    @staticmethod
    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        """Patch the writer with a mutation; by default none."""

    def __init__(self) -> None:
        super().__init__()
        self.monkeypatch = pytest.MonkeyPatch()
        self.aws = FakeAws()
        self.handler = self.handler_type(self.aws, self.monkeypatch)
        self.checker = LakeChecker(self.aws, self.handler.prefix)
        self.handler.patch()
        self.mutate(self.monkeypatch)
        self.fault_plans: dict[int, FaultPlan] = {}
        self.started: dict[int, float] = {}
        self.record_count = 0
        self.shards = [SimulatedShard("shardId-000000000000", [], closed=False)]

    def create_mapping(self, settings: Mapping[str, Any]) -> None:
        """Create the mapping."""
        config = mapping({**settings, **self.handler.mapping})
        self.simulation = SimulatedMapping(self.shards, config, self.handler, self._decide)
        self.simulation.now = START

    def close(self) -> None:
        """End all running invocations and undo the patches."""
        if self.record_count:
            self.simulation.abandon()
        self.monkeypatch.undo()

    def put_records(self, index: int, kinds: list[int], drift: int) -> None:
        """Put records on an open shard; their arrival times are off by `drift` seconds."""
        shards = [shard for shard in self.shards if not shard.closed]
        shard = shards[index % len(shards)]
        added = []
        for kind in kinds:
            sequence = self.handler.first + self.record_count * self.handler.step
            arrived = round(self.simulation.now + drift, 3)
            self.simulation.now += 0.4
            record, identities = self.handler.record(shard.shard_id, sequence, arrived, kind)
            entry = ExpectedRecord(round(record.arrived * 1000), tuple(identities))
            self.checker.expect(STREAM, shard.shard_id, sequence, entry)
            added.append(record)
            self.record_count += 1
        shard.records = [*shard.records, *added]
        self.counts["records"] += len(added)

    # --- invocations ----------------------------------------------------------------------------

    def deliver(
        self, index: int, count: int, fault: Fault, duplicate_fault: Fault | None = None
    ) -> None:
        """Read from a shard and invoke the function.

        With `duplicate_fault`, deliver each batch twice at the same time.
        """
        reader = self._idle_reader(index)
        if reader is None:
            return
        self.simulation.now = max(
            self.simulation.now, *(r.arrived for r in reader.shard.records), 0.0
        )
        self.simulation.read(reader, reader.next + count)
        for action in reader.processor.due_actions(self._due_time(reader)):
            if isinstance(action, Discard):
                self.simulation.send_discard(reader, action)
                continue
            call = self.simulation.call(reader, action)
            if duplicate_fault is not None:
                self.counts["batches delivered twice at once"] += 1
                self.run_to_fault(self.simulation.call_duplicate(reader, action), duplicate_fault)
            self.run_to_fault(call.task, fault)
        self.settle()

    def run_to_fault(self, task: Task, fault: Fault) -> None:
        """Run an invocation until it ends, or until it pauses at a `stop` fault."""
        (kind, where, moment), nth = fault
        plan = self.fault_plans[task.number] = FaultPlan(kind, where, moment, nth)
        self.started.setdefault(task.number, self.simulation.now)
        plan.run(task, self.counts)

    def settle(self) -> None:
        """Process the outcomes of the ended invocations."""
        for call in list(self.simulation.running):
            self.simulation.settle(call)
        self.simulation.zombies[:] = [task for task in self.simulation.zombies if not task.done]
        for reader in list(self.simulation.readers.values()):
            self.simulation.retire(reader)

    def drain(self, *, zombies_first: bool) -> None:
        """Deliver all remaining records without faults."""
        self.handler.cold, self.handler.objects = False, 99
        # Zombies that finish last must not change the result.
        zombies = list(self.simulation.zombies)
        waited_for = [call.task for call in self.simulation.running]
        for task in [*(zombies if zombies_first else []), *waited_for]:
            self.run_to_fault(task, NO_FAULT)
        self.settle()
        self._put_last_records()
        for _ in range(MAX_DRAIN_STEPS):
            if self.simulation.done:
                break
            for index in range(max(1, len(self.simulation.readers))):
                self.deliver(index, 99, NO_FAULT)
            if not self.simulation.pass_time():
                self.simulation.now += 31
        else:
            raise InvariantError("the stream wasn't processed to its end")
        for task in [] if zombies_first else zombies:
            self.run_to_fault(task, NO_FAULT)

    def _put_last_records(self) -> None:
        for index in range(len([shard for shard in self.shards if not shard.closed])):
            self.put_records(index, [1], 0)
        for shard in self.shards:
            shard.closed = True

    # --- disruptions ------------------------------------------------------------------------------

    def wait(self, seconds: int) -> None:
        """Advance the time, but not past the retention period of the first record."""
        if self.simulation.now + seconds < START + self.aws.settings.retention_hours * 3_600:
            self.simulation.now += seconds
        self._abandon_old_invocations()

    def _abandon_old_invocations(self) -> None:
        for call in list(self.simulation.running):
            if self.simulation.now - self.started[call.task.number] > TIMEOUT_S:
                self.simulation.time_out(call)
        for task in self.simulation.zombies:
            if self.simulation.now - self.started[task.number] > TIMEOUT_S:
                task.abandon()
        self.settle()

    def restart(self, behind: int) -> None:
        """Restart the mapping from an older checkpoint, so that batch boundaries change."""
        self.simulation.restart(lambda: behind)
        self.counts["mappings restarted from an older checkpoint"] += 1

    def recreate(self, trimmed_count: int) -> None:
        """Recreate the mapping at TRIM_HORIZON, after some finished records were trimmed."""
        settled = {number for _, number in self.acknowledged() | self.discarded()}
        for shard in self.shards:
            while trimmed_count and shard.trimmed < len(shard.records):
                if shard.records[shard.trimmed].number not in settled:
                    break
                shard.trimmed += 1
                trimmed_count -= 1
        self.simulation.recreate()
        self.counts["mappings recreated at TRIM_HORIZON"] += 1

    def throttle(self, index: int) -> None:
        """Throttle the invocations, which use no retry."""
        if reader := self._idle_reader(index):
            self.simulation.read(reader, reader.next + 3)
            for action in reader.processor.due_actions(self._due_time(reader)):
                if isinstance(action, Discard):
                    self.simulation.send_discard(reader, action)
                else:
                    self.simulation.throttle(reader, action)
                    self.counts["invocations throttled"] += 1
            self.settle()

    def reshard(self, index: int, *, merge: bool) -> None:
        """Split a shard, or merge two. A shard of a table's stream has one child."""
        open_shards = [shard for shard in self.shards if not shard.closed]
        if len(self.shards) > 6:
            return
        parents = open_shards[:2] if merge else [open_shards[index % len(open_shards)]]
        merge = len(parents) > 1
        for shard in parents:
            shard.closed = True
        for _ in range(1 if merge or isinstance(self.handler, SimulatedChangesHandler) else 2):
            # As in Kafka, the name of a partition can be the beginning of another one's.
            name = f"{self.shards[-1].shard_id}-{len(self.shards)}"
            parent_ids = tuple(shard.shard_id for shard in parents)
            self.shards.append(SimulatedShard(name, [], parent_ids, closed=False))
        self.counts["shards merged" if merge else "shards split"] += 1

    # --- private ----------------------------------------------------------------------------------

    def acknowledged(self) -> set[RecordId]:
        """Return the records that the mapping counts as delivered."""
        return {
            (self.checker.shard(STREAM, shard), int(sequence))
            for shard, done in self.simulation.report.delivered.items()
            for sequence in done
        }

    def discarded(self) -> set[RecordId]:
        """Return the discarded records."""
        return {
            (self.checker.shard(STREAM, it.shard_id), int(sequence))
            for it in self.simulation.report.discards
            for sequence in it.sequence_numbers
        }

    def _decide(self, task: Task, label: str, _: bool) -> PointFault | None:
        plan = self.fault_plans.get(task.number)
        return plan.fault(label, self.counts) if plan else None

    def _idle_reader(self, index: int) -> ShardReader | None:
        self.simulation.start_shards()
        busy = [call.reader for call in self.simulation.running]
        idle = [reader for reader in self.simulation.readers.values() if reader not in busy]
        due = [
            r for r in idle if r.next < len(r.shard.records) or r.processor.wake_at() is not None
        ]
        chosen = due or idle
        return chosen[index % len(chosen)] if chosen else None

    def _due_time(self, reader: ShardReader) -> float:
        wake = reader.processor.wake_at()
        self.simulation.now = max(self.simulation.now, wake or 0.0)
        return self.simulation.now
