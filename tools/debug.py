"""`python -m tools.debug`: run a function from src/ under a debugger (`make debug`).

FUNCTION is a logical ID. With EVENT, the function is invoked once with this JSON file, as by `make
invoke`. Without EVENT, it replaces the function in the system of `make up` until Ctrl-C: requests
reach the breakpoints. DEBUG_PORT is the port that the debugger attaches to.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from aws_emulator import debugging
from aws_emulator.debugging import DEFAULT_PORT, Debugger, DebugSession, debug_package
from aws_emulator.errors import CommandError
from aws_emulator.invoke import Deployment
from aws_emulator.processes import require_free_port
from tools.cli import exit_code
from tools.invoke import (
    BUILD,
    PYTHON,
    SETTINGS_FILE,
    published_settings,
    read_deployment,
    read_event,
    read_function,
    running_stacks,
)
from tools.paths import ROOT, STATE
from tools.stack import find_running_stack

#: The package of the debugged function: .vscode/launch.json maps it to src/.
PACKAGE: Final = STATE / "debug" / "package"
SOURCE: Final = ROOT / "src"
DEBUGPY: Final = Path(sys.prefix, "lib", "python3.13", "site-packages", "debugpy")
_POLL_S: Final = 0.5
_EXAMPLE: Final = "make debug FUNCTION=EdgeAuthFunction"


def run(options: Mapping[str, str], directory: Path = STATE / "up", build: Path = BUILD) -> int:
    """Debug FUNCTION; return 0, or 1 if an invocation with EVENT returned an error.

    Raises:
        CommandError: An option is invalid, the function needs `make up`, or its process ended.
    """
    name = options.get("FUNCTION", "").strip()
    if not name:
        raise CommandError(f"FUNCTION is missing. For example: {_EXAMPLE}")
    path, port = options.get("EVENT", ""), _port(options.get("DEBUG_PORT", ""))
    event = read_event(path) if path else None
    function, at_edge = read_function(build, name)
    home, target = running_stacks(directory, at_edge=at_edge)
    subject = name if at_edge else f"{name} without EVENT"
    if target is None and (at_edge or not path):
        raise CommandError(
            f"Debugging {subject} needs a running system. Start "
            "`make up` in another terminal first."
        )
    deployment = Deployment.undeployed(function)
    if home is not None and target is not None:
        deployment = replace(read_deployment(target, function), region=home.region)
    added = {}
    if at_edge and target is not None:
        added[SETTINGS_FILE] = published_settings(target, deployment.function_name)
    package = debug_package(function, SOURCE, PACKAGE, added)
    session = DebugSession(package, deployment, Debugger(PYTHON, DEBUGPY, port), print_line)
    with tempfile.TemporaryDirectory(prefix="debug-") as temporary, session.start(Path(temporary)):
        print_line(_instructions(name, port))
        if path:
            return _invoke_once(session, event, deployment)
        with debugging.take_over(session, deployment.endpoint, deployment.function_arn):
            print_line(
                f"{name} of `make up` runs here now: requests wait until the debugger is attached. "
                "Ctrl-C gives it back."
            )
            return _wait(session, directory)


def _invoke_once(session: DebugSession, event: object, deployment: Deployment) -> int:
    result = debugging.invoke(session, event, deployment.function_arn)
    document = result.response if result.error is None else result.error
    print(json.dumps(document, indent=2, ensure_ascii=False), flush=True)
    return 0 if result.error is None else 1


def _wait(session: DebugSession, directory: Path) -> int:
    """Wait for Ctrl-C.

    Raises:
        CommandError: The process or the system ended.
    """
    try:
        while session.alive:
            time.sleep(_POLL_S)
            if find_running_stack(directory) is None:
                raise CommandError(
                    "The system of `make up` has stopped. Start it again, then run this command "
                    "again."
                )
    except KeyboardInterrupt:
        return 0
    raise CommandError("The debugged process ended. Run the command again.")


def _port(text: str) -> int:
    if not text.strip():
        port = DEFAULT_PORT
    elif text.isdecimal() and 1_024 <= int(text) <= 65_535:
        port = int(text)
    else:
        raise CommandError(f"DEBUG_PORT must be a number from 1024 to 65535, not {text!r}.")
    require_free_port(port, "the debugger", "DEBUG_PORT=<port>")
    return port


def _instructions(name: str, port: int) -> str:
    return (
        f"{name} waits for a debugger on 127.0.0.1:{port}. In VS Code: Run and Debug, "
        "“Attach to make debug”. Breakpoints in src/ are hit. Time limits are off."
    )


def print_line(line: str) -> None:
    """Print a line to standard error; standard output is for the response."""
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Run the command with the options that `make` exports, and return its exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return exit_code(lambda: run(os.environ))


if __name__ == "__main__":
    raise SystemExit(main())
