"""`python -m tools.replay --url URL --write-key K`: replay an access log to the local edge."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from aws_emulator.errors import CommandError
from tools.replay.command import SUMMARY, run
from tools.replay.source import ROOT

#: Where the summary and the ledger are written unless --out says otherwise.
OUT = ROOT / ".meridian"
CLIENTS = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 and one sentence when it cannot go on."""
    parser = argparse.ArgumentParser(prog="python -m tools.replay", description=__doc__)
    parser.add_argument("--url", required=True, help="the local edge, http://127.0.0.1:PORT")
    parser.add_argument("--write-key", required=True)
    parser.add_argument(
        "--log",
        default=os.environ.get("LOG") or None,
        help="path or address of an access log; 'model' for the modelled day (default: $LOG, "
        "else the public log)",
    )
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder for {SUMMARY}")
    options = parser.parse_args(arguments)
    try:
        summary = run(
            url=options.url,
            write_key=options.write_key,
            source=options.log,
            clients=options.clients,
            tokens={},
            directory=options.out,
        )
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(
        f"  {summary.sent:,} events in {summary.requests:,} requests and {summary.seconds:.1f} s: "
        f"{summary.accepted:,} accepted, {sum(summary.rejected.values()):,} rejected"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
