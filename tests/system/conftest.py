"""What several of these tests share: two regions, and the SDKs of npm."""

import os
from collections.abc import Iterator

import pytest
from pytest_socket import enable_socket

from tests.system.sdks import senders
from tools.dev import system
from tools.dev.commands import STATE
from tools.setup import browser

LONDON = "eu-west-2"


@pytest.fixture(scope="package")
def regions() -> Iterator[system.System]:
    """Home and London, in a folder of their own."""
    enable_socket()
    with system.started(STATE / "test-regions", system.Ports(), ("us-east-1", LONDON)) as running:
        yield running


@pytest.fixture(scope="package")
def sdks() -> dict[str, senders.Sender]:
    """Every SDK that this machine can run; those of browsers need a Chromium."""
    senders.install()
    if browser.found() is not None:
        return senders.SENDERS | senders.BROWSERS
    if os.environ.get("CI"):
        pytest.fail("NO CHROMIUM ON THIS MACHINE: THE BROWSERS' SDKS CANNOT RUN")
    return senders.SENDERS
