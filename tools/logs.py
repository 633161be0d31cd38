"""`python -m tools.logs`: print and follow the logs of the system of `make up` (`make logs`).

FUNCTION limits the output to one function (logical ID or function name), TRACE to one request ID.
FOLLOW=0 ends after the existing lines.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.deployed_functions import function_names
from aws_emulator.errors import CommandError
from aws_emulator.launcher import CLOUDFRONT, EVENT_SOURCES, REST_API
from aws_emulator.log_lines import LogLine, parse_access_line, parse_server_line
from aws_emulator.logs import FileReader, LogGroupReader, MergeBuffer, Reader, format_line, matches
from tools.cli import exit_code, reason_of
from tools.paths import STATE
from tools.stack import (
    DEFAULT_HOME_REGION,
    EDGE_REGION,
    RUNNING_SYSTEM_FILE,
    StackTarget,
    client,
    find_running_stack,
)

INTERVAL_S: Final = 0.5
_FUNCTION_GROUP: Final = "/aws/lambda/"


@dataclass(frozen=True)
class LogOptions:
    """FUNCTION, TRACE and FOLLOW."""

    function: str = ""
    trace: str = ""
    follow: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "LogOptions":
        """Read the options from environment variables."""
        return cls(
            environment.get("FUNCTION", "").strip(),
            environment.get("TRACE", "").strip(),
            environment.get("FOLLOW", "1").strip() != "0",
        )


@dataclass
class SystemLogs:
    """The readers of a running system. Log groups appear when a function first runs.

    `names` has the function names by logical ID. `function` limits the output to that name. Sources
    outside `home` have their Region behind the name.
    """

    clients: list[tuple[str, Any]]
    names: Mapping[str, str]
    directory: Path
    function: str | None = None
    home: str = DEFAULT_HOME_REGION
    _readers: dict[tuple[str, str], Reader] = field(default_factory=dict)

    def read(self, now_ms: int) -> list[LogLine]:
        """Return the new lines of all logs, the oldest first."""
        self._find_groups()
        if self.function is None:
            self._find_files()
        merged = MergeBuffer()
        for reader in self._readers.values():
            merged.add(reader.read(now_ms))
        return merged.take_all()

    def _find_groups(self) -> None:
        logical = {name: logical_id for logical_id, name in self.names.items()}
        for region, logs in self.clients:
            for page in logs.get_paginator("describe_log_groups").paginate():
                for group in page["logGroups"]:
                    path = str(group["logGroupName"])
                    name = path.removeprefix(_FUNCTION_GROUP)
                    if self.function not in (None, name):
                        continue
                    # A replica of an edge function: /aws/lambda/us-east-1.<name>.
                    name = name.removeprefix(f"{EDGE_REGION}.")
                    source = logical.get(name, name.rpartition("/")[2])
                    if region != self.home:
                        source = f"{source}@{region}"
                    self._readers.setdefault((region, path), LogGroupReader(logs, path, source))

    def _find_files(self) -> None:
        for path in self.directory.glob("*-access.jsonl"):
            name = _source(path.name.removesuffix("-access.jsonl"))
            self._readers.setdefault(("", path.name), FileReader(path, name, parse_access_line))
        for path in (
            *(self.directory / f"{name}.log" for name in (EVENT_SOURCES, REST_API, CLOUDFRONT)),
            *self.directory.glob(f"{CLOUDFRONT}-*.log"),
        ):
            reader = FileReader(path, _source(path.stem), parse_server_line)
            self._readers.setdefault(("", path.name), reader)


def _source(name: str) -> str:
    """Return the source of a server's log; a further edge location has its Region behind it."""
    return name.replace(f"{CLOUDFRONT}-", f"{CLOUDFRONT}@")


def run(options: LogOptions) -> int:
    """Print the existing lines, then new ones until Ctrl-C or the end of the system.

    Raises:
        CommandError: No system is running, or it has no such function.
    """
    target = find_running_stack(STATE / "up")
    if target is None:
        raise CommandError("No system is running. Start `make up` in another terminal first.")
    try:
        return _print_logs(open_logs(target, STATE / "up", options.function), options)
    except (ClientError, BotoCoreError) as error:
        if find_running_stack(STATE / "up") is None:
            print("The system has stopped.", file=sys.stderr)
            return 0
        raise CommandError(
            f"Can't read the logs of `make up`: {reason_of(error)}. Restart `make up`."
        ) from error
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has ended. Python flushes stdout once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def find_name(names: Mapping[str, str], function: str) -> str | None:
    """Return the function name for a logical ID or function name; None for an empty one.

    Raises:
        CommandError: The stack has no such function.
    """
    if not function:
        return None
    if function in names.values():
        return function
    if function not in names:
        available = ", ".join(sorted(names))
        raise CommandError(
            f"FUNCTION={function} is not in the running system. Functions: {available}."
        )
    return names[function]


def open_logs(target: StackTarget, directory: Path, function: str = "") -> SystemLogs:
    """Return the logs of the system that runs in `directory`, limited to a function if given.

    Raises:
        CommandError: The system has no such function.
    """
    record = json.loads((directory / RUNNING_SYSTEM_FILE).read_text())
    regions = [str(it) for it in record["regions"]]
    names: dict[str, str] = {}
    for region in regions:
        regional = StackTarget(target.endpoint, region, target.stage)
        names |= function_names(client("cloudformation", regional), regional.stack_name)
    clients = [(it, client("logs", StackTarget(target.endpoint, it))) for it in regions]
    return SystemLogs(clients, names, directory / "logs", find_name(names, function), regions[0])


def _print_logs(logs: SystemLogs, options: LogOptions) -> int:
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    pending = MergeBuffer()
    first = True
    while True:
        now_ms = round(time.time() * 1000)
        pending.add(logs.read(now_ms))
        # The existing lines are complete: only new ones wait for late lines.
        lines = pending.take_all() if first else pending.take(now_ms)
        first = False
        for line in lines:
            if matches(line, options.trace):
                print(format_line(line, color=color))
        sys.stdout.flush()
        if not options.follow:
            return 0
        time.sleep(INTERVAL_S)


def main() -> int:
    """Run the command with the options that `make` exports, and return its exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return exit_code(lambda: run(LogOptions.from_environment(os.environ)))


if __name__ == "__main__":
    raise SystemExit(main())
