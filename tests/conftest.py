"""The running system that the system tests share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from pytest_socket import enable_socket

if TYPE_CHECKING:
    from tools.dev.system import System


@pytest.fixture(scope="session")
def meridian() -> "Iterator[System]":
    """One system for all tests, built and deployed with SAM, on free ports."""
    # Imported here, because most tests don't need it.
    from tools.dev import system
    from tools.paths import STATE

    enable_socket()
    with system.start(STATE / "test", system.Ports()) as running:
        yield running
