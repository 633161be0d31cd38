"""Runs the proof with few runs, and checks that it detects every mutation of the writer.

`make prove` runs thousands. The seeds below detect each mutation within a few runs; other seeds
detect it later.
"""

import os
import random
from collections import Counter
from typing import Final

import pytest

from tests.unit.stream_processor.proof import runs
from tests.unit.stream_processor.proof.disruptions import DISRUPTIONS, KAFKA_DISRUPTIONS
from tests.unit.stream_processor.proof.history import History, draw_disruptions
from tests.unit.stream_processor.proof.kafka_history import KafkaHistory
from tests.unit.stream_processor.proof.kafka_mutations import KAFKA_MUTATIONS
from tests.unit.stream_processor.proof.mutations import EVENTS_MUTATIONS, MACHINE_MUTATIONS
from tests.unit.stream_processor.proof.seeded_history import SeededHistory

# The simulated processes share Powertools' metrics, so that one can flush the metrics of another.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

HISTORIES: Final = {"quick": 10, "full": 30, "ci": 200, "deep": 1_000}[
    os.environ.get("HYPOTHESIS_PROFILE", "quick")
]

#: The mutations of the writer, and a seed that detects each.
MUTATION_SEEDS: Final = {
    "adopted_without_comparing_digests": 9,
    "counted_on_every_delivery": 2,
    "dedup_window_not_caught_up": 0,
    "entry_holds_its_whole_range": 0,
    "errors_swallowed": 0,
    "every_region_exports_changes": 0,
    "highest_unwritten_record_reported": 3,
    "hour_of_first_record": 0,
    "hour_of_own_clock": 0,
    "hours_beside_not_read": 0,
    "ids_added_before_put": 0,
    "kafka_cluster_not_in_name": 0,
    "kafka_offset_after_unwritten_reported": 0,
    "kafka_offset_alone": 4,
    "kafka_partial_response_without_setting": 1,
    "kafka_timestamp_of_any_year": 1,
    "log_matched_by_prefix_without_length": 0,
    "look_back_ends_at_first_record": 0,
    "look_back_skipped": 0,
    "newest_entry_not_counted_by_rebuild": 3,
    "no_time_reserve": 1,
    "put_without_if_none_match": 9,
    "rebuilt_from_newest_entry_alone": 38,
    "records_below_highest_dropped": 0,
    "refusal_means_done": 14,
    "refused_entry_not_counted": 6,
    "refused_rows_written_again": 9,
    "row_has_highest_of_newest_entry": 0,
    "row_raised_before_count": 5,
    "row_raised_before_put": 1,
    "stream_not_in_name": 0,
    "unreadable_record_raises": 0,
    "unwritten_records_not_reported": 1,
    "verdicts_decided_once": 8,
}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "CRITICAL")


@pytest.mark.slow
@pytest.mark.parametrize("handler", sorted(runs.MACHINES))
def test_handler_neither_loses_nor_duplicates_rows(handler: str) -> None:
    machine = runs.handler_proof(handler)
    runs.prove(machine, runs.RUNS)
    assert machine.counts["runs"] >= runs.RUNS
    assert machine.counts["rows"] > machine.counts["runs"]


@pytest.mark.slow
def test_writers_of_a_log_neither_lose_nor_duplicate_rows() -> None:
    """Operators, two mappings, changed filters and parallel batches beside the function."""
    counts: Counter[str] = Counter()
    assert [runs.breach(seed, None, counts) for seed in range(HISTORIES)] == [""] * HISTORIES
    assert counts["histories"] == HISTORIES
    assert {
        name for seed in range(HISTORIES) for name in draw_disruptions(random.Random(seed))
    } == set(DISRUPTIONS)


@pytest.mark.slow
def test_records_of_kafka_are_neither_lost_nor_doubled() -> None:
    """Timestamps of any time, topics created again, two clusters, partial batch responses."""
    counts: Counter[str] = Counter()
    breaches = [runs.breach(seed, None, counts, KafkaHistory) for seed in range(HISTORIES)]
    assert breaches == [""] * HISTORIES
    assert counts["Kafka histories"] == HISTORIES
    assert set(KAFKA_DISRUPTIONS) <= counts.keys()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [History, KafkaHistory])
@pytest.mark.parametrize("seed", [1, 7])
def test_seed_repeats_history(seed: int, kind: type[SeededHistory]) -> None:
    # A history patches the writer only while it runs.
    first, again = kind(seed), kind(seed)
    first.run()
    again.run()
    assert list(first.aws.objects()) == list(again.aws.objects())
    assert first.counts == again.counts


@pytest.mark.proof
@pytest.mark.parametrize("name", MUTATION_SEEDS)
def test_mutation_of_writer_is_detected(name: str) -> None:
    assert runs.mutation_breach(name, MUTATION_SEEDS[name])


def test_every_mutation_is_tested() -> None:
    mutations = EVENTS_MUTATIONS.keys() | KAFKA_MUTATIONS.keys() | MACHINE_MUTATIONS.keys()
    assert MUTATION_SEEDS.keys() == mutations
