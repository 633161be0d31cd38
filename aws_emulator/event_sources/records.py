"""Stream records in the form of the function's event, serialised once.

A record holds its JSON text, not an object: the text's length decides the batch size, and retries
send the same text again.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: The text around the records in an event: {"Records":[ … ]}
ENVELOPE_OPEN: Final = '{"Records":['
ENVELOPE_CLOSE: Final = "]}"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a shard.

    Attributes:
        sequence: The sequence number, as text.
        number: The sequence number as an integer. Sequence numbers have up to 56 digits and vary in
            length, so that they don't sort as text.
        arrived: The approximate arrival time in Unix seconds.
        key: The partition key (Kinesis) or the item's key attributes as JSON (DynamoDB).
        text: The record's JSON in the event. It is ASCII: its length is its size in bytes.
    """

    sequence: str
    number: int
    arrived: float
    key: str
    text: str

    @property
    def event(self) -> dict[str, Any]:
        """The parsed record of the function's event."""
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
    """Return a Kinesis record in the form of the function's event; `data` is base64 text.

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
    """Return a record of DynamoDB Streams in the form of the function's event.

    Shape: the example event of with-ddb. `document` is an entry of GetRecords with times in Unix
    seconds and binary attributes as base64 text.
    """
    change = document["dynamodb"]
    event = {**document, "eventSourceARN": stream_arn}
    if identity := document.get("userIdentity"):
        # The API names the members Type and PrincipalId (API_streams_Identity), the event type and
        # principalId (the example of time-to-live-ttl-streams).
        event["userIdentity"] = {
            name[0].lower() + name[1:]: value for name, value in identity.items()
        }
    return Record(
        sequence=change["SequenceNumber"],
        number=int(change["SequenceNumber"]),
        arrived=float(change["ApproximateCreationDateTime"]),
        # Lambda keeps the order of records with the same key attributes, which identify an item.
        key=json.dumps(change.get("Keys", {}), sort_keys=True),
        text=_text(event),
    )


def payload(records: Sequence[Record], extra: Mapping[str, Any] | None = None) -> str:
    """Return the event's JSON text; `extra` holds the fields beside Records (tumbling windows)."""
    tail = "," + _text(dict(extra))[1:] if extra else "}"
    return ENVELOPE_OPEN + ",".join(record.text for record in records) + "]" + tail


def queue_index(key: str, queue_count: int) -> int:
    """Return the index of the concurrent batch for a key; stable across runs."""
    return zlib.crc32(key.encode()) % queue_count


def sequence_numbers(records: Iterable[Record]) -> list[str]:
    """Return the sequence numbers of the records, in order."""
    return [record.sequence for record in records]


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
