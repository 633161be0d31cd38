"""Tests of the distribution watcher, with the CloudFront API in memory."""

import asyncio
from typing import Any

import pytest

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.distribution import watcher
from aws_emulator.cloudfront.distribution.watcher import DistributionWatcher
from aws_emulator.cloudfront.model import Distribution
from aws_emulator.cloudfront.settings import parse
from aws_emulator.errors import CommandError
from aws_emulator.tests.cloudfront.fakes import FakeFunctions, FakeOrigins, distribution
from aws_emulator.tests.cloudfront.fakes import edge_location as serve_distribution

SETTINGS = parse(["--endpoint", "http://127.0.0.1:4566", "--port", "0"])


class FakeReader:
    """Reads one distribution."""

    def find(self, _distribution_id: str | None) -> str:
        return "E1"

    def load(self, _distribution_id: str) -> Distribution:
        return distribution()


class FakeApiResponse:
    def __init__(self, etag: str) -> None:
        self.headers = h.collect([("ETag", etag)])

    async def read(self, _timeout_s: float) -> bytes:
        return b""


class FakePool:
    """Returns an ETag for each poll, or raises an exception; repeats the last item."""

    def __init__(self, *items: str | Exception) -> None:
        self._items = list(items)
        self.polls = 0

    async def send(self, *_: Any, **__: Any) -> Any:
        self.polls += 1
        item = self._items.pop(0) if len(self._items) > 1 else self._items[0]
        if isinstance(item, Exception):
            raise item
        return FakeApiResponse(item)


def watch(pool: FakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "POLL_INTERVAL_S", 0)
    edge = serve_distribution(distribution(), FakeFunctions(), FakeOrigins())
    reader: Any = FakeReader()
    connections: Any = pool

    async def run() -> None:
        watching = DistributionWatcher(reader, SETTINGS, edge, connections)
        await watching.deploy()
        await watching.run()

    asyncio.run(run())


#: A deployment polls the configuration, the invalidations and one cache policy.
DEPLOYMENT = ["1"] * 3


def test_watcher_gives_up_after_three_refused_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = FakePool(*DEPLOYMENT, ConnectionError("refused"))
    with pytest.raises(CommandError, match="stopped responding"):
        watch(pool, monkeypatch)
    assert pool.polls == len(DEPLOYMENT) + 3


def test_slow_response_restarts_count_of_refused_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = ConnectionError("refused")
    pool = FakePool(*DEPLOYMENT, refused, refused, TimeoutError(), refused)
    with pytest.raises(CommandError, match="stopped responding"):
        watch(pool, monkeypatch)
    assert pool.polls == len(DEPLOYMENT) + 6
