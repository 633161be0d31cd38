"""What the process is told on its command line, checked once."""

import argparse
from dataclasses import dataclass
from urllib.parse import urlsplit

from aws_emulator.errors import CommandError


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked command line."""

    endpoint: str
    port: int
    region: str
    account: str


def parse(arguments: list[str] | None = None) -> Settings:
    """Read the command line. Raises CommandError; argparse ends the process for unknown options."""
    parser = argparse.ArgumentParser(
        prog="python -m aws_emulator.rest_api", description="Serve the deployed REST APIs."
    )
    parser.add_argument("--endpoint", required=True, help="where the emulated AWS listens")
    parser.add_argument("--port", type=int, required=True, help="the port to serve on (loopback)")
    parser.add_argument("--region", default="us-east-1", help="the home region")
    parser.add_argument("--account", default="000000000000", help="the account of the emulator")
    found = parser.parse_args(arguments)
    parts = urlsplit(found.endpoint)
    # Test credentials and students' tokens go to this address.
    if parts.scheme != "http" or parts.hostname not in {"127.0.0.1", "localhost"}:
        raise CommandError(
            f"--endpoint wants an address such as http://127.0.0.1:4566, not {found.endpoint}."
        )
    if not 0 <= found.port <= 65_535:
        raise CommandError(f"--port wants a number from 0 to 65535, not {found.port}.")
    return Settings(found.endpoint.rstrip("/"), found.port, found.region, found.account)
