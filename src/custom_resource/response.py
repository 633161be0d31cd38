"""Handle a custom resource's request, and send the response to CloudFormation."""

import json
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

TIMEOUT_S: Final = 10
#: CloudFormation limits a response body to 4 KB ("Custom resource response objects"). It ignores a
#: longer one, and waits.
MAX_RESPONSE_BYTES: Final = 4_096
MAX_REASON_CHARS: Final = 1_000
#: The time that stays for the response when an operation takes too long, in seconds.
ANSWER_S: Final = 5.0


class CustomResourceError(Exception):
    """Base class of errors that fail a deployment.

    `code` is stable. CloudFormation shows code and message as the resource's failure reason.
    """

    code = "custom_resource"


class _ExpiredError(BaseException):
    """Raised shortly before Lambda stops the function. No handler of Exception catches it."""


def respond(
    event: Mapping[str, Any],
    apply: Callable[[Mapping[str, Any]], dict[str, object]],
    send: Callable[[str, dict[str, object]], None],
    context: object = None,
) -> dict[str, object]:
    """Apply one request, and send exactly one response to its ResponseURL.

    Without a response, CloudFormation waits for the service timeout. So the operation ends before
    Lambda would stop the function, and a response has at most 4 KB. The log contains no property's
    value.

    Args:
        event: The request (CloudFormation, "Custom resource request objects").
        apply: Applies the request. Returns the response's PhysicalResourceId and Data, if any.
        send: Sends the response to a URL.
        context: Lambda's context object, which knows the remaining time; None for no limit.

    Raises:
        OSError: `send` failed. Lambda then retries the event.
    """
    response: dict[str, object] = {
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
    }
    try:
        with _time_limit(context):
            answer = {"Status": "SUCCESS", **apply(event)}
    except CustomResourceError as error:
        answer = _failure(response, f"[{error.code}] {error}")
    except _ExpiredError:
        answer = _failure(response, "[timeout] The function had no time left. Try again.")
    except Exception as error:  # noqa: BLE001 - without a response, the deployment would wait
        answer = _failure(response, f"[unexpected] {type(error).__name__}")
    if _size(response | answer) > MAX_RESPONSE_BYTES:
        size = f"{MAX_RESPONSE_BYTES:,} bytes"
        answer = _failure(response, f"[response_size] The attributes have more than {size}.")
    response |= answer
    line = {
        "request": event["RequestType"],
        "resource": event["LogicalResourceId"],
        "status": response["Status"],
        "reason": response.get("Reason"),
        "data": response.get("Data"),
    }
    print(json.dumps(line))
    send(event["ResponseURL"], response)
    return response


@contextmanager
def _time_limit(context: object) -> Iterator[None]:
    """End the block ANSWER_S seconds before Lambda stops the function.

    Raises:
        _ExpiredError: The block took longer.
    """
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    # Only the main thread, in which Lambda calls a handler, receives signals.
    if remaining is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def expire(_signal: int, _frame: object) -> None:
        raise _ExpiredError

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, max(remaining() / 1_000 - ANSWER_S, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _failure(response: Mapping[str, object], reason: str) -> dict[str, object]:
    """Return the status and the reason, shortened until the response fits."""
    reason = reason[:MAX_REASON_CHARS]
    while _size({**response, "Status": "FAILED", "Reason": reason}) > MAX_RESPONSE_BYTES:
        reason = reason[: len(reason) * 3 // 4]
    return {"Status": "FAILED", "Reason": reason}


def _size(document: Mapping[str, object]) -> int:
    return len(json.dumps(document).encode())


def send_response(url: str, document: dict[str, object]) -> None:
    """PUT a custom resource's response to its presigned URL (CloudFormation, "Custom resources").

    The content type is empty because the URL is signed without one.

    Raises:
        OSError: The request failed.
    """
    request = urllib.request.Request(  # noqa: S310 - a presigned URL from CloudFormation
        url, data=json.dumps(document).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310 - as above
        pass
