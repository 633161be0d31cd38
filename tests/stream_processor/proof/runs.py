"""So many runs of a machine."""

import os
from typing import Final

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stream_processor.proof.machine import Proof

#: Of each machine, within the everyday tests.
RUNS: Final = {"quick": 40, "ci": 400, "deep": 2_000}[os.environ.get("HYPOTHESIS_PROFILE", "quick")]
#: Steps of a run, before all the rest is delivered without faults.
STEPS: Final = 14


def prove(machine: type[Proof], runs: int, *, start: int = 0, shrink: bool = True) -> None:
    """Run a machine. `start` decides the histories. LawError where the law does not hold."""
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    run_state_machine_as_test(
        seed(start)(machine),
        settings=settings(
            max_examples=runs,
            stateful_step_count=STEPS,
            phases=phases,
            deadline=None,
            database=None,
            verbosity=Verbosity.normal if shrink else Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        ),
    )
