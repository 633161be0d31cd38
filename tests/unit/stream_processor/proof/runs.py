"""Runs of the state machine: with the real writer, an alternative design, or a mutation."""

import os
from collections import Counter
from typing import Any, Final

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from stream_processor.commit import protocol
from tests.unit.stream_processor.proof.alternatives import ALTERNATIVES
from tests.unit.stream_processor.proof.lake_checker import RaisingBreaches
from tests.unit.stream_processor.proof.mutations import CHANGES_MUTATIONS, EVENTS_MUTATIONS
from tests.unit.stream_processor.proof.state_machine import ChangesProof, EventsProof, Proof

#: Runs of each handler in the unit tests.
RUNS: Final = {"quick": 16, "full": 40, "ci": 400, "deep": 2_000}[
    os.environ.get("HYPOTHESIS_PROFILE", "quick")
]
#: Steps of a run, before the remaining records are delivered without faults.
STEPS: Final = 14
#: Runs within which a mutation or an alternative must be detected.
MAX_RUNS_TO_BREACH: Final = 2_000

MACHINES: Final[dict[str, type[Proof]]] = {"events": EventsProof, "changes": ChangesProof}


def prove(machine: type[Proof], runs: int, *, start: int = 0, shrink: bool = True) -> None:
    """Run a state machine with the seed `start`.

    Raises InvariantError if an invariant doesn't hold.
    """
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


def handler_proof(handler: str) -> type[Proof]:
    """Return the proof of a handler, with separate counts."""
    return _machine(MACHINES[handler])


def alternative_proof(name: str, raising: RaisingBreaches) -> type[Proof]:
    """Return the proof of the events handler with an alternative to the commit protocol."""
    return _machine(
        EventsProof,
        raising=raising,
        mutate=staticmethod(
            lambda monkeypatch: monkeypatch.setattr(protocol, "commit", ALTERNATIVES[name])
        ),
    )


def mutation_proof(name: str) -> type[Proof]:
    """Return the proof of a handler with a mutation of its writer."""
    if name in EVENTS_MUTATIONS:
        return _machine(EventsProof, mutate=staticmethod(EVENTS_MUTATIONS[name]))
    return _machine(ChangesProof, mutate=staticmethod(CHANGES_MUTATIONS[name]))


def _machine(base: type[Proof], **members: Any) -> type[Proof]:
    return type(base.__name__, (base,), {"counts": Counter(), **members})
