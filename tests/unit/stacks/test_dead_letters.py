"""Each target, mapping and state machine keeps what fails after the last retry."""

import re
from typing import Any

import pytest

from tests.unit.stacks.transformed import all_stacks, policy_statements, resolve, transformed


def of_type(*kinds: str) -> dict[str, tuple[Any, Any, dict[str, Any]]]:
    """Return "template: logical ID" -> template, the stacks around it, and properties."""
    return {
        f"{path.name}: {name}": (path, parents, resource["Properties"])
        for path, parents in all_stacks()
        for name, resource in transformed(path)["Resources"].items()
        if resource["Type"] in kinds
    }


RULES = of_type("AWS::Events::Rule")
SCHEDULES = of_type("AWS::Scheduler::Schedule")
MAPPINGS = of_type("AWS::Lambda::EventSourceMapping")
MACHINES = of_type("AWS::StepFunctions::StateMachine")
ALARMS = of_type("AWS::CloudWatch::Alarm")


def resource_of(path: Any, value: Any, parents: Any) -> dict[str, Any]:
    """Return the resource to which a value refers, through parameters and outputs."""
    template, logical_id = resolve(path, value, parents)
    resource: dict[str, Any] = transformed(template)["Resources"][logical_id]
    return resource


@pytest.mark.parametrize("rule", RULES)
def test_target_of_rule_has_dead_letter_queue(rule: str) -> None:
    path, parents, properties = RULES[rule]
    for target in properties["Targets"]:
        queue = resource_of(path, target["DeadLetterConfig"]["Arn"], parents)
        assert queue["Type"] == "AWS::SQS::Queue"


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_target_of_schedule_has_dead_letter_queue_that_its_role_may_use(schedule: str) -> None:
    """The execution role sends the message (EventBridge Scheduler, "Dead-letter queue")."""
    path, parents, properties = SCHEDULES[schedule]
    destination = properties["Target"]["DeadLetterConfig"]["Arn"]
    queue = resource_of(path, destination, parents)
    assert queue["Type"] == "AWS::SQS::Queue"
    assert "FifoQueue" not in queue["Properties"]
    role = resource_of(path, properties["Target"]["RoleArn"], parents)["Properties"]
    statements = [it for policy in role["Policies"] for it in policy["PolicyDocument"]["Statement"]]
    assert {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": destination} in statements


#: Type of a target -> the action with which EventBridge or Scheduler invokes it.
INVOCATIONS = {
    "AWS::Lambda::Function": "lambda:InvokeFunction",
    "AWS::StepFunctions::StateMachine": "states:StartExecution",
    "AWS::StepFunctions::StateMachineAlias": "states:StartExecution",
}


def granted(path: Any, role_arn: Any, parents: Any) -> list[tuple[Any, Any]]:
    """Return each action of a role's statements with its resource."""
    role = resource_of(path, role_arn, parents)["Properties"]
    return [
        (statement["Action"], statement["Resource"])
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_role_of_schedule_grants_exactly_its_target_and_queue(schedule: str) -> None:
    path, parents, properties = SCHEDULES[schedule]
    target = properties["Target"]
    invocation = INVOCATIONS[resource_of(path, target["Arn"], parents)["Type"]]
    expected = [
        (invocation, target["Arn"]),
        ("sqs:SendMessage", target["DeadLetterConfig"]["Arn"]),
    ]
    assert granted(path, target["RoleArn"], parents) == expected


@pytest.mark.parametrize("rule", RULES)
def test_role_of_rule_grants_exactly_its_targets(rule: str) -> None:
    """EventBridge sends to a queue, also a dead-letter queue, by the queue's policy."""
    path, parents, properties = RULES[rule]
    for target in properties["Targets"]:
        kind = resource_of(path, target["Arn"], parents)["Type"]
        if kind == "AWS::SQS::Queue":
            assert "RoleArn" not in target
            continue
        arn = target["Arn"]
        if kind == "AWS::StepFunctions::StateMachineAlias":
            arn = machine_of_alias(path, arn, parents)
        assert granted(path, target["RoleArn"], parents) == [(INVOCATIONS[kind], arn)]


def machine_of_alias(path: Any, alias_arn: Any, parents: Any) -> dict[str, str]:
    """Return the reference to an alias's state machine, by which Step Functions authorizes."""
    template, _ = resolve(path, alias_arn, parents)
    properties = resource_of(path, alias_arn, parents)["Properties"]
    version = properties.get("DeploymentPreference", {}).get("StateMachineVersionArn")
    version = version or properties["RoutingConfiguration"][0]["StateMachineVersionArn"]
    machine: dict[str, str] = resource_of(template, version, parents)["Properties"][
        "StateMachineArn"
    ]
    return machine


def starts() -> dict[str, tuple[Any, Any, dict[str, Any]]]:
    """Return "template: role: resource" -> template, the stacks around it, and a statement."""
    return {
        f"{name}: {statement['Resource']}": (path, parents, statement)
        for name, (path, parents, properties) in of_type("AWS::IAM::Role").items()
        for statement in policy_statements(properties)
        if "states:Start" in str(statement["Action"])
    }


STARTS = starts()


@pytest.mark.parametrize("start", STARTS)
def test_statement_starts_state_machine_by_its_own_arn(start: str) -> None:
    """AWS denies a start by a statement with the ARN of an alias or a version.

    "Step Functions uses the state machine's ARN instead of using the version ARN or alias ARN"
    (Step Functions, "Authorization for versions and aliases").
    """
    path, parents, statement = STARTS[start]
    resource = statement["Resource"]
    if "Fn::Sub" in resource:
        name = resource["Fn::Sub"].rpartition(":stateMachine:")[2]
        assert re.fullmatch(r"meridian-\$\{Stage\}-[a-z]+", name)
    else:
        assert resource_of(path, resource, parents)["Type"] == "AWS::StepFunctions::StateMachine"
    qualifier = {"StringEquals": {"states:StateMachineQualifier": "live"}}
    assert statement.get("Condition", qualifier) == qualifier


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_mapping_has_destination_for_failed_batches(mapping: str) -> None:
    path, parents, properties = MAPPINGS[mapping]
    if "StartingPosition" in properties:
        destination = properties["DestinationConfig"]["OnFailure"]["Destination"]
        assert resource_of(path, destination, parents)["Type"] in {
            "AWS::S3::Bucket",
            "AWS::SQS::Queue",
        }
    else:
        queue = resource_of(path, properties["EventSourceArn"], parents)
        assert "deadLetterTargetArn" in queue["Properties"]["RedrivePolicy"]


@pytest.mark.parametrize("machine", MACHINES)
def test_failed_execution_of_state_machine_raises_alarm(machine: str) -> None:
    """Step Functions has no dead-letter queues: the history keeps a failed execution's input."""
    properties = MACHINES[machine][2]
    if properties["StateMachineType"] == "EXPRESS":
        assert "LoggingConfiguration" in properties
        return
    watched = [
        dimension["Value"]["Fn::Sub"]
        for _, _, alarm in ALARMS.values()
        if alarm.get("MetricName") == "ExecutionsFailed"
        for dimension in alarm["Dimensions"]
    ]
    name = properties["StateMachineName"]["Fn::Sub"]
    assert [it for it in watched if it.endswith(f":stateMachine:{name}")]
