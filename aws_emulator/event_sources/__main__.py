"""Poll the event sources of a deployment.

python -m aws_emulator.event_sources --endpoint URL --regions us-east-1 --state DIR
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aws_emulator.errors import CommandError
from aws_emulator.event_sources.errors import StateError
from aws_emulator.event_sources.json_log import JsonLog
from aws_emulator.event_sources.poller import AwsBackend, Poller


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command was given."""

    endpoint: str
    regions: tuple[str, ...]
    state: Path


def parse(arguments: Sequence[str]) -> Settings:
    """Read the command line; argparse ends the program (2) with a sentence where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m aws_emulator.event_sources", description=__doc__
    )
    parser.add_argument("--endpoint", required=True, help="address of the emulator")
    parser.add_argument("--regions", required=True, help="regions, with commas between them")
    parser.add_argument("--state", required=True, type=Path, help="directory of the state files")
    given = parser.parse_args(arguments)
    if urlsplit(given.endpoint).scheme not in {"http", "https"}:
        parser.error(f"--endpoint is {given.endpoint!r}, which is no http address")
    regions = tuple(region for region in given.regions.split(",") if region)
    if not regions:
        parser.error("--regions names no region")
    return Settings(given.endpoint, regions, given.state)


def main(arguments: Sequence[str] | None = None) -> int:
    """Poll until SIGTERM or SIGINT; 0 after that, 1 with one sentence when it cannot go on."""
    settings = parse(sys.argv[1:] if arguments is None else arguments)
    json_log = JsonLog()
    try:
        try:
            settings.state.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"{settings.state} cannot be made: {error.strerror}") from error
        poller = Poller(AwsBackend(settings.endpoint), settings.regions, settings.state, json_log)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: poller.stop())
        json_log.write("start", endpoint=settings.endpoint, regions=list(settings.regions))
        poller.run()
    except CommandError as error:
        json_log.write("end", code=getattr(error, "code", "local"), reason=str(error))
        print(f"poller: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
