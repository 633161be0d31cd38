"""What the fault simulator does to a handler, and how often."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: What can happen where a handler calls `fault_point`.
#: crash: the process dies there. timeout: Lambda gives the call up, but its code runs on (a
#: zombie) while the batch is retried. error: the dependency fails with the error that the fake
#: offers. resent: the answer is lost, and the SDK sends the request once more (boto3, "Retries").
PointFault = Literal["crash", "timeout", "error", "resent"]


@dataclass(frozen=True, slots=True)
class Faults:
    """Chances between 0 and 1, or a script.

    `crash`, `error`: at each fault point. `timeout`, `overlap`, `throttle`: for each call.
    `overlap` is the same batch delivered twice at once. `restart`: at each step of the poller: it
    loses its memory and goes on from a checkpoint while what it had started still runs. `script`
    instead names what happens at the nth fault point of the run (counted from 0, over all calls):
    with it, every single point can be tried in turn. At most `limit` faults happen in a run, so
    that it ends.
    """

    crash: float = 0.0
    error: float = 0.0
    timeout: float = 0.0
    overlap: float = 0.0
    throttle: float = 0.0
    restart: float = 0.0
    limit: int = 20
    script: Mapping[int, PointFault] = field(default_factory=dict)

    @classmethod
    def heavy(cls) -> "Faults":
        """About one fault in every second call: what the proofs run under."""
        return cls(crash=0.03, error=0.03, timeout=0.15, overlap=0.1, throttle=0.05, restart=0.03)


class FaultInjector:
    """Draws faults until the limit is reached, and keeps the trace."""

    def __init__(self, faults: Faults, rng: random.Random) -> None:
        self.faults = faults
        self.rng = rng
        self.points = 0
        self.trace: list[str] = []

    def chance(self, kind: str, probability: float, where: str) -> bool:
        """Whether this fault happens here."""
        if probability <= 0 or len(self.trace) >= self.faults.limit:
            return False
        # The low draws are the quiet ones, so that Hypothesis shrinks towards no fault.
        if self.rng.random() < 1 - probability:
            return False
        self.trace.append(f"{kind} at {where}")
        return True

    def at_point(self, where: str, *, can_fail: bool) -> PointFault | None:
        """The fault at the next fault point, if there is one."""
        number, self.points = self.points, self.points + 1
        if fault := self.faults.script.get(number):
            self.trace.append(f"{fault} at point {number}, {where}")
            return fault
        if self.chance("crash", self.faults.crash, where):
            return "crash"
        if can_fail and self.chance("error", self.faults.error, where):
            return "error"
        return None
