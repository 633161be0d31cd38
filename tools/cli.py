"""Exit codes and error messages that the commands have in common."""

import sys
from collections.abc import Callable

from aws_emulator.errors import CommandError


def reason_of(error: Exception) -> str:
    """Return an exception's text without its final period, for the middle of a message."""
    return str(error).rstrip(".")


def exit_code(command: Callable[[], int]) -> int:
    """Run a command and return its exit code.

    A CommandError becomes one message on standard error and exit code 1; Ctrl-C returns 130, as
    shells do for SIGINT.
    """
    try:
        return command()
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
