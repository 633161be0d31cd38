"""An Express execution keeps nothing once it has ended.

Gap: what an Express workflow was given, and all of its history, stays readable for good. On AWS
they "don't keep a history": ours are given what people write.
Seen in: ministack 1.5.33, stepfunctions.py, _start_sync_execution and _run_distributed_map.
Delete when: DescribeExecution does not know an Express execution.

Left out: an Express machine that is started with StartExecution, which ours never are.
"""

import functools
import json
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Forget an execution after its answer, and a child of a Map Run after its last state."""
    service = Part(
        "ministack.services.stepfunctions",
        "_executions",
        "_run_distributed_map",
        "_run_sub_machine",
        "_start_sync_execution",
        "_state_machines",
    )

    def forget(arn: str) -> None:
        service["_executions"].pop(arn, None)

    def around_sync(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def start(data: dict[str, Any]) -> Any:
            answer = original(data)
            body = json.loads(answer[2])
            machine = service["_state_machines"].get(body.get("stateMachineArn")) or {}
            if machine.get("type") == "EXPRESS":
                forget(body["executionArn"])
            return answer

        return start

    def around_child(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(states: Any, start: Any, item: Any, execution: dict[str, Any], ctx: Any) -> Any:
            try:
                return original(states, start, item, execution, ctx)
            finally:
                # What a child runs within itself has the child's record, too: it goes only once.
                if execution.get("mapRunArn") and _is_express(service, execution):
                    forget(execution["executionArn"])

        return run

    service.wrap("_start_sync_execution", around_sync)
    service.wrap("_run_sub_machine", around_child)


def _is_express(service: Part, execution: dict[str, Any]) -> bool:
    parent, _, label = execution["stateMachineArn"].rpartition("/")
    machine = service["_state_machines"].get(parent) or {}
    return _has_express_children(machine.get("definition", "{}"), label)


@functools.cache
def _has_express_children(definition: str, label: str) -> bool:
    """Whether the Map state of this label says so."""
    states = json.loads(definition).get("States", {}).values()
    labelled = [it["ItemProcessor"] for it in states if it.get("Label") == label]
    configs = [it.get("ProcessorConfig", {}) for it in labelled]
    return any(it.get("ExecutionType") == "EXPRESS" for it in configs)
