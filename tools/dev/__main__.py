"""`python -m tools.dev COMMAND`: the commands behind targets of `make`."""

import argparse
import os
import signal

from tools.cli import exit_code
from tools.dev import commands
from tools.dev.options import Options
from tools.dev.region import change_regions
from tools.dev.student import student


def main() -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.dev", description=__doc__)
    parser.add_argument("command", choices=["run", "up", "dev", "down", "student", "region"])
    name = parser.parse_args().command
    # A shell without job control starts background commands with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if name == "student":
        return exit_code(lambda: student(os.environ))
    if name == "region":
        return exit_code(lambda: change_regions(os.environ))
    command = {
        "run": commands.run,
        "up": commands.up,
        "dev": commands.dev,
        "down": commands.down,
    }[name]
    return exit_code(lambda: command(Options.from_environment(os.environ)))


if __name__ == "__main__":
    raise SystemExit(main())
