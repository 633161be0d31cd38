"""An error of Step Functions' own integration has the name that it has on AWS.

Gap: states:startExecution fails with the API's bare error name; AWS says
"StepFunctions.ExecutionAlreadyExistsException", and a catcher knows no other name.
Seen in: ministack 1.5.33, stepfunctions.py, _invoke_nested_start_execution.
Delete when: the error is named as on AWS.
"""

from collections.abc import Callable
from typing import Any

from local.emulator.control import Control
from local.emulator.settings import Settings
from local.emulator.symbols import Part


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Rename what the integration raises."""
    service = Part(
        "ministack.services.stepfunctions", "_invoke_nested_start_execution", "_ExecutionError"
    )
    execution_error = service["_ExecutionError"]

    def wrapper(original: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
        def start(resource: str, given: Any) -> Any:
            try:
                return original(resource, given)
            except execution_error as error:
                raise execution_error(_named(error.error), error.cause) from error

        return start

    service.wrap("_invoke_nested_start_execution", wrapper)


def _named(name: str) -> str:
    if "." in name:
        return name
    return f"StepFunctions.{name.removesuffix('Exception')}Exception"
