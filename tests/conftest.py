"""The build and the running system that tests share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from pytest_socket import enable_socket

if TYPE_CHECKING:
    from tools.dev.system import System


@pytest.fixture(scope="session")
def sam_build() -> None:
    """The output of `sam build`."""
    # Imported here, because most tests don't need it.
    from tests.support.running import build_once

    build_once()


@pytest.fixture(scope="session")
def meridian(sam_build: None) -> "Iterator[System]":
    """One system for all tests, built and deployed with SAM, on free ports."""
    # Imported here, because most tests don't need it.
    from tests.support.running import state_folder
    from tools.dev import system

    enable_socket()
    with system.start(state_folder("test"), system.Ports(), build=False) as running:
        yield running
