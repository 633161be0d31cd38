"""The running system that the tests share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from pytest_socket import enable_socket

if TYPE_CHECKING:
    from tools.dev.system import System


@pytest.fixture(scope="session")
def meridian() -> "Iterator[System]":
    """The whole system, as sam built and deployed it, on free ports: one for all tests."""
    # Imported here: most tests need none of it.
    from tools.dev import system
    from tools.dev.commands import STATE

    enable_socket()
    with system.started(STATE / "test", system.Ports()) as running:
        yield running
