"""Fail a custom resource as soon as its function fails.

Gap: A function that fails before it sends its response, because it can't start for example, leaves
the stack waiting for the resource's ServiceTimeout: an hour by default.
Seen in: ministack 1.5.33, cloudformation/custom_resource.py, invoke_custom_resource. AWS waits
too, after two more attempts ("Custom resource timeouts"); the result is the same.
Delete when: MiniStack fails the resource with the function's error.
"""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: CloudFormation shows up to this many characters of a reason.
MAX_REASON_CHARS: Final = 1_000
_MAX_LOG_LINES: Final = 8


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Deliver a FAILED response for a function that ended with an error and sent none."""
    service = Symbols("ministack.services.lambda_svc", "_execute_function_with_config_scope")
    resources = Symbols(
        "ministack.services.cloudformation.custom_resource", "_pending", "deliver_response"
    )

    def reporting(original: Callable[..., Any]) -> Callable[..., Any]:
        def execute(func: dict[str, Any], event: Any) -> Any:
            result = original(func, event)
            token = _token(event)
            if token and isinstance(result, dict) and result.get("error"):
                pending = resources["_pending"].get(token)
                if pending is not None and pending["result"] is None:
                    reason = failure_reason(func["config"]["FunctionName"], result)
                    resources["deliver_response"](token, {"Status": "FAILED", "Reason": reason})
            return result

        return execute

    service.wrap("_execute_function_with_config_scope", reporting)


def _token(event: Any) -> str:
    """Return the token in the response URL of a custom resource's event, else an empty text."""
    if not isinstance(event, dict) or not isinstance(url := event.get("ResponseURL"), str):
        return ""
    head, separator, token = url.rpartition("/_ministack/cfn-response/")
    return token if head and separator else ""


def failure_reason(function: str, result: dict[str, Any]) -> str:
    """Return the function's name, its error and the last lines of its log."""
    error = result["body"] if isinstance(result.get("body"), dict) else {}
    log = str(result.get("log") or "").replace("\r", "\n").splitlines()[-_MAX_LOG_LINES:]
    error_type, message = error.get("errorType", "an error"), error.get("errorMessage", "")
    text = f"The function {function} failed with {error_type}: {message}"
    return "\n".join([text, *log])[:MAX_REASON_CHARS]
