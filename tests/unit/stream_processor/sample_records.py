"""Sample records as the collector packs them, and invocation events that contain them."""

import base64
import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

import clickstream

STREAM_ARN: Final = "arn:aws:kinesis:us-east-1:000000000000:stream/meridian-test-events"
RECEIVED: Final = "2026-11-21T11:00:00.123Z"


def header(request_id: str = "request", **fields: Any) -> clickstream.Header:
    """Return a record header with all required fields."""
    facts: dict[str, Any] = {
        "request_id": request_id,
        "received_at": RECEIVED,
        "source": "portal",
        "stream_region": "us-east-1",
        "edge_region": "us-east-1",
        "country": "GB",
    }
    return clickstream.Header(**(facts | fields))


def accepted(
    message_id: str, path: str = "/", index: int = 0, **event: Any
) -> clickstream.Accepted:
    """Return an accepted page view."""
    body = {"type": "page", "messageId": message_id, "properties": {"path": path}} | event
    return clickstream.Accepted(
        i=index,
        message_id=message_id,
        message_id_source="client",
        timestamp=RECEIVED,
        original_timestamp=RECEIVED,
        event=msgspec.Raw(msgspec.json.encode(body)),
    )


def rejected(
    code: str = "type_unknown", raw: str = '{"type":"?"}', index: int = 0
) -> clickstream.Rejected:
    """Return a rejected event."""
    return clickstream.Rejected(i=index, code=code, message="not today", raw=raw)


def packed(
    head: clickstream.Header,
    good: Sequence[clickstream.Accepted] = (),
    bad: Sequence[clickstream.Rejected] = (),
) -> bytes:
    """Return one record of the stream."""
    (record,) = clickstream.encode(head, good, bad)
    return record


def kinesis_event(
    payloads: Sequence[bytes],
    first: int = 1,
    shard: str = "shardId-000000000000",
    arrived: float = 1_795_258_800.0,
) -> dict[str, Any]:
    """Return an invocation event of a Kinesis mapping."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "0" * 32,
                    "sequenceNumber": str(first + index),
                    "data": base64.b64encode(payload).decode(),
                    "approximateArrivalTimestamp": arrived + index / 1000,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard}:{first + index}",
                "eventName": "aws:kinesis:record",
                "awsRegion": "us-east-1",
                "eventSourceARN": STREAM_ARN,
            }
            for index, payload in enumerate(payloads)
        ]
    }


def plain(**event: Any) -> bytes:
    """Return a record of another producer: plain JSON."""
    return json.dumps(event).encode()
