"""The build and the running system that tests share."""

import json
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
    """One system for all tests, built and deployed with SAM, on free ports.

    Its collector has a source with allowed origins besides the portal's.
    """
    # Imported here, because most tests don't need it.
    from tests.support.running import state_folder
    from tests.support.sources import SOURCES
    from tools.dev import system

    enable_socket()
    parameters = {"CollectorSources": json.dumps(SOURCES)}
    folder, ports = state_folder("test"), system.Ports()
    with system.start(
        folder, ports, build=False, parameters=parameters, with_catalogue=True
    ) as running:
        yield running
