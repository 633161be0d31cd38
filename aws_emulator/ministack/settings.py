"""Command-line settings of `python -m aws_emulator.ministack`."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: The address of every listener.
HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Settings:
    """The emulator's settings.

    `port` is a TCP port, 0 for a free one. All files go to `state`; `temporary` is the part of it
    that is removed at the end. `lambda_python` is the interpreter of Lambda functions, `account`
    the AWS account id. `without` names patches that are not installed, so that a test can show the
    gap that a patch closes.
    """

    port: int
    state: Path
    temporary: Path
    lambda_python: Path
    account: str
    without: frozenset[str]

    @property
    def endpoint(self) -> str:
        """The endpoint URL for AWS clients."""
        return f"http://{HOST}:{self.port}"


def _account(text: str) -> str:
    if len(text) != 12 or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not an AWS account id (12 digits)")
    return text


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a TCP port (0 to 65535)")
    return int(text)


def parse(arguments: list[str] | None = None) -> Settings:
    """Parse the command line. On an error argparse prints a message and exits with code 2."""
    parser = argparse.ArgumentParser(prog="aws_emulator.ministack", description=__doc__)
    parser.add_argument("--port", type=_port, required=True, help="TCP port; 0 is a free one")
    parser.add_argument("--state", type=Path, required=True, help="directory for all files")
    parser.add_argument(
        "--lambda-python",
        type=Path,
        required=True,
        help="interpreter with awslambdaric",
    )
    parser.add_argument("--account", type=_account, default="000000000000", help="AWS account id")
    parser.add_argument(
        "--without", action="append", default=[], help="do not install this patch; for tests"
    )
    options = parser.parse_args(arguments)
    return Settings(
        port=options.port,
        state=options.state.absolute(),
        # Unique: the guard of an earlier run may still be removing that run's directory.
        temporary=options.state.absolute() / "tmp" / f"run-{os.getpid()}",
        # Not resolved: a virtual environment's python is a link to another environment's.
        lambda_python=options.lambda_python.absolute(),
        account=options.account,
        without=frozenset(options.without),
    )
