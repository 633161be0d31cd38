"""The ASGI application: parse a viewer's request, pass it to the edge location, send the response.

Uvicorn calls it with the scope state that `transport.viewer_protocol` fills in.
"""

import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.access_log import AccessLog
from aws_emulator.cloudfront.edge_location import EdgeLocation, ServedResponse
from aws_emulator.cloudfront.error_page import error_response
from aws_emulator.cloudfront.errors import EdgeError, RequestRejectedError
from aws_emulator.cloudfront.model import Request
from aws_emulator.cloudfront.stages import viewer_response
from aws_emulator.cloudfront.transport.viewer_protocol import MAX_HEAD_BYTES
from aws_emulator.cloudfront.viewer import read_viewer
from aws_emulator.metrics import Metrics, of_distribution

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

#: The largest request body that the emulator buffers. CloudFront accepts 20 GB or more; the
#: emulator holds the body in memory.
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
READY_PATH: Final = b"/_local/ready"
#: POST empties the cache before the response, while an invalidation takes up to some seconds.
INVALIDATION_PATH: Final = b"/_local/invalidation"


class _DisconnectedError(Exception):
    """Raised when the viewer disconnects before the request is complete."""


class App:
    """The ASGI application of one edge location. Writes a log line for each request."""

    def __init__(self, edge: EdgeLocation, log: AccessLog, metrics: Metrics | None = None) -> None:
        self._edge = edge
        self._log = log
        self._metrics = metrics

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI defines."""
        if scope["type"] != "http":
            return
        path = scope["state"]["target"].partition(b"?")[0]
        if path == READY_PATH:
            await self._ready(send)
            return
        if path == INVALIDATION_PATH and scope["method"] == "POST":
            self._edge.store.clear(time.monotonic())
            await _send_text(send, 200, b"invalidated\n")
            return
        started = time.perf_counter()
        request_id = secrets.token_urlsafe(42)
        try:
            served, request = await self._serve(scope, receive, request_id)
        except _DisconnectedError:
            return
        sent, complete = await _send(send, served, scope["state"])
        if self._metrics is not None and self._edge.distribution is not None:
            status = served.response.status
            of_distribution(self._metrics, self._edge.distribution.id, status, sent)
        self._log.write(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "id": request_id,
                "method": scope["method"],
                "path": path.decode("latin-1") if request is None else request.uri,
                "status": served.response.status,
                "behavior": served.behavior,
                "x_cache": served.x_cache,
                "functions": served.outcomes,
                "function_ms": served.durations,
                **_origin_request_id(served),
                **({"error": served.error} if served.error else {}),
                **({"refusal": served.refusal} if served.refusal else {}),
                **({} if complete else {"aborted": True}),
                "bytes": sent,
                "ms": round((time.perf_counter() - started) * 1000, 1),
            }
        )

    async def _ready(self, send: Send) -> None:
        ready = self._edge.distribution is not None
        await _send_text(send, 200 if ready else 503, b"ready\n" if ready else b"not yet\n")

    async def _serve(
        self, scope: MutableMapping[str, Any], receive: Receive, request_id: str
    ) -> tuple[ServedResponse, Request | None]:
        try:
            request = await _read_request(scope, receive)
            viewer = read_viewer(request.headers, scope.get("client"))
        except EdgeError as error:
            response = error_response(error, request_id)
            viewer_response.add_cloudfront_headers(response, request_id, error.result, None)
            return ServedResponse(response, error=error.code), None
        return await self._edge.serve(request, viewer, request_id), request


async def _send_text(send: Send, status: int, text: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": text})


async def _read_request(scope: MutableMapping[str, Any], receive: Receive) -> Request:
    state = scope["state"]
    if state["length"] > MAX_HEAD_BYTES:
        # "If a request … exceeds these maximums, CloudFront returns HTTP status code 413, Request
        # Entity Too Large, to the viewer, and then terminates the TCP connection to the viewer."
        raise RequestRejectedError(
            f"The request line and headers exceed {MAX_HEAD_BYTES:,} bytes.",
            status=413,
            code="RequestTooLarge",
        )
    uri, _, query = h.decode(state["target"]).partition("?")
    if not uri.startswith("/"):
        uri = _path_of_absolute(uri)
    headers = h.collect((h.decode(name), h.decode(value).strip()) for name, value in state["pairs"])
    if len(headers.get("host", [])) != 1:
        # RFC 9112 §3.2: a server responds 400 unless the request has exactly one Host header.
        raise RequestRejectedError("The request must have exactly one Host header.", code="BadHost")
    if not all(h.is_value(value) for _, value in h.flatten(headers)):
        raise RequestRejectedError("A header contains control characters.", code="BadHeader")
    return Request(
        method=scope["method"],
        uri=uri.partition("#")[0],
        query=query.partition("#")[0],
        headers=headers,
        body=await _read_body(receive),
        http_version=scope["http_version"],
    )


def _path_of_absolute(target: str) -> str:
    # RFC 9112 §3.2.2: a server must accept the absolute form. §3.2.4: "*" is for OPTIONS only.
    _, separator, rest = target.partition("://")
    if not separator:
        raise RequestRejectedError("The request target is not a path.", code="BadTarget")
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
        if total > MAX_BODY_BYTES:
            raise RequestRejectedError(
                f"The body exceeds the emulator's limit of {MAX_BODY_BYTES:,} bytes.",
                status=413,
                code="BodyTooLarge",
            )
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _origin_request_id(served: ServedResponse) -> dict[str, str]:
    """Return the ID that API Gateway or Amazon S3 gave the origin request, for the access log."""
    headers = served.response.headers
    request_id = h.first(headers, "x-amzn-requestid") or h.first(headers, "x-amz-request-id")
    # A cached response has the ID of an earlier request.
    return {} if not request_id or "Hit" in served.x_cache else {"origin_request_id": request_id}


async def _send(send: Send, served: ServedResponse, state: dict[str, Any]) -> tuple[int, bool]:
    """Send the response. Return the body bytes sent, and whether the body is complete."""
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
        # "Dropped TCP connections": the origin stopped while sending. The status line has been
        # sent, so closing the connection early is the only way to tell the viewer.
        return total, False
    finally:
        await served.stream.aclose()
        served.close()
    await send({"type": "http.response.body", "body": b""})
    return total, True
