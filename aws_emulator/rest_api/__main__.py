"""`python -m aws_emulator.rest_api`: serve the deployed REST APIs on the loopback."""

import functools
import sys

import httpx
import uvicorn

from aws_emulator import serving
from aws_emulator.metrics import Metrics
from aws_emulator.rest_api.access_log import AccessLog, logs_client
from aws_emulator.rest_api.app import App
from aws_emulator.rest_api.service_client import ServiceClient
from aws_emulator.rest_api.settings import Settings, parse
from aws_emulator.rest_api.stage_reader import StageReader
from aws_emulator.rest_api.token_verifier import TokenVerifier
from aws_emulator.route53.locations import service_address


async def _run(settings: Settings) -> None:
    listener = serving.bind(settings.port)
    port = listener.getsockname()[1]
    listeners = [listener, *(serving.bind(port, service_address(it)) for it in settings.regions)]
    limits = httpx.Limits(max_connections=1024, max_keepalive_connections=64, keepalive_expiry=2)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
        access_log = AccessLog(functools.partial(logs_client, settings.endpoint))
        metrics = Metrics(settings.endpoint, settings.account)
        reader = StageReader(settings.endpoint, settings.account)
        app = App(
            reader,
            settings.region,
            TokenVerifier(settings.endpoint, client),
            ServiceClient(settings.endpoint, client),
            access_log,
            metrics,
        )
        server = serving.Server(
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
        server.end_on_signals()
        print(f"Serving REST APIs at http://127.0.0.1:{port}/.", file=sys.stderr, flush=True)
        try:
            await server.serve(sockets=listeners)
        finally:
            for each in listeners:
                each.close()
            access_log.close()
            metrics.close()


def main() -> int:
    """Run until SIGINT or SIGTERM and return 0, or return 1 on a CommandError."""
    return serving.run("rest_api", lambda: _run(parse()))


if __name__ == "__main__":
    sys.exit(main())
