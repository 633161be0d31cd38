"""The schedule of a fault injection run: all that its seed decides, drawn before the first fault.

How many objects or processes a run has differs from run to run, so nothing that depends on them
draws from the schedule's generator: a seed repeats the same faults at the same moments.
"""

import random
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Literal

#: Service, operation (None: any), kind, share of calls, seconds, maximum number of calls.
type FaultRule = tuple[str, str | None, str, float, float, int | None]

type Action = Literal[
    "start phase",
    "kill functions",
    "restart mappings",
    "restart mappings at TRIM_HORIZON",
    "delete checkpoints",
    "delete some objects",
]

#: Each phase replaces the one before it; the schedule draws their order. A "late" call takes effect
#: after the function's client has timed out (S3 after 15 s, DynamoDB after 5 s).
FAULT_PHASES: Final[tuple[tuple[FaultRule, ...], ...]] = (
    (("s3", "PUT", "refused", 0.7, 0, None),),
    (("s3", "PUT", "lost", 0.7, 0, None),),
    (("s3", "PUT", "cut", 0.7, 0, None),),
    (("dynamodb", "PutItem", "refused", 0.7, 0, None), ("s3", "GET", "refused", 0.5, 0, None)),
    (("dynamodb", "PutItem", "lost", 0.7, 0, None), ("s3", "HEAD", "refused", 0.5, 0, None)),
    (("dynamodb", "PutItem", "late", 1.0, 5.5, 3), ("dynamodb", None, "cut", 0.4, 0, None)),
    (
        ("kinesis", None, "lost", 0.3, 0, None),
        ("kinesis", None, "refused", 0.2, 0, None),
        ("kinesis", None, "throttled", 0.2, 0, None),
    ),
)
#: Always the first phase: its late calls must take effect before the operator's repairs.
LATE_WRITES: Final[tuple[FaultRule, ...]] = (
    ("s3", "PUT", "late", 1.0, 15.5, 1),
    ("s3", "PUT", "lost", 0.5, 0, None),
)
_KILLS: Final = 4


@dataclass(frozen=True)
class Step:
    """One action at a moment, from 0 to 1 of the run's duration.

    A phase has rules, and a seed for each. `wait_s` is how long restarted mappings are stopped.
    """

    moment: float
    action: Action
    rules: tuple[FaultRule, ...] = ()
    seeds: tuple[int, ...] = ()
    wait_s: float = 0.0


def draw_schedule(seed: int) -> list[Step]:
    """Return the steps of a run in the order of their moments."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    phases = [LATE_WRITES, *rng.sample(FAULT_PHASES, len(FAULT_PHASES))]
    steps = [
        Step(number / len(phases), "start phase", phase, tuple(draw_seeds(rng, len(phase))))
        for number, phase in enumerate(phases)
    ]
    steps += [Step(rng.random(), "kill functions") for _ in range(_KILLS)]
    steps += [
        Step(rng.uniform(0.2, 0.8), "restart mappings", wait_s=rng.uniform(0.5, 2.0)),
        Step(rng.uniform(0.3, 0.7), "delete checkpoints"),
        Step(rng.uniform(0.4, 0.8), "restart mappings at TRIM_HORIZON"),
        Step(rng.uniform(0.3, 0.6), "delete some objects"),
    ]
    return sorted(steps, key=attrgetter("moment"))


def draw_seeds(rng: random.Random, count: int) -> list[int]:
    """Return seeds for the rules of a phase."""
    return [rng.randrange(2**31) for _ in range(count)]
