"""A stream, its mapping and a handler as a state machine: Hypothesis decides what happens next."""

import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from local.poller.shard import Drop
from stream_processor import door
from tests.simulator import EventSource, PointFault, Reader, SimulatedShard, Task, mapping
from tests.stream_processor.fakes import SETTINGS, World
from tests.stream_processor.proof import plans
from tests.stream_processor.proof.doors import ChangesDoor, Door, EventsDoor
from tests.stream_processor.proof.ledger import Entry, Judge, LawError, Ledger
from tests.stream_processor.proof.plans import Plan

#: Shortly before the end of an hour, and of a day.
START = datetime(2026, 11, 21, 23, 59, 57, tzinfo=UTC).timestamp()
#: The longest Timeout of the two functions in seconds, "the amount of time (in seconds) that Lambda
#: allows a function to run before stopping it" (API_FunctionConfiguration): what still runs after
#: it was given up ends there.
TIMEOUT = 900
#: Steps after which the mapping is taken to go round in circles.
DRAIN_LIMIT = 150

place = st.integers(0, 3)
kinds_of_records = st.lists(st.integers(0, 9), min_size=1, max_size=4)
faults = st.tuples(st.sampled_from(plans.KINDS), st.sampled_from([0, 0, 0, 1]))

type Fault = tuple[tuple[plans.Harm | None, str, str], int]


class Proof(RuleBasedStateMachine):
    """One run. `door_of` is what is proven, `judge` which breaches of the law end the run."""

    door_of: ClassVar[type[Door]]
    judge: ClassVar[Judge] = "all"
    #: What all runs did, by name.
    counted: ClassVar[Counter[str]] = Counter()

    @staticmethod
    def broken(patched: pytest.MonkeyPatch) -> None:
        """Break what is proven, so that the proof has something to find."""

    def __init__(self) -> None:
        super().__init__()
        self.patched = pytest.MonkeyPatch()
        self.world = World()
        self.door = self.door_of(self.world, self.patched)
        self.ledger = Ledger(self.world, self.door.prefix, self.judge)
        self.broken(self.patched)
        self.plans: dict[int, Plan] = {}
        self.started: dict[int, float] = {}
        self.put = 0
        #: The shards to which a last record is sent, so that somebody comes after the last fault.
        self.last: list[str] = []
        self.zombies_first = False
        self.shards = [SimulatedShard("shardId-000000000000", [], closed=False)]

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
        self.world.settings = replace(SETTINGS, object_events=events)
        settings = {
            "BatchSize": batch,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": bisect,
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": age,
            **self.door.mapping,
        }
        self.source = EventSource(self.shards, mapping(settings), self.door, self._decide)
        self.source.now = START
        self.patched.setattr(door, "datetime", _clock(self.source))
        self.zombies_first = zombies_first
        self.records(0, kinds, 0)

    # --- the stream -----------------------------------------------------------------------------

    @rule(at=place, kinds=kinds_of_records, drift=st.sampled_from([0, 0, -3, 2]))
    def records(self, at: int, kinds: list[int], drift: int) -> None:
        """Somebody puts records on a shard.

        "There are no guarantees about the time stamp accuracy, or that the time stamp is always
        increasing" (Kinesis, API_GetRecords).
        """
        shards = [shard for shard in self.shards if not shard.closed]
        shard = shards[at % len(shards)]
        added = []
        for kind in kinds:
            sequence = self.door.first + self.put * self.door.step
            arrived = round(self.source.now + drift, 3)
            self.source.now += 0.4
            record, units = self.door.record(shard.shard_id, sequence, arrived, kind)
            entry = Entry(round(record.arrived * 1000), tuple(units))
            self.ledger.expect(shard.shard_id, sequence, entry)
            added.append(record)
            self.put += 1
        shard.records = [*shard.records, *added]
        self.counted["records"] += len(added)

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
        self.door.cold, self.door.objects = cold, objects
        self._deliver(at, count, fault)

    @rule(at=place, count=st.integers(1, 7), fault=faults, other=faults)
    def invoke_twice(self, at: int, count: int, fault: Fault, other: Fault) -> None:
        """A batch is delivered a second time while the first is under way or over."""
        self.door.cold = True
        self._deliver(at, count, fault, other)

    @precondition(lambda self: self.source.running or self.source.zombies)
    @rule(at=place, fault=faults)
    def go_on(self, at: int, fault: Fault) -> None:
        """A call that stands still goes on."""
        tasks = [*self.source.zombies, *(call.task for call in self.source.running)]
        self._run(tasks[at % len(tasks)], fault)
        self._settle()

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
                self._wait((31, 600, 3_600, 26 * 3_600)[number])
            case "restart":
                self._restart((1, 2, 3, 9)[number])
            case "recreate":
                self._recreate((0, 1, 3, 99)[number])
            case "rows":
                self.world.dynamodb.items.pop("checkpoints", None)
                self.ledger.forget_rows()
                self.counted["high-water rows lost"] += 1
            case "throttle":
                self._throttle(number)
            case _:
                self._reshard(number, merge=what == "merge")

    def _wait(self, seconds: int) -> None:
        """Time passes, but not so much that the stream would forget what the run is about."""
        if self.source.now + seconds < START + self.world.settings.retention_hours * 3_600:
            self.source.now += seconds
        self._stop_the_old()

    def _stop_the_old(self) -> None:
        for call in list(self.source.running):
            if self.source.now - self.started[call.task.number] > TIMEOUT:
                self.source.time_out(call)
        for task in self.source.zombies:
            if self.source.now - self.started[task.number] > TIMEOUT:
                task.abandon()
        self._settle()

    def _restart(self, behind: int) -> None:
        """The mapping forgets, and goes on from an older checkpoint with other batches."""
        self.source.restart(lambda: behind)
        self.counted["mappings gone back"] += 1

    def _recreate(self, forgotten: int) -> None:
        """The mapping is made anew at TRIM_HORIZON; the stream forgot some of what is done."""
        settled = self._acknowledged() | self._given_up()
        for shard in self.shards:
            while forgotten and shard.trimmed < len(shard.records):
                if shard.records[shard.trimmed].number not in settled:
                    break
                shard.trimmed += 1
                forgotten -= 1
        self.source.recreate()
        self.counted["mappings at TRIM_HORIZON"] += 1

    def _throttle(self, at: int) -> None:
        """The function cannot be invoked: the batch does not count as tried."""
        if reader := self._idle_reader(at):
            self.source.read(reader, reader.next + 3)
            for action in reader.machine.due(self._due(reader)):
                if isinstance(action, Drop):
                    self.source.drop(reader, action)
                else:
                    self.source.throttle(reader, action)
                    self.counted["invocations throttled"] += 1
            self._settle()

    def _reshard(self, at: int, *, merge: bool) -> None:
        """Split a shard in two, or merge two. A shard of a table's stream rolls into one child."""
        open_shards = [shard for shard in self.shards if not shard.closed]
        if len(self.shards) > 6:
            return
        parents = open_shards[:2] if merge else [open_shards[at % len(open_shards)]]
        merge = len(parents) > 1
        for shard in parents:
            shard.closed = True
        for _ in range(1 if merge or isinstance(self.door, ChangesDoor) else 2):
            name = f"shardId-{len(self.shards):012d}"
            of = tuple(shard.shard_id for shard in parents)
            self.shards.append(SimulatedShard(name, [], of, closed=False))
        self.counted["shards merged" if merge else "shards split"] += 1

    # --- the law ----------------------------------------------------------------------------------

    @invariant()
    def law(self) -> None:
        """No row is there twice, and nothing is missing below what is done."""
        self.ledger.look()
        self.ledger.no_gap(self._acknowledged(), self._given_up())

    def teardown(self) -> None:
        """Deliver all the rest without a fault, and compare."""
        try:
            if sys.exception() is None and self.put:
                self._drain()
                self._count()
                self.law()
                self.end()
        finally:
            if self.put:
                self.source.abandon()
            self.patched.undo()

    def end(self) -> None:
        """Everything has its rows, but what was given up, which has them or not."""
        everything = {r.number for shard in self.shards for r in shard.records}
        gone = self.ledger.missing(everything - self._given_up())
        self.counted["runs with loss"] += bool(gone)
        self.counted["runs with duplicates"] += bool(self.ledger.twice)
        self.counted["rows"] += len(self.ledger.rows)
        self.ledger.no_gap(everything, self._given_up())
        if self.judge == "all":
            for shard in self.last:
                self.ledger.at_the_end(shard)
        self.door.check_end(self.ledger, self._given_up())

    def _count(self) -> None:
        self.counted["runs"] += 1
        self.counted["batches"] += len(self.source.report.calls)
        self.counted["batches given up"] += len(self.source.report.discards)

    # --- inside -----------------------------------------------------------------------------------

    def _acknowledged(self) -> set[int]:
        return {int(s) for done in self.source.report.delivered.values() for s in done}

    def _given_up(self) -> set[int]:
        return set(map(int, self.source.report.discarded))

    def _decide(self, task: Task, label: str, _: bool) -> PointFault | None:
        plan = self.plans.get(task.number)
        return plan.fault(label, self.counted) if plan else None

    def _idle_reader(self, at: int) -> Reader | None:
        self.source.start_shards()
        busy = [call.reader for call in self.source.running]
        idle = [reader for reader in self.source.readers.values() if reader not in busy]
        due = [r for r in idle if r.next < len(r.source.records) or r.machine.wake_at() is not None]
        chosen = due or idle
        return chosen[at % len(chosen)] if chosen else None

    def _due(self, reader: Reader) -> float:
        wake = reader.machine.wake_at()
        self.source.now = max(self.source.now, wake or 0.0)
        return self.source.now

    def _deliver(self, at: int, count: int, fault: Fault, other: Fault | None = None) -> None:
        reader = self._idle_reader(at)
        if reader is None:
            return
        self.source.now = max(self.source.now, *(r.arrived for r in reader.source.records), 0.0)
        self.source.read(reader, reader.next + count)
        for action in reader.machine.due(self._due(reader)):
            if isinstance(action, Drop):
                self.source.drop(reader, action)
                continue
            call = self.source.call(reader, action)
            if other is not None:
                self.counted["batches delivered twice at once"] += 1
                self._run(self.source.call_twice(reader, action), other)
            self._run(call.task, fault)
        self._settle()

    def _run(self, task: Task, fault: Fault) -> None:
        (harm, where, moment), nth = fault
        plan = self.plans[task.number] = Plan(harm, where, moment, nth)
        self.started.setdefault(task.number, self.source.now)
        if harm != "stop" and not task.threaded:
            task.run()
            return
        while not task.done:
            task.step()
            if harm == "stop" and task.stands_at and plan.reached(task.stands_at):
                self.counted[plans.NAMES["stop", moment]] += 1
                return

    def _settle(self) -> None:
        for call in list(self.source.running):
            self.source.settle(call)
        self.source.zombies[:] = [task for task in self.source.zombies if not task.done]
        for reader in list(self.source.readers.values()):
            self.source.retire(reader)

    def _drain(self) -> None:
        none: Fault = ((None, "", ""), 0)
        self.door.cold, self.door.objects = False, 99
        # Who comes back last must find that all is done.
        zombies = list(self.source.zombies)
        for task in [*(zombies if self.zombies_first else []), *self._running()]:
            self._run(task, none)
        self._settle()
        self._last_records()
        for _ in range(DRAIN_LIMIT):
            if self.source.done:
                break
            for at in range(max(1, len(self.source.readers))):
                self._deliver(at, 99, none)
            if not self.source.pass_time():
                self.source.now += 31
        else:
            raise LawError("the stream is not read to its end")
        for task in [] if self.zombies_first else zombies:
            self._run(task, none)

    def _running(self) -> list[Task]:
        return [call.task for call in self.source.running]

    def _last_records(self) -> None:
        for at, shard in enumerate([shard for shard in self.shards if not shard.closed]):
            self.records(at, [1], 0)
            self.last.append(shard.shard_id)
        for shard in self.shards:
            shard.closed = True


def _clock(source: EventSource) -> type[datetime]:
    """What the rooms see as the time of day: the simulated one."""

    class SimulatedTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(source.now, tz)

    return SimulatedTime


class EventsProof(Proof):
    """The first door."""

    door_of = EventsDoor


class ChangesProof(Proof):
    """The second door."""

    door_of = ChangesDoor
