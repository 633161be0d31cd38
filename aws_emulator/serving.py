"""Shared by the REST API and CloudFront servers: loopback listeners and a clean stop on signals."""

import asyncio
import errno
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

import uvicorn

from aws_emulator.errors import CommandError


def bind(port: int, address: str = "127.0.0.1") -> socket.socket:
    """Return a bound socket on a loopback port, 0 for a free one.

    Raises:
        CommandError: The port is in use, or the machine doesn't have the address.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise CommandError(
                f"This machine has no address {address}. On macOS, add it: sudo ifconfig lo0 alias "
                f"{address}"
            ) from error
        raise CommandError(f"Port {port} is in use. Choose another with --port.") from error
    return listener


class Server(uvicorn.Server):
    """A uvicorn server that stops without raising the received signal again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signal handlers unchanged."""
        yield

    def end_on_signals(self) -> None:
        """Stop the server on SIGINT and SIGTERM. Call it inside the running loop."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.handle_exit, number, None)


def run(name: str, serve: Callable[[], Coroutine[None, None, None]]) -> int:
    """Run `serve` until it ends. Return 0, or 1 after printing a CommandError's message."""
    try:
        import uvloop  # a late import: modules that only import this one do not need it

        uvloop.run(serve())
    except CommandError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0
