"""Redrive failed executions (RedriveExecution), and keep stopped executions stopped.

Gap: RedriveExecution is an unknown action. A stopped execution does not stay stopped: its thread
finishes the current state and overwrites the status.
Seen in: ministack 1.5.33, stepfunctions.py, handle_request, _run_execution, _fail_execution.
Delete when: a stopped execution can be redriven.

Not covered: variables (Assign) are empty after a redrive, children of a Map Run are not redriven,
and DescribeExecution shows a state machine ARN that ends in "/redrive" while the execution runs. A
redrive waits until the state that ran at the time of the stop has ended; on AWS both may overlap.
"""

import asyncio
import contextvars
import json
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Handler = Callable[..., Awaitable[Any]]
type Record = dict[str, Any]

#: Step Functions, "Redriving state machine executions".
_REDRIVABLE: Final = frozenset({"FAILED", "ABORTED", "TIMED_OUT"})
#: The final events of an execution's history.
_FINAL_EVENTS: Final = ("ExecutionSucceeded", "ExecutionFailed")
#: How long a redrive waits for the state that was running.
_MAX_WAIT_S: Final = 60.0


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Handle the action in front of the service."""
    service = Symbols(
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
    #: Running threads per execution.
    threads: Counter[str] = Counter()

    def counted(original: Callable[[str], None]) -> Callable[[str], None]:
        def run(arn: str) -> None:
            threads[arn] += 1
            try:
                original(arn)
            finally:
                _stay_stopped(service["_executions"].get(arn))
                threads[arn] -= 1
                if not threads[arn]:
                    del threads[arn]

        return run

    def wrapper(original: Handler) -> Handler:
        async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
            if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
                return await _redrive(service, threads, json.loads(body or b"{}"))
            return await original(method, path, headers, body, query)

        return handle

    service.wrap("_run_execution", counted)
    service.wrap("handle_request", wrapper)


def _stay_stopped(execution: Record | None) -> None:
    """Restore the status ABORTED that the execution's thread has overwritten."""
    events = execution["events"] if execution else []
    since = max((n for n, it in enumerate(events) if it["type"] == "ExecutionRedriven"), default=0)
    stopped = any(it["type"] == "ExecutionAborted" for it in events[since:])
    if execution and stopped and execution["status"] != "ABORTED":
        events[since:] = [it for it in events[since:] if it["type"] not in _FINAL_EVENTS]
        execution.update(status="ABORTED", output=None, error=None, cause=None)


async def _redrive(service: Symbols, threads: Counter[str], data: Record) -> Any:
    arn = str(data.get("executionArn"))
    execution = service["_executions"].get(arn)
    if execution is None:
        return service["error_response_json"](
            "ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'", 400
        )
    for _ in range(int(_MAX_WAIT_S / 0.02)):
        if not (execution["status"] in _REDRIVABLE and threads[arn]):
            break
        await asyncio.sleep(0.02)
    if execution["status"] not in _REDRIVABLE or threads[arn] or not _entered(execution):
        message = f"Execution is {execution['status']} and cannot be redriven"
        return service["error_response_json"]("ExecutionNotRedrivable", message, 400)
    state = _entered(execution)[-1]["stateEnteredEventDetails"]
    service["_add_event"](execution, "ExecutionRedriven", {})
    _start(service, execution, state["name"], state["input"])
    return service["json_response"]({"redriveDate": service["now_iso"]()})


def _entered(execution: Record) -> list[Record]:
    return [it for it in execution["events"] if it["type"].endswith("StateEntered")]


def _start(service: Symbols, execution: Record, state: str, input_text: str) -> None:
    """Run the state machine from `state` on, under a temporary ARN."""
    machines, arn, original_input = (
        service["_state_machines"],
        execution["stateMachineArn"],
        execution["input"],
    )
    definition = {**json.loads(machines[arn]["definition"]), "StartAt": state}
    again = f"{arn}/{execution['name']}/redrive"
    machines[again] = {**machines[arn], "definition": json.dumps(definition)}
    for name in ("stopDate", "error", "cause", "output"):
        execution[name] = None
    execution.update(status="RUNNING", stateMachineArn=again, input=input_text)

    def run() -> None:
        try:
            service["_run_execution"](execution["executionArn"])
        finally:
            execution.update(stateMachineArn=arn, input=original_input)
            machines.pop(again, None)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
