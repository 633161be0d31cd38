"""The pipeline's role allows each AWS call of the commands that its jobs run.

Jobs run `make deploy`, with its preflight and the adoption of leftovers, and `make smoke`. Source
of the calls: the methods of boto3's clients in the modules of these commands.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import botocore.session
import pytest
from botocore import xform_name

from tests.support.reached_modules import reached_modules
from tools.paths import ROOT
from tools.syntax import nodes
from tools.tests.deployment.policy_statements import allows, deploy_role_statements, patterns

COMMANDS: Final = (
    *("tools.deployment.deploy", "tools.deployment.preflight.command"),
    "tools.deployment.smoke.command",
)
#: Operations whose action has another name (Service Authorization Reference).
ACTIONS: Final = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
}
#: boto3's service -> its prefix in IAM.
PREFIXES: Final = {
    "elbv2": "elasticloadbalancing",
    "service-quotas": "servicequotas",
    "sesv2": "ses",
    "stepfunctions": "states",
}
DELETES: Final = "only an operator deletes: make leftovers REMOVE=1"
CONTENT: Final = "a leftover that the caller may not read counts as one with data, and is adopted"
OTHER_SERVICE: Final = "a method with this name of another service's client"
#: Actions that a job doesn't need, with the reason.
UNNEEDED: Final = {
    "cloudformation:DeleteStack": DELETES,
    "cloudfront:ListFunctions": OTHER_SERVICE,
    "cognito-idp:AdminRemoveUserFromGroup": "only the students of a local run leave a group",
    "cognito-idp:DeleteUserPool": DELETES,
    "cognito-idp:DeleteUserPoolDomain": DELETES,
    "cognito-idp:UpdateUserPool": DELETES,
    "dynamodb:DeleteTable": DELETES,
    "dynamodb:Scan": CONTENT,
    "dynamodb:UpdateTable": "only an operator turns deletion protection off",
    "athena:GetDatabase": OTHER_SERVICE,
    "glue:DeleteTable": OTHER_SERVICE,
    "glue:UpdateTable": OTHER_SERVICE,
    "iam:ListGroups": OTHER_SERVICE,
    "iam:ListUsers": OTHER_SERVICE,
    "kinesis:DeleteStream": DELETES,
    "kinesis:GetRecords": CONTENT,
    "kinesis:GetShardIterator": CONTENT,
    "kinesis:ListShards": CONTENT,
    "s3:DeleteBucket": DELETES,
    "s3:DeleteObject": "only the reload of a local run deletes a page",
    "s3:ListBucketVersions": CONTENT,
    "sqs:DeleteQueue": DELETES,
    "sqs:GetQueueAttributes": CONTENT,
    "sts:GetCallerIdentity": "no permissions are required to perform this operation",
}


def files() -> list[Path]:
    """Return the files of the commands and of all that they import."""
    return [path for path in reached_modules(COMMANDS, ROOT).values() if path is not None]


def names() -> Iterator[str]:
    """Yield the strings of the modules, and the names of the called methods and paginators."""
    for path in files():
        for node in nodes(path.read_text()):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            if isinstance(node, ast.Attribute):
                yield node.attr


@cache
def called_actions() -> frozenset[str]:
    """Return the action of each operation that the modules call."""
    used = set(names())
    session = botocore.session.get_session()
    actions = set()
    for service in used & set(session.get_available_services()):
        for operation in session.get_service_model(service).operation_names:
            if xform_name(operation) in used:
                action = f"{PREFIXES.get(service, service)}:{operation}"
                actions.add(ACTIONS.get(action, action))
    return frozenset(actions)


def granted(action: str) -> bool:
    """Return whether a statement of the job's role allows an action on some resource."""
    return any(
        allows([statement], action, pattern)
        for statement in deploy_role_statements()
        if statement["Effect"] == "Allow"
        for pattern in patterns(statement)
    )


def test_modules_have_the_known_calls() -> None:
    """Otherwise the search for calls is broken."""
    assert called_actions() >= {
        *("cloudformation:CreateChangeSet", "cognito-idp:ListGroups", "dynamodb:GetItem"),
        *("route53:GetHostedZone", "s3:PutObject"),
    }


@pytest.mark.parametrize("action", sorted(called_actions() - UNNEEDED.keys()))
def test_job_may_make_each_call_of_its_commands(action: str) -> None:
    assert granted(action)


def test_unneeded_action_is_called_and_not_granted() -> None:
    assert called_actions() >= UNNEEDED.keys()
    assert [it for it in UNNEEDED if granted(it)] == []


def test_commands_describe_stacks_by_name_only() -> None:
    """Without StackName, DescribeStacks needs a grant on all stacks of the account."""
    for path in files():
        for node in nodes(path.read_text()):
            if isinstance(node, ast.Constant):
                assert node.value != "describe_stacks", path  # a paginator
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                is_described = node.func.attr == "describe_stacks"
                assert node.keywords or not is_described, f"{path}:{node.lineno}"
