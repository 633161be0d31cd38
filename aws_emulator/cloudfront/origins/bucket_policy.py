"""Evaluate a bucket policy for a CloudFront request, as S3 does.

MiniStack lets its own credentials read any bucket. On AWS, CloudFront reads a bucket as the service
principal `cloudfront.amazonaws.com` (origin access control), as an origin access identity, or
anonymously, and the bucket policy must allow it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aws_emulator.cloudfront.model import OriginAccessIdentity
from aws_emulator.cloudfront.wildcards import matches_wildcards

_SERVICE: Final = "cloudfront.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of S3.

    `source_arn` is the ARN of the distribution if CloudFront signs the request for an origin access
    control, else None. `access_identity` is the origin access identity, if any. Without either, the
    request is anonymous.
    """

    source_arn: str | None = None
    access_identity: OriginAccessIdentity | None = None


@dataclass(frozen=True, slots=True)
class BucketPolicy:
    """A bucket policy. A bucket without a policy has no `document`."""

    document: Mapping[str, Any] | None

    def allows(self, action: str, resource: str, principal: Principal) -> bool:
        """Return whether the policy allows an action ("s3:GetObject") on the resource's ARN."""
        statements = _list((self.document or {}).get("Statement"))
        effects = {
            statement.get("Effect")
            for statement in statements
            if _applies(statement, action, resource, principal)
        }
        # IAM, "Policy evaluation logic": an explicit deny overrides an allow; the default is deny.
        return "Deny" not in effects and "Allow" in effects


def parse_bucket_policy(text: str | None) -> BucketPolicy:
    """Parse a bucket policy document. Without a policy, `allows` returns False."""
    document = json.loads(text) if text else None
    return BucketPolicy(document if isinstance(document, dict) else None)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _applies(
    statement: Mapping[str, Any], action: str, resource: str, principal: Principal
) -> bool:
    actions = _list(statement.get("Action"))
    return (
        _matches_principal(statement.get("Principal"), principal)
        and any(matches_wildcards(each, action, ignore_case=True) for each in actions)
        and any(matches_wildcards(each, resource) for each in _list(statement.get("Resource")))
        and _conditions(statement.get("Condition") or {}, principal.source_arn)
    )


def _matches_principal(element: Any, principal: Principal) -> bool:
    if element == "*":
        return True
    if not isinstance(element, Mapping):
        return False
    users = _list(element.get("AWS"))
    if "*" in users:
        return True
    identity = principal.access_identity
    if identity is not None:
        # Restrict access to an Amazon S3 origin: a bucket policy names an origin access identity by
        # this ARN, or by its canonical user ID.
        arn = f"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity {identity.id}"
        return arn in users or identity.canonical_user_id in _list(element.get("CanonicalUser"))
    return principal.source_arn is not None and _SERVICE in _list(element.get("Service"))


def _conditions(conditions: Mapping[str, Any], source_arn: str | None) -> bool:
    context = {"aws:securetransport": "true"}
    if source_arn is not None:
        context["aws:sourcearn"] = source_arn
        context["aws:sourceaccount"] = source_arn.split(":")[4] if source_arn.count(":") > 4 else ""
    return all(
        _condition(operator, context.get(key.lower()), [str(each) for each in _list(values)])
        for operator, section in conditions.items()
        for key, values in section.items()
    )


def _condition(operator: str, actual: str | None, expected: list[str]) -> bool:
    if operator == "Bool":
        return actual is not None and actual in {each.lower() for each in expected}
    if operator in {"StringEquals", "ArnEquals", "StringLike", "ArnLike"}:
        exact = operator == "StringEquals"
        return actual is not None and any(
            actual == each if exact else matches_wildcards(each, actual) for each in expected
        )
    if operator in {"StringNotEquals", "ArnNotEquals", "StringNotLike", "ArnNotLike"}:
        return actual is None or not any(matches_wildcards(each, actual) for each in expected)
    # An unsupported operator never matches: its Allow statement grants nothing, but its Deny
    # statement is also ignored.
    return False
