"""Count the calls that a MiniStack module makes, so that tests measure work instead of time.

POST /_local/calls?module=ministack.services.sqs starts a count, GET returns it, DELETE ends it. The
count covers calls in the source files of the module and of the patches, by the qualified name of
the called function: {"ministack.services.sqs._ensure_msg_fields": 12, "time.sleep": 1}.
"""

import importlib
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi, Query

_PATCHES: Final = str(Path(__file__).with_name("patches"))
#: One of the tool identifiers that `sys.monitoring` leaves to applications.
_TOOL: Final = 4
_CALL: Final = sys.monitoring.events.CALL


def install(control: ControlApi) -> None:
    """Add the three methods of /_local/calls."""
    counts: Counter[str] = Counter()

    def start(query: Query) -> dict[str, int]:
        module = query.get("module", "")
        if not module.startswith("ministack."):
            raise ValueError("expected module=, the name of a module of MiniStack")
        try:
            source = str(importlib.import_module(module).__file__)
        except ImportError as error:
            raise ValueError(f"can't count the calls of {module}: {error}") from error
        stop({})
        sys.monitoring.use_tool_id(_TOOL, "call counts")
        sys.monitoring.register_callback(_TOOL, _CALL, _counter(source, counts))
        sys.monitoring.set_events(_TOOL, _CALL)
        sys.monitoring.restart_events()
        return counts

    def stop(_query: Query) -> dict[str, int]:
        if sys.monitoring.get_tool(_TOOL):
            sys.monitoring.set_events(_TOOL, sys.monitoring.events.NO_EVENTS)
            sys.monitoring.register_callback(_TOOL, _CALL, None)
            sys.monitoring.free_tool_id(_TOOL)
        ended = dict(counts)
        counts.clear()
        return ended

    control.add("POST", "/_local/calls", start)
    control.add("GET", "/_local/calls", lambda _query: counts)
    control.add("DELETE", "/_local/calls", stop)


def _counter(source: str, counts: Counter[str]) -> Callable[[CodeType, int, Any, Any], Any]:
    """Return a callback that counts calls in one source file and in the patches."""

    def count(code: CodeType, _offset: int, called: Any, _first: Any) -> Any:
        if code.co_filename != source and not code.co_filename.startswith(_PATCHES):
            # The interpreter doesn't report this call instruction again.
            return sys.monitoring.DISABLE
        module = getattr(called, "__module__", None)
        name = getattr(called, "__qualname__", type(called).__qualname__)
        counts[f"{module}.{name}" if module else str(name)] += 1
        return None

    return count
