"""Contracts of the patches for Step Functions state machines and SES."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.roles import client_with
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE as ROLE_OF_FUNCTIONS
from aws_emulator.tests.ministack.templates import function, stack
from aws_emulator.tests.waiting import wait_until

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
DEFINITION = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})


def machine(definition: str, **properties: Any) -> dict[str, Any]:
    arguments = {
        "DefinitionString": definition,
        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        **properties,
    }
    return {"Type": "AWS::StepFunctions::StateMachine", "Properties": arguments}


def ended(emulator: Emulator, execution: str) -> dict[str, Any]:
    machines = emulator.client("stepfunctions")

    def result() -> dict[str, Any] | None:
        description: dict[str, Any] = machines.describe_execution(executionArn=execution)
        return description if description["status"] != "RUNNING" else None

    return wait_until(result, f"the end of {execution}", interval_s=0.05)


def state_machine_versions(emulator: Emulator) -> None:
    """An alias in a template starts an execution of its version."""
    name = unique("aliased")
    version = {
        "Type": "AWS::StepFunctions::StateMachineVersion",
        "Properties": {"StateMachineArn": {"Ref": "Machine"}},
    }
    alias = {
        "Type": "AWS::StepFunctions::StateMachineAlias",
        "Properties": {
            "Name": "live",
            "DeploymentPreference": {
                "StateMachineVersionArn": {"Ref": "Version"},
                "Type": "ALL_AT_ONCE",
            },
        },
    }
    resources = {"Machine": machine(DEFINITION, StateMachineName=name), "Version": version}
    emulator.deploy(stack(Role=ROLE, **resources, Alias=alias), name)
    machines = emulator.client("stepfunctions")
    (arn,) = [it["stateMachineArn"] for it in machines.list_state_machines()["stateMachines"]
              if it["name"] == name]  # fmt: skip
    started = machines.start_execution(stateMachineArn=f"{arn}:live")["executionArn"]
    assert ended(emulator, started)["status"] == "SUCCEEDED"


def state_machine_qualifiers(emulator: Emulator) -> None:
    """A policy allows the start of one alias by the state machine's ARN and a condition."""
    name = unique("qualified")
    machines, iam = emulator.client("stepfunctions"), emulator.client("iam")
    service_role = iam.create_role(
        RoleName=f"{name}-machine", AssumeRolePolicyDocument=json.dumps(TRUST)
    )["Role"]["Arn"]
    arn = machines.create_state_machine(name=name, definition=DEFINITION, roleArn=service_role)[
        "stateMachineArn"
    ]
    version = machines.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    routes = [{"stateMachineVersionArn": version, "weight": 100}]
    for alias in ("live", "other"):
        machines.create_state_machine_alias(name=alias, routingConfiguration=routes)
    allowed = {
        "Effect": "Allow",
        "Action": "states:StartExecution",
        "Resource": arn,
        "Condition": {"StringEquals": {"states:StateMachineQualifier": "live"}},
    }
    starter = client_with(emulator, name, allowed, "stepfunctions")
    started = starter.start_execution(stateMachineArn=f"{arn}:live")["executionArn"]
    assert ended(emulator, started)["status"] == "SUCCEEDED"
    for refused_arn in (arn, f"{arn}:other"):
        with pytest.raises(ClientError, match="AccessDenied"):
            starter.start_execution(stateMachineArn=refused_arn)
    of_alias = {**allowed, "Resource": f"{arn}:live", "Condition": {}}
    starter = client_with(emulator, f"{name}-alias", of_alias, "stepfunctions")
    with pytest.raises(ClientError, match="AccessDenied"):
        starter.start_execution(stateMachineArn=f"{arn}:live")


def state_machine_definitions(emulator: Emulator) -> None:
    """A YAML definition runs."""
    name = unique("yaml")
    text = "StartAt: Done\nStates:\n  # a comment\n  Done:\n    Type: Succeed\n"
    emulator.deploy(stack(Role=ROLE, Machine=machine(text, StateMachineName=name)), name)
    machines = emulator.client("stepfunctions")
    arn = f"arn:aws:states:us-east-1:000000000000:stateMachine:{name}"
    started = machines.start_execution(stateMachineArn=arn)["executionArn"]
    assert ended(emulator, started)["status"] == "SUCCEEDED"


def service_integration_errors(emulator: Emulator) -> None:
    """A catcher with AWS's error name catches a repeated StartExecution."""
    inner, outer = unique("inner"), unique("outer")
    arn = "arn:aws:states:us-east-1:000000000000:stateMachine"
    twice = {
        "StartAt": "Start",
        "States": {
            "Start": {
                "Type": "Task",
                "Resource": "arn:aws:states:::states:startExecution",
                "Parameters": {"StateMachineArn": f"{arn}:{inner}", "Name": "once"},
                "Catch": [
                    {
                        "ErrorEquals": ["StepFunctions.ExecutionAlreadyExistsException"],
                        "Next": "Caught",
                    }
                ],
                "End": True,
            },
            "Caught": {"Type": "Pass", "Result": "caught", "End": True},
        },
    }
    resources = {
        "Inner": machine(DEFINITION, StateMachineName=inner),
        "Outer": machine(json.dumps(twice), StateMachineName=outer),
    }
    emulator.deploy(stack(Role=ROLE, **resources), outer)
    machines = emulator.client("stepfunctions")
    for _ in range(2):
        started = machines.start_execution(stateMachineArn=f"{arn}:{outer}")["executionArn"]
        last = ended(emulator, started)
    assert (last["status"], last["output"]) == ("SUCCEEDED", '"caught"')


def throttled_functions(emulator: Emulator) -> None:
    """A catcher with AWS's error name catches a function without free concurrency."""
    name = unique("throttled")
    code = "def handler(*_):\n    return 1\n"
    never = function(name, code, ReservedConcurrentExecutions=0)
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": name, "Payload": {}},
        "Catch": [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "Next": "Caught"}],
        "End": True,
    }
    states = {"Call": task, "Caught": {"Type": "Pass", "Result": "caught", "End": True}}
    machine_arn = machine(json.dumps({"StartAt": "Call", "States": states}), StateMachineName=name)
    emulator.deploy(stack(Role=ROLE_OF_FUNCTIONS, Never=never, Machine=machine_arn), name)
    started = emulator.client("stepfunctions").start_execution(
        stateMachineArn=f"arn:aws:states:us-east-1:000000000000:stateMachine:{name}"
    )["executionArn"]
    assert ended(emulator, started).get("output") == '"caught"'


def distributed_map(emulator: Emulator) -> None:
    """A Distributed Map in JSONata reads its file, maps its items and returns an output."""
    name, bucket = unique("map"), unique("map")
    storage = emulator.client("s3")
    storage.create_bucket(Bucket=bucket)
    storage.put_object(Bucket=bucket, Key="a.csv", Body=b"n\n5\n7\n")
    child = {"Type": "Pass", "Output": "{% $states.input.word & $states.input.n %}", "End": True}
    rows = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "Arguments": {"Bucket": "{% $states.input.bucket %}", "Key": "a.csv"},
        },
        "ItemSelector": {
            "word": "{% $states.input.word & $string($states.context.Map.Item.Index) %}",
            "n": "{% $states.context.Map.Item.Value.n %}",
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "Child",
            "States": {"Child": child},
        },
        "Output": {"all": "{% $states.result %}"},
        "End": True,
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "Rows", "States": {"Rows": rows}}
    machine_arn = machine(json.dumps(definition), StateMachineName=name)
    emulator.deploy(stack(Role=ROLE, Machine=machine_arn), name)
    started = emulator.client("stepfunctions").start_execution(
        stateMachineArn=f"arn:aws:states:us-east-1:000000000000:stateMachine:{name}",
        input=json.dumps({"bucket": bucket, "word": "w"}),
    )["executionArn"]
    last = ended(emulator, started)
    assert last["status"] == "SUCCEEDED", last
    assert json.loads(last["output"]) == {"all": ["w05", "w17"]}


def delimited_items(emulator: Emulator) -> None:
    """A Distributed Map removes backslashes from its CSV items, or takes them as escapes."""
    bucket = unique("items")
    storage = emulator.client("s3")
    storage.create_bucket(Bucket=bucket)
    text = 'name,more\nC:\\\\a,x\\y\nDan\\,music,{""a"":1}\n"two\nlines, ""quoted""",\n'
    storage.put_object(Bucket=bucket, Key="a.csv", Body=text.encode())
    rows = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "Parameters": {"Bucket": bucket, "Key": "a.csv"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "Child",
            "States": {"Child": {"Type": "Pass", "End": True}},
        },
        "End": True,
    }
    name = unique("items")
    machine_arn = machine(
        json.dumps({"StartAt": "Rows", "States": {"Rows": rows}}), StateMachineName=name
    )
    emulator.deploy(stack(Role=ROLE, Machine=machine_arn), name)
    started = emulator.client("stepfunctions").start_execution(
        stateMachineArn=f"arn:aws:states:us-east-1:000000000000:stateMachine:{name}"
    )["executionArn"]
    last = ended(emulator, started)
    assert last["status"] == "SUCCEEDED", last
    assert json.loads(last["output"]) == [
        {"name": "C:\\a", "more": "xy"},
        {"name": "Dan,music", "more": '{"a":1}'},
        {"name": 'two\nlines, "quoted"', "more": ""},
    ]


def ses_events(emulator: Emulator) -> None:
    """The mailbox simulator's bounces and complaints reach a rule of the default event bus."""
    events, queues, ses = (emulator.client(it) for it in ("events", "sqs", "sesv2"))
    name, sender = unique("feedback"), f"{unique('sender')}@app.example"
    ses.create_email_identity(EmailIdentity=sender)
    ses.create_configuration_set(ConfigurationSetName=name)
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    ses.create_configuration_set_event_destination(
        ConfigurationSetName=name,
        EventDestinationName="feedback",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": ["BOUNCE"],
            "EventBridgeDestination": {"EventBusArn": bus},
        },
    )
    url = queues.create_queue(QueueName=name)["QueueUrl"]
    tags = {"ses:configuration-set": [name]}
    pattern = {"source": ["aws.ses"], "detail": {"mail": {"tags": tags}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    message: dict[str, Any] = {
        "FromEmailAddress": sender,
        "Content": {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
        "EmailTags": [{"Name": "outbox", "Value": "o1"}],
    }
    # The set has no destination for complaints; a usual address causes no event.
    for recipient in ("complaint@simulator", "success@simulator", "bounce+o1@simulator"):
        address = {"ToAddresses": [f"{recipient}.amazonses.com"]}
        ses.send_email(ConfigurationSetName=name, Destination=address, **message)
        ses.send_email(Destination=address, **message)
    (received,) = wait_until(
        lambda: queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"),
        "the event",
    )
    event = json.loads(received["Body"])
    assert event["detail-type"] == "Email Bounced"
    detail = event["detail"]
    assert (detail["eventType"], detail["bounce"]["bounceType"]) == ("Bounce", "Permanent")
    assert detail["mail"]["tags"]["outbox"] == ["o1"]
    with pytest.raises(ClientError) as caught:
        ses.send_email(ConfigurationSetName=f"no-{name}", Destination=address, **message)
    assert caught.value.response["Error"]["Code"] == "NotFoundException"


def jsonata_test_state(emulator: Emulator) -> None:
    """TestState evaluates Arguments, Output and the catchers of a JSONata Task."""
    task = {
        "QueryLanguage": "JSONata",
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Arguments": {"QueueUrl": "{% $states.input.url %}", "MessageBody": "x"},
        "Output": "{% $states.result.MessageId & '!' %}",
        "Next": "After",
        "Retry": [{"ErrorEquals": ["SQS.Slow"], "MaxAttempts": 1}],
        "Catch": [
            {
                "ErrorEquals": ["States.ALL"],
                "Output": "{% $states.errorOutput.Error %}",
                "Next": "Caught",
            }
        ],
    }
    machines = emulator.client("stepfunctions")

    def run_test(mock: dict[str, Any], retries: int = 0) -> dict[str, Any]:
        answer: dict[str, Any] = machines.test_state(
            definition=json.dumps(task),
            input=json.dumps({"url": "u"}),
            inspectionLevel="DEBUG",
            mock=mock,
            stateConfiguration={"retrierRetryCount": retries},
        )
        return answer

    good = run_test({"result": '{"MessageId": "m"}'})
    assert (good["status"], good["output"], good["nextState"]) == ("SUCCEEDED", '"m!"', "After")
    assert json.loads(good["inspectionData"]["afterArguments"])["QueueUrl"] == "u"
    slow = {"errorOutput": {"error": "SQS.Slow", "cause": "c"}}
    assert run_test(slow)["status"] == "RETRIABLE"
    caught = run_test(slow, 1)
    assert (caught["status"], caught["output"]) == ("CAUGHT_ERROR", '"SQS.Slow"')
    assert caught["nextState"] == "Caught"
