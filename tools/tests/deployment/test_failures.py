"""`make deploy` names the resource that failed, with events as AWS CloudFormation reports them."""

import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from aws_emulator import stack_failures
from aws_emulator.errors import CommandError
from tools.deployment import collector
from tools.deployment.deploy import run_sam_deploy
from tools.deployment.environments import read_environment
from tools.deployment.preflight.account import Account

HOME = read_environment("default")
ROOT = HOME.stack_name
NESTED = "AWS::CloudFormation::Stack"
START = datetime(2026, 11, 29, tzinfo=UTC)


def event(
    second: int, stack: str, name: str, status: str, reason: str = "", kind: str = NESTED
) -> dict[str, Any]:
    physical = {"Edge": "arn:edge", "Functions": "arn:functions", "Accounts": "arn:accounts"}
    return {
        "Timestamp": START + timedelta(seconds=second),
        "StackId": f"arn:{stack}",
        "LogicalResourceId": name,
        "PhysicalResourceId": physical.get(name, f"arn:{stack}" if name == stack else ""),
        "ResourceType": kind,
        "ResourceStatus": status,
        **({"ResourceStatusReason": reason} if reason else {}),
    }


def embedded(name: str) -> str:
    return f"Embedded stack arn:x was not successfully created: The following resource(s): [{name}]"


#: Newest first, as DescribeStackEvents returns them.
EVENTS = {
    ROOT: [
        event(9, "root", "root", "ROLLBACK_IN_PROGRESS", "Rollback requested by user."),
        event(8, "root", "Accounts", "CREATE_FAILED", "Resource creation cancelled"),
        event(7, "root", "Edge", "CREATE_FAILED", embedded("Functions")),
        event(1, "root", "Stream", "CREATE_COMPLETE"),
        event(-5, "root", "Portal", "UPDATE_FAILED", "of the deployment before"),
    ],
    "arn:edge": [
        event(6, "edge", "edge", "CREATE_FAILED", embedded("Functions")),
        event(6, "edge", "Functions", "CREATE_FAILED", embedded("EdgeAuthVersion")),
    ],
    "arn:functions": [
        event(5, "functions", "Schedule", "CREATE_FAILED", "Resource creation cancelled"),
        event(4, "functions", "EdgeAuthVersion", "CREATE_FAILED", "No keys.", "Custom::Version"),
    ],
}


class CloudFormation:
    """The events of the stacks; before `sam deploy`, the root has those of earlier deployments."""

    def __init__(self, events: dict[str, list[dict[str, Any]]]) -> None:
        self._events = events

    def __call__(self, _service: str, _region: str) -> "CloudFormation":
        return self

    def describe_stack_events(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - as of boto3
        earlier = [it for it in self._events.get(StackName, []) if it["Timestamp"] < START]
        if not earlier:
            missing: Any = {"Error": {"Message": f"Stack [{StackName}] does not exist"}}
            raise ClientError(missing, "DescribeStackEvents")
        return {"StackEvents": earlier}

    def get_paginator(self, _operation: str) -> "CloudFormation":
        return self

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        return {"Stacks": [{"LastUpdatedTime": START, "Parameters": []}]}

    def create_change_set(self, **_: object) -> None:
        """Accept the change set."""

    def execute_change_set(self, **_: object) -> None:
        """Accept the update."""

    def get_waiter(self, name: str) -> "CloudFormation":
        self._waiter = name
        return self

    def wait(self, **_: object) -> None:
        if self._waiter == "stack_update_complete":
            raise WaiterError("StackUpdateComplete", "terminal failure state", {})

    def paginate(self, StackName: str) -> list[dict[str, Any]]:  # noqa: N803 - as of boto3
        return [{"StackEvents": [it]} for it in self._events[StackName]]


def deploy(
    monkeypatch: pytest.MonkeyPatch, events: dict[str, list[dict[str, Any]]], code: int = 1
) -> None:
    done = subprocess.CompletedProcess[str]([], code)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    run_sam_deploy(["sam"], HOME, Account(HOME.region, CloudFormation(events)))


def test_failed_deployment_names_the_innermost_resource_and_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = r"Edge/Functions/EdgeAuthVersion \(Custom::Version\): No keys\. Solve"
    with pytest.raises(CommandError, match=f"failed at {path} .*make deploy PLACE=default"):
        deploy(monkeypatch, EVENTS)


def test_failures_of_earlier_deployments_are_left_out() -> None:
    cloudformation = CloudFormation(EVENTS)
    since = stack_failures.newest_event(cloudformation, ROOT)
    assert since == START - timedelta(seconds=5)
    assert [it.partition(" ")[0] for it in stack_failures.causes(cloudformation, ROOT, since)] == [
        "Edge/Functions/EdgeAuthVersion"
    ]
    everything = stack_failures.causes(cloudformation, ROOT, None)
    assert [it.partition(" ")[0] for it in everything] == [
        "Portal",
        "Edge/Functions/EdgeAuthVersion",
    ]


def test_nested_stack_that_was_never_created_has_its_own_reason() -> None:
    failed = event(1, "root", "Names", "CREATE_FAILED", "Template error.")
    assert stack_failures.causes(CloudFormation({ROOT: [failed]}), ROOT, None) == [
        f"Names ({NESTED}): Template error"
    ]


def test_refused_change_set_leaves_the_output_of_sam(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="its output is above"):
        deploy(monkeypatch, {ROOT: []})


def test_successful_deployment_reads_no_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(monkeypatch, {ROOT: EVENTS[ROOT][-1:]}, code=0)


def test_failed_update_of_a_parameter_names_the_innermost_resource() -> None:
    path = r"Edge/Functions/EdgeAuthVersion \(Custom::Version\): No keys"
    with pytest.raises(CommandError, match=f"with Regions=eu-west-2: {path}"):
        collector.update_parameters(HOME, {"Regions": "eu-west-2"}, CloudFormation(EVENTS))
