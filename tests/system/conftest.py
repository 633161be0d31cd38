"""Fixtures for system tests: a system in two Regions, and the analytics SDKs."""

import os
from collections.abc import Iterator

import pytest
from pytest_socket import enable_socket

from tests.system.sdks import senders
from tools.dev import system
from tools.paths import STATE
from tools.setup import browser

LONDON = "eu-west-2"


@pytest.fixture(scope="package")
def regions() -> Iterator[system.System]:
    """A system in the home Region and eu-west-2."""
    enable_socket()
    with system.start(STATE / "test-regions", system.Ports(), ("us-east-1", LONDON)) as running:
        yield running


@pytest.fixture(scope="package")
def sdks() -> dict[str, senders.Sender]:
    """The analytics SDKs; those for browsers only if Chromium is installed."""
    senders.install()
    if browser.find_chromium() is not None:
        return senders.SENDERS | senders.BROWSERS
    if os.environ.get("CI"):
        pytest.fail("Chromium is not installed: the browser SDKs cannot run")
    return senders.SENDERS
