"""Tests of the ASGI application, without a network."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aws_emulator.cloudfront.access_log import AccessLog
from aws_emulator.cloudfront.app import MAX_BODY_BYTES, App
from aws_emulator.cloudfront.edge_location import EdgeLocation
from aws_emulator.cloudfront.transport.viewer_protocol import MAX_HEAD_BYTES
from aws_emulator.tests.cloudfront.fakes import (
    FakeFunctions,
    FakeOrigins,
    StreamedResponse,
    behavior,
    distribution,
    edge_location,
    origin_response,
)


class Received:
    """The response that the application sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False


def state(target: bytes, pairs: list[tuple[bytes, bytes]], length: int = 100) -> dict[str, Any]:
    return {"target": target, "pairs": pairs, "length": length}


def send(
    edge: EdgeLocation,
    target: bytes = b"/a",
    *,
    log: Path,
    method: str = "GET",
    pairs: list[tuple[bytes, bytes]] | None = None,
    body: list[bytes] | None = None,
    length: int = 100,
    gone_after: int | None = None,
) -> Received:
    """Send one request through the application."""
    held = state(target, [(b"Host", b"x.example")] if pairs is None else pairs, length)
    scope = {
        "type": "http",
        "method": method,
        "http_version": "1.1",
        "client": ("127.0.0.1", 5555),
        "state": held,
    }
    parts = [b""] if body is None else list(body)
    received = Received()

    async def receive() -> dict[str, Any]:
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def reply(message: Any) -> None:
        if message["type"] == "http.response.start":
            received.status = message["status"]
            received.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
            return
        received.body += message.get("body", b"")
        received.complete = not message.get("more_body", False)
        if gone_after is not None and len(received.body) >= gone_after:
            held["gone"] = True

    access = AccessLog(log)
    asyncio.run(App(edge, access)(scope, receive, reply))
    access.close()
    return received


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def edge() -> EdgeLocation:
    return edge_location(
        distribution(), origins=FakeOrigins(site=[lambda: origin_response(200, b"a", b"b")])
    )


def test_app_serves_and_logs_request(edge: EdgeLocation, log: Path) -> None:
    pairs = [
        (b"Host", b"x.example"),
        (b"Cookie", b"session=secret-cookie"),
        (b"Authorization", b"Bearer secret-token"),
        (b"X-Local-Viewer-Address", b"203.0.113.9"),
    ]
    received = send(edge, b"/a?q=secret-query", log=log, pairs=pairs)
    assert (received.status, received.body, received.complete) == (200, b"ab", True)
    (line,) = log.read_text().splitlines()
    for secret in ("secret", "203.0.113.9", "127.0.0.1"):
        assert secret not in line
    written = json.loads(line)
    assert {name: written[name] for name in ("method", "path", "status", "bytes", "x_cache")} == {
        "method": "GET",
        "path": "/a",
        "status": 200,
        "bytes": 2,
        "x_cache": "Miss",
    }
    assert written["id"] == received.headers["x-amz-cf-id"]
    assert written["behavior"] == "*"
    assert written["ms"] >= 0


def test_access_log_writes_to_stdout_without_file(capsys: pytest.CaptureFixture[str]) -> None:
    AccessLog(None).write({"path": "/a"})
    assert capsys.readouterr().out == '{"path":"/a"}\n'


def test_ready_path_reports_whether_distribution_is_deployed(edge: EdgeLocation, log: Path) -> None:
    assert send(edge, b"/_local/ready", log=log).status == 200
    edge.distribution = None
    assert send(edge, b"/_local/ready?x", log=log).status == 503
    assert not log.exists() or log.read_text() == ""


def test_post_to_invalidation_path_empties_cache(edge: EdgeLocation, log: Path) -> None:
    def x_cache() -> str:
        return send(edge, log=log).headers["x-cache"].partition(" ")[0]

    assert (x_cache(), x_cache()) == ("Miss", "Hit")
    # A page may have this path; only POST is the control.
    send(edge, b"/_local/invalidation", log=log)
    assert x_cache() == "Hit"
    assert send(edge, b"/_local/invalidation", log=log, method="POST").status == 200
    assert x_cache() == "Miss"


@pytest.mark.parametrize(("length", "status"), [(MAX_HEAD_BYTES, 200), (MAX_HEAD_BYTES + 1, 413)])
def test_app_rejects_request_head_over_limit(
    edge: EdgeLocation, log: Path, length: int, status: int
) -> None:
    received = send(edge, log=log, length=length)
    assert received.status == status
    assert received.headers.get("connection") == ("close" if status == 413 else None)


def test_request_head_limit_matches_quota() -> None:
    assert MAX_HEAD_BYTES == 20_480


@pytest.mark.parametrize(("length", "status"), [(MAX_BODY_BYTES, 403), (MAX_BODY_BYTES + 1, 413)])
def test_app_rejects_body_over_limit(
    edge: EdgeLocation, log: Path, length: int, status: int
) -> None:
    # The application reads a body within the limit; CloudFront then rejects a GET with a body.
    half = b"x" * (length // 2)
    received = send(edge, log=log, body=[half, half, b"x" * (length % 2)])
    assert received.status == status


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [(b"Host", b"a"), (b"Host", b"b")],
        [(b"Host", b"a"), (b"X-A", b"b\x01c")],
        [(b"Host", b"a"), (b"X-Local-Viewer-Address", b"nowhere")],
    ],
)
def test_app_returns_400_for_malformed_request(
    edge: EdgeLocation, log: Path, pairs: list[tuple[bytes, bytes]]
) -> None:
    received = send(edge, log=log, pairs=pairs)
    assert received.status == 400
    assert received.headers["x-cache"] == "Error from cloudfront"


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a?b=c?d", "/a", "b=c?d"),
        (b"http://x.example/a?b", "/a", "b"),
        (b"http://x.example", "/", ""),
        (b"/a#b", "/a", ""),
        ("/é".encode(), "/é", ""),
        (b"/\xe9", "/é", ""),
        (b"/%E9?%ff", "/%E9", "%ff"),
    ],
)
def test_app_parses_request_target_forms(log: Path, target: bytes, path: str, query: str) -> None:
    functions = FakeFunctions(viewer_request=lambda _: {"status": "200"})
    edge = edge_location(distribution(behavior("*", "viewer-request")), functions)
    assert send(edge, target, log=log).status == 200
    shown = functions.events[0]["Records"][0]["cf"]["request"]
    assert (shown["uri"], shown["querystring"]) == (path, query)


def test_app_rejects_asterisk_target(edge: EdgeLocation, log: Path) -> None:
    assert send(edge, b"*", log=log, method="OPTIONS").status == 400


def test_event_keeps_header_names_as_sent(log: Path) -> None:
    functions = FakeFunctions(viewer_request=lambda _: {"status": "200"})
    edge = edge_location(distribution(behavior("*", "viewer-request")), functions)
    pairs = [
        (b"HOST", b"x"),
        (b"x-OWN", b" 1 "),
        (b"X-Own", b"2"),
        (b"Connection", b"close"),
        (b"CloudFront-Viewer-Country", b"GB"),
    ]
    send(edge, log=log, pairs=pairs)
    shown = functions.events[0]["Records"][0]["cf"]["request"]["headers"]
    assert shown == {
        "host": [{"key": "HOST", "value": "x"}],
        "x-own": [{"key": "x-OWN", "value": "1"}, {"key": "X-Own", "value": "2"}],
        # "Viewer-facing functions see the header value from the viewer request."
        "cloudfront-viewer-country": [{"key": "CloudFront-Viewer-Country", "value": "GB"}],
    }


def test_app_ignores_request_when_viewer_disconnects_during_body(
    edge: EdgeLocation, log: Path
) -> None:
    received = send(edge, log=log, body=[])
    assert received.status == 0
    assert log.read_text() == ""


def test_app_stops_streaming_when_viewer_disconnects(log: Path) -> None:
    streamed = origin_response(200, b"a" * 10, b"b" * 10, b"c" * 10)
    edge = edge_location(distribution(), origins=FakeOrigins(site=[lambda: streamed]))
    received = send(edge, log=log, gone_after=1)
    assert received.body == b"a" * 10
    assert not received.complete
    assert json.loads(log.read_text())["aborted"] is True
    assert len(edge.store) == 0


@pytest.mark.parametrize("error", [TimeoutError, ConnectionError])
def test_app_leaves_response_incomplete_when_origin_stops(
    log: Path, error: Callable[[], Exception]
) -> None:
    class Broken(StreamedResponse):
        async def chunks(self) -> Any:
            yield b"half"
            raise error()

    edge = edge_location(
        distribution(),
        origins=FakeOrigins(site=[lambda: Broken(200, "", {}, None)]),
    )
    received = send(edge, log=log)
    assert (received.status, received.body, received.complete) == (200, b"half", False)
    assert len(edge.store) == 0
