"""A recording proxy between an SDK and the edge.

It forwards all requests and records the events and the response of each POST.
"""

import gzip
import json
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

    `encoding` is `gzip` or empty.
    """

    visitors: tuple[str, ...]
    message_ids: tuple[str, ...]
    status: int
    retry_after: str | None
    rejected: tuple[int, ...]
    path: str = ""
    encoding: str = ""


class Recorder(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1. `exchanges` are in the order of the responses."""

    daemon_threads = True

    def __init__(self, edge: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.edge = edge.partition("//")[2]
        self.url = f"http://localhost:{self.server_address[1]}"
        self.exchanges: list[Exchange] = []

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

    def resent_after_final_response(self) -> list[str]:
        """Return the ids of events that an SDK sent again after a final response."""
        final: set[str] = set()
        resent = []
        for entry in self.exchanges:
            resent += [message_id for message_id in entry.message_ids if message_id in final]
            if entry.status != 429 and entry.status < 500:
                final.update(entry.message_ids)
        return resent


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        edge = HTTPConnection(self.server.edge, timeout=60)
        headers = {
            name: text for name, text in self.headers.items() if name.lower() not in _NOT_FORWARDED
        }
        edge.request(self.command, self.path, body, headers | {"Host": self.server.edge})
        response = edge.getresponse()
        content = response.read()
        edge.close()
        if self.command == "POST":
            self.server.exchanges.append(
                _exchange(
                    self.path, body, response.status, response.getheader("Retry-After"), content
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


def _exchange(
    path: str, body: bytes, status: int, retry_after: str | None, content: bytes
) -> Exchange:
    text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    sent = json.loads(text)
    events = sent.get("batch", [sent])
    rejected = json.loads(content).get("rejected", []) if status == 200 else []
    return Exchange(
        tuple(event.get("anonymousId", "") for event in events),
        tuple(event["messageId"] for event in events),
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
