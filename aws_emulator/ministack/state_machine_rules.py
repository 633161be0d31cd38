"""The rules of Step Functions for names and definitions of state machines."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

MAX_NAME_CHARS: Final = 80
# CreateStateMachine, name: no white space, brackets, wildcards, special characters and control
# characters.
_FORBIDDEN: Final = frozenset('<>{}[]?*"#%\\^|~`$&,;:/')
# Step Functions service quotas: "Maximum request size: 1 MB per request".
MAX_DEFINITION_BYTES: Final = 1_048_576
_TYPES: Final = frozenset({"Pass", "Task", "Choice", "Wait", "Parallel", "Map", "Succeed", "Fail"})
#: States without Next and End.
_ENDLESS: Final = frozenset({"Choice", "Succeed", "Fail"})
#: Amazon States Language: fields of JSONPath, which a JSONata state must not have.
_JSONPATH_FIELDS: Final = frozenset(
    {"InputPath", "Parameters", "ResultSelector", "ResultPath", "OutputPath"}
)
#: Amazon States Language, "States": "The state name's length MUST BE less than or equal to 80".
_MAX_STATE_NAME: Final = 80
#: "Error handling in Step Functions workflows": field of a retrier -> the least, the most.
_RETRY_BOUNDS: Final = {
    "IntervalSeconds": (1, 99_999_999),
    "MaxAttempts": (0, 99_999_999),
    "BackoffRate": (1, math.inf),
    "MaxDelaySeconds": (1, 31_622_399),
}
#: "Task workflow state": TimeoutSeconds and HeartbeatSeconds.
_MAX_TIMEOUT_S: Final = 99_999_999
#: Type of a state -> the fields that it must have.
_REQUIRED: Final = {"Choice": "Choices", "Parallel": "Branches", "Task": "Resource"}
_WAITS: Final = ("Seconds", "Timestamp", "SecondsPath", "TimestampPath")
#: "Choosing workflow type": Express workflows don't support these.
_STANDARD_ONLY: Final = (".sync", ".sync:2", ".waitForTaskToken")


def is_valid_name(name: str) -> bool:
    """Return whether a state machine or an execution can have this name."""
    return 0 < len(name) <= MAX_NAME_CHARS and not any(
        char in _FORBIDDEN or char.isspace() or not char.isprintable() for char in name
    )


def problems(definition: Mapping[str, Any], kind: str = "STANDARD") -> Iterator[str]:
    """Yield why CreateStateMachine refuses a definition; `kind` is the type of the machine."""
    language = str(definition.get("QueryLanguage", "JSONPath"))
    yield from _machine_problems(definition, language)
    if kind == "EXPRESS":
        yield from _express_problems(definition)


def _express_problems(part: Any) -> Iterator[str]:
    """Yield what only Standard workflows support."""
    if isinstance(part, list):
        for entry in part:
            yield from _express_problems(entry)
    if not isinstance(part, Mapping):
        return
    resource = part.get("Resource")
    if isinstance(resource, str) and resource.endswith(_STANDARD_ONLY):
        yield f"SCHEMA_VALIDATION_FAILED: an Express workflow can't have {resource}"
    processor = part.get("ProcessorConfig")
    if isinstance(processor, Mapping) and processor.get("Mode") == "DISTRIBUTED":
        yield "SCHEMA_VALIDATION_FAILED: an Express workflow can't have a Distributed Map"
    for entry in part.values():
        yield from _express_problems(entry)


def _machine_problems(machine: Mapping[str, Any], language: str) -> Iterator[str]:
    states = machine.get("States")
    if not isinstance(states, Mapping) or not states:
        yield "MISSING_STATES: a state machine must have States"
        return
    if machine.get("StartAt") not in states:
        yield f"MISSING_TRANSITION_TARGET: StartAt {machine.get('StartAt')!r} isn't a state"
    for name, state in states.items():
        if len(name) > _MAX_STATE_NAME:
            yield f"SCHEMA_VALIDATION_FAILED: a name has more than {_MAX_STATE_NAME} characters"
        own = str(state.get("QueryLanguage", language))
        for problem in _state_problems(state, states, own):
            yield f"{problem} (state {name!r})"


def _state_problems(
    state: Mapping[str, Any], states: Mapping[str, Any], language: str
) -> Iterator[str]:
    kind = state.get("Type")
    if kind not in _TYPES:
        yield f"SCHEMA_VALIDATION_FAILED: unknown Type {kind!r}"
    if kind not in _ENDLESS and ("Next" in state) == (state.get("End") is True):
        yield "SCHEMA_VALIDATION_FAILED: a state has either Next or End"
    targets = [state[name] for name in ("Next", "Default") if name in state]
    targets += [rule.get("Next") for name in ("Choices", "Catch") for rule in state.get(name, ())]
    for target in targets:
        if target not in states:
            yield f"MISSING_TRANSITION_TARGET: Next {target!r} isn't a state"
    if language == "JSONata":
        for name in sorted(_JSONPATH_FIELDS & state.keys()):
            yield f"SCHEMA_VALIDATION_FAILED: a JSONata state can't have {name}"
    if _REQUIRED.get(str(kind), "Type") not in state:
        yield f"SCHEMA_VALIDATION_FAILED: a {kind} state must have {_REQUIRED[str(kind)]}"
    if kind == "Wait" and sum(name in state for name in _WAITS) != 1:
        yield "SCHEMA_VALIDATION_FAILED: a Wait state must have one time"
    yield from _time_problems(state)
    for field in ("Retry", "Catch"):
        yield from _error_rule_problems(field, state.get(field, []))
    inner = [*state.get("Branches", ())]
    inner += [state[name] for name in ("ItemProcessor", "Iterator") if name in state]
    for machine in inner:
        yield from _machine_problems(machine, str(machine.get("QueryLanguage", language)))


def _time_problems(state: Mapping[str, Any]) -> Iterator[str]:
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    for value in (timeout, heartbeat):
        if isinstance(value, int) and not 1 <= value <= _MAX_TIMEOUT_S:
            yield f"SCHEMA_VALIDATION_FAILED: a time must be from 1 to {_MAX_TIMEOUT_S} s"
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        yield "SCHEMA_VALIDATION_FAILED: HeartbeatSeconds must be less than TimeoutSeconds"


def _retry_problems(rule: Mapping[str, Any]) -> Iterator[str]:
    for name, (least, most) in _RETRY_BOUNDS.items():
        if name in rule and not least <= rule[name] <= most:
            yield f"SCHEMA_VALIDATION_FAILED: {name} {rule[name]} is outside its bounds"
    if rule.get("MaxDelaySeconds", math.inf) <= rule.get("IntervalSeconds", 1):
        yield "SCHEMA_VALIDATION_FAILED: MaxDelaySeconds must be greater than IntervalSeconds"
    if rule.get("JitterStrategy", "NONE") not in ("FULL", "NONE"):
        yield f"SCHEMA_VALIDATION_FAILED: unknown JitterStrategy {rule['JitterStrategy']!r}"


def _error_rule_problems(field: str, rules: list[Mapping[str, Any]]) -> Iterator[str]:
    # Amazon States Language: "The reserved name States.ALL … must appear alone in the ErrorEquals
    # array, and must appear in the last" retrier or catcher.
    for index, rule in enumerate(rules):
        names = rule.get("ErrorEquals") or []
        if not names:
            yield f"SCHEMA_VALIDATION_FAILED: {field} without ErrorEquals"
        if field == "Retry":
            yield from _retry_problems(rule)
        if "States.ALL" in names and (len(names) > 1 or index < len(rules) - 1):
            yield f"SCHEMA_VALIDATION_FAILED: States.ALL must stand alone in the last {field}"
