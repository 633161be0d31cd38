"""Mutations of the reading of Kafka's records: each breaks one rule."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from stream_processor.ingest import arrival_times, invocation, kafka

type Mutation = Callable[[pytest.MonkeyPatch], None]


def kafka_offset_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Number a record by its offset, which a topic that is created again repeats."""
    monkeypatch.setattr(kafka, "_TIMESTAMPS", 1)


def kafka_cluster_not_in_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_cluster", lambda _: "kafka")


def kafka_timestamp_of_any_year(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a timestamp for the hour of a record, even one of 1969 or of the year 3000."""

    def of_producer(number: object) -> int:
        try:
            return arrival_times.milliseconds(number)
        except ValueError:
            return arrival_times.FIRST_MS

    monkeypatch.setattr(arrival_times, "of_producer", of_producer)


def kafka_offset_after_unwritten_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = kafka._identifier

    def next_record(partition: str, sequence: int) -> Any:
        return {**identifier(partition, sequence), "offset": sequence // kafka._TIMESTAMPS + 1}

    monkeypatch.setattr(kafka, "_identifier", next_record)


def kafka_partial_response_without_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer with offsets, although the mapping ignores them."""
    batches = invocation.stream_batches

    def always(event: Any, **_: Any) -> Any:
        return batches(event, kafka_partial_response=True)

    monkeypatch.setattr(invocation, "stream_batches", always)


#: Mutations that the histories of Kafka detect, by name.
KAFKA_MUTATIONS: Final[dict[str, Mutation]] = {
    mutation.__name__: mutation
    for mutation in (
        kafka_offset_alone,
        kafka_cluster_not_in_name,
        kafka_timestamp_of_any_year,
        kafka_offset_after_unwritten_reported,
        kafka_partial_response_without_setting,
    )
}
