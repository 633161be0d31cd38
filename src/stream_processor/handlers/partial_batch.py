"""Lambda's partial batch response: which records an event source mapping must deliver again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import telemetry
from stream_processor.errors import UnfinishedError
from stream_processor.ingest.records import Batch
from stream_processor.storage.lake_types import SequencedRecord

#: Reserved for the object that is being written when time runs out, and for the response.
RESERVE_MS: Final = 30_000

type HasTime = Callable[[], bool]


def respond[R: SequencedRecord](
    batches: Sequence[Batch[R]], run: Callable[[Batch[R]], int | None]
) -> dict[str, Any]:
    """Run the batches and return `batchItemFailures`.

    `run` returns the first sequence number that isn't committed, or None. "If the batchItemFailures
    array contains multiple items, Lambda uses the record with the lowest sequence number as the
    checkpoint" (Configuring partial batch response with Kinesis and Lambda): one item per batch is
    enough, and Lambda delivers it and every record after it again.

    Raises:
        UnfinishedError: A batch isn't finished, and its mapping accepts no partial batch response.
    """
    failures: list[str | Mapping[str, Any]] = []
    telemetry.count("Batches", len(batches))
    for batch in batches:
        unwritten = run(batch)
        if unwritten is None:
            continue
        if batch.item is None:
            raise UnfinishedError(
                f"Batch of {batch.stream} {batch.shard} isn't finished from record {unwritten} on. "
                "Lambda retries the whole batch."
            )
        failures.append(batch.item(unwritten))
    return {"batchItemFailures": [{"itemIdentifier": item} for item in failures]}


def has_time(context: Any) -> HasTime:
    """Return a function that tells whether the invocation has time for another object."""
    return lambda: context.get_remaining_time_in_millis() > RESERVE_MS
