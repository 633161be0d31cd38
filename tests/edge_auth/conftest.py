"""Gates over an in-memory issuer."""

from collections.abc import Callable

import pytest

from edge_auth.backends import fastest
from edge_auth.errors import FetchError
from edge_auth.gate import Gate
from edge_auth.settings import parse
from tests.edge_auth import issuer


def no_fetch(address: str) -> bytes:
    """An issuer that does not answer."""
    raise FetchError


@pytest.fixture
def clock() -> issuer.Clock:
    return issuer.Clock()


@pytest.fixture
def make_gate(clock: issuer.Clock) -> Callable[..., Gate]:
    def make(**changes: object) -> Gate:
        return Gate(
            parse(issuer.settings(**changes)),
            backend=fastest(),
            fetch=no_fetch,
            clock=clock,
            monotonic=clock,
        )

    return make


@pytest.fixture
def gate(make_gate: Callable[..., Gate]) -> Gate:
    return make_gate()
