"""The emulator's own HTTP paths, /_local/..., beside those of AWS and MiniStack."""

import asyncio
import json
import urllib.parse
from collections.abc import Awaitable, Callable
from typing import Any

type Query = dict[str, str]
type Handler = Callable[[Query], Any]
type DocumentHandler = Callable[[Query, Any], Any]
type Message = dict[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[Message, Receive, Send], Awaitable[None]]


class ControlApi:
    """A table from (method, path) to functions that return a JSON value."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._threaded: dict[tuple[str, str], DocumentHandler] = {}
        self._pages: dict[str, Callable[[Query], str]] = {}

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Answer `method path` with the JSON of `handler(query)`; a ValueError becomes a 400."""
        self._handlers[method, path] = handler

    def add_threaded(self, method: str, path: str, handler: DocumentHandler) -> None:
        """Answer `method path` with the JSON of `handler(query, document)`, called in a thread.

        `document` is the request's JSON body, None without one. A ValueError becomes a 400.
        """
        self._threaded[method, path] = handler

    def add_page(self, path: str, handler: Callable[[Query], str]) -> None:
        """Answer GET `path` with the HTML of `handler(query)`."""
        self._pages[path] = handler

    def wrap(self, application: Application) -> Application:
        """Return an ASGI application that answers /_local/ and passes on other requests."""

        async def control(scope: Message, receive: Receive, send: Send) -> None:
            path = scope.get("path", "")
            if scope["type"] != "http" or not path.startswith("/_local/"):
                await application(scope, receive, send)
                return
            key = (scope["method"], path)
            query = dict(urllib.parse.parse_qsl(scope["query_string"].decode()))
            if scope["method"] == "GET" and path in self._pages:
                await answer_page(send, self._pages[path](query))
                return
            try:
                if key in self._threaded:
                    content = await read_body(receive)
                    document = json.loads(content) if content else None
                    body = await asyncio.to_thread(self._threaded[key], query, document)
                elif key in self._handlers:
                    body = self._handlers[key](query)
                else:
                    await answer(send, 404, {"message": f"no {scope['method']} {path}"})
                    return
            except ValueError as error:
                await answer(send, 400, {"message": str(error)})
            else:
                await answer(send, 200, body)

        return control


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def replay_body(body: bytes) -> Receive:
    """Return a `receive` for a body that `read_body` has read."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def answer(send: Send, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
    """Send a JSON response."""
    lines = {"content-type": "application/json", **(headers or {})}
    encoded = [(name.encode(), value.encode()) for name, value in lines.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def answer_page(send: Send, page: str) -> None:
    """Send an HTML page, which may not run scripts."""
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page.encode()})
