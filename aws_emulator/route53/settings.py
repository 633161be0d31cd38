"""Parse and validate the command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_emulator.errors import CommandError
from aws_emulator.loopback import parse_loopback
from aws_emulator.route53.locations import REGIONS


@dataclass(frozen=True, slots=True)
class Settings:
    """The validated command line."""

    endpoint: str
    port: int
    location: str
    state: Path
    https_port: int | None
    speed: float


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Parse the command line.

    Raises:
        CommandError: A value is invalid.
        SystemExit: The command line has an unknown option.
    """
    parser = argparse.ArgumentParser(
        prog="python -m aws_emulator.route53",
        description="Answer DNS queries from the deployed hosted zones, on the loopback.",
    )
    parser.add_argument("--endpoint", required=True, help="URL of the emulated AWS")
    parser.add_argument("--port", type=int, required=True, help="UDP and TCP port on 127.0.0.1")
    parser.add_argument("--state", type=Path, required=True, help="folder of status.json")
    parser.add_argument(
        "--location", default="us-east-1", help="Region of the clients of unknown networks"
    )
    parser.add_argument(
        "--https-port", type=int, help="port that stands for 443 of custom domain names"
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, help="divides the intervals of checks and the TTLs"
    )
    options = parser.parse_args(arguments)
    parse_loopback(options.endpoint)
    for name, number in (("--port", options.port), ("--https-port", options.https_port)):
        if number is not None and not 1 <= number <= 65_535:
            raise CommandError(f"{name} must be from 1 to 65535, not {number}.")
    if options.location not in REGIONS:
        raise CommandError(
            f"--location must be a Region such as eu-west-2, not {options.location}."
        )
    if not 0.1 <= options.speed <= 1000:
        raise CommandError(f"--speed must be from 0.1 to 1000, not {options.speed}.")
    return Settings(
        endpoint=options.endpoint.rstrip("/"),
        port=options.port,
        location=options.location,
        state=options.state,
        https_port=options.https_port,
        speed=options.speed,
    )
