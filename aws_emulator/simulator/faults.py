"""The faults that the simulator injects into a handler, and their probabilities."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: The faults at a `fault_point`.
#: crash: the process dies. timeout: the invocation times out, but its code keeps running (a zombie)
#: while the batch is retried. error: the dependency fails with the error that the fake provides.
#: resent: the response is lost, and the SDK sends the request again (boto3, "Retries").
PointFault = Literal["crash", "timeout", "error", "resent"]


@dataclass(frozen=True, slots=True)
class Faults:
    """Fault probabilities from 0 to 1, or a script.

    Attributes:
        crash, error: Probability at each fault point.
        timeout, throttle: Probability for each invocation.
        overlap: Probability that a batch is delivered twice at the same time.
        restart: Probability at each step that the mapping loses its memory and resumes from a
            checkpoint, while the running invocations continue as zombies.
        limit: The maximum number of faults in a run, so that the run ends.
        script: The fault at the nth fault point of the run, counted from 0 over all invocations. It
            replaces the probabilities, so that a test can try each point in turn.
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
        """Return probabilities that lead to about one fault in two invocations."""
        return cls(crash=0.03, error=0.03, timeout=0.15, overlap=0.1, throttle=0.05, restart=0.03)


class FaultInjector:
    """Draw faults until the limit is reached, and record them in `trace`."""

    def __init__(self, faults: Faults, rng: random.Random) -> None:
        self.faults = faults
        self.rng = rng
        self.points = 0
        self.trace: list[str] = []

    def chance(self, kind: str, probability: float, where: str) -> bool:
        """Draw whether a fault of this kind happens, and record it."""
        if probability <= 0 or len(self.trace) >= self.faults.limit:
            return False
        # Low draws mean no fault, so that Hypothesis shrinks towards runs without faults.
        if self.rng.random() < 1 - probability:
            return False
        self.trace.append(f"{kind} at {where}")
        return True

    def at_point(self, where: str, *, can_fail: bool) -> PointFault | None:
        """Return the fault at the next fault point, or None."""
        number, self.points = self.points, self.points + 1
        if fault := self.faults.script.get(number):
            self.trace.append(f"{fault} at point {number}, {where}")
            return fault
        if self.chance("crash", self.faults.crash, where):
            return "crash"
        if can_fail and self.chance("error", self.faults.error, where):
            return "error"
        return None
