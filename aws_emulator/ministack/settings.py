"""What the launcher is told on its command line, checked once."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

#: The address that every listener of the local run binds to.
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Settings:
    """The emulator's settings.

    `port`: TCP port, 0 takes a free one. `state`: directory for everything it writes.
    `temporary`: this run's own part of it, removed at the end. `lambda_python`: interpreter of the
    functions. `account`: AWS account id, twelve digits.
    `without`: shims to leave out, so that a test can show the gap that each one closes.
    """

    port: int
    state: Path
    temporary: Path
    lambda_python: Path
    account: str
    without: frozenset[str]

    @property
    def endpoint(self) -> str:
        """The emulator's address, for every AWS client."""
        return f"http://{HOST}:{self.port}"


def _account(text: str) -> str:
    if len(text) != 12 or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no AWS account id: it has twelve digits")
    return text


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no TCP port: 0 to 65535")
    return int(text)


def parse(arguments: list[str] | None = None) -> Settings:
    """Read the command line; a wrong one ends in argparse's own message and exit 2."""
    parser = argparse.ArgumentParser(prog="aws_emulator.ministack", description=__doc__)
    parser.add_argument("--port", type=_port, required=True, help="TCP port; 0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="directory for all its files")
    parser.add_argument(
        "--lambda-python", type=Path, required=True, help="interpreter with awslambdaric"
    )
    parser.add_argument("--account", type=_account, default="000000000000", help="AWS account id")
    parser.add_argument(
        "--without", action="append", default=[], help="leave out this shim (for its own test)"
    )
    given = parser.parse_args(arguments)
    return Settings(
        port=given.port,
        state=given.state.absolute(),
        # A name of its own: the guard of an earlier run may still be removing that run's.
        temporary=given.state.absolute() / "tmp" / f"run-{os.getpid()}",
        # Not resolved: a venv's python is a link, and its target is another environment.
        lambda_python=given.lambda_python.absolute(),
        account=given.account,
        without=frozenset(given.without),
    )
