"""Parse invocation events of Amazon MSK and of self-managed Apache Kafka.

Shapes: "Using Lambda with Amazon MSK", "Using Lambda with self-managed Apache Kafka" (AWS Lambda
Developer Guide).
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any, Final

from stream_processor.errors import SourceError
from stream_processor.ingest import arrival_times
from stream_processor.ingest.records import Batch, Json, StreamRecord

#: A sequence number is the offset and the last 14 digits of the timestamp. A topic that is deleted
#: and created again starts at offset 0, so the offset alone doesn't identify a record. Without a
#: usable timestamp the digits are those of a digest of the value: all such records can have -1.
_TIMESTAMPS: Final = 10**14


def batches(event: Json, topics: Mapping[str, Any], *, partial_response: bool) -> list[Batch[Any]]:
    """Parse the records of each partition. `partial_response`: the mapping accepts one.

    Raises:
        SourceError: A record lacks a field.
    """
    cluster = _cluster(event)
    return [
        Batch(
            cluster,
            partition,
            sorted(map(_record, records), key=attrgetter("sequence")),
            _item(partition) if partial_response else None,
        )
        for partition, records in topics.items()
    ]


def _cluster(event: Json) -> str:
    """Return a name of the cluster that no other cluster has.

    A self-managed cluster has no ARN. Of its bootstrap servers, whose order can differ, the first
    one in the alphabet names it.
    """
    arn = event.get("eventSourceArn")
    if arn:
        # cluster/<name>/<UUID>
        return str(arn).rsplit(":", 1)[-1]
    servers = sorted(filter(None, map(str.strip, str(event.get("bootstrapServers")).split(","))))
    return f"kafka:{servers[0]}" if event.get("bootstrapServers") and servers else "kafka"


def _record(record: Json) -> StreamRecord:
    try:
        offset, timestamp = int(record["offset"]), int(record["timestamp"])
        # A tombstone has no value: it becomes a bad row.
        value = record.get("value") or ""
        arrived_ms = arrival_times.of_producer(record["timestamp"])
        if arrived_ms == arrival_times.FIRST_MS:
            timestamp = int.from_bytes(hashlib.sha256(value.encode()).digest()[:8])
        return StreamRecord(offset * _TIMESTAMPS + timestamp % _TIMESTAMPS, arrived_ms, value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"Can't parse a Kafka record: {error!r}") from error


def _item(partition: str) -> Callable[[int], Mapping[str, Any]]:
    # "Configuring error handling controls for Kafka event sources".
    return partial(_identifier, partition)


def _identifier(partition: str, sequence: int) -> Mapping[str, Any]:
    return {"partition": partition, "offset": sequence // _TIMESTAMPS}
