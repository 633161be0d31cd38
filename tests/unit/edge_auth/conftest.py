"""Fixtures: an AuthContext and a browser over an in-memory Cognito."""

import os
from collections.abc import Callable
from typing import Any, Final

import pytest

from edge_auth.context import AuthContext
from edge_auth.errors import FetchError
from edge_auth.rsa_backend import select_backend
from edge_auth.settings import parse
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.fake_browser import FakeBrowser
from tests.unit.edge_auth.fake_cognito import FakeCognito

_DEPENDENCIES: Final = {"backend", "fetch", "post"}


def failing_fetch(url: str) -> bytes:
    """Fail like an issuer that doesn't respond."""
    raise FetchError


def failing_post(url: str, form: dict[str, str]) -> dict[str, object]:
    """Fail like a token endpoint that doesn't respond."""
    raise FetchError


def create_context(clock: issuer.Clock, **changes: Any) -> AuthContext:
    """Create a context with the test settings.

    `changes` are settings, or the dependencies `fetch`, `post` and `backend`.
    """
    return AuthContext(
        parse(issuer.settings(**{k: v for k, v in changes.items() if k not in _DEPENDENCIES})),
        backend=changes.get("backend", select_backend()),
        fetch=changes.get("fetch", failing_fetch),
        post=changes.get("post", failing_post),
        random=os.urandom,
        clock=clock,
        monotonic=clock,
    )


@pytest.fixture
def clock() -> issuer.Clock:
    return issuer.Clock()


@pytest.fixture
def make_context(clock: issuer.Clock) -> Callable[..., AuthContext]:
    return lambda **changes: create_context(clock, **changes)


@pytest.fixture
def context(make_context: Callable[..., AuthContext]) -> AuthContext:
    return make_context()


@pytest.fixture
def cognito(clock: issuer.Clock) -> FakeCognito:
    return FakeCognito(clock)


@pytest.fixture
def make_browser(clock: issuer.Clock, cognito: FakeCognito) -> Callable[..., FakeBrowser]:
    def make(**changes: object) -> FakeBrowser:
        context = create_context(clock, fetch=cognito.fetch, post=cognito.post, **changes)
        return FakeBrowser(context, cognito, clock)

    return make


@pytest.fixture
def browser(make_browser: Callable[..., FakeBrowser]) -> FakeBrowser:
    return make_browser()
