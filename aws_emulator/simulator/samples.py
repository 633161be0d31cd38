"""Sample records and mappings in the shapes of AWS's APIs, for the simulator and for tests."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record, dynamodb_record, kinesis_record

STREAM_ARN: Final = "arn:aws:kinesis:us-east-1:000000000000:stream/simulated"
TABLE_STREAM_ARN: Final = (
    "arn:aws:dynamodb:us-east-1:000000000000:table/simulated/stream/2026-01-01T00:00:00.000"
)
FUNCTION_ARN: Final = "arn:aws:lambda:us-east-1:000000000000:function:simulated"
#: A Kinesis sequence number of 56 digits, and the distance between two sequence numbers.
FIRST_SEQUENCE: Final = 49590338271490256608559692538361571095921575989136588898
SEQUENCE_STEP: Final = 1208925819614629174706176


def mapping(settings: Mapping[str, Any] | None = None) -> EventSourceMapping:
    """Return a mapping from settings by their API names, with default ARNs.

    Raises:
        InvalidMappingError: A setting is out of bounds.
    """
    defaults = {
        "UUID": "00000000-0000-4000-8000-000000000000",
        "EventSourceArn": STREAM_ARN,
        "FunctionArn": FUNCTION_ARN,
    }
    return EventSourceMapping.from_api({**defaults, **(settings or {})})


def kinesis_records(
    payloads: Iterable[bytes],
    *,
    keys: Iterable[str] = (),
    shard_id: str = "shardId-000000000000",
    first: int = FIRST_SEQUENCE,
    arrived: float = 1_767_225_600.0,
    spacing_s: float = 0.01,
    stream_arn: str = STREAM_ARN,
) -> list[Record]:
    """Return the records of a Kinesis shard, in order.

    `arrived` is the arrival time of the first record in Unix seconds. `keys` are the partition
    keys; records without one use their position.
    """
    partition_keys = list(keys)
    return [
        kinesis_record(
            sequence=str(first + position * SEQUENCE_STEP),
            partition_key=partition_keys[position]
            if position < len(partition_keys)
            else str(position),
            data=base64.b64encode(data).decode(),
            arrived=round(arrived + position * spacing_s, 3),
            shard_id=shard_id,
            stream_arn=stream_arn,
        )
        for position, data in enumerate(payloads)
    ]


def dynamodb_records(
    changes: Iterable[Mapping[str, Any]],
    *,
    first: int = 111_000_000_000_000_000_000,
    arrived: float = 1_767_225_600.0,
    stream_arn: str = TABLE_STREAM_ARN,
) -> list[Record]:
    """Return the records of a shard of a table's stream, in order.

    A change is {"eventName", "Keys", "NewImage"?, "OldImage"?, "userIdentity"?}, with attribute
    values in DynamoDB JSON.
    """
    records = []
    for position, change in enumerate(changes):
        images = {
            name: change[name] for name in ("Keys", "NewImage", "OldImage") if change.get(name)
        }
        document: dict[str, Any] = {
            "eventID": f"{position:032x}",
            "eventName": change["eventName"],
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": stream_arn.split(":")[3],
            "dynamodb": {
                # DynamoDB Streams reports times in whole seconds.
                "ApproximateCreationDateTime": float(int(arrived + position * 0.01)),
                **images,
                "SequenceNumber": str(first + position * 7),
                "SizeBytes": len(str(images)),
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        }
        if "userIdentity" in change:
            document["userIdentity"] = change["userIdentity"]
        records.append(dynamodb_record(document, stream_arn=stream_arn))
    return records
