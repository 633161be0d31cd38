"""A stream record as the function will see it: its text in the event, made once.

The event's JSON text is kept, not the object: a batch is cut by the size of its payload, is sent
again on each retry, and 10,000 records must not be serialised twice.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: What stands around the records in an event: {"Records":[ … ]}
ENVELOPE_OPEN, ENVELOPE_CLOSE = '{"Records":[', "]}"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a shard.

    `number` is the sequence number as an integer: they have up to 56 digits and no fixed length,
    so that comparing them as text would be wrong. `arrived` is the approximate arrival in Unix
    seconds, `key` the partition key (Kinesis) or the item's key (DynamoDB), `text` the record's
    JSON in the event, in ASCII, so that its length is its size in bytes.
    """

    sequence: str
    number: int
    arrived: float
    key: str
    text: str

    @property
    def event(self) -> dict[str, Any]:
        """The record as the function's event holds it."""
        document: dict[str, Any] = json.loads(self.text)
        return document


def kinesis_record(
    *,
    sequence: str,
    partition_key: str,
    data: str,
    arrived: float,
    shard_id: str,
    stream_arn: str,
) -> Record:
    """A record of GetRecords as Lambda hands it on; `data` is in base64.

    Shape: the example event of with-kinesis.
    """
    document = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": partition_key,
            "sequenceNumber": sequence,
            "data": data,
            "approximateArrivalTimestamp": arrived,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:aws:iam::{stream_arn.split(':')[4]}:role/event-source-mapping",
        "awsRegion": stream_arn.split(":")[3],
        "eventSourceARN": stream_arn,
    }
    return Record(sequence, int(sequence), arrived, partition_key, _text(document))


def dynamodb_record(document: Mapping[str, Any], *, stream_arn: str) -> Record:
    """A record of DynamoDB Streams' GetRecords as Lambda hands it on (example event of with-ddb).

    `document` holds times as Unix seconds and binary attributes as base64 text.
    """
    change = document["dynamodb"]
    handed_on = {**document, "eventSourceARN": stream_arn}
    if identity := document.get("userIdentity"):
        # The API names the members Type and PrincipalId (API_streams_Identity), the event type and
        # principalId (the example of time-to-live-ttl-streams).
        handed_on["userIdentity"] = {
            name[0].lower() + name[1:]: value for name, value in identity.items()
        }
    return Record(
        sequence=change["SequenceNumber"],
        number=int(change["SequenceNumber"]),
        arrived=float(change["ApproximateCreationDateTime"]),
        # Order is kept per item, and an item is its key attributes.
        key=json.dumps(change.get("Keys", {}), sort_keys=True),
        text=_text(handed_on),
    )


def payload(records: Sequence[Record], extra: Mapping[str, Any] | None = None) -> str:
    """The event's JSON text; `extra` are the members beside Records (tumbling windows)."""
    tail = "," + _text(dict(extra))[1:] if extra else "}"
    return ENVELOPE_OPEN + ",".join(record.text for record in records) + "]" + tail


def queue_index(key: str, queues: int) -> int:
    """Which of a shard's concurrent batches a key belongs to, the same in every run."""
    return zlib.crc32(key.encode()) % queues


def sequence_numbers(records: Iterable[Record]) -> list[str]:
    """The records' sequence numbers, in their order."""
    return [record.sequence for record in records]


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
