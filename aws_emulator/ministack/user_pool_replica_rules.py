"""When Amazon Cognito creates the replica of a user pool in another Region. Pure.

Source: Amazon Cognito Developer Guide, "Multi-Region replication for user pools".
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from aws_emulator.ministack.service_rules import Refused

_INVALID: Final = "InvalidParameterException"
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
#: A multi-Region key has an ID with this prefix (AWS KMS Developer Guide, "Multi-Region keys").
_MULTI_REGION_KEY: Final = re.compile(
    r"arn:[a-z0-9-]+:kms:([a-z0-9-]+):[0-9]{12}:key/mrk-[a-f0-9]{32}"
)


def creation(pool: Mapping[str, Any], home: str, region: str, replicas: Collection[str]) -> Refused:
    """Check a new replica.

    Args:
        pool: The user pool, with its tier and its key.
        home: The pool's Region.
        region: The Region of the replica.
        replicas: The Regions with a replica of the pool.
    """
    if pool.get("UserPoolTier") == "LITE":
        return "FeatureUnavailableInTierException", (
            "Multi-Region replication needs the feature plan Essentials or Plus."
        )
    key = pool.get("KeyConfiguration") or {}
    if key.get("KeyType") != "CUSTOMER_MANAGED_KEY":
        return _INVALID, "Multi-Region replication needs a multi-Region customer managed key."
    if not _REGION.fullmatch(region) or region == home:
        return _INVALID, f"Invalid Region for a replica: {region}."
    if replicas:
        return "LimitExceededException", "A user pool can have one replica."
    return None


def key(configuration: Mapping[str, Any], home: str) -> str | None:
    """Return why a user pool can't have a key for replication, None if it can."""
    if configuration.get("KeyType") != "CUSTOMER_MANAGED_KEY":
        return None
    arn = str(configuration.get("KmsKeyArn"))
    match = _MULTI_REGION_KEY.fullmatch(arn)
    if not match or match[1] != home:
        return f"{arn} isn't a multi-Region key in {home}."
    return None
