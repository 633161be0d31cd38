"""Write the output of a function version to one log stream.

Gap: every invocation creates a log stream, and none is ever removed, so the emulator's memory grows
with each request.
Seen in: ministack 1.5.33, lambda_svc.py, _emit_lambda_logs.
Delete when: an execution environment keeps one stream, as on AWS, or streams are bounded.
"""

import hashlib
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: The newest lines that a stream keeps: those of some hundred invocations.
MAX_EVENTS: Final = 5_000

#: The last part of the stream's name while an invocation's lines are written.
_stream: ContextVar[str | None] = ContextVar("log_stream", default=None)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Name the stream after the version, and keep its newest lines."""
    service = Symbols("ministack.services.lambda_svc", "_emit_lambda_logs", "new_uuid")
    logs = Symbols("ministack.services.cloudwatch_logs", "_append_log_events")
    service.wrap("_emit_lambda_logs", _named)
    # The stream's name is the only identifier created while lines are written.
    service.wrap("new_uuid", lambda original: lambda: _stream.get() or original())
    logs.wrap("_append_log_events", _bounded)


def _named(original: Callable[..., None]) -> Callable[..., None]:
    def emit_lambda_logs(func: dict[str, Any], *rest: Any, **named: Any) -> None:
        config = func.get("config") or func
        version = f"{config.get('FunctionArn')}:{config.get('Version')}"
        token = _stream.set(hashlib.sha256(version.encode()).hexdigest()[:32])
        try:
            original(func, *rest, **named)
        finally:
            _stream.reset(token)

    return emit_lambda_logs


def _bounded(original: Callable[..., None]) -> Callable[..., None]:
    def append_log_events(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
        original(stream, events)
        # The margin of a tenth avoids moving all lines for each new one.
        if _stream.get() and len(stream["events"]) > MAX_EVENTS * 1.1:
            del stream["events"][:-MAX_EVENTS]

    return append_log_events
