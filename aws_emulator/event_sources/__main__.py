"""Run the enabled event source mappings of an endpoint: poll the streams, invoke the functions.

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
    """The options of the command."""

    endpoint: str
    regions: tuple[str, ...]
    state: Path


def parse(arguments: Sequence[str]) -> Settings:
    """Parse the command line; exit with code 2 and a message if an option is invalid."""
    parser = argparse.ArgumentParser(
        prog="python -m aws_emulator.event_sources", description=__doc__
    )
    parser.add_argument("--endpoint", required=True, help="URL of the AWS API endpoint")
    parser.add_argument("--regions", required=True, help="comma-separated list of Regions to poll")
    parser.add_argument(
        "--state", required=True, type=Path, help="directory for the checkpoint and status files"
    )
    options = parser.parse_args(arguments)
    if urlsplit(options.endpoint).scheme not in {"http", "https"}:
        parser.error(f"--endpoint must be an http or https URL, not {options.endpoint!r}")
    regions = tuple(region for region in options.regions.split(",") if region)
    if not regions:
        parser.error("--regions must list at least one Region")
    return Settings(options.endpoint, regions, options.state)


def main(arguments: Sequence[str] | None = None) -> int:
    """Poll until SIGTERM or SIGINT, then return 0; return 1 after a fatal error."""  # noqa: DOC501 - it handles the error
    settings = parse(sys.argv[1:] if arguments is None else arguments)
    json_log = JsonLog()
    try:
        try:
            settings.state.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"Can't create the state directory {settings.state}: {error.strerror}."
            ) from error
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
