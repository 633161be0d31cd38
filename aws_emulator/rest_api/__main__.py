"""python -m aws_emulator.rest_api: serve the deployed REST APIs on the loopback."""

import sys

import httpx
import uvicorn

from aws_emulator import serving
from aws_emulator.rest_api.app import App
from aws_emulator.rest_api.calls import Calls
from aws_emulator.rest_api.keys import Keys
from aws_emulator.rest_api.reader import Reader
from aws_emulator.rest_api.settings import Settings, parse


async def _run(settings: Settings) -> None:
    listener = serving.bind(settings.port)
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64, keepalive_expiry=2)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
        reader = Reader(settings.endpoint, settings.account)
        app = App(
            reader,
            settings.region,
            Keys(settings.endpoint, client),
            Calls(settings.endpoint, client),
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
        port = listener.getsockname()[1]
        print(f"The local API serves at http://127.0.0.1:{port}/.", file=sys.stderr, flush=True)
        try:
            await server.serve(sockets=[listener])
        finally:
            listener.close()


def main() -> int:
    """Run until SIGINT or SIGTERM (0), or until something ends it (1)."""
    return serving.run("local api", lambda: _run(parse()))


if __name__ == "__main__":
    sys.exit(main())
