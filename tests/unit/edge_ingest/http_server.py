"""Scripted HTTP servers on socket pairs, for tests of the HTTP client and the Kinesis client."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator

from edge_ingest.http_client import Endpoint

#: The behaviour of a server on one connection.
type Script = Callable[["ServerConnection"], None]


class ServerConnection:
    """The server's side of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._rest = b""

    def request(self) -> tuple[dict[str, str], bytes]:
        """Read one request; return its headers, with the request line as `:line`, and its body."""
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        headers = {":line": line} | dict(field.split(": ", 1) for field in fields)
        length = int(headers.get("content-length", "0"))
        while len(self._rest) < length:
            self._receive()
        body, self._rest = self._rest[:length], self._rest[length:]
        return headers, body

    def _receive(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the client closed the connection")
        self._rest += data

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def respond(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        """Send a complete response with a Content-Length."""
        lines = [f"HTTP/1.1 {status} Any", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def respond_put_records(self, *codes: str | None) -> None:
        """Send a PutRecords response: an error code for a record, or None if it is stored."""
        records = [
            {"ErrorCode": code, "ErrorMessage": "…"}
            if code
            else {"SequenceNumber": "1", "ShardId": "s"}
            for code in codes
        ]
        failed = sum(code is not None for code in codes)
        self.respond(body=json.dumps({"FailedRecordCount": failed, "Records": records}).encode())


class Network:
    """Opens connections to scripted servers, one script per connection; None refuses it."""

    def __init__(self, *scripts: Script | None) -> None:
        self._scripts = list(scripts)
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.endpoints: list[Endpoint] = []  # of each connection that the client opened

    def __call__(self, endpoint: Endpoint, timeout: float) -> socket.socket:
        assert 0 < timeout <= 1
        self.endpoints.append(endpoint)
        script = self._scripts.pop(0)
        if script is None:
            raise ConnectionRefusedError
        client, server = socket.socketpair()
        thread = threading.Thread(target=_run, args=(script, server))
        thread.start()
        self._threads.append(thread)
        self._sockets.append(client)
        return client

    def close(self) -> None:
        """Close the connections, and check that each script was used and has ended."""
        for sock in self._sockets:
            sock.close()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        assert not self._scripts


def _run(script: Script, sock: socket.socket) -> None:
    with sock, contextlib.suppress(ConnectionError):
        script(ServerConnection(sock))


@contextlib.contextmanager
def network(*scripts: Script | None) -> Iterator[Network]:
    """Yield a network, and close it after the block."""
    opened = Network(*scripts)
    try:
        yield opened
    finally:
        opened.close()


def acknowledge(count: int | None = None) -> Script:
    """Return a script that acknowledges the records of `count` requests, or of all requests."""

    def script(server: ServerConnection) -> None:
        left = count
        while left is None or left > 0:
            _, body = server.request()
            server.respond_put_records(*[None] * len(json.loads(body)["Records"]))
            left = left and left - 1

    return script
