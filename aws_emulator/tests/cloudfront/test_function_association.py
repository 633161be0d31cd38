"""Tests of the checks on function associations."""

from typing import Any

import pytest

from aws_emulator.cloudfront.distribution.function_association import check_association, check_role
from aws_emulator.cloudfront.model import EventType
from aws_emulator.tests.cloudfront.harness import EDGE_ROLE

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f:3"
GOOD: dict[str, Any] = {
    "Runtime": "python3.13",
    "Timeout": 5,
    "MemorySize": 128,
    "CodeSize": 1024 * 1024,
    "Architectures": ["x86_64"],
    "TracingConfig": {"Mode": "PassThrough"},
    "EphemeralStorage": {"Size": 512},
    "Environment": {"Variables": {}},
}


@pytest.mark.parametrize(
    ("arn", "word"),
    [
        (ARN.replace(":3", ":$LATEST"), "numbered"),
        (ARN.replace(":3", ":live"), "numbered"),
        (ARN.removesuffix(":3"), "numbered"),
        (ARN.replace("us-east-1", "eu-west-2"), "us-east-1"),
        ("f:3", "numbered"),
    ],
)
def test_association_requires_numbered_version_in_us_east_1(arn: str, word: str) -> None:
    refusal = check_association("viewer-request", arn, None)
    assert refusal is not None
    assert word in refusal


def test_association_accepts_function_within_quotas() -> None:
    assert check_association("viewer-request", ARN, GOOD, EDGE_ROLE) is None
    wide = {**GOOD, "Timeout": 30, "MemorySize": 10_240, "CodeSize": 50 * 1024 * 1024}
    assert check_association("origin-request", ARN, wide, EDGE_ROLE) is None


@pytest.mark.parametrize(
    ("event_type", "change", "word"),
    [
        ("viewer-request", {"Timeout": 6}, "timeout"),
        ("viewer-response", {"MemorySize": 129}, "memory"),
        ("viewer-request", {"CodeSize": 1024 * 1024 + 1}, "package"),
        ("origin-request", {"Timeout": 31}, "timeout"),
        ("origin-request", {"MemorySize": 10_241}, "memory"),
        ("origin-response", {"CodeSize": 50 * 1024 * 1024 + 1}, "package"),
        ("origin-request", {"Environment": {"Variables": {"A": "b"}}}, "environment"),
        ("origin-request", {"Layers": [{"Arn": "x"}]}, "layers"),
        ("origin-request", {"VpcConfig": {"SubnetIds": ["x"]}}, "VPC"),
        ("origin-request", {"DeadLetterConfig": {"TargetArn": "x"}}, "dead letter"),
        ("origin-request", {"TracingConfig": {"Mode": "Active"}}, "X-Ray"),
        ("origin-request", {"PackageType": "Image"}, "image"),
        ("origin-request", {"Architectures": ["arm64"]}, "x86_64"),
        ("origin-request", {"EphemeralStorage": {"Size": 513}}, "ephemeral"),
        ("origin-request", {"Runtime": "java21"}, "runtime"),
    ],
)
def test_association_names_each_unsupported_feature(
    event_type: EventType, change: dict[str, Any], word: str
) -> None:
    refusal = check_association(event_type, ARN, {**GOOD, **change}, EDGE_ROLE)
    assert refusal is not None
    assert ";" not in refusal
    assert word in refusal


def test_association_rejects_missing_version() -> None:
    assert "does not exist" in str(check_association("viewer-request", ARN, {}))


@pytest.mark.parametrize(
    ("services", "effect", "missing"),
    [
        (["lambda.amazonaws.com"], "Allow", "edgelambda.amazonaws.com"),
        ("edgelambda.amazonaws.com", "Allow", "lambda.amazonaws.com"),
        (["lambda.amazonaws.com", "edgelambda.amazonaws.com"], "Deny", "and"),
    ],
)
def test_association_requires_role_that_trusts_both_services(
    services: Any, effect: str, missing: str
) -> None:
    statement = {"Effect": effect, "Principal": {"Service": services}}
    for trust in ({"Statement": [statement]}, {"Statement": statement}):
        assert missing in str(check_role(trust))
    assert check_role(None) is not None
    assert check_role(EDGE_ROLE) is None
