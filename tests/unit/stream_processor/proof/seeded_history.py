"""What all histories have in common: the writer with its faults and clocks, and the checks.

Everything is drawn from a seed. The writer is patched only while a history runs, so histories can
be created beside each other, and run one after the other.
"""

import random
from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

import pytest

from aws_emulator.simulator import PointFault, Task
from tests.unit.stream_processor.fakes import SETTINGS, FakeAws
from tests.unit.stream_processor.proof import fault_plan
from tests.unit.stream_processor.proof.clocks import Clocks, draw_error
from tests.unit.stream_processor.proof.fault_plan import FaultPlan
from tests.unit.stream_processor.proof.handlers import SimulatedEventsHandler
from tests.unit.stream_processor.proof.lake_checker import LakeChecker, RecordId

#: 3 seconds before a full hour.
START: Final = 1_795_305_597.0

type Mutate = Callable[[pytest.MonkeyPatch], None]
#: The name of a disruption ("" for an ordinary step), its weight, and what it does.
type Step = tuple[str, int, Callable[[], object]]


@dataclass
class SeededHistory:
    """A history with the seed `seed`; `run` executes it. `mutate` patches the writer.

    `counts` gets the number of faults by name.
    """

    #: The name in `counts`, and the steps before everything that is left runs without faults.
    title: ClassVar[str]
    steps: ClassVar[int]

    seed: int
    mutate: Mutate = lambda _: None
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.drawn = self.draw(self.rng)
        # Small entries, so that a batch makes several.
        settings = replace(SETTINGS, object_events=self.rng.choice([1, 3, 99]))
        self.aws = FakeAws(settings=replace(settings, **self.more_settings()))
        self.monkeypatch = pytest.MonkeyPatch()
        self.handler = SimulatedEventsHandler(self.aws, self.monkeypatch)
        self.checker = LakeChecker(self.aws, self.handler.prefix)
        self.now = START
        self.clocks = Clocks(lambda: self.now)
        self.plans: dict[int, FaultPlan] = {}
        self.acknowledged: set[RecordId] = set()
        self.set_up()

    @staticmethod
    def draw(rng: random.Random) -> AbstractSet[str]:
        """Draw the names of the history's disruptions: the first draw of its seed."""
        raise NotImplementedError

    def more_settings(self) -> dict[str, Any]:
        """Return further settings of the function."""
        return {}

    def set_up(self) -> None:
        """Create the sources of records."""
        raise NotImplementedError

    def produce(self) -> None:
        """Add records to the sources."""
        raise NotImplementedError

    def possible_steps(self) -> list[Step]:
        """Return all steps; one with a name is taken only if the disruption was drawn."""
        raise NotImplementedError

    def drain(self) -> None:
        """Run everything that is left without faults."""
        raise NotImplementedError

    def open_tasks(self) -> list[Task]:
        """Return the tasks that haven't ended."""
        raise NotImplementedError

    def run(self) -> None:
        """Run the history to its end and check the lake.

        Raises:
            InvariantError: An invariant of the log doesn't hold.
        """
        try:
            self.handler.patch()
            self.clocks.patch(self.monkeypatch)
            self.mutate(self.monkeypatch)
            self.produce()
            for _ in range(self.steps):
                self._step()
                self._check()
            self.drain()
            self._check()
            self.checker.check_rows()
            self.handler.check_end(self.checker)
        finally:
            for task in self.open_tasks():
                task.abandon()
            self.monkeypatch.undo()
        self.counts[self.title] += 1

    def _check(self) -> None:
        self.checker.read_new_objects()
        self.checker.check_written(self.acknowledged)

    def _step(self) -> None:
        drawn = [it for it in self.possible_steps() if not it[0] or it[0] in self.drawn]
        ((name, _, act),) = self.rng.choices(drawn, [weight for _, weight, _ in drawn])
        act()
        self.counts[name or "other steps"] += 1

    # --- the function -----------------------------------------------------------------------------

    def handle(self, event: dict[str, Any]) -> Any:
        """Run an invocation, in a new or an idle process with its own clock."""
        self.handler.cold = self.rng.random() < 0.5
        self.handler.objects = self.rng.choice([0, 1, 99])
        self.clocks.start(self.clock_error())
        return self.handler(event)

    def clock_error(self) -> float:
        """Draw the error of a process's clock."""
        name = "clocks hours apart"
        error = draw_error(self.rng, skewed=name in self.drawn)
        self.counts[name] += error != 0.0
        return error

    def run_task(self, task: Task, *, faulty: bool) -> None:
        """Run a task until it ends, or until it pauses at a `stop` fault."""
        kind, where, moment = self.rng.choice(fault_plan.KINDS) if faulty else (None, "", "")
        plan = self.plans[id(task)] = FaultPlan(kind, where, moment, self.rng.choice([0, 0, 1]))
        plan.run(task, self.counts)

    def decide(self, task: Task, label: str, _: bool) -> PointFault | None:
        """Return the fault at a point of a task."""
        plan = self.plans.get(id(task))
        return plan.fault(label, self.counts) if plan else None
