"""Evaluate JSONata in TestState.

Gap: TestState treats every Task state as JSONPath (it ignores Arguments, Output and a catcher's
Output), and takes no mock for a Map state.
Seen in: ministack 1.5.33, stepfunctions.py, _test_state.
Delete when: Output of a JSONata Task is evaluated.

Not covered: inspection data other than input, afterArguments, result and errorDetails.
"""

import json
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Answer = dict[str, Any]


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Test JSONata Task states here; MiniStack tests all others."""
    service = Symbols(
        "ministack.services.stepfunctions",
        "_test_state",
        "_ExecutionError",
        "_apply_catcher",
        "_apply_jsonata_arguments",
        "_apply_jsonata_output",
        "_find_matching_catcher",
        "_find_matching_retrier",
        "_invoke_resource",
        "_next_or_end",
        "json_response",
        "now_iso",
    )

    def wrapper(original: Callable[[Answer], Any]) -> Callable[[Answer], Any]:
        def test_state(data: Answer) -> Any:
            definition = json.loads(data["definition"])
            name = data.get("stateName") or definition.get("StartAt")
            state = definition["States"].get(name) if "States" in definition else definition
            language = (state or {}).get("QueryLanguage") or definition.get("QueryLanguage")
            # With a mock, a Map has its result, as a Task has. Without one it runs as a whole.
            kinds = {"Task", "Map"} if data.get("mock") else {"Task"}
            if not state or state.get("Type") not in kinds or language != "JSONata":
                return original(data)
            return service["json_response"](_run(service, data, state, name or "TestState"))

        return test_state

    service.wrap("_test_state", wrapper)


def _run(service: Symbols, data: Answer, state: Answer, name: str) -> Answer:
    state_input = json.loads(data.get("input") or "{}")
    ctx = {
        "Execution": {"Id": "test", "Name": "test", "StartTime": service["now_iso"]()},
        **json.loads(data.get("context") or "{}"),
        "State": {"Name": name, "EnteredTime": service["now_iso"]()},
        "QueryLanguage": "JSONata",
        "variables": json.loads(data.get("variables") or "{}"),
    }
    inspection: Answer = {"input": json.dumps(state_input)}
    try:
        arguments = service["_apply_jsonata_arguments"](state, state_input, ctx)
        inspection["afterArguments"] = json.dumps(arguments)
        result = _result(service, data.get("mock"), state, arguments)
        inspection["result"] = json.dumps(result)
        output = service["_apply_jsonata_output"](
            state, state_input, ctx, result=result, default=result
        )
        answer: Answer = {"status": "SUCCEEDED", "output": json.dumps(output)}
        following = service["_next_or_end"](state)
        if following:
            answer["nextState"] = following
    except service["_ExecutionError"] as error:
        answer = _failed(service, data, state, state_input, ctx, error, inspection)
    if data.get("inspectionLevel") in {"DEBUG", "TRACE"}:
        answer["inspectionData"] = inspection
    return answer


def _result(service: Symbols, mock: Answer | None, state: Answer, arguments: Any) -> Any:
    if not mock:
        return service["_invoke_resource"](state["Resource"], arguments)
    if "errorOutput" in mock:
        error = mock["errorOutput"]
        raise service["_ExecutionError"](error.get("error", ""), error.get("cause", ""))
    return json.loads(mock["result"])


def _failed(
    service: Symbols,
    data: Answer,
    state: Answer,
    state_input: Any,
    ctx: Answer,
    error: Any,
    inspection: Answer,
) -> Answer:
    failure = {"error": error.error, "cause": error.cause}
    retries = int((data.get("stateConfiguration") or {}).get("retrierRetryCount") or 0)
    retriers = state.get("Retry", [])
    retrier, index = service["_find_matching_retrier"](retriers, error.error, {})
    if retrier is not None and retries < retrier.get("MaxAttempts", 3):
        wait = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retries
        inspection["errorDetails"] = {
            "retryBackoffIntervalSeconds": int(min(wait, retrier.get("MaxDelaySeconds", wait))),
            "retryIndex": index,
        }
        return {"status": "RETRIABLE", **failure}
    catcher = service["_find_matching_catcher"](state.get("Catch", []), error.error)
    if catcher is None:
        return {"status": "FAILED", **failure}
    output = {"Error": error.error, "Cause": error.cause}
    caught_output = service["_apply_catcher"](catcher, state_input, ctx, "JSONata", output)
    return {
        "status": "CAUGHT_ERROR",
        "output": json.dumps(caught_output),
        "nextState": catcher["Next"],
        **failure,
    }
