"""A stream, its mapping and a handler as a Hypothesis state machine.

Hypothesis draws the rules in the alphabetical order of their names: renaming a rule changes the
history of every seed.
"""

import sys
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.stream_processor.fakes import SETTINGS
from tests.unit.stream_processor.proof import fault_plan
from tests.unit.stream_processor.proof.driver import Driver, Fault
from tests.unit.stream_processor.proof.handlers import (
    SimulatedChangesHandler,
    SimulatedEventsHandler,
)

indexes = st.integers(0, 3)
record_kinds = st.lists(st.integers(0, 9), min_size=1, max_size=4)
faults = st.tuples(st.sampled_from(fault_plan.KINDS), st.sampled_from([0, 0, 0, 1]))


class Proof(Driver, RuleBasedStateMachine):
    """The rules that change the state, and the invariants that hold after each."""

    zombies_first = False

    @initialize(
        batch=st.sampled_from([3, 7, 2]),
        bisect=st.booleans(),
        age=st.sampled_from([-1, 86_400]),
        events=st.sampled_from([1_000, 2]),
        zombies_first=st.booleans(),
        kinds=record_kinds,
    )
    def begin(
        self,
        batch: int,
        age: int,
        events: int,
        kinds: list[int],
        *,
        bisect: bool,
        zombies_first: bool,
    ) -> None:
        """Create a mapping with the template's settings, but with small batches."""
        self.aws.settings = replace(SETTINGS, object_events=events)
        settings = {
            "BatchSize": batch,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": bisect,
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": age,
        }
        self.create_mapping(settings)
        self.zombies_first = zombies_first
        self.put_records(0, kinds, 0)

    # --- the stream -----------------------------------------------------------------------------

    @rule(index=indexes, kinds=record_kinds, drift=st.sampled_from([0, 0, -3, 2]))
    def receive_records(self, index: int, kinds: list[int], drift: int) -> None:
        """Put records on a shard.

        "There are no guarantees about the time stamp accuracy, or that the time stamp is always
        increasing" (Kinesis, API_GetRecords).
        """
        self.put_records(index, kinds, drift)

    # --- invocations ----------------------------------------------------------------------------

    @rule(
        index=indexes,
        count=st.integers(0, 7),
        fault=faults,
        objects=st.sampled_from([99, 1, 0]),
        cold=st.booleans(),
    )
    def invoke(self, index: int, count: int, fault: Fault, objects: int, *, cold: bool) -> None:
        """Read from a shard and invoke the function."""
        self.handler.cold, self.handler.objects = cold, objects
        self.deliver(index, count, fault)

    @rule(index=indexes, count=st.integers(1, 7), fault=faults, duplicate_fault=faults)
    def invoke_twice(self, index: int, count: int, fault: Fault, duplicate_fault: Fault) -> None:
        """Deliver a batch twice, at the same time or one after the other."""
        self.handler.cold = True
        self.deliver(index, count, fault, duplicate_fault)

    @precondition(lambda self: self.simulation.running or self.simulation.zombies)
    @rule(index=indexes, fault=faults)
    def execute_paused(self, index: int, fault: Fault) -> None:
        """Continue a paused invocation."""
        tasks = [*self.simulation.zombies, *(call.task for call in self.simulation.running)]
        self.run_to_fault(tasks[index % len(tasks)], fault)
        self.settle()

    @precondition(lambda self: self.simulation.running)
    @rule(index=indexes)
    def time_out(self, index: int) -> None:
        """Time an invocation out; its code keeps running while the batch is retried."""
        self.simulation.time_out(self.simulation.running[index % len(self.simulation.running)])
        self.counts["overlapping timeouts"] += 1

    # --- disruptions ------------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(["wait", "rows", "restart", "recreate", "split", "merge", "throttle"]),
        number=st.integers(0, 3),
    )
    def disrupt(self, kind: str, number: int) -> None:
        """Disrupt the stream, its mapping or the checkpoints table."""
        match kind:
            case "wait":
                self.wait((31, 600, 3_600, 26 * 3_600)[number])
            case "restart":
                self.restart((1, 2, 3, 9)[number])
            case "recreate":
                self.recreate((0, 1, 3, 99)[number])
            case "rows":
                self.aws.dynamodb.items.pop("checkpoints", None)
                self.counts["checkpoint tables emptied"] += 1
            case "throttle":
                self.throttle(number)
            case _:
                self.reshard(number, merge=kind == "merge")

    # --- invariants -------------------------------------------------------------------------------

    @invariant()
    def check_lake(self) -> None:
        """Check that no row is duplicated and no finished record is missing."""
        self.checker.read_new_objects()
        self.checker.check_written(self.acknowledged())

    def teardown(self) -> None:
        """Deliver the remaining records without faults, and check the final state."""
        try:
            if sys.exception() is None and self.record_count:
                self.drain(zombies_first=self.zombies_first)
                self._count()
                self.check_lake()
                self.end()
        finally:
            self.close()

    def end(self) -> None:
        """Check that all records have their rows; discarded records may have none."""
        self.counts["rows"] += len(self.checker.rows)
        self.checker.check_written(set(self.checker.expected) - self.discarded())
        self.checker.check_rows()
        self.handler.check_end(self.checker)

    def _count(self) -> None:
        self.counts["runs"] += 1
        self.counts["batches"] += len(self.simulation.report.calls)
        self.counts["batches discarded"] += len(self.simulation.report.discards)


class EventsProof(Proof):
    """The proof of the events handler."""

    handler_type = SimulatedEventsHandler


class ChangesProof(Proof):
    """The proof of the changes handler."""

    handler_type = SimulatedChangesHandler
