"""Runs of the state machine and of the histories, with the real writer or a mutation of it."""

import os
from collections import Counter
from typing import Any, Final

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.stream_processor.proof.history import History
from tests.unit.stream_processor.proof.kafka_history import KafkaHistory
from tests.unit.stream_processor.proof.kafka_mutations import KAFKA_MUTATIONS
from tests.unit.stream_processor.proof.lake_checker import InvariantError
from tests.unit.stream_processor.proof.mutations import EVENTS_MUTATIONS, MACHINE_MUTATIONS
from tests.unit.stream_processor.proof.seeded_history import Mutate, SeededHistory
from tests.unit.stream_processor.proof.state_machine import ChangesProof, EventsProof, Proof

#: Runs of each handler in the unit tests.
RUNS: Final = {"quick": 16, "full": 40, "ci": 400, "deep": 2_000}[
    os.environ.get("HYPOTHESIS_PROFILE", "quick")
]
#: Steps of a run, before the remaining records are delivered without faults.
STEPS: Final = 14
#: Runs within which a mutation must be detected.
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


def mutation_breach(name: str, start: int) -> str:
    """Run a mutation of the writer until it is detected; return the breach, or an empty text."""
    seeds = range(start, start + MAX_RUNS_TO_BREACH)
    if name in EVENTS_MUTATIONS:
        return next(filter(None, (breach(it, EVENTS_MUTATIONS[name]) for it in seeds)), "")
    if name in KAFKA_MUTATIONS:
        mutation = KAFKA_MUTATIONS[name]
        return next(filter(None, (breach(it, mutation, kind=KafkaHistory) for it in seeds)), "")
    handler, of_machine = MACHINE_MUTATIONS[name]
    machine = _machine(MACHINES[handler], mutate=staticmethod(of_machine))
    try:
        prove(machine, MAX_RUNS_TO_BREACH, start=start, shrink=False)
    except InvariantError as error:
        return str(error)
    return ""


def breach(
    seed: int,
    mutate: Mutate | None = None,
    counts: Counter[str] | None = None,
    kind: type[SeededHistory] = History,
) -> str:
    """Run one history; return its breach, or an empty text."""
    history = kind(seed, mutate or (lambda _: None), Counter() if counts is None else counts)
    try:
        history.run()
    except InvariantError as error:
        return f"history {seed}: {error}"
    return ""


def _machine(base: type[Proof], **members: Any) -> type[Proof]:
    return type(base.__name__, (base,), {"counts": Counter(), **members})
