"""Contracts of the patches for Step Functions executions: stop, redrive, many at once."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.contracts_state_machines import DEFINITION, ROLE, ended, machine
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack
from aws_emulator.tests.refusals.refusing import refused

ARN = "arn:aws:states:us-east-1:000000000000:stateMachine"


def execution_redrive(emulator: Emulator) -> None:
    """A redrive continues with the failed state and its input."""
    name, queue = unique("redrive"), unique("redrive")
    states = {
        "Before": {"Type": "Pass", "Output": {"n": "{% $states.input.n + 1 %}"}, "Next": "Send"},
        "Send": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Arguments": {
                "QueueUrl": f"http://sqs.us-east-1.localhost/000000000000/{queue}",
                "MessageBody": "{% $string($states.input.n) %}",
            },
            "Output": "{% $states.input %}",
            "End": True,
        },
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "Before", "States": states}
    machine_arn = machine(json.dumps(definition), StateMachineName=name)
    emulator.deploy(stack(Role=ROLE, Machine=machine_arn), name)
    machines = emulator.client("stepfunctions")
    started = machines.start_execution(stateMachineArn=f"{ARN}:{name}", input='{"n": 1}')[
        "executionArn"
    ]
    assert ended(emulator, started)["status"] == "FAILED"
    emulator.client("sqs").create_queue(QueueName=queue)
    machines.redrive_execution(executionArn=started)
    last = ended(emulator, started)
    assert (last["status"], last["output"], last["input"]) == ("SUCCEEDED", '{"n": 2}', '{"n": 1}')
    with pytest.raises(ClientError) as caught:
        machines.redrive_execution(executionArn=started)
    assert caught.value.response["Error"]["Code"] == "ExecutionNotRedrivable"


def stopped_executions(emulator: Emulator) -> None:
    """A redrive of a stopped execution starts after the stopped state has ended."""
    name = unique("stopped")
    states = {
        "Slow": {"Type": "Wait", "Seconds": 3, "Next": "After"},
        "After": {"Type": "Pass", "End": True},
    }
    machine_arn = machine(json.dumps({"StartAt": "Slow", "States": states}), StateMachineName=name)
    emulator.deploy(stack(Role=ROLE, Machine=machine_arn), name)
    machines = emulator.client("stepfunctions")
    started = machines.start_execution(stateMachineArn=f"{ARN}:{name}")["executionArn"]
    time.sleep(0.2)
    machines.stop_execution(executionArn=started)
    machines.redrive_execution(executionArn=started)
    assert ended(emulator, started)["status"] == "SUCCEEDED"
    events = machines.get_execution_history(executionArn=started)["events"]
    details = [it["stateEnteredEventDetails"] for it in events if "stateEnteredEventDetails" in it]
    assert [it["name"] for it in details] == ["Slow", "Slow", "After"]
    assert [it["type"] for it in events].count("ExecutionSucceeded") == 1


def late_failures(emulator: Emulator) -> None:
    """A state that fails after the execution was stopped does not change its status."""
    name = unique("late")
    slow = {
        "Type": "Map",
        "Items": [1],
        "ItemProcessor": {
            "StartAt": "Slow",
            "States": {
                "Slow": {"Type": "Wait", "Seconds": 1, "Next": "Late"},
                "Late": {"Type": "Fail", "Error": "Late"},
            },
        },
        "End": True,
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "All", "States": {"All": slow}}
    machine_arn = machine(json.dumps(definition), StateMachineName=name)
    emulator.deploy(stack(Role=ROLE, Machine=machine_arn), name)
    machines = emulator.client("stepfunctions")
    started = machines.start_execution(stateMachineArn=f"{ARN}:{name}")["executionArn"]
    time.sleep(0.2)
    machines.stop_execution(executionArn=started)
    time.sleep(1.3)
    assert machines.describe_execution(executionArn=started)["status"] == "ABORTED"


def jsonata_parsing(emulator: Emulator) -> None:
    """An expression of some milliseconds does not exceed its limit while others run."""
    name = unique("parsed")
    # Thousands of steps: much less than a second alone, seconds for twenty at once.
    busy = "{% $sum([1..10000].($ * 2)) %}"
    state = {"Type": "Pass", "Output": busy, "End": True}
    definition = {"QueryLanguage": "JSONata", "StartAt": "Sum", "States": {"Sum": state}}
    emulator.deploy(stack(Role=ROLE, Machine=machine(json.dumps(definition),
                                                     StateMachineName=name)), name)  # fmt: skip
    machines = emulator.client("stepfunctions")
    started = [
        machines.start_execution(stateMachineArn=f"{ARN}:{name}")["executionArn"] for _ in range(24)
    ]
    lasts = [ended(emulator, it) for it in started]
    assert {(it["status"], it.get("output")) for it in lasts} == {("SUCCEEDED", "100010000")}
    _paths_read_directly(emulator)


def _paths_read_directly(emulator: Emulator) -> None:
    """A path has the value that the engine finds, which evaluates it in brackets."""
    document = {
        "text": "é'\"", "": 1, "and": 2, "number": 1.5, "yes": False, "none": None, "empty": {},
        "list": [1, [2]], "one": [3], "objects": [{"text": "a"}, {"text": "b"}],
        "nested": {"text": "t", "list": []},
    }  # fmt: skip
    names = [*("text", "number", "yes", "none", "empty", "list", "one", "objects", "nested")]
    paths = ["", *(f".{it}" for it in names), ".nested.text", ".nested.list", ".objects.text"]
    paths += [".missing", ".text.missing", ".number.missing"]
    expressions = [f"$states.input{it}" for it in paths]
    expressions += [f"'a' & $states.input{it} & '#'" for it in paths]
    expressions += ["$states.context.Execution.Name & '/'", "'only a text'"]

    def output(expression: str) -> tuple[str, Any]:
        state = {"Type": "Pass", "Output": f"{{% {expression} %}}", "End": True}
        answer = emulator.client("stepfunctions").test_state(
            definition=json.dumps({"QueryLanguage": "JSONata", **state}), input=json.dumps(document)
        )
        text = answer.get("output")
        return answer["status"], None if text is None else json.loads(text)

    for expression in expressions:
        assert output(expression) == output(f"({expression})"), expression


def express_executions(emulator: Emulator) -> None:
    """An ended Express execution, or Express child of a Map Run, can't be read.

    Names repeat, and an execution ends after its TimeoutSeconds.
    """
    name, bucket = unique("express"), unique("express")
    storage, machines = emulator.client("s3"), emulator.client("stepfunctions")
    storage.create_bucket(Bucket=bucket)
    storage.put_object(Bucket=bucket, Key="a.csv", Body=b"n\ncanary\n")
    spread = {
        "Type": "Map",
        "Label": "Rows",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "Parameters": {"Bucket": bucket, "Key": "a.csv"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "Child",
            "States": {"Child": {"Type": "Pass", "Result": 1, "End": True}},
        },
        "End": True,
    }
    express = machine(DEFINITION, StateMachineName=f"{name}-x", StateMachineType="EXPRESS")
    rows = json.dumps({"StartAt": "Rows", "States": {"Rows": spread}})
    standard = machine(rows, StateMachineName=name)
    wait = {"Type": "Wait", "Seconds": 2, "Next": "Done"}
    states = {"Wait": wait, "Done": {"Type": "Succeed"}}
    late = json.dumps({"StartAt": "Wait", "TimeoutSeconds": 1, "States": states})
    slow = machine(late, StateMachineName=f"{name}-slow", StateMachineType="EXPRESS")
    emulator.deploy(stack(Role=ROLE, Express=express, Standard=standard, Slow=slow), name)
    answer = machines.start_sync_execution(
        stateMachineArn=f"{ARN}:{name}-x", input='{"n": "canary"}'
    )
    assert answer["status"] == "SUCCEEDED"
    listed = machines.list_executions(stateMachineArn=f"{ARN}:{name}-x")["executions"]
    assert listed == []
    with pytest.raises(ClientError) as caught:
        machines.describe_execution(executionArn=answer["executionArn"])
    assert caught.value.response["Error"]["Code"] == "ExecutionDoesNotExist"
    assert (
        machines.start_sync_execution(stateMachineArn=f"{ARN}:{name}-slow")["status"] == "TIMED_OUT"
    )
    again = [
        machines.start_execution(stateMachineArn=f"{ARN}:{name}-x", name="same", input='{"n": 1}')
        for _ in range(2)
    ]
    assert len({it["executionArn"] for it in again}) == 2
    assert all(":express:" in it["executionArn"] for it in again)
    started = machines.start_execution(stateMachineArn=f"{ARN}:{name}")["executionArn"]
    assert ended(emulator, started)["output"] == "[1]"
    (run,) = machines.list_map_runs(executionArn=started)["mapRuns"]
    assert machines.list_executions(mapRunArn=run["mapRunArn"])["executions"] == []
    counts = machines.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
    assert (counts["succeeded"], counts["total"]) == (1, 1)


def execution_limits(emulator: Emulator) -> None:
    """An execution with an invalid name does not start."""
    refused(
        "InvalidName",
        emulator.client("stepfunctions").start_execution,
        stateMachineArn=f"{ARN}:any",
        name="a b",
    )


def state_machine_validation(emulator: Emulator) -> None:
    """A definition with a transition to a missing state is refused."""
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}
    refused(
        "InvalidDefinition",
        emulator.client("stepfunctions").create_state_machine,
        name=unique("invalid"),
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::000000000000:role/any",
    )
