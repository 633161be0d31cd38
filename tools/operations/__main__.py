"""`python -m tools.operations redrive | reconcile | verify | compact | …`: run a command.

Without STAGE or --stack the command works on the system that `make up` started; with one of them,
on AWS with the credentials that the SDK finds.
"""

import argparse
import os

from tools.cli import exit_code
from tools.operations.commands import COMMANDS, run, select_stack


def main() -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.operations", description=__doc__)
    parser.add_argument("command", choices=list(COMMANDS))
    parser.add_argument("--stack", help="name of a stack on AWS, in the Region $REGION")
    options, arguments = parser.parse_known_args()
    return exit_code(
        lambda: run(select_stack(os.environ, options.stack), options.command, arguments).returncode
    )


if __name__ == "__main__":
    raise SystemExit(main())
