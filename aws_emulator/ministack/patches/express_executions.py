"""Run Express executions as AWS does: names repeat, time-outs, no events, no data after the end.

Gap: input and history of Express executions stay readable forever, while on AWS they "don't keep
a history". StartExecution of an Express state machine refuses a name that was used before
("Idempotency is not automatically managed"), and sends status events, which only Standard
workflows do (Step Functions, "Execution guarantees", "Automating event delivery"). No Express
execution times out, neither after TimeoutSeconds nor after five minutes.
Seen in: ministack 1.5.33, stepfunctions.py, _start_execution, _start_sync_execution and
_run_distributed_map.
Delete when: two Express executions can have one name, and DescribeExecution returns neither.

Not covered: the state that runs at the time-out still ends; an Express execution never runs twice.
"""

import contextvars
import functools
import json
import threading
import uuid
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: Step Functions service quotas: "Maximum execution time" of an Express workflow, in seconds.
MAX_EXPRESS_S: Final = 300


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Discard an execution after its response, and a child of a Map Run after its last state."""
    service = Symbols(
        "ministack.services.stepfunctions",
        *("_executions", "_resolve_state_machine_arn", "_run_distributed_map", "_run_execution"),
        *("_start_execution", "get_account_id", "get_region", "json_response", "now_iso"),
        "_run_sub_machine",
        "_start_sync_execution",
        "_state_machines",
    )

    def discard(arn: str) -> None:
        service["_executions"].pop(arn, None)

    def around_sync(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def start(data: dict[str, Any]) -> Any:
            answer = original(data)
            body = json.loads(answer[2])
            machine = service["_state_machines"].get(body.get("stateMachineArn")) or {}
            if machine.get("type") == "EXPRESS":
                discard(body["executionArn"])
            return answer

        return start

    def around_child(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(states: Any, start: Any, item: Any, execution: dict[str, Any], ctx: Any) -> Any:
            try:
                return original(states, start, item, execution, ctx)
            finally:
                # States inside the child share its record, so this may run more than once.
                if execution.get("mapRunArn") and _is_express(service, execution):
                    discard(execution["executionArn"])

        return run

    def around_start(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def start(data: dict[str, Any]) -> Any:
            arn = service["_resolve_state_machine_arn"](data.get("stateMachineArn", ""))
            machine = service["_state_machines"].get(arn) or {}
            if machine.get("type") != "EXPRESS":
                return original(data)
            return _start(service, arn, machine, data)

        return start

    service.wrap("_run_execution", functools.partial(_with_time_out, service))
    service.wrap("_start_execution", around_start)
    service.wrap("_start_sync_execution", around_sync)
    service.wrap("_run_sub_machine", around_child)


def _with_time_out(service: Symbols, original: Callable[[str], None]) -> Callable[[str], None]:
    """Return a runner of executions that ends Express ones after their time-out."""

    def run(arn: str) -> None:
        execution = service["_executions"].get(arn) or {}
        machine = service["_state_machines"].get(execution.get("stateMachineArn")) or {}
        if machine.get("type") != "EXPRESS":
            original(arn)
            return
        limit_s = json.loads(machine["definition"]).get("TimeoutSeconds", MAX_EXPRESS_S)
        ended = {"status": "TIMED_OUT", "output": None}
        timer = threading.Timer(min(limit_s, MAX_EXPRESS_S), execution.update, [ended])
        timer.daemon = True
        timer.start()
        original(arn)
        timer.cancel()

    return run


def _start(
    service: Symbols, machine_arn: str, machine: dict[str, Any], data: dict[str, Any]
) -> Any:
    """Start an asynchronous Express execution, whose ARN ends with an ID of its own."""
    name, started = data.get("name") or str(uuid.uuid4()), service["now_iso"]()
    scope = f"{service['get_region']()}:{service['get_account_id']()}"
    arn = f"arn:aws:states:{scope}:express:{machine['name']}:{name}:{uuid.uuid4()}"
    execution_input = data.get("input") or "{}"
    details = {"input": execution_input, "roleArn": machine["roleArn"]}
    first = {"id": 1, "type": "ExecutionStarted", "timestamp": started}
    service["_executions"][arn] = {
        "executionArn": arn,
        "stateMachineArn": machine_arn,
        "name": name,
        "status": "RUNNING",
        "startDate": started,
        "stopDate": None,
        "input": execution_input,
        "output": None,
        "testCase": "",
        "mockAttempts": {},
        "events": [{**first, "executionStartedEventDetails": details}],
        # Without it, MiniStack sends status events.
        "sync": True,
    }

    def run() -> None:
        try:
            service["_run_execution"](arn)
        finally:
            service["_executions"].pop(arn, None)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    return service["json_response"]({"executionArn": arn, "startDate": started})


def _is_express(service: Symbols, execution: dict[str, Any]) -> bool:
    parent, _, label = execution["stateMachineArn"].rpartition("/")
    machine = service["_state_machines"].get(parent) or {}
    return _has_express_children(machine.get("definition", "{}"), label)


@functools.cache
def _has_express_children(definition: str, label: str) -> bool:
    """Return whether the Map state with this label has Express children."""
    states = json.loads(definition).get("States", {}).values()
    labelled = [it["ItemProcessor"] for it in states if it.get("Label") == label]
    configs = [it.get("ProcessorConfig", {}) for it in labelled]
    return any(it.get("ExecutionType") == "EXPRESS" for it in configs)
