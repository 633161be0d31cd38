"""Serve the ASGI application on one loopback port until a signal arrives."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn

from aws_emulator.ministack.errors import PortBusyError
from aws_emulator.ministack.settings import HOST

#: How long requests in progress may take when the emulator stops.
STOP_GRACE_S: Final = 1


def listen(port: int) -> socket.socket:
    """Bind the port on the loopback address.

    Raises:
        PortBusyError: Another program uses the port.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise PortBusyError(
            f"can't use port {port} on {HOST} ({error.strerror}): "
            "stop the program that listens there, or choose another --port"
        ) from error
    return listener


class _Server(uvicorn.Server):
    """uvicorn with a clean exit on signals: its own handler raises the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()
            print(f"ministack: http://{host}:{port}", flush=True)


def serve(application: Any, listener: socket.socket) -> bool:
    """Serve until SIGTERM or SIGINT. Return whether the server had started."""
    server = _Server(
        uvicorn.Config(
            application,
            http="httptools",
            loop="uvloop",
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=STOP_GRACE_S,
        )
    )
    server.run(sockets=[listener])
    return server.started
