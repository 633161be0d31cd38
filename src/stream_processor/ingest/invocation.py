"""Parse invocation events of Kinesis, MSK and DynamoDB Streams into one batch per shard.

Shapes: "Using Lambda to process records from Amazon Kinesis Data Streams", "Using Lambda with
Amazon MSK", "Using Lambda with DynamoDB" (AWS Lambda Developer Guide).
"""

import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import msgspec

from stream_processor.errors import SourceError

type Json = Mapping[str, Any]


class StreamRecord(msgspec.Struct, frozen=True, gc=False):
    """A record of Kinesis or Kafka. `payload` is base64 text, decoded on demand."""

    sequence: int
    arrived_ms: int
    payload: str

    def data(self) -> bytes:
        """Decode the payload. Text that isn't base64 is returned as it is: it becomes a bad row."""
        try:
            # A third of binascii's time, and stricter: binascii decides on texts that it rejects.
            return msgspec.convert(self.payload, bytes)
        except (msgspec.MsgspecError, ValueError):
            pass
        try:
            return binascii.a2b_base64(self.payload)
        except (binascii.Error, ValueError):
            return self.payload.encode("utf-8", "surrogatepass")


def payloads(records: Sequence[StreamRecord]) -> list[bytes]:
    """Decode the payloads of many records, in one call if all are valid base64."""
    try:
        return msgspec.convert([record.payload for record in records], list[bytes])
    except (msgspec.MsgspecError, ValueError):
        return [record.data() for record in records]


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A record of a DynamoDB stream; `image` is the record, with DynamoDB's types."""

    sequence: int
    arrived_ms: int
    image: Json


@dataclass(frozen=True, slots=True)
class Batch[R]:
    """The records of one shard, in sequence order.

    `item` formats a sequence number for `batchItemFailures`; None if the source has no partial
    batch response.
    """

    stream: str
    shard: str
    records: Sequence[R]
    item: Callable[[int], str] | None = str


def stream_batches(event: Json) -> list[Batch[StreamRecord]]:
    """Parse a Kinesis or MSK invocation event.

    Raises:
        SourceError: The event comes from neither of them, or a record lacks a field.
    """
    records = event.get("Records")
    if isinstance(records, list):
        return _all_kinesis(records)
    # MSK and self-managed Kafka: {"records": {"<topic>-<partition>": [...]}}
    topics = event.get("records")
    if isinstance(topics, Mapping):
        cluster = str(event.get("eventSourceArn", "kafka")).rsplit(":", 1)[-1]
        return [
            Batch(cluster, partition, sorted(map(_kafka, partition_records), key=_SEQUENCE), None)
            for partition, partition_records in topics.items()
        ]
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
        (shard,) = {record["eventID"].partition(":")[0] for record in records}
        return [Batch(stream.rpartition("/")[2], shard, sorted(stream_records, key=_SEQUENCE))]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
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


def _kafka(record: Json) -> StreamRecord:
    try:
        # A tombstone has no value: it becomes a bad row.
        return StreamRecord(
            int(record["offset"]), int(record["timestamp"]), record.get("value") or ""
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"Can't parse a Kafka record: {error!r}") from error


def _change(record: Json, shard: str | None) -> tuple[str, str, ChangeRecord]:
    try:
        dynamodb = record["dynamodb"]
        # arn:aws:dynamodb:<region>:<account>:table/<table>/stream/<label>. A stream that was
        # disabled and enabled again has a new label, and so a separate checkpoint.
        _, table, _, label = record["eventSourceARN"].split(":", 5)[5].split("/")
        arrived = round(float(dynamodb["ApproximateCreationDateTime"]) * 1000)
        change = ChangeRecord(int(dynamodb["SequenceNumber"]), arrived, record)
        if shard is None:
            keys = json.dumps(dynamodb["Keys"], sort_keys=True)
            shard = f"item-{hashlib.sha256(keys.encode()).hexdigest()[:32]}"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"Can't parse a DynamoDB record: {error!r}") from error
    return f"{table}/{label}", shard, change
