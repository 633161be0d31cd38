"""An execution that ended badly goes on where it stood.

Gap: RedriveExecution is an unknown action. And a stopped execution does not stay stopped: the
thread that runs it finishes its state, and writes its own end over what was said.
Seen in: ministack 1.5.33, stepfunctions.py, handle_request, _run_execution, _fail_execution.
Delete when: a stopped execution can be redriven.

Left out: variables (Assign) are empty after it, children of a Map Run are not redriven, and while
it runs again DescribeExecution shows a machine's ARN that ends in "/redrive". A redrive waits until
the state that ran when the execution was stopped has ended: on AWS the two may overlap.
"""

import asyncio
import contextvars
import json
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

type Handler = Callable[..., Awaitable[Any]]
type Record = dict[str, Any]

#: Step Functions, "Redriving state machine executions".
_REDRIVABLE = frozenset({"FAILED", "ABORTED", "TIMED_OUT"})
#: How an execution ended, as its history says it.
_ENDS = ("ExecutionSucceeded", "ExecutionFailed")
#: Longer than any state of ours may take.
_PATIENCE_S = 60.0


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
    #: Threads by the execution that they run: never two, once both are counted.
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
    """Take back what was written over the end of an execution that somebody stopped."""
    events = execution["events"] if execution else []
    since = max((n for n, it in enumerate(events) if it["type"] == "ExecutionRedriven"), default=0)
    stopped = any(it["type"] == "ExecutionAborted" for it in events[since:])
    if execution and stopped and execution["status"] != "ABORTED":
        events[since:] = [it for it in events[since:] if it["type"] not in _ENDS]
        execution.update(status="ABORTED", output=None, error=None, cause=None)


async def _redrive(service: Part, threads: Counter[str], data: Record) -> Any:
    arn = str(data.get("executionArn"))
    execution = service["_executions"].get(arn)
    if execution is None:
        return service["error_response_json"]("ExecutionDoesNotExist", "There is none.", 400)
    for _ in range(int(_PATIENCE_S / 0.02)):
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
