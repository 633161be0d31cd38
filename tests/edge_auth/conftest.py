"""Gates over an in-memory issuer."""

import os
from collections.abc import Callable

import pytest

from edge_auth.backends import fastest
from edge_auth.errors import FetchError
from edge_auth.gate import Gate
from edge_auth.settings import parse
from tests.edge_auth import issuer
from tests.edge_auth.browser import Browser
from tests.edge_auth.fake_cognito import FakeCognito


def no_fetch(address: str) -> bytes:
    """An issuer that does not answer."""
    raise FetchError


def no_post(address: str, form: dict[str, str]) -> dict[str, object]:
    """Hosted pages that do not answer."""
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
            post=no_post,
            random=os.urandom,
            clock=clock,
            monotonic=clock,
        )

    return make


@pytest.fixture
def gate(make_gate: Callable[..., Gate]) -> Gate:
    return make_gate()


@pytest.fixture
def cognito(clock: issuer.Clock) -> FakeCognito:
    return FakeCognito(clock)


@pytest.fixture
def make_browser(clock: issuer.Clock, cognito: FakeCognito) -> Callable[..., Browser]:
    def make(**changes: object) -> Browser:
        gate = Gate(
            parse(issuer.settings(**changes)),
            backend=fastest(),
            fetch=cognito.fetch,
            post=cognito.post,
            random=os.urandom,
            clock=clock,
            monotonic=clock,
        )
        return Browser(gate, cognito, clock)

    return make


@pytest.fixture
def browser(make_browser: Callable[..., Browser]) -> Browser:
    return make_browser()
