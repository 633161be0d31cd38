"""A proxy before the edge. It passes everything on, and remembers who sent what and the answers."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

#: Of one connection only, or made anew by whoever sends.
_OWN = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


class Exchange(NamedTuple):
    """A request with events, and its answer."""

    visitors: tuple[str, ...]
    message_ids: tuple[str, ...]
    status: int
    retry_after: str | None
    #: Indices of the events that the answer rejects.
    rejected: tuple[int, ...]


class Recorder(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1; `exchanges` are in the order of their answers."""

    daemon_threads = True

    def __init__(self, edge: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.edge = edge.partition("//")[2]
        self.url = f"http://localhost:{self.server_address[1]}"
        self.exchanges: list[Exchange] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of an SDK that hung up."""

    def accepted(self) -> dict[str, str]:
        """The events of which a sender was told that they are accepted: {message id: visitor}."""
        return {
            message_id: visitor
            for it in self.exchanges
            if it.status == 200
            for number, (message_id, visitor) in enumerate(
                zip(it.message_ids, it.visitors, strict=True)
            )
            if number not in it.rejected
        }

    def sent_after_an_end(self) -> list[str]:
        """Events that were sent again after they had been accepted, or refused for good."""
        ended: set[str] = set()
        again = []
        for it in self.exchanges:
            again += [message_id for message_id in it.message_ids if message_id in ended]
            if it.status != 429 and it.status < 500:
                ended.update(it.message_ids)
        return again


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        edge = HTTPConnection(self.server.edge, timeout=60)
        given = {name: text for name, text in self.headers.items() if name.lower() not in _OWN}
        edge.request(self.command, self.path, body, given | {"Host": self.server.edge})
        answer = edge.getresponse()
        said = answer.read()
        edge.close()
        if self.command == "POST":
            self.server.exchanges.append(
                _exchange(body, answer.status, answer.getheader("Retry-After"), said)
            )
        self.send_response(answer.status)
        for name, text in answer.getheaders():
            if name.lower() not in _OWN:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_OPTIONS = _pass_on  # noqa: N815 - their names there

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Nothing is printed."""


def _exchange(body: bytes, status: int, retry_after: str | None, answer: bytes) -> Exchange:
    text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    sent = json.loads(text)
    events = sent.get("batch", [sent])
    rejected = json.loads(answer).get("rejected", []) if status == 200 else []
    return Exchange(
        tuple(event.get("anonymousId", "") for event in events),
        tuple(event["messageId"] for event in events),
        status,
        retry_after,
        tuple(it["index"] for it in rejected),
    )


@contextmanager
def recording(edge: str) -> Iterator[Recorder]:
    """A recorder before an edge's URL, for as long as the block lasts."""
    recorder = Recorder(edge)
    thread = threading.Thread(target=recorder.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        recorder.shutdown()
        recorder.server_close()
        thread.join()
