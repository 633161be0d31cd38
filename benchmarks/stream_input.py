"""Input of `benchmarks/stream.py`: invocation events of Kinesis, equal in every run."""

import base64
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

import clickstream
from tools.replay import log_source
from tools.replay.command import page_views

type Event = dict[str, Any]

#: Arrival of the first record; each record arrives one step after the previous one.
ARRIVED: Final = datetime(2026, 11, 21, 11, tzinfo=UTC)
STEP: Final = timedelta(milliseconds=7)
#: Milliseconds of the corrected timestamps (the clients' clock skew).
SKEW_MS: Final = b"137"


def views() -> list[bytes]:
    """Return the JSON of the log's page views, as the collector writes it to the stream."""
    page_view_log = page_views(
        log_source.find_log(), Counter(), salt=b"the same visitors in each run"
    )
    return [view.body.encode() for view in page_view_log]


def invocation(bodies: list[bytes], count: int, kind: str) -> Event:
    """Return an invocation event with `count` events, "single" or in "packs of <number>"."""
    size = 1 if kind == "single" else int(kind.rpartition(" ")[2])
    events = list(_times_over(bodies, count))
    packs = [events[start : start + size] for start in range(0, count, size)]
    records = [
        _single(*pack[0]) if kind == "single" else _pack(number, pack)
        for number, pack in enumerate(packs)
    ]
    return {"Records": [_record(number, data) for number, data in enumerate(records)]}


def _times_over(bodies: list[bytes], count: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` events with unique ids, repeating the log if it is too short."""
    for number in range(count):
        yield f"{number:032x}", bodies[number % len(bodies)]


def _single(message_id: str, body: bytes) -> bytes:
    return body.replace(b'"messageId":"', b'"messageId":"' + message_id.encode(), 1)


def _pack(number: int, events: list[tuple[str, bytes]]) -> bytes:
    at = (ARRIVED + number * STEP).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    header = clickstream.Header(
        request_id=f"request-{number}",
        received_at=at,
        sent_at=at,
        source="portal",
        stream_region="us-east-1",
        edge_region="us-east-1",
        ip="192.0.2.0",
        user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        country="GB",
        region="ENG",
        city="London",
        time_zone="Europe/London",
        device="desktop",
    )
    accepted = []
    for position, (message_id, body) in enumerate(events):
        start = body.index(b'"timestamp":"') + 13
        original = body[start : start + 24]
        accepted.append(
            clickstream.Accepted(
                i=position,
                message_id=message_id,
                message_id_source="client",
                timestamp=(original[:20] + SKEW_MS + b"Z").decode(),
                original_timestamp=original.decode(),
                event=msgspec.Raw(body),
            )
        )
    (record,) = clickstream.encode(header, accepted, [])
    return record


def _record(number: int, data: bytes) -> Event:
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "0" * 32,
            "sequenceNumber": str(10**55 + number),
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": (ARRIVED + number * STEP).timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{10**55 + number}",
        "eventName": "aws:kinesis:record",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/bench",
    }
