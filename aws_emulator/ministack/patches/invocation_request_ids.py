"""Answer Invoke with the request ID that the function's log has.

Gap: the response's x-amzn-requestid is another ID than the one in the log and in the function's
context, so a caller can't find the log lines of its invocation.
Seen in: ministack 1.5.33, lambda_svc.py, _invoke and _execute_function.
Delete when: the two IDs are equal.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from aws_emulator.ministack.control_api import Application, ControlApi, Message, Receive, Send
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_HEADER: Final = b"x-amzn-requestid"
#: Receives the ID of the invocation. The function runs in a thread with a copy of the context.
_collected: ContextVar[list[str] | None] = ContextVar("invocation_request_ids", default=None)


def install(_settings: Settings, _control: ControlApi, application: Application) -> Application:
    """Collect the ID where the function runs, and replace the response's header by it.

    MiniStack adds its own ID to every response after the service has answered, so only the
    outermost application can replace it.
    """
    service = Symbols("ministack.services.lambda_svc", "_execute_function_dispatch")

    def dispatching(original: Callable[..., Any]) -> Callable[..., Any]:
        def dispatch(func: Any, config: Any, event: Any, request_id: str, started: float) -> Any:
            if (collected := _collected.get()) is not None:
                collected.append(request_id)
            return original(func, config, event, request_id, started)

        return dispatch

    async def identifying(scope: Message, receive: Receive, send: Send) -> None:
        if not str(scope.get("path", "")).endswith("/invocations"):
            await application(scope, receive, send)
            return
        collected: list[str] = []
        token = _collected.set(collected)

        async def identified(message: Message) -> None:
            if message["type"] == "http.response.start" and collected:
                others = [it for it in message["headers"] if it[0].lower() != _HEADER]
                message = {**message, "headers": [*others, (_HEADER, collected[0].encode())]}
            await send(message)

        try:
            await application(scope, receive, identified)
        finally:
            _collected.reset(token)

    service.wrap("_execute_function_dispatch", dispatching)
    return identifying
