"""Cognito may invoke the triggers of the user pool before the pool has them."""

from typing import Any

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import TEMPLATES, resources


def pools() -> list[dict[str, Any]]:
    return [
        it["Properties"]
        for path in TEMPLATES
        for it in resources(path).values()
        if it["Type"] == "AWS::Cognito::UserPool"
    ]


def test_trigger_adds_claims_to_access_tokens() -> None:
    """The first version of the event changes ID tokens only, and needs no tier."""
    (pool,) = pools()
    (trigger,) = pool["LambdaConfig"].values()
    assert trigger["LambdaVersion"] == "V2_0"
    assert pool["UserPoolTier"] in {"ESSENTIALS", "PLUS"}
    assert trigger["LambdaArn"] == {"Fn::GetAtt": "Entitlements.Outputs.EntitlementsFunctionArn"}


def test_cognito_of_this_account_only_may_invoke_the_trigger() -> None:
    """Without the permission, Cognito issues no tokens. It is in the stack before the pool."""
    nested = resources(ROOT / "stacks" / "entitlements.yaml")
    (permission,) = [
        it["Properties"] for it in nested.values() if it["Type"] == "AWS::Lambda::Permission"
    ]
    assert permission["FunctionName"] == {"Ref": "EntitlementsFunction"}
    assert permission["Principal"] == "cognito-idp.amazonaws.com"
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert ":userpool/" in permission["SourceArn"]["Fn::Sub"]


def test_trigger_ends_before_cognito_gives_up() -> None:
    function = resources(ROOT / "stacks" / "entitlements.yaml")["EntitlementsFunction"]
    assert function["Properties"]["Timeout"] <= 5
