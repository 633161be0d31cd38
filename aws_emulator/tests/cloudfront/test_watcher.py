"""Tests of the distribution watcher, with the CloudFront API in memory."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.distribution import watcher
from aws_emulator.cloudfront.distribution.watcher import DistributionWatcher
from aws_emulator.cloudfront.edge_location import EdgeLocation
from aws_emulator.cloudfront.model import Distribution
from aws_emulator.cloudfront.settings import parse
from aws_emulator.cloudfront.transport.http_client import ConnectError
from aws_emulator.errors import CommandError, UnavailableError
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
    def __init__(self, etag: str, status: int = 200) -> None:
        self.headers = h.collect([("ETag", etag)])
        self.status = status

    async def read(self, _timeout_s: float) -> bytes:
        return b""


class FakePool:
    """Returns an ETag or a status for each poll, or raises an exception; repeats the last item."""

    def __init__(self, *items: str | int | Exception) -> None:
        self._items = list(items)
        self.polls = 0

    async def send(self, *_: Any, **__: Any) -> Any:
        self.polls += 1
        item = self._items.pop(0) if len(self._items) > 1 else self._items[0]
        if isinstance(item, Exception):
            raise item
        return FakeApiResponse("", item) if isinstance(item, int) else FakeApiResponse(item)


def watch(
    pool: FakePool, monkeypatch: pytest.MonkeyPatch, fake_reader: FakeReader | None = None
) -> EdgeLocation:
    """Deploy the distribution, and poll until the emulated AWS is gone; return the location."""
    monkeypatch.setattr(watcher, "POLL_INTERVAL_S", 0)
    edge = serve_distribution(distribution(), FakeFunctions(), FakeOrigins())
    reader: Any = fake_reader or FakeReader()
    connections: Any = pool

    async def run() -> None:
        watching = DistributionWatcher(reader, SETTINGS, edge, connections)
        await watching.deploy()
        with pytest.raises(CommandError, match="stopped responding"):
            await watching.run()

    asyncio.run(run())
    return edge


#: The first deployment polls the configuration, and after a first read it polls what it found: the
#: configuration, the invalidations and one cache policy.
DEPLOYMENT = ["1"] * 4
#: The reads of the first deployment.
READS = 2
#: The poll that shows a change, and the polls before the next read.
CHANGED = ["2"] * 4
#: Refused connections, which end the watcher.
GONE = ConnectError("refused")


def test_watcher_gives_up_after_three_refused_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = FakePool(*DEPLOYMENT, GONE)
    watch(pool, monkeypatch)
    assert pool.polls == len(DEPLOYMENT) + 3


def test_slow_response_restarts_count_of_refused_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = FakePool(*DEPLOYMENT, GONE, GONE, TimeoutError(), GONE)
    watch(pool, monkeypatch)
    assert pool.polls == len(DEPLOYMENT) + 6


def test_failing_control_plane_does_not_stop_distribution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An answer with 503 isn't a new ETag: edge locations need no control plane."""
    pool = FakePool(*DEPLOYMENT, 503, 503, "1", "1", GONE)
    assert watch(pool, monkeypatch).distribution == distribution()


def test_control_plane_that_closes_connections_does_not_stop_distribution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loss of us-east-1 by refused connections: the emulator accepts one and closes it."""
    closed = ConnectionError("the server closed the connection without a response")
    pool = FakePool(*DEPLOYMENT, *[closed] * 5, "1", "1", GONE)
    assert watch(pool, monkeypatch).distribution == distribution()
    assert pool.polls == len(DEPLOYMENT) + 10


class ReaderWithErrors(FakeReader):
    """Reads the distribution for its deployment, then raises the errors, the last one for ever."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.reads = 0

    def load(self, distribution_id: str) -> Distribution:
        self.reads += 1
        if self.reads > READS:
            raise self.errors.pop(0) if len(self.errors) > 1 else self.errors[0]
        return super().load(distribution_id)


def test_outage_during_a_change_keeps_the_previous_distribution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = ReaderWithErrors(UnavailableError("503"))
    pool = FakePool(*DEPLOYMENT, *CHANGED, GONE)
    assert watch(pool, monkeypatch, reader).distribution == distribution()
    assert reader.reads == READS + 1


def test_refused_distribution_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = ReaderWithErrors(CommandError("not supported"), GONE)
    pool = FakePool(*DEPLOYMENT, *CHANGED, GONE)
    assert watch(pool, monkeypatch, reader).distribution is None


class ChangingApi(FakeReader):
    """A distribution that is updated right after the watcher has read it for the nth time."""

    def __init__(self, *changed_after: int) -> None:
        self._changed_after = changed_after
        self._reads = 0
        self.version = 0
        self.polls_left = 40

    def load(self, _distribution_id: str) -> Distribution:
        deployed = replace(distribution(), notes=(str(self.version),))
        self._reads += 1
        self.version += self._reads in self._changed_after
        return deployed

    async def send(self, *_: Any, **__: Any) -> FakeApiResponse:
        self.polls_left -= 1
        if self.polls_left < 0:
            raise GONE
        return FakeApiResponse(str(self.version))


@pytest.mark.parametrize("changed_after", [(1,), (2,), (2, 3), (1, 2, 3, 4)])
def test_change_during_a_read_is_served(
    monkeypatch: pytest.MonkeyPatch, changed_after: tuple[int, ...]
) -> None:
    """On a busy machine, a distribution is updated again while its previous update is read."""
    api = ChangingApi(*changed_after)
    pool: Any = api
    served = watch(pool, monkeypatch, api).distribution
    assert served is not None
    assert served.notes == (str(api.version),)
    assert api.version > 0
