"""`python -m tools.replay --url URL --write-key K`: replay an access log to the collector."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.cli import exit_code
from tools.paths import STATE
from tools.replay.command import SUMMARY, choose_log, run

#: The default of --out.
OUTPUT_DIRECTORY: Final = STATE
DEFAULT_CLIENTS: Final = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay a log and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.replay", description=__doc__)
    parser.add_argument(
        "--url", required=True, help="the emulated CloudFront distribution, http://127.0.0.1:PORT"
    )
    parser.add_argument("--write-key", required=True)
    parser.add_argument(
        "--log",
        default=os.environ.get("LOG") or None,
        help="path or URL of an access log, or 'model' for the modelled school day "
        "(default: $LOG, then the public log)",
    )
    parser.add_argument("--clients", type=int, default=DEFAULT_CLIENTS)
    parser.add_argument("--out", type=Path, default=OUTPUT_DIRECTORY, help=f"folder for {SUMMARY}")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _replay(options))


def _replay(options: argparse.Namespace) -> int:
    summary = run(
        url=options.url,
        write_key=options.write_key,
        source=choose_log(options.log),
        clients=options.clients,
        tokens={},
        directory=options.out,
    )
    print(
        f"  {summary.sent:,} events in {summary.requests:,} requests and {summary.seconds:.1f} s: "
        f"{summary.accepted:,} accepted, {sum(summary.rejected.values()):,} rejected"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
