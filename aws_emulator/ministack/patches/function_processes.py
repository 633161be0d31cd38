"""A function has a few processes, and an invocation waits for one of them.

Gap: an invocation that finds no free process starts another one at once. Forty executions at the
same moment start eighty interpreters, and on a laptop's few cores each of them is ready after ten
seconds; one that works already would be free after some milliseconds.
Seen in: ministack 1.5.33, core/lambda_runtime.py, acquire_worker ("no per-function ceiling").
Delete when: the number of processes of a function has a bound at which an invocation waits.

Lambda starts as many environments as it needs, each on a machine of its own. Who has waited long
gets another process all the same: a function that waits for itself would wait for ever.
"""

import os
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

#: Processes of one function: what the cores can run, and one that waits for an answer meanwhile.
PROCESSES = (os.cpu_count() or 1) + 1
_PATIENCE_S = 10.0


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Let an invocation wait for its turn before its concurrency is counted."""
    service = Part(
        "ministack.services.lambda_svc",
        "_acquire_execution_slot",
        "_inflight_key",
        "_release_execution_slot",
    )
    turns: defaultdict[str, threading.Semaphore] = defaultdict(
        lambda: threading.Semaphore(PROCESSES)
    )
    held: Counter[str] = Counter()
    lock = threading.Lock()

    def acquiring(original: Callable[..., Any]) -> Callable[..., Any]:
        def acquire(func: dict[str, Any], config: dict[str, Any]) -> Any:
            if not str(config.get("Runtime", "")).startswith("python"):
                return original(func, config)
            key = service["_inflight_key"](config)
            mine = turns[key].acquire(timeout=_PATIENCE_S)
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
