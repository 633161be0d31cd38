"""A fake collector in memory, which records the events that it accepts."""

import base64
import json
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from tools.replay.http_client import Client, Response

WRITE_KEY = "test write key"


class FakeCollector:
    """A collector with any number of clients.

    `respond` receives the number of each request, from 0: it may return a response or raise, and
    None means the usual response. `reject` returns the code that rejects an event, or None.
    """

    def __init__(
        self,
        respond: Callable[[int], Response | None] = lambda _: None,
        reject: Callable[[dict[str, Any]], str | None] = lambda _: None,
    ) -> None:
        self._respond = respond
        self._reject = reject
        self._lock = Lock()
        self._count = 0
        #: The batches with a 200 response, as (headers, events).
        self.accepted: list[tuple[dict[str, str], list[dict[str, Any]]]] = []
        self.bodies: list[bytes] = []

    def client(self, _url: str = "") -> Client:
        """Return a new client."""
        return _FakeClient(self)

    def handle(self, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        with self._lock:
            number, self._count = self._count, self._count + 1
            self.bodies.append(body)
            special = self._respond(number)
            if special is not None:
                return special
            assert path == "/v1/batch"
            key = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
            if key != f"{WRITE_KEY}:":
                return Response(401, None, b'{"code":"unknown_write_key","message":"no"}')
            events = json.loads(body)["batch"]
            self.accepted.append((dict(headers), events))
            codes = [self._reject(event) for event in events]
            rejected = [
                {"index": index, "code": code, "message": "no"}
                for index, code in enumerate(codes)
                if code is not None
            ]
            return Response(200, None, json.dumps({"success": True, "rejected": rejected}).encode())

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events with a 200 response, in order of arrival."""
        return [event for _, events in self.accepted for event in events]


class _FakeClient:
    def __init__(self, collector: FakeCollector) -> None:
        self._collector = collector

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        assert method == "POST"
        return self._collector.handle(path, headers, body or b"")

    def close(self) -> None:
        pass
