"""The recorder of the system tests tells a resent event from one that an SDK had given up on."""

import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.waiting import wait_until
from tests.system.sdks.recorder import Recorder, recording

pytestmark = pytest.mark.integration

BODY = json.dumps({"messageId": "m-1", "anonymousId": "visitor"}).encode()


class Edge(ThreadingHTTPServer):
    """Answers a POST with `status` once `is_open` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status = 200
        self.is_open = threading.Event()
        self.is_open.set()
        self.waiting = 0


class _Answer(BaseHTTPRequestHandler):
    server: Edge

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.waiting += 1
        self.server.is_open.wait()
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Don't print a line per request."""


@pytest.fixture
def edge() -> Iterator[Edge]:
    server = Edge()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.is_open.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def recorder(edge: Edge) -> Iterator[Recorder]:
    with recording(f"http://127.0.0.1:{edge.server_address[1]}") as running:
        yield running


def send(recorder: Recorder) -> int:
    connection = HTTPConnection("127.0.0.1", recorder.server_address[1])
    connection.request("POST", "/v1/track", BODY)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    ("status", "resent"), [(200, ["m-1"]), (400, ["m-1"]), (429, []), (503, [])]
)
def test_event_sent_again_after_a_final_response_is_noted(
    recorder: Recorder, edge: Edge, status: int, resent: list[str]
) -> None:
    edge.status = status
    assert [send(recorder), send(recorder)] == [status, status]
    assert recorder.resent == resent
    assert [it.delivered for it in recorder.exchanges] == [True, True]


def test_event_sent_again_after_the_time_limit_of_the_sdk_is_not_noted(
    recorder: Recorder, edge: Edge
) -> None:
    edge.is_open.clear()
    client = socket.create_connection(("127.0.0.1", recorder.server_address[1]))
    head = f"POST /v1/track HTTP/1.1\r\nContent-Length: {len(BODY)}\r\n\r\n"
    client.sendall(head.encode() + BODY)
    wait_until(lambda: edge.waiting == 1, "the first request")
    client.close()
    edge.is_open.set()
    wait_until(lambda: recorder.exchanges, "the response that nobody waits for")
    assert [it.delivered for it in recorder.exchanges] == [False]
    assert send(recorder) == 200
    assert recorder.resent == []
    assert set(recorder.accepted()) == {"m-1"}


def test_requests_at_the_same_time_are_not_resent(recorder: Recorder, edge: Edge) -> None:
    edge.is_open.clear()
    threads = [threading.Thread(target=send, args=(recorder,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: edge.waiting == 2, "both requests")
    edge.is_open.set()
    for thread in threads:
        thread.join()
    assert recorder.resent == []
