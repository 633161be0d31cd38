"""The ASGI application: from the wire to the edge, and back."""

import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront import responses
from aws_emulator.cloudfront.accesslog import AccessLog
from aws_emulator.cloudfront.edge import Edge, Served
from aws_emulator.cloudfront.errors import EdgeError, RequestRefusedError
from aws_emulator.cloudfront.model import Request
from aws_emulator.cloudfront.pages import error_response
from aws_emulator.cloudfront.protocol import REQUEST_LIMIT
from aws_emulator.cloudfront.viewer import take_viewer

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

#: The most bytes of a request body that the edge holds. CloudFront takes gigabytes; nothing here
#: needs more, and a laptop's memory is not an edge location's.
BODY_LIMIT = 64 * 1024 * 1024
READY_PATH = b"/_local/ready"


class _DisconnectedError(Exception):
    """Raised when the viewer went away before its request was whole."""


class App:
    """The ASGI application of one edge."""

    def __init__(self, edge: Edge, log: AccessLog) -> None:
        self._edge = edge
        self._log = log

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["state"]["target"].partition(b"?")[0] == READY_PATH:
            await self._ready(send)
            return
        started = time.perf_counter()
        request_id = secrets.token_urlsafe(42)
        try:
            served, request = await self._serve(scope, receive, request_id)
        except _DisconnectedError:
            return
        sent, whole = await _send(send, served, scope["state"])
        path = scope["state"]["target"].partition(b"?")[0].decode("latin-1")
        self._log.write(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "id": request_id,
                "method": scope["method"],
                "path": path if request is None else request.uri,
                "status": served.response.status,
                "behaviour": served.behaviour,
                "x_cache": served.x_cache,
                "functions": served.outcomes,
                **({"error": served.error} if served.error else {}),
                **({} if whole else {"aborted": True}),
                "bytes": sent,
                "ms": round((time.perf_counter() - started) * 1000, 1),
            }
        )

    async def _ready(self, send: Send) -> None:
        ready = self._edge.distribution is not None
        await send({"type": "http.response.start", "status": 200 if ready else 503, "headers": []})
        await send({"type": "http.response.body", "body": b"ready\n" if ready else b"not yet\n"})

    async def _serve(
        self, scope: MutableMapping[str, Any], receive: Receive, request_id: str
    ) -> tuple[Served, Request | None]:
        try:
            request = await _read_request(scope, receive)
            viewer = take_viewer(request.headers, scope.get("client"))
        except EdgeError as error:
            response = error_response(error, request_id)
            responses.finish(response, request_id, error.result, None)
            return Served(response, error=error.code), None
        return await self._edge.serve(request, viewer, request_id), request


async def _read_request(scope: MutableMapping[str, Any], receive: Receive) -> Request:
    state = scope["state"]
    if state["length"] > REQUEST_LIMIT:
        # "If a request … exceeds these maximums, CloudFront returns HTTP status code 413, Request
        # Entity Too Large, to the viewer, and then terminates the TCP connection to the viewer."
        raise RequestRefusedError(
            f"The request line and headers are longer than {REQUEST_LIMIT:,} bytes.",
            status=413,
            code="RequestTooLarge",
        )
    uri, _, query = h.decode(state["target"]).partition("?")
    if not uri.startswith("/"):
        uri = _path_of_absolute(uri)
    headers = h.collect((h.decode(name), h.decode(value).strip()) for name, value in state["pairs"])
    if len(headers.get("host", [])) != 1:
        # RFC 9112 §3.2: a request without exactly one Host is answered 400.
        raise RequestRefusedError("The request has not exactly one Host header.", code="BadHost")
    if not all(h.is_value(value) for _, value in h.flatten(headers)):
        raise RequestRefusedError("A header has control characters.", code="BadHeader")
    return Request(
        method=scope["method"],
        uri=uri.partition("#")[0],
        query=query.partition("#")[0],
        headers=headers,
        body=await _read_body(receive),
        http_version=scope["http_version"],
    )


def _path_of_absolute(target: str) -> str:
    # RFC 9112 §3.2.2: a server must accept the absolute form as well; "*" is OPTIONS' own.
    _, mark, rest = target.partition("://")
    if not mark:
        raise RequestRefusedError("The request's target is not a path.", code="BadTarget")
    return "/" + rest.partition("/")[2]


async def _read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    total = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _DisconnectedError
        part = message.get("body", b"")
        total += len(part)
        if total > BODY_LIMIT:
            raise RequestRefusedError(
                f"The body is longer than the {BODY_LIMIT:,} bytes that the local edge holds.",
                status=413,
                code="BodyTooLarge",
            )
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def _send(send: Send, served: Served, state: dict[str, Any]) -> tuple[int, bool]:
    """Send the response; gives the bytes of body sent, and whether that was all of it."""
    response = served.response
    headers = [(name.encode(), value.encode()) for name, value in h.flatten(response.headers)]
    if response.status in {413, 414}:
        headers.append((b"Connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if served.stream is None or response.body:
        body = response.body or b""
        await send({"type": "http.response.body", "body": body})
        return len(body), "gone" not in state
    total = 0
    try:
        async for chunk in served.stream:
            if "gone" in state:
                return total, False
            total += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except (TimeoutError, ConnectionError):
        # "Dropped TCP connections": the origin stopped in the middle. The head is out, so the
        # viewer learns it from the connection, which ends before the body does.
        return total, False
    finally:
        await served.stream.aclose()
        served.close()
    await send({"type": "http.response.body", "body": b""})
    return total, True
