"""Block sockets in unit tests, group the others, define the Hypothesis profiles quick to deep."""

import gc
import os

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket, enable_socket
from xdist.remote import Producer  # type: ignore[import-untyped]

from aws_emulator.sam_launcher import use_libyaml
from tests.support.groups import GroupScheduling, ends_group, position

# `make check` uses the profile quick, `make test` full, the workflow ci. The first two draw
# the same examples in each run, so a test that fails names the change that broke it.
settings.register_profile("quick", max_examples=10, deadline=None, derandomize=True)
settings.register_profile("full", max_examples=25, deadline=None, derandomize=True)
settings.register_profile(
    "ci", max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "deep", max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
use_libyaml()

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_unconfigure() -> None:
    """Remove Hypothesis's garbage collector hook at the end of the session.

    Its caches keep tested objects alive until the interpreter exits, and DuckDB's binding then
    reports leaked connections and functions.
    """
    gc.callbacks[:] = [
        hook
        for hook in gc.callbacks
        if getattr(hook, "__module__", "") != "hypothesis.internal.conjecture.junkdrawer"
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order tests by group."""
    items.sort(key=lambda item: position(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling | None:
    """Run each group of tests in one process."""
    return GroupScheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """End all fixtures after the last test of a group.

    Otherwise its systems would run until the end of the session, and take time from the others.
    """
    if nextitem is None or not ends_group(item.nodeid, nextitem.nodeid):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    runtestprotocol(item, nextitem=None)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest) -> None:
    """Allow sockets only in integration and browser tests. asyncio uses a Unix socket pair."""
    if any(request.node.get_closest_marker(name) for name in ("integration", "browser")):
        enable_socket()
    else:
        disable_socket(allow_unix_socket=True)
