"""Sockets are off and hypothesis has three named profiles: quick, ci and deep."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket, enable_socket

if TYPE_CHECKING:
    from local.system import System

ROOT = Path(__file__).resolve().parent.parent

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


@pytest.fixture(scope="session")
def meridian() -> "Iterator[System]":
    """The whole system, as sam built and deployed it, on free ports: one for all tests."""
    # Imported here: most tests need none of it.
    from local import system
    from local.commands import STATE

    enable_socket()
    with system.started(STATE / "test", system.Ports()) as running:
        yield running
