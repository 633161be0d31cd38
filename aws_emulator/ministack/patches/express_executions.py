"""Discard an Express execution's data when it ends.

Gap: input and history of Express executions stay readable forever, while on AWS they "don't keep
a history".
Seen in: ministack 1.5.33, stepfunctions.py, _start_sync_execution and _run_distributed_map.
Delete when: DescribeExecution does not return Express executions.

Not covered: Express state machines that are started with StartExecution.
"""

import functools
import json
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Discard an execution after its response, and a child of a Map Run after its last state."""
    service = Symbols(
        "ministack.services.stepfunctions",
        "_executions",
        "_run_distributed_map",
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

    service.wrap("_start_sync_execution", around_sync)
    service.wrap("_run_sub_machine", around_child)


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
