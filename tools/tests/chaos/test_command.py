"""Tests of the order of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tools.chaos import command
from tools.chaos.plan import Plan


class Recorder:
    """Stands for the sender, the writer and the injector: `calls` has the calls in their order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.calls.append(name)

    @contextmanager
    def failing_writes(self) -> Iterator[None]:
        """Record when the writes fail."""
        self.calls.append("writes fail")
        yield
        self.calls.append("writes work")


def test_reserved_changes_are_discarded_before_writes_succeed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise a slow machine writes them, and `reconcile` finds no difference to repair."""
    recorder: Any = Recorder()
    monkeypatch.setattr(command, "_wait_until_drained", recorder.drain)
    monkeypatch.setattr(command, "_put_unreadable_records", recorder.put_unreadable)
    running: Any = None
    command._send_under_faults(running, Plan(seed=1), recorder, recorder, recorder)
    calls = recorder.calls
    fail, work = calls.index("writes fail"), calls.index("writes work")
    assert calls.index("drain") == fail - 1
    assert fail < calls.index("write_reserved") < calls.index("drain", fail) < work
    assert calls.index("send_reserved") < calls.index("drain", fail)
