"""Requests that Lambda and its event source mappings refuse."""

import io
import json
import zipfile
from typing import Any

import pytest

from aws_emulator.ministack.patches.payload_limits import (
    MAX_ASYNCHRONOUS_BYTES,
    MAX_SYNCHRONOUS_BYTES,
)
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, function, package, stack
from aws_emulator.tests.refusals.refusing import refused

#: Lambda quotas, "Deployment package (.zip file archive) size".
MAX_UNZIPPED_BYTES = 250 * 1_048_576
INVALID = "InvalidParameterValueException"
CODE = "def handler(event, context):\n    return 'x' * event.get('size', 0)\n"


def settings(name: str, **more: Any) -> dict[str, Any]:
    return {
        "FunctionName": name,
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/function",
        "Code": {"ZipFile": package(index=CODE)},
        **more,
    }


@pytest.fixture(scope="module")
def name(emulator: Emulator) -> str:
    """Create a function that returns a string of the requested size; return its name."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = emulator.client("iam").create_role(
        RoleName=unique("function"), AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    created = unique("function")
    emulator.client("lambda").create_function(**settings(created, Role=role, MemorySize=512))
    return created


def package_of(size: int) -> bytes:
    """Return an archive whose only file has this size by the archive's directory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", CODE)
        archive.infolist()[0].file_size = size
    return buffer.getvalue()


def test_lambda_refuses_package_over_250_mb(emulator: Emulator, name: str) -> None:
    functions, created = emulator.client("lambda"), unique("package")
    role = functions.get_function_configuration(FunctionName=name)["Role"]

    def of_size(size: int) -> dict[str, Any]:
        return settings(created, Role=role, Code={"ZipFile": package_of(size)})

    refused(INVALID, functions.create_function, **of_size(MAX_UNZIPPED_BYTES + 1))
    functions.create_function(**of_size(MAX_UNZIPPED_BYTES))
    functions.delete_function(FunctionName=created)


def test_lambda_refuses_request_over_6_mb(emulator: Emulator, name: str) -> None:
    invoke = emulator.client("lambda").invoke
    large = b"{}" + b" " * (MAX_SYNCHRONOUS_BYTES - 1)
    assert "FunctionError" not in invoke(FunctionName=name, Payload=large[:-1])
    refused("RequestTooLargeException", invoke, FunctionName=name, Payload=large)


def test_lambda_refuses_asynchronous_request_over_1_mb(emulator: Emulator, name: str) -> None:
    refused(
        "RequestTooLargeException",
        emulator.client("lambda").invoke,
        FunctionName=name,
        InvocationType="Event",
        Payload=b"{}" + b" " * (MAX_ASYNCHRONOUS_BYTES - 1),
    )


def test_lambda_refuses_response_over_6_mb(emulator: Emulator, name: str) -> None:
    def answer(size: int) -> Any:
        payload = json.dumps({"size": size - len('""')}).encode()
        return emulator.client("lambda").invoke(FunctionName=name, Payload=payload)

    assert "FunctionError" not in answer(MAX_SYNCHRONOUS_BYTES)
    refusal = answer(MAX_SYNCHRONOUS_BYTES + 1)
    assert refusal["FunctionError"] == "Unhandled"
    assert json.load(refusal["Payload"])["errorType"] == "Function.ResponseSizeTooLarge"


@pytest.mark.parametrize(
    "wrong",
    [
        {"MemorySize": 10_241},
        {"Timeout": 901},
        {"Environment": {"Variables": {"TOO_LONG": "x" * 4096}}},
        {"Environment": {"Variables": {"AWS_REGION": "eu-west-2"}}},
        {"Environment": {"Variables": {"1ST": "x"}}},
        {"Handler": "h" * 129},
        {"FunctionName": "n" * 65},
        {"FunctionName": "with space"},
        {"Description": "d" * 257},
        {"Architectures": ["arm64", "x86_64"]},
        {"Runtime": "python2.9"},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_lambda_refuses_invalid_setting(emulator: Emulator, wrong: dict[str, Any]) -> None:
    create = emulator.client("lambda").create_function
    refused(None, create, **{**settings(unique("wrong")), **wrong})


def test_lambda_refuses_role_without_trust(emulator: Emulator) -> None:
    create = emulator.client("lambda").create_function
    refused(INVALID, create, **settings(unique("trust")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"ParallelizationFactor": 11},
        {"BatchSize": 10_001},
        {"MaximumBatchingWindowInSeconds": 301},
        {"MaximumRetryAttempts": 10_001},
        {"MaximumRecordAgeInSeconds": 59},
        {"TumblingWindowInSeconds": 901},
        {"StartingPosition": None},
        {"ScalingConfig": {"MaximumConcurrency": 2}},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_stream_mapping_refuses_invalid_setting(
    emulator: Emulator, name: str, wrong: dict[str, Any]
) -> None:
    stream = unique("stream")
    emulator.client("kinesis").create_stream(StreamName=stream, ShardCount=1)
    right = {
        "FunctionName": name,
        "EventSourceArn": f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream}",
        "StartingPosition": "TRIM_HORIZON",
    }
    arguments = {key: value for key, value in {**right, **wrong}.items() if value is not None}
    create = emulator.client("lambda").create_event_source_mapping
    refused(INVALID, create, **arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        {"Topics": None},
        {"Topics": ["clicks", "views"]},
        {"StartingPosition": None},
        {"ProvisionedPollerConfig": None},
        {"ParallelizationFactor": 2},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_kafka_mapping_refuses_invalid_setting(
    emulator: Emulator, name: str, wrong: dict[str, Any]
) -> None:
    right = {
        "FunctionName": name,
        "EventSourceArn": "arn:aws:kafka:us-east-1:000000000000:cluster/one/0a1b-2",
        "Topics": ["clicks"],
        "StartingPosition": "TRIM_HORIZON",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ProvisionedPollerConfig": {"MinimumPollers": 1, "MaximumPollers": 4},
    }
    create = emulator.client("lambda").create_event_source_mapping
    mapping = create(**right)
    assert mapping["Topics"] == right["Topics"]
    assert mapping["ProvisionedPollerConfig"] == right["ProvisionedPollerConfig"]
    emulator.client("lambda").delete_event_source_mapping(UUID=mapping["UUID"])
    arguments = {key: value for key, value in {**right, **wrong}.items() if value is not None}
    refused(INVALID, create, **arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        {"BatchSize": 11},
        {"BatchSize": 10_001, "MaximumBatchingWindowInSeconds": 1},
        {"StartingPosition": "LATEST"},
        {"ParallelizationFactor": 2},
        {"BisectBatchOnFunctionError": True},
        {"MaximumBatchingWindowInSeconds": 301},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_queue_mapping_refuses_invalid_setting(
    emulator: Emulator, name: str, wrong: dict[str, Any]
) -> None:
    queue = unique("queue")
    emulator.client("sqs").create_queue(QueueName=queue)
    right = {
        "FunctionName": name,
        "EventSourceArn": f"arn:aws:sqs:us-east-1:000000000000:{queue}",
    }
    create = emulator.client("lambda").create_event_source_mapping
    refused(INVALID, create, **{**right, **wrong})


def test_queue_mapping_refuses_visibility_timeout_below_function_timeout(
    emulator: Emulator, name: str
) -> None:
    queue = unique("queue")
    emulator.client("sqs").create_queue(QueueName=queue, Attributes={"VisibilityTimeout": "1"})
    refused(
        INVALID,
        emulator.client("lambda").create_event_source_mapping,
        FunctionName=name,
        EventSourceArn=f"arn:aws:sqs:us-east-1:000000000000:{queue}",
    )


def test_template_with_invalid_mapping_fails(emulator: Emulator, name: str) -> None:
    queue = unique("queue")
    mapping = {
        "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
        "FunctionName": name,
        "BatchSize": 11,
    }
    template = stack(
        Queue={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": queue}},
        Mapping={"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
    )
    with pytest.raises(AssertionError, match="MaximumBatchingWindowInSeconds must be 1 or more"):
        emulator.deploy(template, queue)


def test_lambda_keeps_100_executions_unreserved(emulator: Emulator) -> None:
    """The quota is the account's default, 1,000."""
    client = emulator.client("lambda")
    names = [unique("reserved"), unique("reserved")]
    emulator.deploy(
        stack(
            Role=ROLE,
            First=function(names[0], CODE),
            Second=function(names[1], CODE, ReservedConcurrentExecutions=7),
        ),
        unique("reserved"),
    )
    free = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] - 100

    def reserve(executions: int) -> None:
        client.put_function_concurrency(
            FunctionName=names[0], ReservedConcurrentExecutions=executions
        )

    refused(INVALID, reserve, executions=free + 1)
    try:
        reserve(free)
        refused(
            INVALID,
            client.put_function_concurrency,
            FunctionName=names[1],
            ReservedConcurrentExecutions=8,
        )
    finally:
        client.delete_function_concurrency(FunctionName=names[0])
    reserved = client.get_function_concurrency(FunctionName=names[1])
    assert reserved["ReservedConcurrentExecutions"] == 7
