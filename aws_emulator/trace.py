"""The path of a request through a system, as a tree of spans with times.

A project finds the spans in its logs (`invocations_of` groups those of functions) and prints them
with `format_tree`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from aws_emulator.log_lines import LogLine

_DURATION: Final = re.compile(r"\bDuration: ([\d.]+) ms")
_COLUMN: Final = 12


@dataclass
class Span:
    """A step of the path: its start in Unix milliseconds and its duration, None if unknown."""

    name: str
    start_ms: float | None = None
    duration_ms: float | None = None
    children: list["Span"] = field(default_factory=list)

    def add(self, *children: "Span") -> "Span":
        """Add children in the given order, and return the last one, or the span itself."""
        self.children += children
        return self.children[-1] if children else self

    def names(self) -> list[str]:
        """Return the names of the span and its descendants, in the order of the printed tree."""
        return [self.name, *(name for child in self.children for name in child.names())]


@dataclass(frozen=True)
class Invocation:
    """An invocation of a function, with its log lines without the REPORT line.

    Until the invocation has ended, `duration_ms` equals None.
    """

    source: str
    request_id: str
    end_ms: float
    duration_ms: float | None
    lines: tuple[LogLine, ...]

    @property
    def start_ms(self) -> float:
        """The start: the end without the duration."""
        return self.end_ms - (self.duration_ms or 0)

    def values(self, name: str) -> set[str]:
        """Return the values of a field in the invocation's log lines."""
        return {str(line.fields[name]) for line in self.lines if line.fields.get(name)}


def invocations_of(lines: Iterable[LogLine]) -> list[Invocation]:
    """Group the lines of functions by invocation, in the order of their start."""
    groups: dict[tuple[str, str], list[LogLine]] = {}
    for line in lines:
        if line.invocation:
            groups.setdefault((line.source, line.invocation), []).append(line)
    invocations = []
    for (source, request_id), group in groups.items():
        reports = [it for it in group if it.message.startswith("REPORT ")]
        matched = _DURATION.search(reports[0].text) if reports else None
        duration_ms = float(matched[1]) if matched else None
        end_ms = max(it.time_ms for it in group)
        rest = tuple(it for it in group if it not in reports)
        invocations.append(Invocation(source, request_id, end_ms, duration_ms, rest))
    return sorted(invocations, key=lambda it: it.start_ms)


def format_tree(root: Span) -> str:
    """Return one line per span: offset from the root's start, duration, and name in a tree."""
    lines = list(_lines(root, root.start_ms, "", "", ""))
    heading = f"{'offset':>{_COLUMN}} {'duration':>{_COLUMN}}"
    return "\n".join([heading, *lines])


def _lines(
    span: Span, origin_ms: float | None, first: str, following: str, branch: str
) -> Iterator[str]:
    offset = (
        ""
        if span.start_ms is None or origin_ms is None
        else f"{span.start_ms - origin_ms:+,.0f} ms"
    )
    duration = "" if span.duration_ms is None else f"{span.duration_ms:,.0f} ms"
    yield f"{offset:>{_COLUMN}} {duration:>{_COLUMN}}  {first}{branch}{span.name}"
    for number, child in enumerate(span.children, start=1):
        last = number == len(span.children)
        inner = following + ("   " if last else "│  ")
        yield from _lines(child, origin_ms, following, inner, "└─ " if last else "├─ ")


def summarize(items: Sequence[Span], limit: int) -> list[Span]:
    """Return the first `limit` spans, and one that counts the rest."""
    shown = list(items[:limit])
    if len(items) > limit:
        shown.append(Span(f"and {len(items) - limit} more"))
    return shown
