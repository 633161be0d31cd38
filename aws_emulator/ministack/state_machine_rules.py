"""The rules of Step Functions for names and definitions of state machines."""

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


def is_valid_name(name: str) -> bool:
    """Return whether a state machine or an execution can have this name."""
    return 0 < len(name) <= MAX_NAME_CHARS and not any(
        char in _FORBIDDEN or char.isspace() or not char.isprintable() for char in name
    )


def problems(definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield why CreateStateMachine refuses a definition."""
    language = str(definition.get("QueryLanguage", "JSONPath"))
    yield from _machine_problems(definition, language)


def _machine_problems(machine: Mapping[str, Any], language: str) -> Iterator[str]:
    states = machine.get("States")
    if not isinstance(states, Mapping) or not states:
        yield "MISSING_STATES: a state machine must have States"
        return
    if machine.get("StartAt") not in states:
        yield f"MISSING_TRANSITION_TARGET: StartAt {machine.get('StartAt')!r} isn't a state"
    for name, state in states.items():
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
    for field in ("Retry", "Catch"):
        yield from _error_rule_problems(field, state.get(field, []))
    inner = [*state.get("Branches", ())]
    inner += [state[name] for name in ("ItemProcessor", "Iterator") if name in state]
    for machine in inner:
        yield from _machine_problems(machine, str(machine.get("QueryLanguage", language)))


def _error_rule_problems(field: str, rules: list[Mapping[str, Any]]) -> Iterator[str]:
    # Amazon States Language: "The reserved name States.ALL … must appear alone in the ErrorEquals
    # array, and must appear in the last" retrier or catcher.
    for index, rule in enumerate(rules):
        names = rule.get("ErrorEquals") or []
        if not names:
            yield f"SCHEMA_VALIDATION_FAILED: {field} without ErrorEquals"
        if "States.ALL" in names and (len(names) > 1 or index < len(rules) - 1):
            yield f"SCHEMA_VALIDATION_FAILED: States.ALL must stand alone in the last {field}"
