"""An execution that ended badly goes on where it stood.

Gap: RedriveExecution is an unknown action.
Seen in: ministack 1.5.33, stepfunctions.py, handle_request.
Delete when: a stopped execution can be redriven.

Left out: variables (Assign) are empty after it, children of a Map Run are not redriven, and while
it runs again DescribeExecution shows a machine's ARN that ends in "/redrive".
"""

import asyncio
import contextvars
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from local.emulator.control import Control
from local.emulator.settings import Settings
from local.emulator.symbols import Part

type Handler = Callable[..., Awaitable[Any]]
type Record = dict[str, Any]

#: Step Functions, "Redriving state machine executions".
_REDRIVABLE = frozenset({"FAILED", "ABORTED", "TIMED_OUT"})


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Answer the action before the service says that it does not know it."""
    service = Part(
        "ministack.services.stepfunctions",
        "_add_event",
        "_executions",
        "_run_execution",
        "_state_machines",
        "error_response_json",
        "handle_request",
        "json_response",
        "now_iso",
    )

    def wrapper(original: Handler) -> Handler:
        async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
            if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
                return await _redrive(service, json.loads(body or b"{}"))
            return await original(method, path, headers, body, query)

        return handle

    service.wrap("handle_request", wrapper)


async def _redrive(service: Part, data: Record) -> Any:
    execution = service["_executions"].get(data.get("executionArn"))
    if execution is None:
        return service["error_response_json"]("ExecutionDoesNotExist", "There is none.", 400)
    if execution["status"] not in _REDRIVABLE or not _entered(execution):
        message = f"Execution is {execution['status']} and cannot be redriven"
        return service["error_response_json"]("ExecutionNotRedrivable", message, 400)
    # The state that ran when the execution was stopped runs to its end all the same.
    for _ in range(200):
        if execution["status"] != "ABORTED" or _exited(execution):
            break
        await asyncio.sleep(0.1)
    state = _entered(execution)[-1]["stateEnteredEventDetails"]
    service["_add_event"](execution, "ExecutionRedriven", {})
    _start(service, execution, state["name"], state["input"])
    return service["json_response"]({"redriveDate": service["now_iso"]()})


def _entered(execution: Record) -> list[Record]:
    return [it for it in execution["events"] if it["type"].endswith("StateEntered")]


def _exited(execution: Record) -> bool:
    """Whether the state that was entered last was left again."""
    kinds = [it["type"] for it in execution["events"]]
    last = max(i for i, kind in enumerate(kinds) if kind.endswith("StateEntered"))
    return any(kind.endswith("StateExited") for kind in kinds[last:])


def _start(service: Part, execution: Record, state: str, given: str) -> None:
    """Run the machine from `state` on, under an ARN that nobody else has."""
    machines, arn, kept = (
        service["_state_machines"],
        execution["stateMachineArn"],
        execution["input"],
    )
    definition = {**json.loads(machines[arn]["definition"]), "StartAt": state}
    again = f"{arn}/{execution['name']}/redrive"
    machines[again] = {**machines[arn], "definition": json.dumps(definition)}
    for name in ("stopDate", "error", "cause", "output"):
        execution[name] = None
    execution.update(status="RUNNING", stateMachineArn=again, input=given)

    def run() -> None:
        try:
            service["_run_execution"](execution["executionArn"])
        finally:
            execution.update(stateMachineArn=arn, input=kept)
            machines.pop(again, None)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
