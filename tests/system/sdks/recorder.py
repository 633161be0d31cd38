"""A recording proxy between an SDK and the edge.

It forwards all requests and records the events and the response of each POST.
"""

import gzip
import json
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

#: Hop-by-hop headers (RFC 9110 §7.6.1), and headers that each sender sets.
_NOT_FORWARDED: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
)


class Exchange(NamedTuple):
    """A request with events and its response. `rejected`: indices of the rejected events.

    `encoding` is `gzip` or empty. `result` is the response's X-Cache. `delivered`: the SDK still
    waited for the response.
    """

    visitors: tuple[str, ...]
    message_ids: tuple[str, ...]
    status: int
    retry_after: str | None
    rejected: tuple[int, ...]
    path: str = ""
    encoding: str = ""
    result: str = ""
    delivered: bool = True


class Recorder(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1. `exchanges` are in the order of the responses."""

    daemon_threads = True

    def __init__(self, edge: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.edge = edge.partition("//")[2]
        self.url = f"http://localhost:{self.server_address[1]}"
        self.exchanges: list[Exchange] = []
        #: The events that an SDK sent again although it had received a final response.
        self.resent: list[str] = []
        self._final: set[str] = set()
        self._lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore SDKs that close the connection; the base class prints a traceback."""

    def accepted(self) -> dict[str, str]:
        """Return the events that a response confirmed as accepted: {message id: visitor}."""
        return {
            message_id: visitor
            for it in self.exchanges
            if it.status == 200
            for number, (message_id, visitor) in enumerate(
                zip(it.message_ids, it.visitors, strict=True)
            )
            if number not in it.rejected
        }

    def note_request(self, body: bytes) -> None:
        """Note the events of a request at its arrival.

        An SDK that has waited for its time limit sends the events again while the first request is
        still being processed, so only responses before this moment count.
        """
        _, message_ids = _identifiers(_events(body))
        with self._lock:
            self.resent += [it for it in message_ids if it in self._final]

    def note_response(self, exchange: Exchange) -> None:
        """Note an exchange before its response is sent."""
        with self._lock:
            self.exchanges.append(exchange)
            if exchange.delivered and exchange.status != 429 and exchange.status < 500:
                self._final.update(exchange.message_ids)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.command == "POST":
            self.server.note_request(body)
        edge = HTTPConnection(self.server.edge, timeout=60)
        headers = {
            name: text for name, text in self.headers.items() if name.lower() not in _NOT_FORWARDED
        }
        edge.request(self.command, self.path, body, headers | {"Host": self.server.edge})
        response = edge.getresponse()
        content = response.read()
        edge.close()
        if self.command == "POST":
            exchange = _exchange(
                self.path, body, response.status, response.getheader("Retry-After"), content
            )
            self.server.note_response(
                exchange._replace(
                    result=response.getheader("X-Cache", ""), delivered=_is_open(self.connection)
                )
            )
        self.send_response(response.status)
        for name, text in response.getheaders():
            if name.lower() not in _NOT_FORWARDED:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_OPTIONS = _forward  # noqa: N815 - the base class requires these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Don't print a line per request."""


def _is_open(connection: socket.socket) -> bool:
    """Return whether the client has not closed its connection."""
    readable, _, _ = select.select([connection], [], [], 0)
    try:
        return not readable or connection.recv(1, socket.MSG_PEEK) != b""
    except ConnectionError:
        return False


def _events(body: bytes) -> list[Any]:
    sent = json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
    return list(sent.get("batch", [sent]))


def _identifiers(events: list[Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the visitors and the message IDs of events."""
    visitors = tuple(event.get("anonymousId", "") for event in events)
    return visitors, tuple(event["messageId"] for event in events)


def _exchange(
    path: str, body: bytes, status: int, retry_after: str | None, content: bytes
) -> Exchange:
    rejected = json.loads(content).get("rejected", []) if status == 200 else []
    return Exchange(
        *_identifiers(_events(body)),
        status,
        retry_after,
        tuple(it["index"] for it in rejected),
        path.partition("?")[0],
        "gzip" if body[:2] == b"\x1f\x8b" else "",
    )


@contextmanager
def recording(edge: str) -> Iterator[Recorder]:
    """Run a recorder that forwards to the URL `edge` until the end of the block."""
    recorder = Recorder(edge)
    thread = threading.Thread(target=recorder.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        recorder.shutdown()
        recorder.server_close()
        thread.join()
