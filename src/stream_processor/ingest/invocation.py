"""Parse invocation events of Kinesis, MSK and DynamoDB Streams into one batch per shard.

Shapes: "Using Lambda to process records from Amazon Kinesis Data Streams", "Using Lambda with
Amazon MSK", "Using Lambda with DynamoDB" (AWS Lambda Developer Guide).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Final

from stream_processor.errors import SourceError
from stream_processor.ingest import arrival_times, kafka
from stream_processor.ingest.records import Batch, ChangeRecord, Json, StreamRecord


def stream_batches(
    event: Json, *, kafka_partial_response: bool = False
) -> list[Batch[StreamRecord]]:
    """Parse a Kinesis or Kafka invocation event.

    `kafka_partial_response`: Kafka's mapping has `ReportBatchItemFailures`. Without it Lambda
    ignores a partial response and goes on after the whole batch.

    Raises:
        SourceError: The event comes from neither of them, or a record lacks a field.
    """
    records = event.get("Records")
    if isinstance(records, list):
        return _all_kinesis(records)
    # MSK and self-managed Kafka: {"records": {"<topic>-<partition>": [...]}}
    topics = event.get("records")
    if isinstance(topics, Mapping):
        return kafka.batches(event, topics, partial_response=kafka_partial_response)
    raise SourceError(
        "Can't read the invocation event: it has neither Kinesis Records nor Kafka records."
    )


def change_batches(event: Json) -> list[Batch[ChangeRecord]]:
    """Parse a DynamoDB Streams invocation event.

    Only events of a tumbling window name their shard ("Implementing stateful DynamoDB stream
    processing in Lambda", `shardId`), which is why the mapping has one. Without it each item counts
    as a shard: the changes of an item arrive in order, even when its shard is split.

    Raises:
        SourceError: The event has no DynamoDB records, or a record lacks a field.
    """
    records = event.get("Records")
    if not isinstance(records, list):
        raise SourceError("Can't read the invocation event: it has no DynamoDB Records.")
    return _grouped([_change(record, event.get("shardId")) for record in records])


_SEQUENCE: Final = attrgetter("sequence")


def _grouped[R: (StreamRecord, ChangeRecord)](
    placed: Iterable[tuple[str, str, R]],
) -> list[Batch[R]]:
    """Group records by shard. Lambda sends one shard per event, an operator can send several."""
    shards: dict[tuple[str, str], list[R]] = {}
    for stream, shard, record in placed:
        of = shards.get((stream, shard))
        if of is None:
            of = shards[stream, shard] = []
        of.append(record)
    return [
        Batch(stream, shard, sorted(records, key=_SEQUENCE))
        for (stream, shard), records in shards.items()
    ]


def _all_kinesis(records: list[Json]) -> list[Batch[StreamRecord]]:
    try:
        stream_records = [
            StreamRecord(
                int(kinesis["sequenceNumber"]),
                round(kinesis["approximateArrivalTimestamp"] * 1000),
                kinesis["data"],
            )
            for kinesis in [record["kinesis"] for record in records]
        ]
        (stream,) = {record["eventSourceARN"] for record in records}
        shard = records[0]["eventID"].partition(":")[0]
        if {record["eventID"].startswith(f"{shard}:") for record in records} == {True}:
            return [Batch(stream.rpartition("/")[2], shard, sorted(stream_records, key=_SEQUENCE))]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        pass
    # Several shards, or not Kinesis records: parse them one by one.
    return _grouped(map(_kinesis, records))


def _kinesis(record: Json) -> tuple[str, str, StreamRecord]:
    try:
        kinesis = record["kinesis"]
        # "eventID": "shardId-000000000006:<sequence number>"
        shard = record["eventID"].partition(":")[0]
        stream = record["eventSourceARN"].rpartition("/")[2]
        arrived = round(float(kinesis["approximateArrivalTimestamp"]) * 1000)
        packet = StreamRecord(int(kinesis["sequenceNumber"]), arrived, kinesis["data"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"Can't parse a Kinesis record: {error!r}") from error
    return stream, shard, packet


def _change(record: Json, shard: str | None) -> tuple[str, str, ChangeRecord]:
    try:
        dynamodb = record["dynamodb"]
        # A stream has seconds, Kinesis Data Streams for DynamoDB milliseconds or microseconds.
        arrived = arrival_times.milliseconds(dynamodb["ApproximateCreationDateTime"])
        change = ChangeRecord(int(dynamodb["SequenceNumber"]), arrived, record)
        stream = _table_stream(str(record["eventSourceARN"]))
        if shard is None:
            keys = json.dumps(dynamodb["Keys"], sort_keys=True)
            shard = f"item-{hashlib.sha256(keys.encode()).hexdigest()[:32]}"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"Can't parse a DynamoDB record: {error!r}") from error
    return stream, shard, change


def _table_stream(arn: str) -> str:
    """Return "<table>/<label>", the name of a table's stream.

    arn:aws:dynamodb:<region>:<account>:table/<table>/stream/<label>. A stream that was disabled and
    enabled again has a new label, and so a separate checkpoint. Any other ARN is the name of one
    stream, too: its records have to reach the lake.
    """
    resource = arn.split(":", 5)[-1]
    kind, _, rest = resource.partition("/")
    table, _, stream = rest.partition("/stream/")
    if kind != "table" or not table:
        return f"{resource.replace('/', '.')}/unknown"
    return f"{table.replace('/', '.')}/{stream.replace('/', '.') or 'unknown'}"
