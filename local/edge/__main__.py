"""python -m local.edge: serve the deployed distribution on the loopback."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from local.edge.accesslog import AccessLog
from local.edge.app import App
from local.edge.client import Pool
from local.edge.distribution import Deployed
from local.edge.edge import Edge
from local.edge.functions import Functions
from local.edge.origins import Origins
from local.edge.protocol import EdgeProtocol
from local.edge.settings import Settings, parse
from local.edge.watch import Watch
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
    log = AccessLog(settings.log)
    pool = Pool()
    edge = Edge(
        Functions(settings.endpoint, pool, settings.concurrency),
        Origins(settings.endpoint, pool, settings.api),
    )
    try:
        watch = Watch(Deployed(settings.endpoint), settings, edge, pool)
        await watch.deploy()
        server = _Server(
            uvicorn.Config(
                App(edge, log),
                http=EdgeProtocol,
                ws="none",
                lifespan="off",
                loop="uvloop",
                access_log=False,
                log_level="critical",
                server_header=False,
                date_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=1,
            )
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
        watching = asyncio.create_task(watch.run())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        print(
            f"The local edge serves {edge.distribution and edge.distribution.id} at "
            f"http://127.0.0.1:{listener.getsockname()[1]}/ (http here stands for https).",
            file=sys.stderr,
            flush=True,
        )
        await asyncio.wait({watching, serving}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        if not watching.done():
            watching.cancel()
        await asyncio.gather(serving, watching, return_exceptions=True)
        if not watching.cancelled():
            watching.result()
    finally:
        pool.close()
        log.close()
        listener.close()


def main() -> int:
    """Run until SIGINT or SIGTERM (0), or until something ends it (1)."""
    try:
        import uvloop  # the loop's own start-up is not needed where the module is only imported

        uvloop.run(_run(parse()))
    except LocalError as error:
        print(f"local edge: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
