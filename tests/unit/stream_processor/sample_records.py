"""Records as the collector packs them, and invocation events around them."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import msgspec

import clickstream

STREAM_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/meridian-test-events"
RECEIVED = "2026-11-21T11:00:00.123Z"


def header(request_id: str = "request", **more: Any) -> clickstream.Header:
    """A header with the facts that every record has."""
    facts: dict[str, Any] = {
        "request_id": request_id,
        "received_at": RECEIVED,
        "source": "portal",
        "stream_region": "us-east-1",
        "edge_region": "us-east-1",
        "country": "GB",
    }
    return clickstream.Header(**(facts | more))


def accepted(
    message_id: str, path: str = "/", place: int = 0, **event: Any
) -> clickstream.Accepted:
    """An accepted page view."""
    body = {"type": "page", "messageId": message_id, "properties": {"path": path}} | event
    return clickstream.Accepted(
        i=place,
        message_id=message_id,
        message_id_source="client",
        timestamp=RECEIVED,
        original_timestamp=RECEIVED,
        event=msgspec.Raw(msgspec.json.encode(body)),
    )


def rejected(
    code: str = "type_unknown", raw: str = '{"type":"?"}', place: int = 0
) -> clickstream.Rejected:
    """A rejected event."""
    return clickstream.Rejected(i=place, code=code, message="not today", raw=raw)


def packed(
    head: clickstream.Header,
    good: Sequence[clickstream.Accepted] = (),
    bad: Sequence[clickstream.Rejected] = (),
) -> bytes:
    """One record of the stream."""
    (record,) = clickstream.encode(head, good, bad)
    return record


def kinesis_event(
    payloads: Sequence[bytes],
    first: int = 1,
    shard: str = "shardId-000000000000",
    arrived: float = 1_795_258_800.0,
) -> dict[str, Any]:
    """An invocation event of a Kinesis mapping."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "0" * 32,
                    "sequenceNumber": str(first + place),
                    "data": base64.b64encode(payload).decode(),
                    "approximateArrivalTimestamp": arrived + place / 1000,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard}:{first + place}",
                "eventName": "aws:kinesis:record",
                "awsRegion": "us-east-1",
                "eventSourceARN": STREAM_ARN,
            }
            for place, payload in enumerate(payloads)
        ]
    }


def plain(**event: Any) -> bytes:
    """A record of another producer: plain JSON."""
    return json.dumps(event).encode()
