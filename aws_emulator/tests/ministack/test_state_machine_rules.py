"""The rules for names and definitions of state machines."""

from typing import Any

import pytest

from aws_emulator.ministack.state_machine_rules import is_valid_name, problems

DONE = {"Type": "Succeed"}


def machine(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


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
        A={"Type": "Task", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}], "End": True}
    ),
    "branch": machine(A={"Type": "Parallel", "Branches": [machine(X={"Type": "?"})], "End": True}),
    "item": machine(A={"Type": "Map", "Iterator": machine(X={"Type": "Pass"}), "End": True}),
    "all first": machine(
        A={
            "Type": "Task",
            "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E.One"]}],
            "End": True,
        }
    ),
    "all with others": machine(
        A={"Type": "Task", "Retry": [{"ErrorEquals": ["States.ALL", "E.One"]}], "End": True}
    ),
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
