"""Whether a bucket's policy lets this distribution in, as S3 decides with origin access control.

The emulator serves any bucket to the keys that it is started with; on AWS CloudFront signs as the
service `cloudfront.amazonaws.com`, and only the bucket's policy speaks for it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SERVICE = "cloudfront.amazonaws.com"


@dataclass(frozen=True, slots=True)
class BucketAccess:
    """What the policy of a bucket says. `document` is None where the bucket has none."""

    document: Mapping[str, Any] | None

    def allows(self, action: str, resource: str, source_arn: str, *, signed: bool) -> bool:
        """Tell whether the action ("s3:GetObject") on the resource's ARN is allowed.

        `signed` is whether the origin has access control, else the request is anonymous.
        """
        statements = _list((self.document or {}).get("Statement"))
        said = {
            statement.get("Effect")
            for statement in statements
            if _covers(statement, action, resource, source_arn, signed=signed)
        }
        # IAM, "Policy evaluation logic": an explicit Deny wins, and nothing said is no.
        return "Deny" not in said and "Allow" in said


def parse_policy(text: str | None) -> BucketAccess:
    """Read a bucket policy; what is no policy allows nothing."""
    document = json.loads(text) if text else None
    return BucketAccess(document if isinstance(document, dict) else None)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _like(pattern: str, text: str, *, fold: bool = False) -> bool:
    wild = {"*": ".*", "?": "."}
    expression = "".join(wild.get(mark) or re.escape(mark) for mark in pattern)
    return re.fullmatch(expression, text, re.IGNORECASE if fold else 0) is not None


def _covers(
    statement: Mapping[str, Any], action: str, resource: str, source_arn: str, *, signed: bool
) -> bool:
    return (
        _principal(statement.get("Principal"), signed=signed)
        and any(_like(each, action, fold=True) for each in _list(statement.get("Action")))
        and any(_like(each, resource) for each in _list(statement.get("Resource")))
        and _conditions(statement.get("Condition") or {}, source_arn, signed=signed)
    )


def _principal(principal: Any, *, signed: bool) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    if "*" in _list(principal.get("AWS")):
        return True
    return signed and _SERVICE in _list(principal.get("Service"))


def _conditions(conditions: Mapping[str, Any], source_arn: str, *, signed: bool) -> bool:
    known = {"aws:securetransport": "true"}
    if signed:
        known["aws:sourcearn"] = source_arn
        known["aws:sourceaccount"] = source_arn.split(":")[4] if source_arn.count(":") > 4 else ""
    return all(
        _condition(operator, known.get(key.lower()), [str(each) for each in _list(values)])
        for operator, section in conditions.items()
        for key, values in section.items()
    )


def _condition(operator: str, actual: str | None, wanted: list[str]) -> bool:
    if operator == "Bool":
        return actual is not None and actual in {each.lower() for each in wanted}
    if operator in {"StringEquals", "ArnEquals", "StringLike", "ArnLike"}:
        exact = operator == "StringEquals"
        return actual is not None and any(
            actual == each if exact else _like(each, actual) for each in wanted
        )
    if operator in {"StringNotEquals", "ArnNotEquals", "StringNotLike", "ArnNotLike"}:
        return actual is None or not any(_like(each, actual) for each in wanted)
    # What is not understood is not met: a Deny under it is missed, an Allow is refused.
    return False
