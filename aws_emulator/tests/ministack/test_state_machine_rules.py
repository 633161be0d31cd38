"""The rules for names and definitions of state machines."""

from typing import Any

import pytest

from aws_emulator.ministack.state_machine_rules import is_valid_name, problems

DONE = {"Type": "Succeed"}
TASK = "arn:aws:states:::lambda:invoke"


def machine(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def task(**fields: Any) -> dict[str, Any]:
    return machine(A={"Type": "Task", "Resource": TASK, "End": True, **fields})


VALID: dict[str, dict[str, Any]] = {
    "every type": machine(
        A={"Type": "Pass", "Next": "B"},
        B={"Type": "Wait", "Seconds": 1, "Next": "C"},
        C={"Type": "Choice", "Choices": [{"Next": "D"}], "Default": "E"},
        D={"Type": "Parallel", "Branches": [machine(X=DONE)], "Next": "E"},
        E={"Type": "Map", "ItemProcessor": machine(X=DONE), "End": True},
    ),
    "retry": machine(
        A={
            "Type": "Task",
            "Resource": TASK,
            "Retry": [{"ErrorEquals": ["E.One", "E.Two"]}, {"ErrorEquals": ["States.ALL"]}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}],
            "End": True,
        },
        B={"Type": "Fail"},
    ),
    "JSONata": {
        "QueryLanguage": "JSONata",
        **machine(A={"Type": "Pass", "Output": "{% 1 %}", "End": True}),
    },
}
INVALID: dict[str, dict[str, Any]] = {
    "no states": {"StartAt": "A", "States": {}},
    "start": {"StartAt": "B", "States": {"A": DONE}},
    "no start": {"States": {"A": DONE}},
    "type": machine(A={"Type": "Sleep", "End": True}),
    "no end": machine(A={"Type": "Pass"}),
    "next and end": machine(A={"Type": "Pass", "Next": "A", "End": True}),
    "next": machine(A={"Type": "Pass", "Next": "B"}),
    "choice": machine(A={"Type": "Choice", "Choices": [{"Next": "B"}]}),
    "catch": machine(
        A={
            "Type": "Task",
            "Resource": TASK,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}],
            "End": True,
        }
    ),
    "branch": machine(A={"Type": "Parallel", "Branches": [machine(X={"Type": "?"})], "End": True}),
    "item": machine(A={"Type": "Map", "Iterator": machine(X={"Type": "Pass"}), "End": True}),
    "all first": machine(
        A={
            "Type": "Task",
            "Resource": TASK,
            "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E.One"]}],
            "End": True,
        }
    ),
    "all with others": machine(
        A={
            "Type": "Task",
            "Resource": TASK,
            "Retry": [{"ErrorEquals": ["States.ALL", "E.One"]}],
            "End": True,
        }
    ),
    "state name": {"StartAt": 81 * "A", "States": {81 * "A": DONE}},
    "no resource": machine(A={"Type": "Task", "End": True}),
    "no choices": machine(A={"Type": "Choice", "Default": "B"}, B=DONE),
    "no branches": machine(A={"Type": "Parallel", "End": True}),
    "no time": machine(A={"Type": "Wait", "End": True}),
    "two times": machine(A={"Type": "Wait", "Seconds": 1, "Timestamp": "x", "End": True}),
    "timeout": task(TimeoutSeconds=0),
    "heartbeat": task(TimeoutSeconds=10, HeartbeatSeconds=10),
    "interval": task(Retry=[{"ErrorEquals": ["E"], "IntervalSeconds": 0}]),
    "attempts": task(Retry=[{"ErrorEquals": ["E"], "MaxAttempts": 100_000_000}]),
    "rate": task(Retry=[{"ErrorEquals": ["E"], "BackoffRate": 0.5}]),
    "delay": task(Retry=[{"ErrorEquals": ["E"], "MaxDelaySeconds": 31_622_400}]),
    "delay of interval": task(
        Retry=[{"ErrorEquals": ["E"], "IntervalSeconds": 5, "MaxDelaySeconds": 5}]
    ),
    "jitter": task(Retry=[{"ErrorEquals": ["E"], "JitterStrategy": "HALF"}]),
    "JSONPath field": {
        "QueryLanguage": "JSONata",
        **machine(A={"Type": "Pass", "OutputPath": "$.a", "End": True}),
    },
}


@pytest.mark.parametrize("name", VALID)
def test_valid_definition_has_no_problem(name: str) -> None:
    assert list(problems(VALID[name])) == []


@pytest.mark.parametrize("name", INVALID)
def test_invalid_definition_has_a_problem(name: str) -> None:
    assert list(problems(INVALID[name]))


@pytest.mark.parametrize(
    "definition",
    [
        task(Resource="arn:aws:states:::states:startExecution.sync:2"),
        task(Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken"),
        machine(
            A={
                "Type": "Map",
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **machine(X=DONE)},
                "End": True,
            }
        ),
    ],
    ids=["sync", "task token", "Distributed Map"],
)
def test_express_workflow_lacks_features_of_standard_ones(definition: dict[str, Any]) -> None:
    assert list(problems(definition)) == []
    assert list(problems(definition, "EXPRESS"))


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("a", True),
        ("n" * 80, True),
        ("n" * 81, False),
        ("", False),
        ("Order_1-b.c@d=e+f'(g)!", True),
        *((f"a{char}b", False) for char in ' \t\n\x00\x7f<>{}[]?*"#%\\^|~`$&,;:/'),
    ],
)
def test_name_follows_rules_of_create_state_machine(name: str, valid: bool) -> None:
    assert is_valid_name(name) is valid
