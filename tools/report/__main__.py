"""`python -m tools.report --endpoint URL --bucket B`: report on the last replay."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tools.cli import exit_code
from tools.replay.__main__ import OUTPUT_DIRECTORY
from tools.replay.command import SUMMARY
from tools.replay.ledger import Summary
from tools.report.command import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report. Returns 1 if events are missing, counts differ or S3 fails."""
    parser = argparse.ArgumentParser(prog="python -m tools.report", description=__doc__)
    parser.add_argument(
        "--endpoint", required=True, help="the emulator's endpoint, http://127.0.0.1:PORT"
    )
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--bucket", required=True, help="the data lake bucket in that Region")
    parser.add_argument("--run", type=Path, default=OUTPUT_DIRECTORY, help=f"folder with {SUMMARY}")
    parser.add_argument(
        "--poller-status", type=Path, help="poller-status.json of the event source mappings"
    )
    parser.add_argument(
        "--json", type=Path, help="output file for the numbers (default: report.json)"
    )
    parser.add_argument(
        "--log-group", help="log group of EventsFunction, from which the lag is measured"
    )
    options = parser.parse_args(arguments)
    return exit_code(
        lambda: run(
            endpoint=options.endpoint,
            region=options.region,
            bucket=options.bucket,
            poller_status=options.poller_status,
            summary=Summary.read(options.run / SUMMARY),
            directory=options.run,
            output=options.json,
            log_group=options.log_group,
        )
    )


if __name__ == "__main__":
    raise SystemExit(main())
