"""The edge and the stream as the tests have them: CloudFront's events, and streams in memory."""

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
from edge_ingest.kinesis import Entry, PutError

KEY = "WK_portal"
NOW = 1_795_262_400.0  # 2026-11-21T12:00:00Z
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "sdk_requests"


def document(**source: object) -> dict[str, Any]:
    """A settings document with one source."""
    return {
        "schema": 1,
        "stream": "meridian-test-events",
        "regions": ["us-east-1", "eu-west-2", "ap-south-1"],
        "sources": [{"id": "portal", "write_key": KEY, **source}],
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
    key: str | None = KEY,
    ip: str = "203.0.113.77",
    truncated: bool = False,
) -> dict[str, Any]:
    """An origin-request event with its body, as Lambda@Edge documents it."""
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


type Weather = Callable[[str, Sequence[Entry]], list[str | None]]


class Streams:
    """Kinesis in memory: a list of records for each region, and weather that can be bad."""

    def __init__(self, weather: Weather | None = None) -> None:
        self.stored: list[tuple[str, Entry]] = []
        self.calls: list[tuple[str, tuple[Entry, ...]]] = []
        self.weather = weather

    def put(
        self, region: str, stream: str, entries: Sequence[Entry], seconds: float
    ) -> list[str | None]:
        assert stream == "meridian-test-events"
        assert seconds > 0
        self.calls.append((region, tuple(entries)))
        clear: list[str | None] = [None] * len(entries)
        codes = self.weather(region, entries) if self.weather else clear
        self.stored += [
            (region, entry) for entry, code in zip(entries, codes, strict=True) if code is None
        ]
        return codes

    @property
    def records(self) -> list[clickstream.Record]:
        return [clickstream.decode(entry.data) for _, entry in self.stored]


def down(*regions: str) -> Weather:
    """Weather in which regions cannot be reached."""

    def weather(region: str, entries: Sequence[Entry]) -> list[str | None]:
        if region in regions:
            raise PutError("unreachable", passing=True)
        return [None] * len(entries)

    return weather


class Clock:
    """A clock that moves when it is slept on, or told to."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Edge:
    """A collector on streams in memory; `log` holds its lines."""

    def __init__(self, document_: dict[str, Any] | None = None, here: str = "us-east-1") -> None:
        self.streams = Streams()
        self.clock = Clock()
        self.log: list[str] = []
        known = settings.parse(document() if document_ is None else document_)
        delivery = Delivery(
            self.streams, known.stream, known.regions, here, self.clock, self.clock.sleep
        )
        self.collector = Collector(known, delivery, here, self.clock, self.clock, self.log.append)

    def send(self, *args: Any, seconds: float = 5.0, **kwargs: Any) -> dict[str, Any]:
        """Send a request (see `request`) and return CloudFront's result."""
        return self.collector.answer(request(*args, **kwargs), seconds)

    def take(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Send a request that is answered 200 with JSON; return the document."""
        result = self.send(*args, **kwargs)
        assert result["status"] == "200", result
        answer: dict[str, Any] = json.loads(result["body"])
        return answer


def header(result: dict[str, Any], name: str) -> str | None:
    """A header of a result, by its lower-case name."""
    values = result["headers"].get(name)
    return values[0]["value"] if values else None


def track(**fields: object) -> dict[str, object]:
    """An event that is accepted, but for what `fields` change in it."""
    return {"type": "track", "event": "Lesson Opened", "userId": "u-1", "messageId": "m-1"} | fields


def recorded(pattern: str = "*") -> list[dict[str, Any]]:
    """The recorded requests of real SDKs."""
    paths = sorted(FIXTURES.glob(f"{pattern}.json"))
    assert paths
    return [json.loads(path.read_text()) for path in paths]


# Lambda@Edge, "Restrictions on edge functions": headers that a generated response may not have.
DISALLOWED = re.compile(
    r"(?i)connection|expect|keep-alive|proxy-.*|trailer|upgrade|x-accel-.*|x-amz-cf-.*|x-amzn-.*"
    r"|x-cache|x-edge-.*|x-forwarded-proto|x-real-ip|via|transfer-encoding|content-length"
)
DOCUMENTED = {"200", *(str(status) for status in STATUS.values())}


def assert_legal(result: dict[str, Any]) -> None:
    """Lambda@Edge, "Generating HTTP responses in request triggers"."""
    assert result["status"] in DOCUMENTED
    assert set(result) == {"status", "statusDescription", "headers", "body", "bodyEncoding"}
    for name, values in result["headers"].items():
        assert name == name.lower()
        assert not DISALLOWED.fullmatch(name)
        for value in values:
            assert value["key"].lower() == name
            assert re.fullmatch(r"[\t\x20-\x7e]*", value["value"])
    if result["bodyEncoding"] == "base64":
        base64.b64decode(result["body"], validate=True)
    else:
        assert result["bodyEncoding"] == "text"
    assert len(json.dumps(result)) <= 1_048_576
    assert header(result, "cache-control")
