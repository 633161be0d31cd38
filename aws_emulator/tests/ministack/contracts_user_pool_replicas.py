"""Contracts of the patch for replicas of user pools."""

from typing import Any, Final

import pytest

from aws_emulator.tests.ministack.contracts_cognito import PASSWORD, claims
from aws_emulator.tests.ministack.running import Emulator
from aws_emulator.tests.ministack.user_pools import FACTORS, Pool

KEY: Final = f"arn:aws:kms:us-east-1:000000000000:key/mrk-{'0a' * 16}"
KEYED: Final = {"KeyConfiguration": {"KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": KEY}}


def replica(region: str = "eu-west-2") -> dict[str, Any]:
    properties = {"UserPoolId": {"Ref": "Pool"}, "RegionName": region}
    return {"Type": "AWS::Cognito::UserPoolReplica", "Properties": properties}


def user_pool_replicas(emulator: Emulator) -> None:
    """Tokens of a pool with a replica name the issuer that answers in both Regions."""
    for issuer_type, host in (("UPDATED", "issuer-cognito-idp"), ("ORIGINAL", "cognito-idp")):
        pool = Pool(
            emulator,
            FACTORS,
            resources={"Replica": replica()},
            IssuerConfiguration={"Type": issuer_type},
            **KEYED,
        )
        pool.create("asha@app.example", TemporaryPassword=PASSWORD)
        pool.set_password("asha@app.example")
        token = pool.sign_in("asha@app.example")["AuthenticationResult"]["AccessToken"]
        assert claims(token)["iss"] == f"https://{host}.us-east-1.amazonaws.com/{pool.id}"


def refused_replicas(emulator: Emulator) -> None:
    """Cognito refuses a replica of a pool without its conditions, and a second one."""
    single = {"Replica": replica()}
    two = single | {"Second": {**replica("ap-south-1"), "DependsOn": "Replica"}}
    own_region_key = KEY.replace("mrk-", "")
    key = {"KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": own_region_key}
    for resources, properties, message in (
        (single, {}, "needs a multi-Region customer managed key"),
        (single, {"KeyConfiguration": key}, "isn't a multi-Region key"),
        (single, {"UserPoolTier": "LITE", **KEYED}, "needs the feature plan Essentials or Plus"),
        ({"Replica": replica("us-east-1")}, KEYED, "Invalid Region for a replica"),
        (two, KEYED, "can have one replica"),
    ):
        with pytest.raises(AssertionError, match=message):
            Pool(emulator, resources=resources, **properties)
