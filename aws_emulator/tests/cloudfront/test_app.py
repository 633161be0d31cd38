"""From the wire to the edge and back, without a wire."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aws_emulator.cloudfront.accesslog import AccessLog
from aws_emulator.cloudfront.app import BODY_LIMIT, App
from aws_emulator.cloudfront.edge import Edge
from aws_emulator.cloudfront.protocol import REQUEST_LIMIT
from aws_emulator.tests.cloudfront.fakes import (
    FakeFunctions,
    FakeOrigins,
    Streamed,
    answer,
    distribution,
    edge,
)
from aws_emulator.tests.cloudfront.test_edge import behaviour


class Exchange:
    """One request and what was sent back."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.whole = False


def state(target: bytes, pairs: list[tuple[bytes, bytes]], length: int = 100) -> dict[str, Any]:
    return {"target": target, "pairs": pairs, "length": length}


def send(
    made: Edge,
    target: bytes = b"/a",
    *,
    log: Path,
    method: str = "GET",
    pairs: list[tuple[bytes, bytes]] | None = None,
    body: list[bytes] | None = None,
    length: int = 100,
    gone_after: int | None = None,
) -> Exchange:
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
    found = Exchange()

    async def receive() -> dict[str, Any]:
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def reply(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.status = message["status"]
            found.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
            return
        found.body += message.get("body", b"")
        found.whole = not message.get("more_body", False)
        if gone_after is not None and len(found.body) >= gone_after:
            held["gone"] = True

    access = AccessLog(log)
    asyncio.run(App(made, access)(scope, receive, reply))
    access.close()
    return found


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def made() -> Edge:
    return edge(distribution(), origins=FakeOrigins(portal=[lambda: answer(200, b"a", b"b")]))


def test_a_request_is_answered_and_logged(made: Edge, log: Path) -> None:
    pairs = [
        (b"Host", b"x.example"),
        (b"Cookie", b"session=secret-cookie"),
        (b"Authorization", b"Bearer secret-token"),
        (b"X-Local-Viewer-Address", b"203.0.113.9"),
    ]
    found = send(made, b"/a?q=secret-query", log=log, pairs=pairs)
    assert (found.status, found.body, found.whole) == (200, b"ab", True)
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
    assert written["id"] == found.headers["x-amz-cf-id"]
    assert written["behaviour"] == "*"
    assert written["ms"] >= 0


def test_without_a_file_the_log_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    AccessLog(None).write({"path": "/a"})
    assert capsys.readouterr().out == '{"path":"/a"}\n'


def test_ready_says_whether_a_distribution_is_served(made: Edge, log: Path) -> None:
    assert send(made, b"/_local/ready", log=log).status == 200
    made.distribution = None
    assert send(made, b"/_local/ready?x", log=log).status == 503
    assert not log.exists() or log.read_text() == ""


@pytest.mark.parametrize(("length", "status"), [(REQUEST_LIMIT, 200), (REQUEST_LIMIT + 1, 413)])
def test_a_head_past_the_limit_is_refused(made: Edge, log: Path, length: int, status: int) -> None:
    found = send(made, log=log, length=length)
    assert found.status == status
    assert found.headers.get("connection") == ("close" if status == 413 else None)


def test_the_limit_is_that_of_the_page() -> None:
    assert REQUEST_LIMIT == 20_480


@pytest.mark.parametrize(("length", "status"), [(BODY_LIMIT, 403), (BODY_LIMIT + 1, 413)])
def test_a_body_past_the_bound_is_refused(made: Edge, log: Path, length: int, status: int) -> None:
    # Within the bound it is read whole, and then refused for being a GET's.
    half = b"x" * (length // 2)
    found = send(made, log=log, body=[half, half, b"x" * (length % 2)])
    assert found.status == status


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [(b"Host", b"a"), (b"Host", b"b")],
        [(b"Host", b"a"), (b"X-A", b"b\x01c")],
        [(b"Host", b"a"), (b"X-Local-Viewer-Address", b"nowhere")],
    ],
)
def test_a_malformed_request_is_a_400(
    made: Edge, log: Path, pairs: list[tuple[bytes, bytes]]
) -> None:
    found = send(made, log=log, pairs=pairs)
    assert found.status == 400
    assert found.headers["x-cache"] == "Error from cloudfront"


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
def test_a_target_is_read_in_every_form(log: Path, target: bytes, path: str, query: str) -> None:
    functions = FakeFunctions(viewer_request=lambda _: {"status": "200"})
    made = edge(distribution(behaviour("*", "viewer-request")), functions)
    assert send(made, target, log=log).status == 200
    shown = functions.events[0]["Records"][0]["cf"]["request"]
    assert (shown["uri"], shown["querystring"]) == (path, query)


def test_a_target_that_is_no_path_is_refused(made: Edge, log: Path) -> None:
    assert send(made, b"*", log=log, method="OPTIONS").status == 400


def test_a_function_sees_headers_as_they_were_written(log: Path) -> None:
    functions = FakeFunctions(viewer_request=lambda _: {"status": "200"})
    made = edge(distribution(behaviour("*", "viewer-request")), functions)
    pairs = [
        (b"HOST", b"x"),
        (b"x-OWN", b" 1 "),
        (b"X-Own", b"2"),
        (b"Connection", b"close"),
        (b"CloudFront-Viewer-Country", b"GB"),
    ]
    send(made, log=log, pairs=pairs)
    shown = functions.events[0]["Records"][0]["cf"]["request"]["headers"]
    assert shown == {
        "host": [{"key": "HOST", "value": "x"}],
        "x-own": [{"key": "x-OWN", "value": "1"}, {"key": "X-Own", "value": "2"}],
        # "Viewer-facing functions see the header value from the viewer request."
        "cloudfront-viewer-country": [{"key": "CloudFront-Viewer-Country", "value": "GB"}],
    }


def test_a_viewer_that_leaves_before_its_body_is_whole_is_forgotten(made: Edge, log: Path) -> None:
    found = send(made, log=log, body=[])
    assert found.status == 0
    assert log.read_text() == ""


def test_a_viewer_that_leaves_in_the_middle_stops_the_stream(log: Path) -> None:
    streamed = answer(200, b"a" * 10, b"b" * 10, b"c" * 10)
    made = edge(distribution(), origins=FakeOrigins(portal=[lambda: streamed]))
    found = send(made, log=log, gone_after=1)
    assert found.body == b"a" * 10
    assert not found.whole
    assert json.loads(log.read_text())["aborted"] is True
    assert len(made.store) == 0


@pytest.mark.parametrize("error", [TimeoutError, ConnectionError])
def test_an_origin_that_stops_in_the_middle_leaves_the_answer_unfinished(
    log: Path, error: Callable[[], Exception]
) -> None:
    class Broken(Streamed):
        async def chunks(self) -> Any:
            yield b"half"
            raise error()

    made = edge(
        distribution(),
        origins=FakeOrigins(portal=[lambda: Broken(200, "", {}, None)]),
    )
    found = send(made, log=log)
    assert (found.status, found.body, found.whole) == (200, b"half", False)
    assert len(made.store) == 0
