"""The house rules of state machines: no public linter knows them."""

import re
from typing import Any

import pytest

from tests.unit.stacks.test_templates import resources, statements
from tests.unit.stepfunctions.definitions import (
    MACHINES,
    STACK,
    SUBSTITUTION,
    definition,
    edges,
    levels,
    properties,
    reachable,
    states,
    tasks,
    text,
)

every_machine = pytest.mark.parametrize("name", MACHINES)
#: What is lost for good: to try it again would be to lose it again.
LOST = re.compile(r"ConditionalCheckFailed|TransactionCanceled|AlreadyExists|Refused|Absent")
#: What a task of a kind asks of its role. A transaction needs the actions it is made of.
ACTIONS = {
    "dynamodb:getItem": {"dynamodb:GetItem"},
    "dynamodb:updateItem": {"dynamodb:UpdateItem"},
    "lambda:invoke": {"lambda:InvokeFunction"},
    "sqs:sendMessage": {"sqs:SendMessage"},
    "states:startExecution": {"states:StartExecution"},
    "aws-sdk:sfn:startSyncExecution": {"states:StartSyncExecution"},
    "s3:getObject": {"s3:GetObject"},
}
TRANSACTION = "aws-sdk:dynamodb:transactWriteItems"
PARTS = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
#: A Map Run starts, looks at and redrives its children in the machine's own name.
MAP_RUN = {
    "states:StartExecution",
    "states:DescribeExecution",
    "states:RedriveExecution",
    "states:StopExecution",
}
#: What every machine's role needs beside its definition: logs and traces.
BESIDE = ("logs:", "xray:")


@every_machine
def test_it_speaks_jsonata_and_ends_in_time(name: str) -> None:
    machine = definition(name)
    assert machine["QueryLanguage"] == "JSONata"
    assert 0 < machine["TimeoutSeconds"] <= 86_400
    # JSONPath's fields do nothing in a JSONata state, and nobody says so.
    for key, state in states(name):
        assert not {"Parameters", "ResultPath", "ResultSelector", "InputPath"} & state.keys(), key


@every_machine
def test_every_task_has_a_time_out(name: str) -> None:
    for key, state in tasks(name):
        if state["Type"] == "Task":
            assert 0 < state["TimeoutSeconds"] <= 120, key


@every_machine
def test_every_task_catches_everything_last(name: str) -> None:
    for key, state in tasks(name):
        *specific, last = state["Catch"]
        assert last["ErrorEquals"] == ["States.ALL"], key
        for catcher in specific:
            assert not {"States.ALL", "States.TaskFailed"} & set(catcher["ErrorEquals"]), key


@every_machine
def test_what_is_caught_is_replaced(name: str) -> None:
    """Without an Output the error's cause would travel on, and a cause can say anything."""
    for key, state in tasks(name):
        for catcher in state["Catch"]:
            assert "Output" in catcher, key
            assert "Cause" not in str(catcher["Output"]), key


@every_machine
def test_retries_are_bounded_and_spread(name: str) -> None:
    for key, state in tasks(name):
        for retrier in state["Retry"]:
            assert retrier["JitterStrategy"] == "FULL", key
            assert 1 <= retrier["MaxAttempts"] <= 5, key
            assert retrier["MaxDelaySeconds"] <= 60, key
            errors = retrier["ErrorEquals"]
            assert not {"States.ALL", "States.TaskFailed"} & set(errors), key
            assert not [error for error in errors if LOST.search(error)], key


@every_machine
def test_a_choice_has_a_default(name: str) -> None:
    for key, state in states(name):
        if state["Type"] == "Choice":
            assert state["Default"], key


@every_machine
def test_every_state_is_there_and_is_reached(name: str) -> None:
    for level in levels(definition(name)):
        assert reachable(level) == level["States"].keys()


@every_machine
def test_every_state_goes_on_or_ends(name: str) -> None:
    for key, state in states(name):
        ends = state.get("End") is True or state["Type"] in {"Succeed", "Fail"}
        assert ends != bool(edges(state, caught=False)), key


@every_machine
def test_the_template_gives_every_substitution_and_no_other(name: str) -> None:
    given = properties(name)["DefinitionSubstitutions"]
    assert set(SUBSTITUTION.findall(text(name))) == given.keys()


@every_machine
def test_no_place_is_written_into_it(name: str) -> None:
    assert not re.search(r"arn:aws|[0-9]{12}|(us|eu|ap)-[a-z]+-[0-9]", text(name))


@every_machine
def test_its_log_holds_no_data(name: str) -> None:
    logging = properties(name)["Logging"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", False)
    assert properties(name)["Tracing"] == {"Enabled": True}


def asked(name: str) -> set[str]:
    """Return the actions that a definition needs."""
    found: set[str] = set()
    for _, state in states(name):
        if state["Type"] == "Map":
            found |= MAP_RUN | ACTIONS[state["ItemReader"]["Resource"].split(":::")[1]]
        if state["Type"] != "Task":
            continue
        kind = state["Resource"].split(":::")[1]
        if kind == TRANSACTION:
            items = state["Arguments"]["TransactItems"]
            found |= {PARTS[part] for item in items for part in item}
        else:
            found |= ACTIONS[kind]
    return found


@every_machine
def test_its_role_may_do_what_it_does_and_nothing_else(name: str) -> None:
    role = resources(STACK)[properties(name)["Role"]["Fn::GetAtt"].partition(".")[0]]
    granted: set[str] = set()
    for statement in statements(role):
        actions = statement["Action"]
        granted |= {actions} if isinstance(actions, str) else set(actions)
    assert {it for it in granted if not it.startswith(BESIDE)} == asked(name)


# --- the account workflow alone ------------------------------------------------------------------
#: The states that write what the student is told.
TELLING = frozenset({"Activate", "DeleteAccount", "Close", "MarkParked"})


def test_no_request_ends_without_a_word() -> None:
    """Whoever reaches an end came through a state that writes the request's row, or its failure."""
    machine = definition("account")
    ends = {key for key, it in machine["States"].items() if not edges(it, caught=False)}
    silent = reachable(machine, without=TELLING) & ends - TELLING
    # Done: the account was found active, so Activate had written the row.
    # Failed: the queue of parked accounts did not answer; the alarm on executions is what is left.
    # Undone: DeleteAccount had.
    assert silent == {"Done", "Failed", "Undone"}
    direct = {
        key
        for key, it in machine["States"].items()
        if silent & set(edges(it)) and key not in TELLING
    }
    assert direct == {"CheckExisting", "Withdraw", "Park", "Outcome"}


def test_whatever_is_made_is_undone_in_reverse() -> None:
    machine = definition("account")["States"]
    for key in ("Create", "CreateIdentity", "Activate"):
        assert machine[key]["Catch"][-1]["Next"] == "Withdraw", key
    order = ["Withdraw"]
    while machine[order[-1]]["Type"] == "Task":
        order.append(machine[order[-1]]["Next"])
    assert order == ["Withdraw", "DeleteIdentity", "DeleteAccount", "Outcome"]
    for key in order[:-1]:
        assert machine[key]["Catch"][-1]["Next"] == "Park", key


def keys(item: dict[str, Any]) -> tuple[str, str]:
    (part,) = item.values()
    row = part.get("Key") or part["Item"]
    return row["pk"]["S"], row["sk"]["S"]


def test_the_undoing_covers_every_row_of_the_making() -> None:
    machine = definition("account")["States"]
    made = {keys(item) for item in machine["Create"]["Arguments"]["TransactItems"]}
    undone = {keys(item) for item in machine["DeleteAccount"]["Arguments"]["TransactItems"]}
    fence = machine["Withdraw"]["Arguments"]["Key"]
    assert made <= undone | {(fence["pk"]["S"], fence["sk"]["S"])}


def test_its_states_carry_no_field_of_the_form() -> None:
    """What the student wrote is in the table only; the states pass ids."""
    for field in ("email", "name", "dateOfBirth", "programme", "locale"):
        assert not re.search(rf"\.{field}\b|\b{field}'\s*:", text("account"))


def test_the_secret_of_an_account_is_no_digest_of_a_person() -> None:
    assert "digest" not in str(definition("admit")["States"]["Start"]["Arguments"])
