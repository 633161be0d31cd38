"""Latencies of a client's requests."""

from collections.abc import Mapping

import pytest

from tools.replay.http_client import ConnectionLostError, Response
from tools.replay.timed_client import TimedClient


class Answering:
    """A client that answers every request, or loses every connection."""

    def __init__(self, *, lost: bool = False) -> None:
        self.lost = lost
        self.closed = False

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        if self.lost:
            raise ConnectionLostError("connection lost")
        return Response(200, None, b"{}", "")

    def close(self) -> None:
        self.closed = True


def test_each_answered_request_has_a_latency() -> None:
    client = TimedClient(Answering())
    for _ in range(3):
        assert client.request("POST", "/", {}).status == 200
    assert sum(client.latencies_ms.values()) == 3
    assert min(client.latencies_ms) >= 0


def test_lost_connection_has_no_latency() -> None:
    client = TimedClient(Answering(lost=True))
    with pytest.raises(ConnectionLostError):
        client.request("POST", "/", {})
    assert not client.latencies_ms


def test_close_closes_the_client() -> None:
    inner = Answering()
    TimedClient(inner).close()
    assert inner.closed
