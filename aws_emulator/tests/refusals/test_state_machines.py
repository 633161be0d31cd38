"""Requests and executions that Step Functions refuses."""

import json
from typing import Any

import pytest

from aws_emulator.tests.ministack import contracts_state_machines
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.refusals.refusing import refused, unchecked_client
from aws_emulator.tests.waiting import wait_until

KIB = 1024
PASS = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


@pytest.fixture(scope="module")
def role(emulator: Emulator) -> str:
    """Create a role for state machines; return its ARN."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "states.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    created_role = emulator.client("iam").create_role(
        RoleName=unique("states"), AssumeRolePolicyDocument=json.dumps(trust)
    )
    return str(created_role["Role"]["Arn"])


def create(
    emulator: Emulator, role: str, definition: dict[str, Any], kind: str = "STANDARD"
) -> str:
    """Create a state machine; return its ARN."""
    state_machine = emulator.client("stepfunctions").create_state_machine(
        name=unique("machine"), definition=json.dumps(definition), roleArn=role, type=kind
    )
    return str(state_machine["stateMachineArn"])


def finished(emulator: Emulator, machine: str, input_text: str = "{}") -> dict[str, Any]:
    """Run an execution to its end; return its description."""
    client = emulator.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=machine, input=input_text)["executionArn"]

    def ended() -> dict[str, Any] | None:
        description: dict[str, Any] = client.describe_execution(executionArn=arn)
        return None if description["status"] == "RUNNING" else description

    return wait_until(ended, "the execution")


@pytest.mark.parametrize("name", ["n" * 81, "with space", "a:b", "a#b"])
def test_states_refuses_invalid_name(emulator: Emulator, role: str, name: str) -> None:
    client = emulator.client("stepfunctions")
    refused(
        "InvalidName",
        client.create_state_machine,
        name=name,
        definition=json.dumps(PASS),
        roleArn=role,
    )
    machine = create(emulator, role, PASS)
    refused("InvalidName", client.start_execution, stateMachineArn=machine, name=name)


def test_states_refuses_input_over_256_kib(emulator: Emulator, role: str) -> None:
    client, machine = emulator.client("stepfunctions"), create(emulator, role, PASS)
    longest = 256 * KIB - len('""')
    client.start_execution(stateMachineArn=machine, input=json.dumps("x" * longest))
    refused(
        "InvalidExecutionInput",
        client.start_execution,
        stateMachineArn=machine,
        input=json.dumps("x" * (longest + 1)),
    )


def test_states_refuses_input_that_is_not_json(emulator: Emulator, role: str) -> None:
    start = emulator.client("stepfunctions").start_execution
    machine = create(emulator, role, PASS)
    refused("InvalidExecutionInput", start, stateMachineArn=machine, input="{")


def test_states_refuses_same_execution_name_with_other_input(emulator: Emulator, role: str) -> None:
    wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}}
    client, machine = emulator.client("stepfunctions"), create(emulator, role, wait)
    first = client.start_execution(stateMachineArn=machine, name="one", input='{"a":1}')
    again = client.start_execution(stateMachineArn=machine, name="one", input='{"a":1}')
    assert first["executionArn"] == again["executionArn"]
    refused(
        "ExecutionAlreadyExists",
        client.start_execution,
        stateMachineArn=machine,
        name="one",
        input='{"a":2}',
    )
    client.stop_execution(executionArn=first["executionArn"])
    refused(
        "ExecutionAlreadyExists",
        client.start_execution,
        stateMachineArn=machine,
        name="one",
        input='{"a":1}',
    )


def test_states_fails_execution_over_256_kib_of_output(emulator: Emulator, role: str) -> None:
    doubling = {
        "QueryLanguage": "JSONata",
        "StartAt": "Double",
        "States": {
            "Double": {
                "Type": "Pass",
                "Output": "{% {'a': $states.input.a & $states.input.a} %}",
                "End": True,
            }
        },
    }
    machine = create(emulator, role, doubling)
    small = finished(emulator, machine, json.dumps({"a": "x" * 100 * KIB}))
    assert small["status"] == "SUCCEEDED"
    large = finished(emulator, machine, json.dumps({"a": "x" * 140 * KIB}))
    assert (large["status"], large.get("error")) == ("FAILED", "States.DataLimitExceeded")


def test_states_refuses_definition_over_1_mb(emulator: Emulator, role: str) -> None:
    definition = {**PASS, "Comment": "x" * 1_048_576}
    refused(
        "InvalidDefinition",
        emulator.client("stepfunctions").create_state_machine,
        name=unique("large"),
        definition=json.dumps(definition),
        roleArn=role,
    )


@pytest.mark.parametrize(
    "definition",
    [
        {"States": {"Done": {"Type": "Succeed"}}},
        {"StartAt": "Missing", "States": {"Done": {"Type": "Succeed"}}},
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Missing"}}},
        {"StartAt": "A", "States": {"A": {"Type": "Pass"}}},
        {"StartAt": "A", "States": {"A": {"Type": "Unknown", "End": True}}},
        {
            "StartAt": "A",
            "States": {
                "A": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Retry": [
                        {"ErrorEquals": ["States.ALL"]},
                        {"ErrorEquals": ["States.Timeout"]},
                    ],
                    "End": True,
                }
            },
        },
        {
            "QueryLanguage": "JSONata",
            "StartAt": "A",
            "States": {"A": {"Type": "Pass", "OutputPath": "$.a", "End": True}},
        },
    ],
    ids=["no StartAt", "StartAt", "Next", "no End", "Type", "States.ALL", "JSONata"],
)
def test_states_refuses_invalid_definition(
    emulator: Emulator, role: str, definition: dict[str, Any]
) -> None:
    refused(
        "InvalidDefinition",
        emulator.client("stepfunctions").create_state_machine,
        name=unique("invalid"),
        definition=json.dumps(definition),
        roleArn=role,
    )


def refuse_definition(
    emulator: Emulator, role: str, definition: dict[str, Any], kind: str = "STANDARD"
) -> str:
    """Expect that CreateStateMachine refuses a definition; return the message."""
    return refused(
        "InvalidDefinition",
        emulator.client("stepfunctions").create_state_machine,
        name=unique("refused"),
        definition=json.dumps(definition),
        roleArn=role,
        type=kind,
    )


def test_states_refuses_express_workflow_with_distributed_map(
    emulator: Emulator, role: str
) -> None:
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, **PASS}
    state = {"Type": "Map", "ItemProcessor": processor, "End": True}
    definition = {"StartAt": "Rows", "States": {"Rows": state}}
    create(emulator, role, definition)
    assert "Distributed Map" in refuse_definition(emulator, role, definition, "EXPRESS")


def test_states_refuses_number_of_retrier(emulator: Emulator, role: str) -> None:
    retrier = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 5, "MaxDelaySeconds": 6}
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    for change, valid in (
        ({}, True),
        ({"MaxDelaySeconds": 5}, False),
        ({"IntervalSeconds": 0}, False),
        ({"BackoffRate": 0.9}, False),
        ({"MaxAttempts": -1}, False),
    ):
        definition = {
            "StartAt": "A",
            "States": {"A": {**state, "Retry": [{**retrier, **change}]}},
        }
        if valid:
            create(emulator, role, definition)
        else:
            refuse_definition(emulator, role, definition)


def test_states_refuses_name_of_state_over_80_characters(emulator: Emulator, role: str) -> None:
    for length, valid in ((80, True), (81, False)):
        name = length * "A"
        definition = {"StartAt": name, "States": {name: {"Type": "Succeed"}}}
        if valid:
            create(emulator, role, definition)
        else:
            refuse_definition(emulator, role, definition)


def test_states_refuses_list_of_over_1000_executions(emulator: Emulator, role: str) -> None:
    states = unchecked_client(emulator, "stepfunctions")
    machine = create(emulator, role, PASS)
    states.list_executions(stateMachineArn=machine, maxResults=1_000)
    refused(
        "ValidationException", states.list_executions, stateMachineArn=machine, maxResults=1_001
    )


def test_states_refuses_unknown_kind_of_included_data(emulator: Emulator, role: str) -> None:
    states = unchecked_client(emulator, "stepfunctions")
    machine = create(emulator, role, PASS)
    described = states.describe_state_machine(stateMachineArn=machine, includedData="ALL_DATA")
    assert json.loads(described["definition"]) == PASS
    refused(
        "ValidationException",
        states.describe_state_machine,
        stateMachineArn=machine,
        includedData="NONE",
    )


def test_step_functions_refuses_start_by_grant_of_alias(emulator: Emulator) -> None:
    contracts_state_machines.state_machine_qualifiers(emulator)
