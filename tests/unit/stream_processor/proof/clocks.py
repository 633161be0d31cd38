"""Clocks of the simulated processes, hours apart.

Each invocation and each operator's command reads its own clock. No clock may decide what the writer
writes, and a list names every module that reads one; a test compares it with the source.
"""

import random
import threading
from collections.abc import Callable
from datetime import datetime, tzinfo
from types import SimpleNamespace
from typing import Any, Final

import pytest

from stream_processor.commit import event_writer, shard_log
from stream_processor.repair import lake_inventory, stream_reader, verify

#: The modules that call `time.time`, and those that call `datetime.now`, besides command lines.
TIME_READERS: Final = (event_writer, shard_log, stream_reader)
DATETIME_READERS: Final = (shard_log, lake_inventory, verify)

#: The error of a clock in seconds. A clock that was never set shows 1970.
ERRORS_S: Final = (0.0, 0.0, -1.0, 61.0, -3_700.0, 4 * 3_600.0, -26 * 3_600.0, 9 * 86_400.0)


class Clocks:
    """The clocks of one history, whose true time `now` returns."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        #: The error of the clock that this thread's process reads.
        self._process = threading.local()

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the writer read these clocks."""
        for module in TIME_READERS:
            clock = SimpleNamespace(time=self.time)
            monkeypatch.setattr(f"{module.__name__}.time", clock)
        clocks = self

        class SkewedDatetime(datetime):
            """`datetime`, whose `now` reads the process's clock."""

            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return datetime.fromtimestamp(clocks.time(), tz)

        for module in DATETIME_READERS:
            monkeypatch.setattr(f"{module.__name__}.datetime", SkewedDatetime)

    def time(self) -> float:
        """Return the time that this process's clock shows, in Unix seconds."""
        return self._now() + float(getattr(self._process, "error", 0.0))

    def start(self, error_s: float) -> None:
        """Start a process with a clock that is wrong by `error_s`."""
        self._process.error = error_s


def draw_error(rng: random.Random, *, skewed: bool) -> float:
    """Draw the error of a process's clock."""
    return rng.choice(ERRORS_S) if skewed else 0.0
