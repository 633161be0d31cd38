"""So many runs of a machine: of the real writer, of another design, of a broken writer."""

import os
from collections import Counter
from typing import Any, Final

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from stream_processor.commit import protocol
from tests.unit.stream_processor.proof.alternatives import ALTERNATIVES
from tests.unit.stream_processor.proof.ledger import Judge
from tests.unit.stream_processor.proof.mutations import CHANGES_MUTATIONS, EVENTS_MUTATIONS
from tests.unit.stream_processor.proof.state_machine import ChangesProof, EventsProof, Proof

#: Of each machine, within the everyday tests.
RUNS: Final = {"quick": 40, "ci": 400, "deep": 2_000}[os.environ.get("HYPOTHESIS_PROFILE", "quick")]
#: Steps of a run, before all the rest is delivered without faults.
STEPS: Final = 14
#: Runs within which a wrong writer has to be found out.
FOUND_WITHIN: Final = 2_000

MACHINES: Final[dict[str, type[Proof]]] = {"events": EventsProof, "changes": ChangesProof}


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


def real(door: str) -> type[Proof]:
    """The proof of a door, with a count of its own."""
    return _machine(MACHINES[door])


def design(name: str, judge: Judge) -> type[Proof]:
    """The first door with another design in the place of the chain."""
    return _machine(
        EventsProof,
        judge=judge,
        broken=staticmethod(
            lambda patched: patched.setattr(protocol, "commit", ALTERNATIVES[name])
        ),
    )


def wrong(name: str) -> type[Proof]:
    """A door whose writer is broken in one place."""
    if name in EVENTS_MUTATIONS:
        return _machine(EventsProof, broken=staticmethod(EVENTS_MUTATIONS[name]))
    return _machine(ChangesProof, broken=staticmethod(CHANGES_MUTATIONS[name]))


def _machine(of: type[Proof], **members: Any) -> type[Proof]:
    return type(of.__name__, (of,), {"counted": Counter(), **members})
