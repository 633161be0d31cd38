"""Refuse executions that Step Functions refuses, and repeat StartExecution with the same input.

Gap: any name and any input start an execution, the output of a state may be of any size, and a
repeated StartExecution of a running execution fails.
Seen in: ministack 1.5.33, stepfunctions.py, _start_execution and _add_event.
Delete when: the name "a b", input over 256 KiB and input that isn't JSON are refused.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack import state_machine_rules
from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.refusing import refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Operation = Callable[[dict[str, Any]], Any]

# Step Functions service quotas: "Maximum input or output size for a task, state, or execution:
# 256 KiB of data as a UTF-8 encoded string."
MAX_DATA_BYTES: Final = 262_144
#: ListExecutions, maxResults.
MAX_RESULTS: Final = 1_000


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check the arguments of an execution, and the input and output of each state."""
    service = Symbols(
        "ministack.services.stepfunctions",
        *("_start_execution", "_start_sync_execution", "_add_event", "_executions"),
        *("_list_executions", "_describe_state_machine"),
        *("_state_machines", "_ExecutionError", "error_response_json", "json_response"),
        "_resolve_state_machine_arn",
    )

    def repeated(original: Operation) -> Operation:
        def start(data: dict[str, Any]) -> Any:
            running = _same_execution(service, data)
            if running is not None:
                return service["json_response"](
                    {name: running[name] for name in ("executionArn", "startDate")}
                )
            return original(data)

        return start

    def limited(original: Callable[..., Any]) -> Callable[..., Any]:
        def add(execution: Any, event_type: str, details: dict[str, Any] | None = None) -> Any:
            for detail in (details or {}).values():
                for name in ("input", "output"):
                    data = detail.get(name) if isinstance(detail, dict) else None
                    if isinstance(data, str) and len(data.encode()) > MAX_DATA_BYTES:
                        raise service["_ExecutionError"](
                            "States.DataLimitExceeded",
                            f"The state/task returned a result with a size exceeding the maximum "
                            f"number of bytes service limit ({MAX_DATA_BYTES}).",
                        )
            return original(execution, event_type, details)

        return add

    for operation in ("_start_execution", "_start_sync_execution"):
        service.wrap(operation, repeated)
        refuse(service, operation, _error)
    refuse(service, "_list_executions", _list_error)
    refuse(service, "_describe_state_machine", _describe_error)
    service.wrap("_add_event", limited)


def _describe_error(data: dict[str, Any]) -> tuple[str, str] | None:
    if data.get("includedData", "ALL_DATA") not in ("ALL_DATA", "METADATA_ONLY"):
        return "ValidationException", "includedData must be ALL_DATA or METADATA_ONLY."
    return None


def _error(data: dict[str, Any]) -> tuple[str, str] | None:
    """Return the error code and the message for a request that Step Functions refuses."""
    name, input_text = data.get("name"), data.get("input") or "{}"
    if name is not None and not state_machine_rules.is_valid_name(name):
        return "InvalidName", f"Invalid Name: '{name}'"
    if not isinstance(input_text, str):
        return None  # MiniStack's own call, with data that was JSON
    if len(input_text.encode()) > MAX_DATA_BYTES:
        return "InvalidExecutionInput", f"The input exceeds {MAX_DATA_BYTES} bytes."
    try:
        json.loads(input_text)
    except ValueError as error:
        return "InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'"
    return None


def _list_error(data: dict[str, Any]) -> tuple[str, str] | None:
    """Return the error of ListExecutions, whose maxResults is from 0 to 1,000."""
    if 0 <= int(data.get("maxResults") or 0) <= MAX_RESULTS:
        return None
    return "ValidationException", f"maxResults must be less than or equal to {MAX_RESULTS}"


def _same_execution(service: Symbols, data: dict[str, Any]) -> Any:
    """Return the running execution of a standard workflow with the same name and input, or None.

    StartExecution: "If StartExecution is called with the same name and input as a running
    execution, the call succeeds and return the same response as the original request."
    """
    name = data.get("name")
    arn = service["_resolve_state_machine_arn"](data.get("stateMachineArn", ""))
    if not name or arn is None or service["_state_machines"][arn].get("type") == "EXPRESS":
        return None
    execution = service["_executions"].get(f"{arn.replace(':stateMachine:', ':execution:')}:{name}")
    if execution and execution["status"] == "RUNNING":
        return execution if execution["input"] == data.get("input", "{}") else None
    return None
