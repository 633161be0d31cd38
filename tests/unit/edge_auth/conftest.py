"""Gates over an in-memory issuer."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from edge_auth.backends import fastest
from edge_auth.errors import FetchError
from edge_auth.gate import Gate
from edge_auth.settings import parse
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.browser import Browser
from tests.unit.edge_auth.fake_cognito import FakeCognito


def no_fetch(address: str) -> bytes:
    """An issuer that does not answer."""
    raise FetchError


def no_post(address: str, form: dict[str, str]) -> dict[str, object]:
    """Hosted pages that do not answer."""
    raise FetchError


def gate_of(clock: issuer.Clock, **changes: Any) -> Gate:
    """A gate over the demo school; `fetch`, `post` and `backend` may be given, the rest are
    settings."""
    return Gate(
        parse(issuer.settings(**{k: v for k, v in changes.items() if k not in _PARTS})),
        backend=changes.get("backend", fastest()),
        fetch=changes.get("fetch", no_fetch),
        post=changes.get("post", no_post),
        random=os.urandom,
        clock=clock,
        monotonic=clock,
    )


_PARTS = {"backend", "fetch", "post"}


@pytest.fixture
def clock() -> issuer.Clock:
    return issuer.Clock()


@pytest.fixture
def make_gate(clock: issuer.Clock) -> Callable[..., Gate]:
    return lambda **changes: gate_of(clock, **changes)


@pytest.fixture
def gate(make_gate: Callable[..., Gate]) -> Gate:
    return make_gate()


@pytest.fixture
def cognito(clock: issuer.Clock) -> FakeCognito:
    return FakeCognito(clock)


@pytest.fixture
def make_browser(clock: issuer.Clock, cognito: FakeCognito) -> Callable[..., Browser]:
    def make(**changes: object) -> Browser:
        gate = gate_of(clock, fetch=cognito.fetch, post=cognito.post, **changes)
        return Browser(gate, cognito, clock)

    return make


@pytest.fixture
def browser(make_browser: Callable[..., Browser]) -> Browser:
    return make_browser()
