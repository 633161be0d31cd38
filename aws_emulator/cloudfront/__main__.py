"""python -m aws_emulator.cloudfront: serve the deployed distribution on the loopback."""

import asyncio
import sys

import uvicorn

from aws_emulator import serving
from aws_emulator.cloudfront.accesslog import AccessLog
from aws_emulator.cloudfront.app import App
from aws_emulator.cloudfront.client import Pool
from aws_emulator.cloudfront.distribution import Deployed
from aws_emulator.cloudfront.edge import Edge
from aws_emulator.cloudfront.functions import Functions
from aws_emulator.cloudfront.origins import Origins
from aws_emulator.cloudfront.protocol import EdgeProtocol
from aws_emulator.cloudfront.settings import Settings, parse
from aws_emulator.cloudfront.watch import Watch


async def _run(settings: Settings) -> None:
    listener = serving.bind(settings.port)
    log = AccessLog(settings.log)
    pool = Pool()
    edge = Edge(
        Functions(settings.endpoint, pool, settings.concurrency),
        Origins(settings.endpoint, pool, settings.api),
    )
    try:
        watch = Watch(Deployed(settings.endpoint), settings, edge, pool)
        await watch.deploy()
        server = serving.Server(
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
        server.end_on_signals()
        watching = asyncio.create_task(watch.run())
        answering = asyncio.create_task(server.serve(sockets=[listener]))
        print(
            f"The local edge serves {edge.distribution and edge.distribution.id} at "
            f"http://127.0.0.1:{listener.getsockname()[1]}/ (http here stands for https).",
            file=sys.stderr,
            flush=True,
        )
        await asyncio.wait({watching, answering}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        if not watching.done():
            watching.cancel()
        await asyncio.gather(answering, watching, return_exceptions=True)
        if not watching.cancelled():
            watching.result()
    finally:
        pool.close()
        log.close()
        listener.close()


def main() -> int:
    """Run until SIGINT or SIGTERM (0), or until something ends it (1)."""
    return serving.run("local edge", lambda: _run(parse()))


if __name__ == "__main__":
    sys.exit(main())
