"""Answer Invoke with the request ID that the function's log has.

Gap: the response's x-amzn-requestid is another ID than the one in the log and in the function's
context, so a caller can't find the log lines of its invocation.
Seen in: ministack 1.5.33, lambda_svc.py, _invoke and _execute_function.
Delete when: the two IDs are equal.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: Receives the ID of the invocation. The function runs in a thread with a copy of the context.
_found: ContextVar[list[str] | None] = ContextVar("invocation_request_ids", default=None)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Collect the ID where the function runs, and add it to the response's headers."""
    service = Symbols("ministack.services.lambda_svc", "_execute_function_dispatch", "_invoke")

    def invoking(original: Callable[..., Any]) -> Callable[..., Any]:
        async def invoke(*arguments: Any, **named: Any) -> Any:
            collected: list[str] = []
            token = _found.set(collected)
            try:
                status, headers, body = await original(*arguments, **named)
            finally:
                _found.reset(token)
            identified = {"x-amzn-requestid": collected[0]} if collected else {}
            return status, {**headers, **identified}, body

        return invoke

    def dispatching(original: Callable[..., Any]) -> Callable[..., Any]:
        def dispatch(func: Any, config: Any, event: Any, request_id: str, started: float) -> Any:
            if (collected := _found.get()) is not None:
                collected.append(request_id)
            return original(func, config, event, request_id, started)

        return dispatch

    service.wrap("_invoke", invoking)
    service.wrap("_execute_function_dispatch", dispatching)
