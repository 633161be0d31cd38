"""The HTTP client on a real socket: keep-alive, reconnection and errors."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread

import pytest

from aws_emulator.errors import CommandError
from tools.replay.http_client import ConnectionLostError, HttpClient, _seconds

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Accepts one connection after the other; `script` has the responses of each."""

    def __init__(self, script: list[list[bytes | None]]) -> None:
        self._script = script
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        self.heads: list[bytes] = []
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for answers in self._script:
            connection, _ = self._socket.accept()
            self.connections += 1
            with connection:
                for answer in answers:
                    self.heads.append(connection.recv(65_536))
                    if answer is not None:
                        connection.sendall(answer)
        self._socket.close()

    def close(self) -> None:
        self._socket.close()
        self._thread.join(60)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*script: list[bytes | None]) -> Server:
        servers.append(Server(list(script)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def get(client: HttpClient) -> int:
    return client.request("GET", "/", {"X-Name": "value"}).status


@pytest.mark.integration
def test_client_reuses_its_connection(serve: Callable[..., Server]) -> None:
    server = serve([OK, OK, OK])
    with closing(HttpClient(server.url)) as client:
        assert [get(client) for _ in range(3)] == [200, 200, 200]
    assert server.connections == 1
    assert all(b"X-Name: value" in head for head in server.heads)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("headers", "line"),
    [({}, b"\r\nUser-Agent: meridian\r\n"), ({"User-Agent": "own"}, b"\r\nUser-Agent: own\r\n")],
)
def test_request_has_one_user_agent(
    serve: Callable[..., Server], headers: dict[str, str], line: bytes
) -> None:
    """AWS WAF refuses requests without one (core rule set, NoUserAgent_HEADER)."""
    server = serve([OK])
    with closing(HttpClient(server.url)) as client:
        client.request("GET", "/", headers)
    (head,) = server.heads
    assert head.lower().count(b"user-agent") == 1
    assert line in head


@pytest.mark.integration
def test_client_reconnects_after_an_idle_connection_closes(serve: Callable[..., Server]) -> None:
    server = serve([OK], [OK])
    with closing(HttpClient(server.url)) as client:
        assert [get(client), get(client)] == [200, 200]
    assert server.connections == 2


@pytest.mark.integration
def test_client_raises_when_a_new_connection_breaks(serve: Callable[..., Server]) -> None:
    server = serve([None], [OK])
    with closing(HttpClient(server.url)) as client:
        with pytest.raises(ConnectionLostError, match="connection lost"):
            get(client)
        assert get(client) == 200


@pytest.mark.integration
def test_client_raises_when_the_connection_is_refused() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    with (
        closing(HttpClient(f"http://127.0.0.1:{port}")) as client,
        pytest.raises(ConnectionLostError, match="connection refused"),
    ):
        get(client)


@pytest.mark.integration
def test_client_raises_after_its_timeout() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        with (
            closing(HttpClient(f"http://127.0.0.1:{port}", timeout=0.1)) as client,
            pytest.raises(ConnectionLostError, match="no response in time"),
        ):
            get(client)


@pytest.mark.integration
def test_response_contains_retry_after_and_challenge(serve: Callable[..., Server]) -> None:
    server = serve([
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 2\r\n"
        b'WWW-Authenticate: Bearer error="invalid_token"\r\n\r\n')
    ])  # fmt: skip
    with closing(HttpClient(server.url)) as client:
        answer = client.request("GET", "/", {})
    assert (answer.status, answer.retry_after, answer.body) == (503, 2.0, b"")
    assert answer.challenge == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://host", "http://"])
def test_client_rejects_an_invalid_url(url: str) -> None:
    with pytest.raises(CommandError, match="isn't a valid URL"):
        HttpClient(url)


def test_retry_after_accepts_seconds_and_dates() -> None:
    assert _seconds(None) is None
    assert _seconds("120") == 120.0
    assert _seconds("soon") is None
    later = _seconds(format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
    assert later is not None
    assert 80 < later <= 90
    assert _seconds(format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)) == 0.0
