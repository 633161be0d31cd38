"""`python -m tools.dev run | up | chaos | down`: what `make` calls by the same words."""

import argparse
import os
import signal
import sys
from collections.abc import Callable

from aws_emulator.errors import CommandError
from tools.dev import commands


def main() -> int:
    """Run one command; return its exit code. A CommandError is one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tools.dev", description=__doc__)
    parser.add_argument("command", choices=["run", "up", "chaos", "down"])
    asked = parser.parse_args().command
    doing: dict[str, Callable[[commands.Wishes], int]] = {
        "run": commands.run,
        "up": commands.up,
        "chaos": commands.chaos,
        "down": commands.down,
    }
    # A shell starts what it runs in the background deaf to this signal, and Python stays so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return doing[asked](commands.Wishes.of(os.environ))
    except CommandError as error:
        print(f"\nmeridian: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nmeridian: stopped; nothing is left running.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
