"""The stream, its mapping and the processes of the handler, moved on by whoever decides."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, ClassVar

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
from stream_processor.commit import shard_writer
from tests.unit.stream_processor.fakes import FakeAws
from tests.unit.stream_processor.proof import fault_plan
from tests.unit.stream_processor.proof.fault_plan import Plan
from tests.unit.stream_processor.proof.handlers import SimulatedChangesHandler, SimulatedHandler
from tests.unit.stream_processor.proof.ledger import Entry, InvariantError, Judge, Ledger

#: Shortly before the end of an hour, and of a day.
START = datetime(2026, 11, 21, 23, 59, 57, tzinfo=UTC).timestamp()
#: The longest Timeout of the two functions in seconds, "the amount of time (in seconds) that Lambda
#: allows a function to run before stopping it" (API_FunctionConfiguration): what still runs after
#: it was given up ends there.
TIMEOUT = 900
#: Steps after which the mapping is taken to go round in circles.
DRAIN_LIMIT = 150

type Fault = tuple[tuple[fault_plan.FaultKind | None, str, str], int]

NONE: Fault = ((None, "", ""), 0)


class Driver:
    """One run. `door_of` is what is proven, `judge` which breaches of the law end the run."""

    handler_type: ClassVar[type[SimulatedHandler]]
    judge: ClassVar[Judge] = "all"
    #: What all runs did, by name.
    counted: ClassVar[Counter[str]] = Counter()

    @staticmethod
    def broken(patched: pytest.MonkeyPatch) -> None:
        """Break what is proven, so that the proof has something to find."""

    def __init__(self) -> None:
        super().__init__()
        self.patched = pytest.MonkeyPatch()
        self.aws = FakeAws()
        self.handler = self.handler_type(self.aws, self.patched)
        self.ledger = Ledger(self.aws, self.handler.prefix, self.judge)
        self.broken(self.patched)
        self.plans: dict[int, Plan] = {}
        self.started: dict[int, float] = {}
        self.put = 0
        #: The shards to which a last record is sent, so that somebody comes after the last fault.
        self.last: list[str] = []
        self.shards = [SimulatedShard("shardId-000000000000", [], closed=False)]

    def open(self, settings: Mapping[str, Any]) -> None:
        """Make the mapping."""
        config = mapping({**settings, **self.handler.mapping})
        self.source = SimulatedMapping(self.shards, config, self.handler, self._decide)
        self.source.now = START
        self.patched.setattr(shard_writer, "datetime", _clock(self.source))

    def close(self) -> None:
        """End whatever still runs."""
        if self.put:
            self.source.abandon()
        self.patched.undo()

    def put_records(self, at: int, kinds: list[int], drift: int) -> None:
        """Put records on an open shard; their arrival times are off by `drift` seconds."""
        shards = [shard for shard in self.shards if not shard.closed]
        shard = shards[at % len(shards)]
        added = []
        for kind in kinds:
            sequence = self.handler.first + self.put * self.handler.step
            arrived = round(self.source.now + drift, 3)
            self.source.now += 0.4
            record, units = self.handler.record(shard.shard_id, sequence, arrived, kind)
            entry = Entry(round(record.arrived * 1000), tuple(units))
            self.ledger.expect(shard.shard_id, sequence, entry)
            added.append(record)
            self.put += 1
        shard.records = [*shard.records, *added]
        self.counted["records"] += len(added)

    # --- invocations ----------------------------------------------------------------------------

    def deliver(self, at: int, count: int, fault: Fault, other: Fault | None = None) -> None:
        """Read a shard on, and invoke the function; with `other` twice at once."""
        reader = self._idle_reader(at)
        if reader is None:
            return
        self.source.now = max(self.source.now, *(r.arrived for r in reader.shard.records), 0.0)
        self.source.read(reader, reader.next + count)
        for action in reader.processor.due_actions(self._due(reader)):
            if isinstance(action, Discard):
                self.source.send_discard(reader, action)
                continue
            call = self.source.call(reader, action)
            if other is not None:
                self.counted["batches delivered twice at once"] += 1
                self.run(self.source.call_duplicate(reader, action), other)
            self.run(call.task, fault)
        self.settle()

    def run(self, task: Task, fault: Fault) -> None:
        """Run a call to its fault: to its end, where there is none or it kills."""
        (kind, where, moment), nth = fault
        plan = self.plans[task.number] = Plan(kind, where, moment, nth)
        self.started.setdefault(task.number, self.source.now)
        if kind != "stop" and not task.threaded:
            task.run()
            return
        while not task.done:
            task.step()
            if kind == "stop" and task.paused_at and plan.reached(task.paused_at):
                self.counted[fault_plan.NAMES["stop", moment]] += 1
                return

    def settle(self) -> None:
        """Take the answers of the calls that have ended."""
        for call in list(self.source.running):
            self.source.settle(call)
        self.source.zombies[:] = [task for task in self.source.zombies if not task.done]
        for reader in list(self.source.readers.values()):
            self.source.retire(reader)

    def drain(self, *, zombies_first: bool) -> None:
        """Deliver all the rest without a fault, to its end."""
        self.handler.cold, self.handler.objects = False, 99
        # Who comes back last must find that all is done.
        zombies = list(self.source.zombies)
        waited_for = [call.task for call in self.source.running]
        for task in [*(zombies if zombies_first else []), *waited_for]:
            self.run(task, NONE)
        self.settle()
        self._last_records()
        for _ in range(DRAIN_LIMIT):
            if self.source.done:
                break
            for at in range(max(1, len(self.source.readers))):
                self.deliver(at, 99, NONE)
            if not self.source.pass_time():
                self.source.now += 31
        else:
            raise InvariantError("the stream is not read to its end")
        for task in [] if zombies_first else zombies:
            self.run(task, NONE)

    def _last_records(self) -> None:
        for at, shard in enumerate([shard for shard in self.shards if not shard.closed]):
            self.put_records(at, [1], 0)
            self.last.append(shard.shard_id)
        for shard in self.shards:
            shard.closed = True

    # --- accidents --------------------------------------------------------------------------------

    def wait(self, seconds: int) -> None:
        """Time passes, but not so much that the stream would forget what the run is about."""
        if self.source.now + seconds < START + self.aws.settings.retention_hours * 3_600:
            self.source.now += seconds
        self._stop_the_old()

    def _stop_the_old(self) -> None:
        for call in list(self.source.running):
            if self.source.now - self.started[call.task.number] > TIMEOUT:
                self.source.time_out(call)
        for task in self.source.zombies:
            if self.source.now - self.started[task.number] > TIMEOUT:
                task.abandon()
        self.settle()

    def restart(self, behind: int) -> None:
        """The mapping forgets, and goes on from an older checkpoint with other batches."""
        self.source.restart(lambda: behind)
        self.counted["mappings gone back"] += 1

    def recreate(self, forgotten: int) -> None:
        """The mapping is made anew at TRIM_HORIZON; the stream forgot some of what is done."""
        settled = self.acknowledged() | self.given_up()
        for shard in self.shards:
            while forgotten and shard.trimmed < len(shard.records):
                if shard.records[shard.trimmed].number not in settled:
                    break
                shard.trimmed += 1
                forgotten -= 1
        self.source.recreate()
        self.counted["mappings at TRIM_HORIZON"] += 1

    def throttle(self, at: int) -> None:
        """The function cannot be invoked: the batch does not count as tried."""
        if reader := self._idle_reader(at):
            self.source.read(reader, reader.next + 3)
            for action in reader.processor.due_actions(self._due(reader)):
                if isinstance(action, Discard):
                    self.source.send_discard(reader, action)
                else:
                    self.source.throttle(reader, action)
                    self.counted["invocations throttled"] += 1
            self.settle()

    def reshard(self, at: int, *, merge: bool) -> None:
        """Split a shard in two, or merge two. A shard of a table's stream rolls into one child."""
        open_shards = [shard for shard in self.shards if not shard.closed]
        if len(self.shards) > 6:
            return
        parents = open_shards[:2] if merge else [open_shards[at % len(open_shards)]]
        merge = len(parents) > 1
        for shard in parents:
            shard.closed = True
        for _ in range(1 if merge or isinstance(self.handler, SimulatedChangesHandler) else 2):
            name = f"shardId-{len(self.shards):012d}"
            of = tuple(shard.shard_id for shard in parents)
            self.shards.append(SimulatedShard(name, [], of, closed=False))
        self.counted["shards merged" if merge else "shards split"] += 1

    # --- inside -----------------------------------------------------------------------------------

    def acknowledged(self) -> set[int]:
        """The records that the mapping took for delivered."""
        return {int(s) for done in self.source.report.delivered.values() for s in done}

    def given_up(self) -> set[int]:
        """The records that the mapping gave up."""
        return set(map(int, self.source.report.discarded))

    def _decide(self, task: Task, label: str, _: bool) -> PointFault | None:
        plan = self.plans.get(task.number)
        return plan.fault(label, self.counted) if plan else None

    def _idle_reader(self, at: int) -> ShardReader | None:
        self.source.start_shards()
        busy = [call.reader for call in self.source.running]
        idle = [reader for reader in self.source.readers.values() if reader not in busy]
        due = [
            r for r in idle if r.next < len(r.shard.records) or r.processor.wake_at() is not None
        ]
        chosen = due or idle
        return chosen[at % len(chosen)] if chosen else None

    def _due(self, reader: ShardReader) -> float:
        wake = reader.processor.wake_at()
        self.source.now = max(self.source.now, wake or 0.0)
        return self.source.now


def _clock(source: SimulatedMapping) -> type[datetime]:
    """What the rooms see as the time of day: the simulated one."""

    class SimulatedTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(source.now, tz)

    return SimulatedTime
