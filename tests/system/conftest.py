"""Fixtures for system tests: a system in several Regions, and the analytics SDKs."""

import os
from collections.abc import Iterator

import pytest
from pytest_socket import enable_socket

from tests.support.running import state_folder
from tests.system.sdks import senders
from tools.dev import system
from tools.setup import browser

#: The Regions of production: home, further Region, edge.
LONDON, MUMBAI, EDGE = "eu-west-2", "ap-south-1", "us-east-1"


@pytest.fixture(scope="package")
def regions(sam_build: None) -> Iterator[system.System]:
    """A system with the home in London, a further Region in Mumbai and the edge in us-east-1.

    It has a domain. Health checks and the TTLs of DNS records pass 20 times faster than on AWS.
    """
    enable_socket()
    folder = state_folder("test-regions")
    ports, names = system.Ports(), (LONDON, MUMBAI)
    with system.start(
        folder,
        ports,
        names,
        build=False,
        domain="school.example",
        dns_speed=20,
        with_catalogue=True,
    ) as running:
        yield running


@pytest.fixture(scope="package")
def sdks() -> dict[str, senders.Sender]:
    """The analytics SDKs; those for browsers only if Chromium is installed."""
    senders.install()
    if browser.find_chromium() is not None:
        return senders.ALL
    if os.environ.get("CI"):
        pytest.fail("Chromium is not installed: the browser SDKs cannot run")
    return senders.SENDERS | senders.FURTHER
