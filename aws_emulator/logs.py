"""Read and merge the logs of a running emulator: log groups of CloudWatch Logs, and log files.

A reader's `read` returns the lines since its last call. `MergeBuffer` sorts the lines of several
readers by time. `python -m tools.logs` (`make logs`) prints them.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from aws_emulator.log_lines import LogLine, invocation_of, parse_function_line

#: FilterLogEvents returns at most this many events. The emulator returns no token for the rest.
PAGE_SIZE: Final = 10_000
#: Streams are written concurrently, so a line may appear after a newer one of another stream.
OVERLAP_MS: Final = 2_000
#: How long lines are kept back in the order of time while logs are followed.
SETTLE_MS: Final = 1_000
_COLORS: Final = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
_SOURCE_WIDTH: Final = 22

type Parse = Callable[[str, str, int], LogLine | None]


class Reader(Protocol):
    """A source of log lines."""

    def read(self, now_ms: int) -> list[LogLine]:
        """Return the lines since the last call. `now_ms` is the time of lines without a time."""
        ...


@dataclass
class LogGroupReader:
    """Read a log group. `logs` is a CloudWatch Logs client, `source` the name in the lines."""

    logs: Any
    group: str
    source: str
    _start_ms: int = 0
    _seen: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    _invocations: dict[str, str] = field(default_factory=dict)

    def read(self, now_ms: int) -> list[LogLine]:  # noqa: ARG002 - all events have a time
        """Return the new lines. Lines of an invocation have its request ID."""
        lines: list[LogLine] = []
        full = True
        while full:
            events = self.logs.filter_log_events(
                logGroupName=self.group, startTime=self._start_ms, limit=PAGE_SIZE
            )["events"]
            lines += self._new_lines(events)
            newest = max((int(it["timestamp"]) for it in events), default=0)
            # A full page of one millisecond would be read for ever.
            full = len(events) >= PAGE_SIZE and newest > self._start_ms
            self._start_ms = max(self._start_ms, newest if full else newest - OVERLAP_MS)
        return lines

    def _new_lines(self, events: Sequence[dict[str, Any]]) -> list[LogLine]:
        counts: Counter[tuple[str, int, str]] = Counter()
        lines = []
        for event in events:
            stream, text = str(event["logStreamName"]), str(event["message"])
            time_ms = int(event["timestamp"])
            invocation = invocation_of(text)
            if invocation is not None:
                self._invocations[stream] = invocation[1]
            key = (stream, time_ms, text)
            counts[key] += 1
            if counts[key] <= self._seen[key]:
                continue
            request_id = self._invocations.get(stream, "")
            line = parse_function_line(self.source, time_ms, text, request_id)
            if line is not None:
                lines.append(line)
        self._seen = counts
        return lines


@dataclass
class FileReader:
    """Read a growing file. Incomplete last lines are returned when they are complete."""

    path: Path
    source: str
    parse: Parse
    _position: int = 0
    _started: bool = False

    def read(self, now_ms: int) -> list[LogLine]:
        """Return the new lines. Lines without a time that existed before get the file's time."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_size < self._position:  # another system started and emptied it
                    self._position = 0
                file.seek(self._position)
                content = file.read()
        except FileNotFoundError:
            return []
        complete = content[: content.rfind(b"\n") + 1]
        self._position += len(complete)
        default_ms = now_ms if self._started else round(status.st_mtime * 1000)
        self._started = True
        parsed = (
            self.parse(self.source, line, default_ms)
            for line in complete.decode(errors="replace").split("\n")
            if line.strip()
        )
        return [line for line in parsed if line is not None]


@dataclass
class MergeBuffer:
    """Sort lines by time. A line waits until it is `settle_ms` old, so that late ones precede."""

    settle_ms: int = SETTLE_MS
    _lines: list[LogLine] = field(default_factory=list)

    def add(self, lines: Iterable[LogLine]) -> None:
        """Add lines in any order."""
        self._lines += lines

    def take(self, now_ms: int) -> list[LogLine]:
        """Return the lines that are old enough, the oldest first."""
        limit = now_ms - self.settle_ms
        self._lines.sort(key=lambda line: line.time_ms)
        lines = [line for line in self._lines if line.time_ms <= limit]
        del self._lines[: len(lines)]
        return lines

    def take_all(self) -> list[LogLine]:
        """Return the rest, the oldest first."""
        lines, self._lines = sorted(self._lines, key=lambda line: line.time_ms), []
        return lines


def matches(line: LogLine, trace: str) -> bool:
    """Return whether a line belongs to a request: by its request ID or by its text."""
    return not trace or trace in (line.request_id, line.message) or trace in line.text


def format_line(line: LogLine, *, color: bool) -> str:
    """Return time (UTC), source, level, message and request ID. Further lines are indented."""
    moment = datetime.fromtimestamp(line.time_ms / 1000, UTC)
    time = f"{moment:%Y-%m-%dT%H:%M:%S}.{line.time_ms % 1000:03d}Z"
    message = line.message.replace("\r", "\n").replace("\n", "\n    ")
    source, level = f"{line.source:{_SOURCE_WIDTH}}", f"{line.level:8}"
    request_id = line.request_id
    if color:
        source = f"\x1b[36m{source}\x1b[0m"
        request_id = f"\x1b[2m{request_id}\x1b[0m" if request_id else ""
        if code := _COLORS.get(line.level):
            level, message = f"\x1b[{code}m{level}\x1b[0m", f"\x1b[{code}m{message}\x1b[0m"
    return f"{time} {source} {level} {message} {request_id}".rstrip()
