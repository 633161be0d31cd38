"""`python -m aws_emulator.cloudfront`: serve the deployed distribution on the loopback."""

import asyncio
import sys

import uvicorn

from aws_emulator import serving
from aws_emulator.cloudfront.access_log import AccessLog
from aws_emulator.cloudfront.app import App
from aws_emulator.cloudfront.distribution.reader import DistributionReader
from aws_emulator.cloudfront.distribution.watcher import DistributionWatcher
from aws_emulator.cloudfront.edge_functions.invoker import FunctionInvoker
from aws_emulator.cloudfront.edge_location import EdgeLocation
from aws_emulator.cloudfront.origins.client import OriginClient
from aws_emulator.cloudfront.origins.resolver import Resolver
from aws_emulator.cloudfront.settings import Settings, parse
from aws_emulator.cloudfront.transport.http_client import ConnectionPool
from aws_emulator.cloudfront.transport.viewer_protocol import ViewerProtocol
from aws_emulator.metrics import Metrics
from aws_emulator.route53.locations import network_of


async def _run(settings: Settings) -> None:
    listener = serving.bind(settings.port)
    log = AccessLog(settings.log)
    metrics = Metrics(settings.endpoint.url)
    pool = ConnectionPool()
    resolver = None
    if settings.dns is not None:
        resolver = Resolver(settings.dns, network_of(settings.endpoint.region))
    edge = EdgeLocation(
        FunctionInvoker(settings.endpoint, pool, settings.concurrency),
        OriginClient(settings.endpoint, pool, settings.api, resolver),
    )
    try:
        watch = DistributionWatcher(DistributionReader(settings.endpoint), settings, edge, pool)
        await watch.deploy()
        server = serving.Server(
            uvicorn.Config(
                App(edge, log, metrics),
                http=ViewerProtocol,
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
        watch_task = asyncio.create_task(watch.run())
        serving_task = asyncio.create_task(server.serve(sockets=[listener]))
        print(
            f"Serving the distribution {edge.distribution and edge.distribution.id} at "
            f"http://127.0.0.1:{listener.getsockname()[1]}/ (HTTP represents HTTPS).",
            file=sys.stderr,
            flush=True,
        )
        await asyncio.wait({watch_task, serving_task}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        if not watch_task.done():
            watch_task.cancel()
        await asyncio.gather(serving_task, watch_task, return_exceptions=True)
        if not watch_task.cancelled():
            watch_task.result()
    finally:
        pool.close()
        log.close()
        metrics.close()
        listener.close()


def main() -> int:
    """Run until SIGINT or SIGTERM and return 0, or return 1 on a CommandError."""
    return serving.run("cloudfront", lambda: _run(parse()))


if __name__ == "__main__":
    sys.exit(main())
