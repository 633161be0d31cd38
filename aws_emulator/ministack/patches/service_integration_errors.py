"""Name the errors of Step Functions service integrations as AWS does.

Gap: states:startExecution fails with the API's bare error name instead of
"StepFunctions.ExecutionAlreadyExistsException", so a catcher for that name does not match. A
function without free concurrency fails with "Lambda.Unknown" instead of
"Lambda.TooManyRequestsException".
Seen in: ministack 1.5.33, stepfunctions.py, _invoke_nested_start_execution and _call_lambda.
Delete when: both errors have AWS's names.
"""

import json
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Rename the errors that the integrations raise."""
    service = Symbols(
        "ministack.services.stepfunctions",
        "_call_lambda",
        "_invoke_nested_start_execution",
        "_ExecutionError",
    )
    execution_error = service["_ExecutionError"]

    def wrapper(original: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
        def start(resource: str, parameters: Any) -> Any:
            try:
                return original(resource, parameters)
            except execution_error as error:
                raise execution_error(_named(error.error), error.cause) from error

        return start

    def around_function(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def call(function: Any, event: Any) -> Any:
            try:
                return original(function, event)
            except execution_error as error:
                if error.error == "Lambda.Unknown" and _is_throttle(error.cause):
                    name = "Lambda.TooManyRequestsException"
                    raise execution_error(name, error.cause) from error
                raise

        return call

    service.wrap("_invoke_nested_start_execution", wrapper)
    service.wrap("_call_lambda", around_function)


def _named(name: str) -> str:
    if "." in name:
        return name
    return f"StepFunctions.{name.removesuffix('Exception')}Exception"


def _is_throttle(cause: str) -> bool:
    try:
        document = json.loads(cause)
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("__type") == "TooManyRequestsException"
