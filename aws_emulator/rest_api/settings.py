"""Parse and validate the command line."""

import argparse
from dataclasses import dataclass

from aws_emulator.errors import CommandError
from aws_emulator.loopback import parse_loopback


@dataclass(frozen=True, slots=True)
class Settings:
    """The validated command line.

    `regions` are those with custom domain names, each at an address of its own.
    """

    endpoint: str
    port: int
    region: str
    account: str
    regions: tuple[str, ...] = ()


def parse(arguments: list[str] | None = None) -> Settings:
    """Parse the command line.

    Raises:
        CommandError: A value is invalid.
        SystemExit: The command line has an unknown option.
    """
    parser = argparse.ArgumentParser(
        prog="python -m aws_emulator.rest_api",
        description="Serve the deployed REST APIs on the loopback.",
    )
    parser.add_argument("--endpoint", required=True, help="URL of the emulated AWS")
    parser.add_argument("--port", type=int, required=True, help="loopback port, 0 for any")
    parser.add_argument("--region", default="us-east-1", help="Region of directly addressed APIs")
    parser.add_argument("--account", default="000000000000", help="account ID of the emulated AWS")
    parser.add_argument(
        "--regions",
        default="",
        help="Regions whose custom domain names are served, comma-separated",
    )
    options = parser.parse_args(arguments)
    parse_loopback(options.endpoint)
    if not 0 <= options.port <= 65_535:
        raise CommandError(f"--port must be from 0 to 65535, not {options.port}.")
    regions = tuple(it for it in options.regions.split(",") if it)
    endpoint = options.endpoint.rstrip("/")
    return Settings(endpoint, options.port, options.region, options.account, regions)
