"""`python -m tools.report --endpoint URL --bucket B`: report on the last replay."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from aws_emulator.errors import CommandError
from tools.replay.__main__ import OUT
from tools.replay.command import SUMMARY
from tools.replay.ledger import Summary
from tools.report.command import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 if anything is missing or cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m tools.report", description=__doc__)
    parser.add_argument("--endpoint", required=True, help="the emulator, http://127.0.0.1:PORT")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--bucket", required=True, help="the lake bucket of that region")
    parser.add_argument("--run", type=Path, default=OUT, help=f"folder of {SUMMARY}")
    parser.add_argument("--poller-status", type=Path, help="the poller's poller-status.json")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    options = parser.parse_args(arguments)
    try:
        return run(
            endpoint=options.endpoint,
            region=options.region,
            bucket=options.bucket,
            poller_status=options.poller_status,
            summary=Summary.read(options.run / SUMMARY),
            directory=options.run,
            output=options.json,
        )
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
