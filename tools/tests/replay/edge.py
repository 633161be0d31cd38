"""An edge in memory: answers as the collector does, and remembers what it was sent."""

import base64
import json
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from tools.replay.transport import Answer, Client

WRITE_KEY = "key of the tests"


class Edge:
    """The collector behind any number of clients.

    `misbehave` sees each request's number (from 0) before it is answered: it may return an answer
    of its own or raise. `reject` names the code under which an event is rejected, or None.
    """

    def __init__(
        self,
        misbehave: Callable[[int], Answer | None] = lambda _: None,
        reject: Callable[[dict[str, Any]], str | None] = lambda _: None,
    ) -> None:
        self._misbehave = misbehave
        self._reject = reject
        self._lock = Lock()
        self._count = 0
        #: Every batch that was answered with 200, as (headers, events).
        self.taken: list[tuple[dict[str, str], list[dict[str, Any]]]] = []
        self.bodies: list[bytes] = []

    def client(self, _url: str = "") -> Client:
        """Return one more client."""
        return _EdgeClient(self)

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        with self._lock:
            number, self._count = self._count, self._count + 1
            self.bodies.append(body)
            special = self._misbehave(number)
            if special is not None:
                return special
            assert path == "/v1/batch"
            key = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
            if key != f"{WRITE_KEY}:":
                return Answer(401, None, b'{"code":"unknown_write_key","message":"no"}')
            events = json.loads(body)["batch"]
            self.taken.append((dict(headers), events))
            codes = [self._reject(event) for event in events]
            rejected = [
                {"index": index, "code": code, "message": "no"}
                for index, code in enumerate(codes)
                if code is not None
            ]
            return Answer(200, None, json.dumps({"success": True, "rejected": rejected}).encode())

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event that was answered with 200, in order of arrival."""
        return [event for _, events in self.taken for event in events]


class _EdgeClient:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        assert method == "POST"
        return self._edge.answer(path, headers, body or b"")

    def close(self) -> None:
        pass
