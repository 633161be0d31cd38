"""A stream, its mapping and a handler as a state machine: Hypothesis decides what happens next."""

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

place = st.integers(0, 3)
kinds_of_records = st.lists(st.integers(0, 9), min_size=1, max_size=4)
faults = st.tuples(st.sampled_from(fault_plan.KINDS), st.sampled_from([0, 0, 0, 1]))


class Proof(Driver, RuleBasedStateMachine):
    """The rules: what may happen next, and what must hold after it."""

    zombies_first = False

    @initialize(
        batch=st.sampled_from([3, 7, 2]),
        bisect=st.booleans(),
        age=st.sampled_from([-1, 86_400]),
        events=st.sampled_from([1_000, 2]),
        zombies_first=st.booleans(),
        kinds=kinds_of_records,
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
        """A mapping with the settings of the template, and batches so small that there are many."""
        self.aws.settings = replace(SETTINGS, object_events=events)
        settings = {
            "BatchSize": batch,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": bisect,
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": age,
        }
        self.open(settings)
        self.zombies_first = zombies_first
        self.put_records(0, kinds, 0)

    # --- the stream -----------------------------------------------------------------------------

    @rule(at=place, kinds=kinds_of_records, drift=st.sampled_from([0, 0, -3, 2]))
    def records(self, at: int, kinds: list[int], drift: int) -> None:
        """Somebody puts records on a shard.

        "There are no guarantees about the time stamp accuracy, or that the time stamp is always
        increasing" (Kinesis, API_GetRecords).
        """
        self.put_records(at, kinds, drift)

    # --- invocations ----------------------------------------------------------------------------

    @rule(
        at=place,
        count=st.integers(0, 7),
        fault=faults,
        objects=st.sampled_from([99, 1, 0]),
        cold=st.booleans(),
    )
    def invoke(self, at: int, count: int, fault: Fault, objects: int, *, cold: bool) -> None:
        """The mapping reads on, and invokes the function with what it has."""
        self.handler.cold, self.handler.objects = cold, objects
        self.deliver(at, count, fault)

    @rule(at=place, count=st.integers(1, 7), fault=faults, other=faults)
    def invoke_twice(self, at: int, count: int, fault: Fault, other: Fault) -> None:
        """A batch is delivered a second time while the first is under way or over."""
        self.handler.cold = True
        self.deliver(at, count, fault, other)

    @precondition(lambda self: self.source.running or self.source.zombies)
    @rule(at=place, fault=faults)
    def go_on(self, at: int, fault: Fault) -> None:
        """A call that stands still goes on."""
        tasks = [*self.source.zombies, *(call.task for call in self.source.running)]
        self.run(tasks[at % len(tasks)], fault)
        self.settle()

    @precondition(lambda self: self.source.running)
    @rule(at=place)
    def time_out(self, at: int) -> None:
        """Lambda gives a call up; its code runs on while the batch is retried."""
        self.source.time_out(self.source.running[at % len(self.source.running)])
        self.counted["time-outs that overlap"] += 1

    # --- accidents --------------------------------------------------------------------------------

    @rule(
        what=st.sampled_from(["wait", "rows", "restart", "recreate", "split", "merge", "throttle"]),
        number=st.integers(0, 3),
    )
    def accident(self, what: str, number: int) -> None:
        """Something happens to the stream, to its mapping or to the table of the rows."""
        match what:
            case "wait":
                self.wait((31, 600, 3_600, 26 * 3_600)[number])
            case "restart":
                self.restart((1, 2, 3, 9)[number])
            case "recreate":
                self.recreate((0, 1, 3, 99)[number])
            case "rows":
                self.aws.dynamodb.items.pop("checkpoints", None)
                self.ledger.forget_rows()
                self.counted["high-water rows lost"] += 1
            case "throttle":
                self.throttle(number)
            case _:
                self.reshard(number, merge=what == "merge")

    # --- the law ----------------------------------------------------------------------------------

    @invariant()
    def law(self) -> None:
        """No row is there twice, and nothing is missing below what is done."""
        self.ledger.look()
        self.ledger.no_gap(self.acknowledged(), self.given_up())

    def teardown(self) -> None:
        """Deliver all the rest without a fault, and compare."""
        try:
            if sys.exception() is None and self.put:
                self.drain(zombies_first=self.zombies_first)
                self._count()
                self.law()
                self.end()
        finally:
            self.close()

    def end(self) -> None:
        """Everything has its rows, but what was given up, which has them or not."""
        everything = {r.number for shard in self.shards for r in shard.records}
        gone = self.ledger.missing(everything - self.given_up())
        self.counted["runs with loss"] += bool(gone)
        self.counted["runs with duplicates"] += bool(self.ledger.twice)
        self.counted["rows"] += len(self.ledger.rows)
        self.ledger.no_gap(everything, self.given_up())
        if self.judge == "all":
            for shard in self.last:
                self.ledger.at_the_end(shard)
        self.handler.check_end(self.ledger, self.given_up())

    def _count(self) -> None:
        self.counted["runs"] += 1
        self.counted["batches"] += len(self.source.report.calls)
        self.counted["batches given up"] += len(self.source.report.discards)


class EventsProof(Proof):
    """The first door."""

    handler_type = SimulatedEventsHandler


class ChangesProof(Proof):
    """The second door."""

    handler_type = SimulatedChangesHandler
