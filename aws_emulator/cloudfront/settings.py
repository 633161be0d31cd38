"""What the process is told on its command line, checked once."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aws_emulator.cloudfront.sigv4 import Credentials
from aws_emulator.errors import CommandError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the emulated AWS listens, and how to sign for it."""

    url: str
    host: str
    port: int
    region: str
    credentials: Credentials

    @property
    def address(self) -> tuple[str, int]:
        """The address to connect to."""
        return self.host, self.port

    @property
    def netloc(self) -> str:
        """The Host header."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked command line.

    `log` is None for stdout. `api` is who answers for API Gateway, None for the emulated AWS.
    """

    endpoint: Endpoint
    port: int
    distribution: str | None
    log: Path | None
    concurrency: int
    api: tuple[str, int] | None = None


def parse_endpoint(url: str, region: str) -> Endpoint:
    """Check the emulator's address. Raises CommandError."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    # Test credentials go to this address, and simulated visitors' addresses come from it.
    if parts.scheme != "http" or parts.hostname not in {"127.0.0.1", "localhost"} or not port:
        raise CommandError(f"--endpoint wants an address such as http://127.0.0.1:4566, not {url}.")
    return Endpoint(
        url=f"http://{parts.hostname}:{port}",
        host=parts.hostname,
        port=port,
        region=region,
        credentials=Credentials(
            os.environ.get("AWS_ACCESS_KEY_ID", "test"),
            os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
            os.environ.get("AWS_SESSION_TOKEN") or None,
        ),
    )


def parse(arguments: list[str] | None = None) -> Settings:
    """Read the command line. Raises CommandError; argparse ends the process for unknown options."""
    parser = argparse.ArgumentParser(
        prog="python -m aws_emulator.cloudfront",
        description="Serve the deployed CloudFront distribution.",
    )
    parser.add_argument("--endpoint", required=True, help="where the emulated AWS listens")
    parser.add_argument("--port", type=int, required=True, help="the port to serve on (loopback)")
    parser.add_argument("--region", default="us-east-1", help="the home region of the functions")
    parser.add_argument("--distribution", help="the distribution's id, where there are several")
    parser.add_argument("--log", type=Path, help="write the access log to a file, not to stdout")
    parser.add_argument(
        "--concurrency", type=int, default=32, help="function calls under way at once"
    )
    parser.add_argument("--api-url", help="who answers for API Gateway, if not the emulated AWS")
    found = parser.parse_args(arguments)
    if not 0 <= found.port <= 65_535:
        raise CommandError(f"--port wants a number from 0 to 65535, not {found.port}.")
    if found.concurrency < 1:
        raise CommandError(f"--concurrency wants a number from 1, not {found.concurrency}.")
    return Settings(
        endpoint=parse_endpoint(found.endpoint, found.region),
        port=found.port,
        distribution=found.distribution,
        log=found.log,
        concurrency=found.concurrency,
        api=parse_endpoint(found.api_url, found.region).address if found.api_url else None,
    )
