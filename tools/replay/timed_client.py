"""Measure how long the collector takes to answer each request of a replay."""

import time
from collections import Counter
from collections.abc import Mapping

from tools.replay.http_client import Client, Response


class TimedClient:
    """A client that counts its answered requests by their latency in whole milliseconds."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.latencies_ms: Counter[int] = Counter()

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        """Send the request and count its latency.

        Raises:
            ConnectionLostError: No response arrived.
        """
        started = time.perf_counter()
        response = self._client.request(method, path, headers, body)
        self.latencies_ms[round((time.perf_counter() - started) * 1000)] += 1
        return response

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
