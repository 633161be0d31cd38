"""One running system for all integration tests: the template that sam built, deployed by sam."""

from collections.abc import Iterator

import pytest
from pytest_socket import enable_socket

from local import system
from local.commands import STATE


@pytest.fixture(scope="session")
def meridian() -> Iterator[system.System]:
    """The whole system on free ports, in a folder of its own."""
    enable_socket()
    with system.started(STATE / "test", system.Ports()) as running:
        yield running
