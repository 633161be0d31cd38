"""Runs the proof with few histories, and checks that it detects every faulty writer.

`make prove` runs 20,000 histories and the mutations that need many of them. The seeds below detect
each mutation within a few runs; other seeds detect it later.
"""

from typing import Final

import pytest

from tests.unit.stream_processor.proof import runs
from tests.unit.stream_processor.proof.alternatives import ALTERNATIVES
from tests.unit.stream_processor.proof.lake_checker import Breach, InvariantError
from tests.unit.stream_processor.proof.mutations import CHANGES_MUTATIONS, EVENTS_MUTATIONS

# The simulated processes share Powertools' metrics, so that one can flush the metrics of another.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

#: The breach of each alternative design, and a seed that shows it.
BREACHES: Final[list[tuple[str, Breach, int]]] = [
    ("random key", "duplicated", 1),
    ("key first-last", "duplicated", 2),
    ("key first, overwrite", "duplicated", 0),
    ("key first, 412 means done", "duplicated", 2),
    ("key first, 412 means done", "lost", 9),
    ("high-water mark, random key", "duplicated", 0),
    ("no high-water mark", "duplicated", 2),
]
MESSAGES: Final = {
    "duplicated": "in the lake twice: record",
    "lost": "delivered and not in the lake: record",
}

#: The mutations of the writer, and a seed that detects each.
MUTATION_SEEDS: Final = {
    "put_without_if_none_match": 0,
    "object_adopted_without_reading": 8,
    "lost_mark_not_rebuilt": 1,
    "mark_rebuilt_after_newest_object": 0,
    "key_from_last_record": 0,
    "key_from_first_record_of_batch": 5,
    "mark_before_object": 1,
    "mark_before_live_count": 5,
    "counted_on_every_delivery": 0,
    "uncounted_objects_not_adopted": 4,
    "sequence_numbers_compared_as_text": 0,
    "mark_not_padded": 0,
    "unwritten_records_not_reported": 10,
    "errors_swallowed": 6,
    "ids_added_before_put": 3,
    "dedup_window_not_caught_up": 0,
    "every_region_exports_changes": 0,
    "adopted_object_counted_by_own_rows": 0,
    "shard_matched_by_prefix_without_length": 2,
    "no_time_reserve": 5,
}
#: Mutations that only `make prove` detects: they need hundreds of runs, or a run that gets stuck.
FULL_PROOF_ONLY: Final = {"mark_decreases", "unreadable_record_raises"}


@pytest.mark.parametrize("handler", sorted(runs.MACHINES))
def test_handler_neither_loses_nor_duplicates_rows(handler: str) -> None:
    machine = runs.handler_proof(handler)
    runs.prove(machine, runs.RUNS)
    assert machine.counts["runs"] >= runs.RUNS
    assert machine.counts["rows"] > machine.counts["runs"]


@pytest.mark.proof
@pytest.mark.parametrize(("design", "breach", "seed"), BREACHES)
def test_alternative_design_breaks_invariant(design: str, breach: Breach, seed: int) -> None:
    with pytest.raises(InvariantError, match=MESSAGES[breach]):
        runs.prove(
            runs.alternative_proof(design, breach),
            runs.MAX_RUNS_TO_BREACH,
            start=seed,
            shrink=False,
        )


@pytest.mark.proof
@pytest.mark.parametrize("name", MUTATION_SEEDS)
def test_mutation_of_writer_is_detected(name: str) -> None:
    with pytest.raises(InvariantError):
        runs.prove(
            runs.mutation_proof(name),
            runs.MAX_RUNS_TO_BREACH,
            start=MUTATION_SEEDS[name],
            shrink=False,
        )


def test_every_alternative_and_mutation_is_tested() -> None:
    assert {design for design, _, _ in BREACHES} == ALTERNATIVES.keys()
    assert (
        MUTATION_SEEDS.keys() | FULL_PROOF_ONLY
        == EVENTS_MUTATIONS.keys() | CHANGES_MUTATIONS.keys()
    )
