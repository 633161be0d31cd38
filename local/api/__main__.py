"""python -m local.api: serve the deployed REST APIs on the loopback."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from local.api.app import App
from local.api.calls import Calls
from local.api.keys import Keys
from local.api.reader import Reader
from local.api.settings import Settings, parse
from local.errors import LocalError


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise LocalError(f"The port {port} is taken: choose another with --port.") from error
    return listener


class _Server(uvicorn.Server):
    """A server that leaves signals to the loop: uvicorn's own way ends the process with one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _run(settings: Settings) -> None:
    listener = _bind(settings.port)
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64, keepalive_expiry=2)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
        reader = Reader(settings.endpoint, settings.account)
        app = App(
            reader,
            settings.region,
            Keys(settings.endpoint, client),
            Calls(settings.endpoint, client),
        )
        server = _Server(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                loop="uvloop",
                access_log=False,
                log_level="critical",
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=1,
            )
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
        port = listener.getsockname()[1]
        print(f"The local API serves at http://127.0.0.1:{port}/.", file=sys.stderr, flush=True)
        try:
            await server.serve(sockets=[listener])
        finally:
            listener.close()


def main() -> int:
    """Run until SIGINT or SIGTERM (0), or until something ends it (1)."""
    try:
        import uvloop  # the loop's own start-up is not needed where the module is only imported

        uvloop.run(_run(parse()))
    except LocalError as error:
        print(f"local api: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
