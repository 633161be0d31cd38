"""The running school and a receiver of its X-Ray segments."""

import socket
import threading
from collections.abc import Iterator

import pytest
from pytest_socket import enable_socket

from tests.system.school.school_client import SchoolClient
from tools.dev.system import System

#: Address of the X-Ray daemon, set in aws_emulator/ministack/patches/function_runtime.py.
DAEMON = ("127.0.0.1", 2000)


@pytest.fixture(scope="session")
def school(meridian: System) -> SchoolClient:
    return SchoolClient(meridian)


@pytest.fixture(scope="session")
def traced() -> Iterator[list[str] | None]:
    """Yield the received X-Ray segments; None if another test run has bound the daemon's port."""
    enable_socket()
    daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    trace_ids: list[str] = []

    def listen() -> None:
        while data := daemon.recv(65_536):
            trace_ids.append(data.decode(errors="replace"))

    with daemon:
        try:
            daemon.bind(DAEMON)
        except OSError:
            yield None
            return
        listener = threading.Thread(target=listen)
        listener.start()
        yield trace_ids
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", DAEMON)
        listener.join(timeout=60)
