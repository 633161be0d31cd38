"""Sockets are off and hypothesis has three named profiles: quick, ci and deep."""

import gc
import os

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket, enable_socket

settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile(
    "ci", max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "deep", max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_unconfigure() -> None:
    """Take Hypothesis's hook out of the garbage collector, where it would outlive every module.

    Through its caches the hook holds what was tested, and DuckDB's binding with it, which then
    complains at the interpreter's end that its connections and functions have leaked.
    """
    gc.callbacks[:] = [
        hook
        for hook in gc.callbacks
        if getattr(hook, "__module__", "") != "hypothesis.internal.conjecture.junkdrawer"
    ]


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest) -> None:
    """Only the tests that say so may open a socket (asyncio's own pair is no network)."""
    if any(request.node.get_closest_marker(name) for name in ("integration", "browser")):
        enable_socket()
    else:
        disable_socket(allow_unix_socket=True)
