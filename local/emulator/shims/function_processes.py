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
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from local.emulator.control import Control
from local.emulator.settings import Settings
from local.emulator.symbols import Part

#: Processes of one function: what the cores can run, and one that waits for an answer meanwhile.
PROCESSES = (os.cpu_count() or 1) + 1
_PATIENCE_S = 10.0


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Let an invocation wait for its turn before it looks for a process."""
    service = Part("ministack.services.lambda_svc", "_execute_function_provided_warm")
    turns: defaultdict[str, threading.Semaphore] = defaultdict(
        lambda: threading.Semaphore(PROCESSES)
    )

    def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
        def execute(func: dict[str, Any], event: Any, request_id: str) -> Any:
            turn = turns[(func.get("config") or func)["FunctionArn"]]
            mine = turn.acquire(timeout=_PATIENCE_S)
            try:
                return original(func, event, request_id)
            finally:
                if mine:
                    turn.release()

        return execute

    service.wrap("_execute_function_provided_warm", wrapper)
