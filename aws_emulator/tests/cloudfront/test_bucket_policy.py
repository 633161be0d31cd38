"""Tests of bucket policy evaluation."""

import json
from typing import Any

import pytest

from aws_emulator.cloudfront.model import OriginAccessIdentity
from aws_emulator.cloudfront.origins.bucket_policy import Principal, parse_bucket_policy

ARN = "arn:aws:cloudfront::000000000000:distribution/E1"
ANONYMOUS = Principal()
SIGNED = Principal(ARN)
OBJECT = "arn:aws:s3:::b/premium/a.html"


def policy(**changes: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": ["s3:GetObject"],
        "Resource": "arn:aws:s3:::b/*",
        "Condition": {"StringEquals": {"AWS:SourceArn": ARN}},
        **changes,
    }
    tls = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Statement": [statement, tls]})


def allows(text: str | None, action: str = "s3:GetObject", principal: Principal = SIGNED) -> bool:
    return parse_bucket_policy(text).allows(action, OBJECT, principal)


def test_documented_policy_allows_distribution() -> None:
    assert allows(policy())
    assert not allows(policy(), principal=ANONYMOUS)
    assert not allows(policy(), "s3:PutObject")
    assert not allows(None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Condition": {"StringEquals": {"AWS:SourceArn": ARN + "2"}}}, False),
        (
            {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:cloudfront::*:distribution/*"}}},
            True,
        ),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}}}, False),
        ({"Condition": {}}, True),
        ({"Condition": {"NumericLessThan": {"aws:x": "1"}}}, False),
        ({"Resource": "arn:aws:s3:::other/*"}, False),
        ({"Resource": ["arn:aws:s3:::b/prem*"]}, True),
        ({"Action": "s3:*"}, True),
        ({"Principal": {"AWS": "arn:aws:iam::000000000000:root"}}, False),
        ({"Principal": "*"}, True),
        ({"Effect": "Deny"}, False),
    ],
)
def test_policy_evaluates_each_statement_element(changes: dict[str, Any], expected: bool) -> None:
    assert allows(policy(**changes)) is expected


def test_explicit_deny_overrides_allow() -> None:
    document = json.loads(policy())
    document["Statement"].append(
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    )
    assert not allows(json.dumps(document))


def test_public_policy_allows_anonymous_request() -> None:
    public = policy(Principal="*", Condition={})
    assert allows(public, principal=ANONYMOUS)


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}, True),
        ({"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2"}, False),
        ({"CanonicalUser": "c1"}, True),
        ({"CanonicalUser": ["c2"]}, False),
        ({"Service": "cloudfront.amazonaws.com"}, False),
        ("*", True),
    ],
)
def test_policy_matches_origin_access_identity(element: Any, expected: bool) -> None:
    identity = Principal(access_identity=OriginAccessIdentity("E1", "c1"))
    assert allows(policy(Principal=element, Condition={}), principal=identity) is expected
    assert allows(policy(Principal=element, Condition={}), principal=ANONYMOUS) is (element == "*")
