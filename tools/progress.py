"""Show the progress of long steps: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

#: The interval between two plain lines of a step.
PLAIN_INTERVAL_S: Final = 5.0


class Step:
    """One long step. `total` is its number of units of work, or None if unknown."""

    def __init__(self, title: str, total: int | None = None) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self.text = ""

    def advance(self, count: int = 1) -> None:
        """Add `count` completed units."""
        self.done += count
        self._show()

    def note(self, text: str) -> None:
        """Show `text` beside the title."""
        self.text = text
        self._show()

    def _show(self) -> None:
        raise NotImplementedError


def remaining_s(done: int, total: int | None, elapsed_s: float) -> float | None:
    """Return the estimated seconds until `done` reaches `total`, or None if unknown."""
    if not total or not 0 < done <= total:
        return None
    return elapsed_s * (total - done) / done


class _PlainStep(Step):
    def __init__(self, title: str, total: int | None = None) -> None:
        super().__init__(title, total)
        self._started = self._last = time.monotonic()

    def _show(self) -> None:
        if time.monotonic() - self._last < PLAIN_INTERVAL_S:
            return
        self._last = time.monotonic()
        count = f" {self.done:,}/{self.total:,}" if self.total else ""
        remaining = remaining_s(self.done, self.total, self._last - self._started)
        estimate = "" if remaining is None else f", about {remaining:,.0f} s left"
        print(f"  {self.title}{count}{estimate} {self.text}".rstrip(), flush=True)


class _BarStep(Step):
    def __init__(self, title: str, total: int | None, progress: Progress) -> None:
        super().__init__(title, total)
        self._progress = progress
        self._task = progress.add_task(title, total=total, note="")

    def _show(self) -> None:
        self._progress.update(self._task, completed=self.done, note=self.text)


@contextmanager
def step(title: str, total: int | None = None) -> Iterator[Step]:
    """Show a step's progress while the context runs, then print its duration."""
    started = time.monotonic()
    if sys.stdout.isatty():
        columns = [
            SpinnerColumn(),
            TextColumn("{task.description:<28}", table_column=Column(min_width=28)),
            BarColumn(bar_width=24, table_column=Column(min_width=24)),
            *([MofNCompleteColumn()] if total else []),
            TimeElapsedColumn(table_column=Column(min_width=7)),
            *([TimeRemainingColumn(compact=True)] if total else []),
            # A long note is cut off and doesn't shrink the bar.
            TextColumn("[dim]{task.fields[note]}", table_column=Column(ratio=1, no_wrap=True)),
        ]
        with Progress(*columns, console=Console(), transient=True, expand=True) as progress:
            yield _BarStep(title, total, progress)
    else:
        print(f"… {title}", flush=True)
        yield _PlainStep(title, total)
    print(f"✓ {title:<44} {time.monotonic() - started:6.1f} s", flush=True)
