"""Limit the processes of a function; further invocations wait for a free one.

Gap: an invocation that finds no free process starts another at once. Forty simultaneous executions
start eighty interpreters, which take ten seconds on a few cores, while a running process would be
free after milliseconds.
Seen in: ministack 1.5.33, core/lambda_runtime.py, acquire_worker ("no per-function ceiling").
Delete when: the number of processes per function has a limit at which invocations wait.

Lambda creates as many execution environments as it needs, on separate machines. After 10 seconds an
invocation gets another process despite the limit: a function that invokes itself would deadlock.
"""

import os
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: Per function: one process per core, and one that may wait for a response meanwhile.
MAX_PROCESSES: Final = (os.cpu_count() or 1) + 1
_MAX_WAIT_S: Final = 10.0


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Make an invocation wait for a process before its concurrency is counted."""
    service = Symbols(
        "ministack.services.lambda_svc",
        "_acquire_execution_slot",
        "_inflight_key",
        "_release_execution_slot",
    )
    turns: defaultdict[str, threading.Semaphore] = defaultdict(
        lambda: threading.Semaphore(MAX_PROCESSES)
    )
    held: Counter[str] = Counter()
    lock = threading.Lock()

    def acquiring(original: Callable[..., Any]) -> Callable[..., Any]:
        def acquire(func: dict[str, Any], config: dict[str, Any]) -> Any:
            if not str(config.get("Runtime", "")).startswith("python"):
                return original(func, config)
            key = service["_inflight_key"](config)
            mine = turns[key].acquire(timeout=_MAX_WAIT_S)
            slot, limit = original(func, config)
            if mine and slot is None:
                turns[key].release()
            elif mine:
                with lock:
                    held[key] += 1
            return slot, limit

        return acquire

    def releasing(original: Callable[[str], None]) -> Callable[[str], None]:
        def release(key: str) -> None:
            original(key)
            with lock:
                mine = held[key] > 0
                held[key] -= mine
            if mine:
                turns[key].release()

        return release

    service.wrap("_acquire_execution_slot", acquiring)
    service.wrap("_release_execution_slot", releasing)
