"""A bucket's policy decides as it would for CloudFront."""

import json
from typing import Any

import pytest

from aws_emulator.cloudfront.access import parse_policy

ARN = "arn:aws:cloudfront::000000000000:distribution/E1"
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


def allows(text: str | None, action: str = "s3:GetObject", *, signed: bool = True) -> bool:
    return parse_policy(text).allows(action, OBJECT, ARN, signed=signed)


def test_the_policy_of_the_page_lets_this_distribution_in() -> None:
    assert allows(policy())
    assert not allows(policy(), signed=False)
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
def test_each_part_of_a_statement_counts(changes: dict[str, Any], expected: bool) -> None:
    assert allows(policy(**changes)) is expected


def test_a_deny_wins() -> None:
    document = json.loads(policy())
    document["Statement"].append(
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    )
    assert not allows(json.dumps(document))


def test_a_public_bucket_needs_no_signature() -> None:
    public = policy(Principal="*", Condition={})
    assert allows(public, signed=False)
