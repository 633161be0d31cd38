"""The running school, and who listens to what its functions trace."""

import socket
import threading
from collections.abc import Iterator

import pytest
from pytest_socket import enable_socket

from tests.system.school.world import World
from tools.dev.system import System

#: Address of the X-Ray daemon, set in aws_emulator/ministack/patches/function_runtime.py.
DAEMON = ("127.0.0.1", 2000)


@pytest.fixture(scope="session")
def world(meridian: System) -> World:
    return World(meridian)


@pytest.fixture(scope="session")
def traced() -> Iterator[list[str] | None]:
    """What functions trace from now on; None where another run on this machine listens already."""
    enable_socket()
    daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found: list[str] = []

    def listen() -> None:
        while data := daemon.recv(65_536):
            found.append(data.decode(errors="replace"))

    with daemon:
        try:
            daemon.bind(DAEMON)
        except OSError:
            yield None
            return
        listener = threading.Thread(target=listen)
        listener.start()
        yield found
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", DAEMON)
        listener.join(timeout=10)
