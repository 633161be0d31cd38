"""Test harness: origin-request events, and a collector with Kinesis streams in memory."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import clickstream
from edge_ingest import settings
from edge_ingest.collector import Collector
from edge_ingest.delivery import Delivery
from edge_ingest.errors import STATUS
from edge_ingest.kinesis import KinesisError, PutResult, RecordEntry

WRITE_KEY = "WK_portal"
NOW = 1_795_262_400.0  # 2026-11-21T12:00:00Z
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "sdk_requests"


def settings_document(**source: object) -> dict[str, Any]:
    """Return a settings document with one source."""
    return {
        "schema": 1,
        "stream": "meridian-test-events",
        "regions": ["us-east-1", "eu-west-2", "ap-south-1"],
        "sources": [{"id": "portal", "write_key": WRITE_KEY, **source}],
        "salt": "a salt for the tests",
        "log_sample": 1,
    }


def request(
    method: str = "POST",
    uri: str = "/v1/batch",
    body: bytes | str | object = b"",
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    key: str | None = WRITE_KEY,
    ip: str = "203.0.113.77",
    truncated: bool = False,
) -> dict[str, Any]:
    """Return an origin-request event with a body, in the format that Lambda@Edge documents."""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
    named = dict(headers or {})
    if key is not None:
        named.setdefault("Authorization", "Basic " + base64.b64encode(f"{key}:".encode()).decode())
    return {
        "Records": [
            {
                "cf": {
                    "config": {
                        "distributionDomainName": "d111111abcdef8.cloudfront.net",
                        "distributionId": "EDFDVBD6EXAMPLE",
                        "eventType": "origin-request",
                        "requestId": "4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ==",
                    },
                    "request": {
                        "body": {
                            "action": "read-only",
                            "data": base64.b64encode(body).decode(),
                            "encoding": "base64",
                            "inputTruncated": truncated,
                        },
                        "clientIp": ip,
                        "headers": {
                            name.lower(): [{"key": name, "value": value}]
                            for name, value in named.items()
                        },
                        "method": method,
                        "origin": {},
                        "querystring": query,
                        "uri": uri,
                    },
                }
            }
        ]
    }


#: Returns PutRecords' error codes for a Region and its entries, or raises KinesisError.
type Fault = Callable[[str, Sequence[RecordEntry]], list[str | None]]


class Streams:
    """Kinesis streams in memory. `fault` makes calls fail."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.stored: list[tuple[str, RecordEntry]] = []
        self.calls: list[tuple[str, tuple[RecordEntry, ...]]] = []
        self.fault = fault
        self.probes: list[str] = []

    def is_reachable(self, region: str, stream: str, timeout: float) -> bool:
        self.probes.append(region)
        try:
            if self.fault:
                self.fault(region, [])
        except KinesisError:
            return False
        return True

    def put_records(
        self, region: str, stream: str, entries: Sequence[RecordEntry], timeout: float
    ) -> list[PutResult]:
        assert stream == "meridian-test-events"
        assert timeout > 0
        self.calls.append((region, tuple(entries)))
        stored: list[str | None] = [None] * len(entries)
        codes = self.fault(region, entries) if self.fault else stored
        self.stored += [
            (region, entry) for entry, code in zip(entries, codes, strict=True) if code is None
        ]
        position = PutResult(shard_id="shardId-0", sequence_number="1")
        return [position if code is None else PutResult(code) for code in codes]

    @property
    def records(self) -> list[clickstream.Record]:
        return [clickstream.decode(entry.data) for _, entry in self.stored]


def unreachable(*regions: str) -> Fault:
    """Return a fault: connections to these Regions fail."""

    def fault(region: str, entries: Sequence[RecordEntry]) -> list[str | None]:
        if region in regions:
            raise KinesisError("unreachable", retryable=True)
        return [None] * len(entries)

    return fault


class Clock:
    """A manual clock: `sleep` and assignments to `now` advance it."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Harness:
    """A collector with streams in memory. `log` contains the lines of its request log."""

    def __init__(
        self, document: dict[str, Any] | None = None, edge_region: str = "us-east-1"
    ) -> None:
        self.streams = Streams()
        self.clock = Clock()
        self.log: list[str] = []
        parsed = settings.parse(settings_document() if document is None else document)
        delivery = Delivery(
            self.streams, parsed.stream, parsed.regions, edge_region, self.clock, self.clock.sleep
        )
        self.collector = Collector(
            parsed, delivery, edge_region, self.clock, self.clock, self.log.append
        )

    def send(self, *args: Any, seconds: float = 5.0, **kwargs: Any) -> dict[str, Any]:
        """Send a request with the arguments of `request` and return the generated response."""
        return self.collector.handle(request(*args, **kwargs), seconds)

    def send_ok(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Send a request, check that its status is 200, and return the JSON document."""
        response = self.send(*args, **kwargs)
        assert response["status"] == "200", response
        document: dict[str, Any] = json.loads(response["body"])
        return document


def header(response: dict[str, Any], name: str) -> str | None:
    """Return a response header by its lower-case name, or None."""
    values = response["headers"].get(name)
    return values[0]["value"] if values else None


def track(**fields: object) -> dict[str, object]:
    """Return a valid track event, changed by `fields`."""
    return {"type": "track", "event": "Lesson Opened", "userId": "u-1", "messageId": "m-1"} | fields


def recorded(pattern: str = "*") -> list[dict[str, Any]]:
    """Return the recorded requests of real SDKs."""
    paths = sorted(FIXTURES.glob(f"{pattern}.json"))
    assert paths
    return [json.loads(path.read_text()) for path in paths]


# Lambda@Edge, "Restrictions on edge functions": headers that a generated response can't have.
DISALLOWED = re.compile(
    r"(?i)connection|expect|keep-alive|proxy-.*|trailer|upgrade|x-accel-.*|x-amz-cf-.*|x-amzn-.*"
    r"|x-cache|x-edge-.*|x-forwarded-proto|x-real-ip|via|transfer-encoding|content-length"
)
DOCUMENTED_STATUSES = {"200", *(str(status) for status in STATUS.values())}


def assert_valid_response(response: dict[str, Any]) -> None:
    """Check a response: Lambda@Edge, "Generating HTTP responses in request triggers"."""
    assert response["status"] in DOCUMENTED_STATUSES
    assert set(response) == {"status", "statusDescription", "headers", "body", "bodyEncoding"}
    for name, values in response["headers"].items():
        assert name == name.lower()
        assert not DISALLOWED.fullmatch(name)
        for value in values:
            assert value["key"].lower() == name
            assert re.fullmatch(r"[\t\x20-\x7e]*", value["value"])
    if response["bodyEncoding"] == "base64":
        base64.b64decode(response["body"], validate=True)
    else:
        assert response["bodyEncoding"] == "text"
    assert len(json.dumps(response)) <= 1_048_576
    assert header(response, "cache-control")
