"""Give an S3 event the ID of the request that caused it.

Gap: an event has an ID of its own, so nothing connects it with the request. On AWS, the event's
`request-id` (EventBridge) or `x-amz-request-id` (notifications) is that of the response's header.
Seen in: ministack 1.5.33, s3.py, handle_request and _fire_s3_event.
Delete when: the two IDs are equal.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_HEADER: Final = "x-amz-request-id"
#: The ID of the current request. MiniStack sends events in a copy of the request's context.
_request: ContextVar[str | None] = ContextVar("s3_request_id", default=None)
#: The same ID while an event is built, otherwise None.
_event: ContextVar[str | None] = ContextVar("s3_event_request_id", default=None)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Choose an ID at the start of each request, for the response and for the events."""
    service = Symbols("ministack.services.s3", "_fire_s3_event", "handle_request", "new_uuid")
    new_id = service["new_uuid"]

    def around_request(original: Callable[..., Any]) -> Callable[..., Any]:
        async def handle_request(*arguments: Any, **named: Any) -> Any:
            chosen = new_id()
            token = _request.set(chosen)
            try:
                status, headers, body = await original(*arguments, **named)
            finally:
                _request.reset(token)
            # Errors have an ID in their body too.
            return status, {**headers, **({_HEADER: chosen} if status < 400 else {})}, body

        return handle_request

    def around_event(original: Callable[..., None]) -> Callable[..., None]:
        def fire(*arguments: Any, **named: Any) -> None:
            token = _event.set(_request.get())
            try:
                original(*arguments, **named)
            finally:
                _event.reset(token)

        return fire

    service.wrap("handle_request", around_request)
    service.wrap("_fire_s3_event", around_event)
    service.wrap("new_uuid", lambda original: lambda: _event.get() or original())
