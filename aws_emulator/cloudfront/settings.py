"""Parse and validate the command line."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from aws_emulator.cloudfront.transport.sigv4 import Credentials
from aws_emulator.errors import CommandError
from aws_emulator.loopback import parse_loopback


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of the emulated AWS, with the Region and credentials for signing."""

    url: str
    host: str
    port: int
    region: str
    credentials: Credentials

    @property
    def address(self) -> tuple[str, int]:
        """The (host, port) to connect to."""
        return self.host, self.port

    @property
    def netloc(self) -> str:
        """The value of the Host header."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The validated command line.

    Without `log`, the access log goes to stdout. `api` is the (host, port) that serves REST APIs;
    without it, the emulated AWS serves them. `dns` is the (host, port) of the server that resolves
    the domain names of other origins.
    """

    endpoint: Endpoint
    port: int
    distribution: str | None
    log: Path | None
    concurrency: int
    api: tuple[str, int] | None = None
    dns: tuple[str, int] | None = None


def parse_endpoint(url: str, region: str, option: str = "--endpoint") -> Endpoint:
    """Parse the emulator's address.

    Raises:
        CommandError: The address isn't HTTP on the loopback.
    """
    host, port = parse_loopback(url, option)
    return Endpoint(
        url=f"http://{host}:{port}",
        host=host,
        port=port,
        region=region,
        credentials=Credentials(
            os.environ.get("AWS_ACCESS_KEY_ID", "test"),
            os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
            os.environ.get("AWS_SESSION_TOKEN") or None,
        ),
    )


def parse(arguments: list[str] | None = None) -> Settings:
    """Parse the command line.

    Raises:
        CommandError: A value is invalid.
        SystemExit: The command line has an unknown option.
    """
    parser = argparse.ArgumentParser(
        prog="python -m aws_emulator.cloudfront",
        description="Serve the deployed CloudFront distribution on the loopback.",
    )
    parser.add_argument("--endpoint", required=True, help="URL of the emulated AWS")
    parser.add_argument(
        "--port", type=int, required=True, help="loopback port to serve on, 0 for any"
    )
    parser.add_argument("--region", default="us-east-1", help="Region for signing requests")
    parser.add_argument("--distribution", help="distribution ID, needed if several are deployed")
    parser.add_argument("--log", type=Path, help="access log file (default: stdout)")
    parser.add_argument(
        "--concurrency", type=int, default=32, help="maximum concurrent function invocations"
    )
    parser.add_argument("--api-url", help="URL of the REST API server (default: the emulated AWS)")
    parser.add_argument("--dns-port", type=int, help="loopback port of the DNS server, if any")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65_535:
        raise CommandError(f"--port must be from 0 to 65535, not {options.port}.")
    if options.concurrency < 1:
        raise CommandError(f"--concurrency must be at least 1, not {options.concurrency}.")
    return Settings(
        endpoint=parse_endpoint(options.endpoint, options.region),
        port=options.port,
        distribution=options.distribution,
        log=options.log,
        concurrency=options.concurrency,
        api=(
            parse_endpoint(options.api_url, options.region, "--api-url").address
            if options.api_url
            else None
        ),
        dns=("127.0.0.1", options.dns_port) if options.dns_port else None,
    )
