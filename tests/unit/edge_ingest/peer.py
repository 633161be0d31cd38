"""A server of scripted connections on socket pairs: what a network can do to a client."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator

from edge_ingest.http import Endpoint

type Script = Callable[["Wire"], None]


class Wire:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._rest = b""

    def request(self) -> tuple[dict[str, str], bytes]:
        """Read one request: its headers (and `:line`), its body."""
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        headers = {":line": line} | dict(field.split(": ", 1) for field in fields)
        length = int(headers["content-length"])
        while len(self._rest) < length:
            self._more()
        body, self._rest = self._rest[:length], self._rest[length:]
        return headers, body

    def _more(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the client went away")
        self._rest += data

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        """Send a whole response with a length."""
        lines = [f"HTTP/1.1 {status} Any", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode() + body)


class Network:
    """Hands out connections, the next of `scripts` behind each; None refuses to connect."""

    def __init__(self, *scripts: Script | None) -> None:
        self._scripts = list(scripts)
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.dialled: list[Endpoint] = []

    def __call__(self, endpoint: Endpoint, seconds: float) -> socket.socket:
        assert 0 < seconds <= 1
        self.dialled.append(endpoint)
        script = self._scripts.pop(0)
        if script is None:
            raise ConnectionRefusedError
        mine, its = socket.socketpair()
        thread = threading.Thread(target=_play, args=(script, its))
        thread.start()
        self._threads.append(thread)
        self._sockets.append(mine)
        return mine

    def end(self) -> None:
        """Hang up, and wait for the scripts; none may hang, and none may be left over."""
        for sock in self._sockets:
            sock.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        assert not self._scripts


def _play(script: Script, sock: socket.socket) -> None:
    with sock, contextlib.suppress(ConnectionError):
        script(Wire(sock))


@contextlib.contextmanager
def network(*scripts: Script | None) -> Iterator[Network]:
    """A network for the length of a test."""
    made = Network(*scripts)
    try:
        yield made
    finally:
        made.end()


def acknowledge(count: int | None = None) -> Script:
    """Acknowledge every record of `count` requests, or of all that come."""

    def script(wire: Wire) -> None:
        left = count
        while left is None or left > 0:
            _, body = wire.request()
            put(wire, *[None] * len(json.loads(body)["Records"]))
            left = left and left - 1

    return script


def put(wire: Wire, *codes: str | None) -> None:
    """Answer a PutRecords: a code for each record that failed, None for each that is stored."""
    records = [
        {"ErrorCode": code, "ErrorMessage": "…"}
        if code
        else {"SequenceNumber": "1", "ShardId": "s"}
        for code in codes
    ]
    failed = sum(code is not None for code in codes)
    wire.answer(body=json.dumps({"FailedRecordCount": failed, "Records": records}).encode())
