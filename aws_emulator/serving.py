"""What the local servers share: a port of the loopback, and signals that end them cleanly."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

import uvicorn

from aws_emulator.errors import CommandError


def bind(port: int) -> socket.socket:
    """Return a listener on a loopback port, 0 for any. Raises CommandError if it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise CommandError(f"The port {port} is taken: choose another with --port.") from error
    return listener


class Server(uvicorn.Server):
    """A server that leaves signals to the loop: uvicorn's own way ends the process with one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end_on_signals(self) -> None:
        """Have SIGINT and SIGTERM end the running loop's server."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.handle_exit, number, None)


def run(name: str, serve: Callable[[], Coroutine[None, None, None]]) -> int:
    """Serve until a signal (0) or a CommandError, which is one sentence on standard error (1)."""
    try:
        import uvloop  # the loop's own start-up is not needed where the module is only imported

        uvloop.run(serve())
    except CommandError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0
