"""Each action that a function's role grants is used: by its code, or by Lambda on its behalf."""

import ast
from functools import cache
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest
from botocore import xform_name

from tests.support.paths import ROOT
from tests.support.reached_modules import reached_modules
from tests.unit.stacks.transformed import all_stacks, policy_statements, resolve, transformed
from tools.syntax import nodes

SRC: Final = ROOT / "src"
LOGS: Final = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACES: Final = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
#: Type of an event source -> what Lambda does with the function's role to read it (AWS managed
#: policies AWSLambdaKinesisExecutionRole, AWSLambdaDynamoDBExecutionRole, AWSLambdaSQSQueue...).
READS: Final = {
    "AWS::Kinesis::Stream": {
        *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords"),
        *("kinesis:GetShardIterator", "kinesis:ListShards"),
    },
    "AWS::DynamoDB::GlobalTable": {
        *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
        "dynamodb:ListStreams",
    },
    "AWS::SQS::Queue": {
        *("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        "sqs:ReceiveMessage",
    },
}
#: "Configuring Lambda permissions for Amazon MSK event source mappings", and "Configuring cluster
#: authentication methods": a cluster with IAM access control.
KAFKA_READS: Final = {
    *("kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers"),
    *("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeVpcs"),
    *("ec2:DeleteNetworkInterface", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"),
    *("kafka-cluster:Connect", "kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup"),
    *("kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"),
    "kafka-cluster:DescribeClusterDynamicConfiguration",
}
#: "Giving Lambda functions access to resources in an Amazon VPC", for a function with VpcConfig.
NETWORK: Final = {
    *("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"),
}
#: Type of a failure destination -> what Lambda does with the function's role to write to it.
WRITES: Final = {
    "AWS::S3::Bucket": {"s3:ListBucket", "s3:PutObject"},
    "AWS::SQS::Queue": {"sqs:SendMessage"},
}
#: Operations whose action has another name, and operations of waiters.
ACTIONS: Final = {
    "s3:HeadObject": {"s3:GetObject"},
    "s3:ListObjectsV2": {"s3:ListBucket"},
    "s3:ListObjectVersions": {"s3:ListBucketVersions"},
    "sesv2:SendEmail": {"ses:SendEmail", "ses:SendRawEmail"},
    # A transaction needs the permissions of the actions in it.
    "dynamodb:TransactWriteItems": {"dynamodb:ConditionCheckItem", "dynamodb:UpdateItem"},
    "lambda:Invoke": {"lambda:InvokeFunction"},
    "stepfunctions:StartExecution": {"states:StartExecution"},
    "stepfunctions:StartSyncExecution": {"states:StartSyncExecution"},
    "lambda:GetFunction": {"lambda:GetFunction", "lambda:GetFunctionConfiguration"},
}
#: Function -> actions that neither the SDK's calls nor Lambda show, with the reason.
OTHERS: Final[dict[str, dict[str, str]]] = {
    "CatalogueFunction": {
        "elasticache:Connect": "the signed token with which Valkey admits a user",
        "rds-db:connect": "the signed token with which PostgreSQL admits a user",
    },
    "CatalogueMigrationFunction": {
        "rds-db:connect": "the signed token with which PostgreSQL admits a user",
    },
    "BookingsFunction": {"dynamodb:DeleteItem": "an action of the transaction that moves"},
    "IdentityFunction": {"dynamodb:DeleteItem": "an action of the transactions of addresses"},
    "NotifyFunction": {
        "iam:PassRole": "EventBridge Scheduler sends reminders with another role",
        "dynamodb:DeleteItem": "Powertools deletes the record of a failed invocation",
        "dynamodb:UpdateItem": "Powertools completes the record of an invocation",
    },
    "SourcesFunction": {
        "s3:DeleteObjectVersion": "DeleteObject with a version ID",
        "s3:ListBucket": "without it, S3 answers 403 for an object that doesn't exist",
    },
    "RevocationsFunction": {
        "s3:DeleteObjectVersion": "DeleteObject with a version ID",
        "s3:ListBucket": "without it, S3 answers 403 for an object that doesn't exist",
    },
    "EventsFunction": dict.fromkeys(
        ("glue:CreateTable", "glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"),
        "pyiceberg commits to the Iceberg table",
    ),
    "LakeErasureFunction": {
        **dict.fromkeys(
            ("glue:CreateTable", "glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"),
            "pyiceberg commits to the Iceberg table",
        ),
        **dict.fromkeys(
            (
                *("kinesis:DescribeStreamSummary", "kinesis:GetRecords"),
                *("kinesis:GetShardIterator", "kinesis:ListShards"),
            ),
            "the reader of the stream passes the client's methods to a function",
        ),
        "s3:DeleteObjectVersion": "DeleteObject with a version ID",
        "s3:GetObjectVersion": "GetObject with a version ID",
    },
    "ReprocessingFunction": {
        **dict.fromkeys(
            ("glue:CreateTable", "glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"),
            "pyiceberg commits to the Iceberg table",
        ),
        "s3:DeleteObjectVersion": "DeleteObject with a version ID",
        "s3:GetObjectVersion": "GetObject with a version ID",
    },
    "EdgeAuthFunction": {"logs:CreateLogGroup": "Lambda@Edge, in each Region of the visitors"},
    "EdgeIngestFunction": {
        "logs:CreateLogGroup": "Lambda@Edge, in each Region of the visitors",
        "kinesis:PutRecords": "signed by edge_ingest itself, without the SDK",
        "kms:GenerateDataKey": "Kinesis, to encrypt the records",
    },
}
USERS: Final = "only IdentityFunction changes users"
ROSTER: Final = "only ImportFunction reads the status of a roster's requests"
#: Function -> actions of operations in its package that it never reaches, with the reason.
UNREACHED: Final[dict[str, dict[str, str]]] = {
    "EventsFunction": {
        "dynamodb:CreateTable": "a method of pyiceberg's catalog, not of DynamoDB's client",
        "glue:UpdateSchema": "a method of pyiceberg's table, not of Glue's client",
        "dynamodb:Query": "only local tools read the live counters",
        "s3:ListBucketVersions": "only operators restore: make verify RESTORE=1",
    },
    "LakeErasureFunction": {
        "dynamodb:CreateTable": "a method of pyiceberg's catalog, not of DynamoDB's client",
        "glue:UpdateSchema": "a method of pyiceberg's table, not of Glue's client",
    },
    "ReprocessingFunction": {
        "ssm:GetParameter": "it reads the rows again that the lake has",
        **dict.fromkeys(("dynamodb:GetItem", "dynamodb:PutItem"), "it changes the lake only"),
        "dynamodb:CreateTable": "a method of pyiceberg's catalog, not of DynamoDB's client",
        "glue:UpdateSchema": "a method of pyiceberg's table, not of Glue's client",
    },
    "ErasureFunction": {
        "dynamodb:BatchGetItem": ROSTER,
        "dynamodb:ConditionCheckItem": "its transactions put and update only",
    },
    "ChangesFunction": {
        "ssm:GetParameter": "only the writer of events reads who is suppressed",
        "s3:DeleteObject": "only operators delete: make redrive",
        "s3:ListBucketVersions": "only operators restore: make verify RESTORE=1",
    },
    "RevocationsFunction": {"s3:DeleteObject": "it deletes versions only"},
    "SourcesFunction": {
        "s3:DeleteObject": "it deletes versions only",
        "kms:GetPublicKey": "RevocationsFunction returns the public key",
    },
    "MediaKeyFunction": {
        "kms:Sign": "only MediaFunction signs",
        "s3:GetObject": "only MediaFunction reads the deny-list",
    },
    "ValidateFunction": {
        "dynamodb:BatchGetItem": ROSTER,
        "dynamodb:UpdateItem": "only IdentityFunction changes a student",
    },
    "IdentityFunction": {
        "dynamodb:BatchGetItem": ROSTER,
        **dict.fromkeys(
            ("s3:DeleteObject", "s3:ListBucket", "s3:PutObject"),
            "only ErasureFunction makes and deletes the files of exports",
        ),
    },
    "NotifyFunction": {
        "dynamodb:BatchGetItem": ROSTER,
        "cognito-idp:AdminCreateUser": USERS,
        "cognito-idp:AdminDeleteUser": USERS,
        "cognito-idp:AdminSetUserPassword": USERS,
        "cognito-idp:AdminUpdateUserAttributes": USERS,
    },
    "OfficeFunction": {"dynamodb:ConditionCheckItem": "its transactions put and update only"},
    "ImportFunction": {
        "dynamodb:GetItem": "only ValidateFunction reads the owner of an address",
        "dynamodb:PutItem": "only ValidateFunction creates the secret of email keys",
        "dynamodb:Query": "only ValidateFunction and NotifyFunction read accounts",
        "dynamodb:UpdateItem": "only IdentityFunction changes a student",
    },
}


def functions() -> dict[str, tuple[Path, Any, dict[str, Any]]]:
    """Return logical ID -> template, the stacks around it, and properties."""
    return {
        name: (path, parents, resource["Properties"])
        for path, parents in all_stacks()
        for name, resource in transformed(path)["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Function"
    }


FUNCTIONS: Final = functions()


def resource_of(path: Path, value: Any, parents: Any) -> dict[str, Any]:
    template, logical_id = resolve(path, value, parents)
    resource: dict[str, Any] = transformed(template)["Resources"][logical_id]
    return resource


def granted(name: str) -> set[str]:
    """Return the actions that the policies of a function's role allow."""
    path, parents, properties = FUNCTIONS[name]
    role = resource_of(path, properties["Role"], parents)["Properties"]
    assert "ManagedPolicyArns" not in role
    actions: set[str] = set()
    for statement in policy_statements(role):
        if statement["Effect"] == "Deny":
            # Lambda uses these actions before it runs the function's code, which can't.
            assert set(statement["Action"]) == NETWORK
            assert "lambda:SourceFunctionArn" in statement["Condition"]["ArnEquals"]
            continue
        action = statement["Action"]
        actions |= {action} if isinstance(action, str) else set(action)
    return actions


def used_by_lambda(name: str) -> set[str]:
    """Return the actions that Lambda performs with the role of a function."""
    actions = set(LOGS)
    if FUNCTIONS[name][2].get("TracingConfig") == {"Mode": "Active"}:
        actions |= TRACES
    if "VpcConfig" in FUNCTIONS[name][2]:
        actions |= NETWORK
    for path, parents in all_stacks():
        for resource in transformed(path)["Resources"].values():
            mapping = resource.get("Properties", {})
            if resource["Type"] != "AWS::Lambda::EventSourceMapping" or name not in str(
                mapping["FunctionName"]
            ):
                continue
            if "Topics" in mapping:
                actions |= KAFKA_READS  # The cluster belongs to no stack.
            else:
                source = resource_of(path, mapping["EventSourceArn"], parents)
                actions |= READS[source["Type"]]
            if "DestinationConfig" in mapping:
                destination = mapping["DestinationConfig"]["OnFailure"]["Destination"]
                actions |= WRITES[resource_of(path, destination, parents)["Type"]]
    return actions


@cache
def calls(path: Path) -> frozenset[tuple[str, str]]:
    """Return the name of each called method, and its first argument if that is a string."""
    pairs = set()
    for node in nodes(path.read_text()):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            first = node.args[0] if node.args else None
            text = first.value if isinstance(first, ast.Constant) else ""
            pairs.add((node.func.attr, str(text)))
    return frozenset(pairs)


@cache
def operations(service: str) -> tuple[tuple[str, str], ...]:
    """Return a service's operations, each with the name of the client's method."""
    model = botocore.session.get_session().get_service_model(service)
    return tuple((xform_name(it), it) for it in model.operation_names)


@cache
def used_by_code(name: str) -> set[str]:
    """Return the actions of the SDK's operations that the function's modules call."""
    module = FUNCTIONS[name][2]["Handler"].rpartition(".")[0]
    files = filter(None, reached_modules([module], SRC).values())
    pairs = {pair for path in files for pair in calls(path)}
    services = {text for method, text in pairs if method in {"client", "resource"} and text}
    methods = {method for method, _ in pairs} | {
        text for method, text in pairs if method == "get_paginator"
    }
    actions: set[str] = set()
    for service in services:
        for method, operation in operations(service):
            if method in methods:
                action = f"{service}:{operation}"
                actions |= ACTIONS.get(action, {action})
    return actions


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_granted_action_of_role_is_used(name: str) -> None:
    used = used_by_code(name) | used_by_lambda(name) | OTHERS.get(name, {}).keys()
    assert granted(name) - used == set()


@pytest.mark.parametrize("name", OTHERS)
def test_exempt_action_of_role_is_granted(name: str) -> None:
    assert OTHERS[name].keys() <= granted(name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_role_of_function_grants_reads_of_its_event_sources(name: str) -> None:
    optional = {"s3:ListBucket"}
    assert used_by_lambda(name) - optional <= granted(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_action_that_code_uses_is_granted(name: str) -> None:
    """The emulated AWS enforces the roles of functions too: tests of running systems need it."""
    assert used_by_code(name) - granted(name) == UNREACHED.get(name, {}).keys()
