"""Refuse payloads over the limits of Lambda's Invoke.

Gap: an invocation has no limit for its request and its response.
Seen in: ministack 1.5.33, lambda_svc.py, _invoke.
Delete when: an invocation with a payload over 6 MB fails.
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import (
    Application,
    ControlApi,
    Message,
    Receive,
    Send,
    answer,
)
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], Any]

# Lambda quotas, "Invocation payload (request and response)": "6 MB each for request and response
# (synchronous)", "1 MB for the asynchronous request". Lambda reports the exact first number.
MAX_SYNCHRONOUS_BYTES: Final = 6_291_556
MAX_ASYNCHRONOUS_BYTES: Final = 1_048_576
_INVOKE: Final = re.compile(r"/2015-03-31/functions/[^/]+/invocations/?")


def install(_settings: Settings, _control: ControlApi, application: Application) -> Application:
    """Check the announced length of each request, and the length of each response."""
    service = Symbols("ministack.services.lambda_svc", "_invoke")

    def limited(original: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        async def invoke(*arguments: Any, **named: Any) -> Response:
            status, headers, body = await original(*arguments, **named)
            size = len(body) if isinstance(body, bytes | str) else 0
            if size <= MAX_SYNCHRONOUS_BYTES:
                return status, headers, body
            failure = {
                "errorMessage": "Response payload size exceeded maximum allowed payload size "
                f"({MAX_SYNCHRONOUS_BYTES} bytes).",
                "errorType": "Function.ResponseSizeTooLarge",
            }
            headers = {**headers, "X-Amz-Function-Error": "Unhandled"}
            return status, headers, json.dumps(failure).encode()

        return invoke

    async def with_limits(scope: Message, receive: Receive, send: Send) -> None:
        size, limit = _size(scope)
        if size <= limit:
            await application(scope, receive, send)
            return
        # A client that still sends the body would not read the response.
        while (await receive()).get("more_body"):
            pass
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        error = {"x-amzn-errortype": "RequestTooLargeException"}
        await answer(send, 413, {"Type": "User", "Message": message}, error)

    service.wrap("_invoke", limited)
    return with_limits


def _size(scope: Message) -> tuple[int, int]:
    """Return the size of an invocation's payload and its limit, or (0, 0) for other requests."""
    if scope["type"] != "http" or not _INVOKE.fullmatch(scope.get("path", "")):
        return 0, 0
    headers = dict(scope["headers"])
    asynchronous = headers.get(b"x-amz-invocation-type") == b"Event"
    limit = MAX_ASYNCHRONOUS_BYTES if asynchronous else MAX_SYNCHRONOUS_BYTES
    return int(headers.get(b"content-length", b"0")), limit
