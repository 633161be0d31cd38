"""The checks of a user pool that another team owns."""

from types import SimpleNamespace
from typing import Any

import pytest

from tools.deployment.preflight import user_pool
from tools.deployment.preflight.account import Account
from tools.deployment.preflight.findings import Severity
from tools.deployment.preflight.user_pool import UserPool

POOL, HOST, REGION = "eu-west-2_Existing", "login.example.org", "eu-west-2"
TRIGGER = "arn:aws:lambda:eu-west-2:111122223333:function:meridian-dev-entitlements"
DESCRIPTION: dict[str, Any] = {
    "UsernameAttributes": ["email"],
    "Policies": {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"]}},
    "MfaConfiguration": "OPTIONAL",
    "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True},
    "LambdaConfig": {"PreTokenGenerationConfig": {"LambdaArn": TRIGGER, "LambdaVersion": "V2_0"}},
}


def pool(**changed: Any) -> UserPool:
    """Return a pool that can be used, with changes of its description."""
    return UserPool(DESCRIPTION | changed, frozenset({"paying", "staff", "cooks"}), {HOST: 2})


def found(checked: UserPool | None, host: str = HOST) -> list[tuple[Severity, str]]:
    findings = user_pool.check_user_pool(POOL, checked, host, "dev", REGION)
    return [(it.severity, f"{it.observation} {it.remedy}") for it in findings]


def test_pool_with_all_settings_has_no_problem() -> None:
    assert found(pool()) == [(Severity.OK, f"{POOL} can be used ")]


@pytest.mark.parametrize(
    ("changed", "severity", "text"),
    [
        ({"UsernameAttributes": ["phone_number"]}, Severity.ERROR, "email address"),
        ({"UsernameAttributes": None}, Severity.ERROR, "email address"),
        ({"Policies": {}}, Severity.ERROR, "EMAIL_OTP"),
        ({"MfaConfiguration": "ON"}, Severity.ERROR, "MFA"),
        ({"AdminCreateUserConfig": {}}, Severity.WARNING, "sign up"),
        ({"LambdaConfig": {}}, Severity.WARNING, "PreTokenGenerationConfig"),
    ],
)
def test_each_missing_setting_has_a_finding(
    changed: dict[str, Any], severity: Severity, text: str
) -> None:
    ((found_severity, sentences),) = found(pool(**changed))
    assert found_severity is severity
    assert text in sentences


def test_missing_pool_group_and_domain_stop_a_deployment() -> None:
    assert found(None)[0][0] is Severity.ERROR
    without_group = UserPool(DESCRIPTION, frozenset({"paying"}), {HOST: 2})
    ((severity, sentences),) = found(without_group)
    assert severity is Severity.ERROR
    assert f"create-group --user-pool-id {POOL} --group-name staff" in sentences
    assert found(pool(), "other.example.org")[0][0] is Severity.ERROR
    classic = UserPool(DESCRIPTION, frozenset({"paying", "staff"}), {HOST: 1})
    assert "ManagedLoginVersion" in found(classic)[0][1]


def test_missing_identity_provider_stops_a_deployment() -> None:
    checked = UserPool(
        DESCRIPTION, frozenset(user_pool.GROUPS), {HOST: 2}, frozenset({"school-saml"})
    )

    def problems(*providers: str) -> list[str]:
        findings = user_pool.check_user_pool(POOL, checked, HOST, "dev", REGION, providers)
        return [it.observation for it in findings if it.severity is Severity.ERROR]

    assert problems("school-saml") == []
    assert problems("Google", "school-saml") == [f"{POOL} has no identity provider Google"]


@pytest.mark.parametrize(
    ("wanted", "deployed", "is_deployed", "severity"),
    [
        (POOL, "", False, Severity.OK),
        (POOL, POOL, True, Severity.OK),
        ("", "", True, Severity.OK),
        (POOL, "", True, Severity.ERROR),
        ("", POOL, True, Severity.ERROR),
        ("eu-west-2_Other", POOL, True, Severity.ERROR),
    ],
)
def test_deployed_stage_keeps_its_pool(
    wanted: str, deployed: str, is_deployed: bool, severity: Severity
) -> None:
    finding = user_pool.check_change(wanted, deployed, is_deployed=is_deployed)
    assert finding.severity is severity


class FakeCognito:
    """Answers with one pool, which has a prefix domain and a custom domain."""

    exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def describe_user_pool(self, **request: str) -> dict[str, Any]:
        domains = {"Domain": "school", "CustomDomain": HOST}
        return {"UserPool": {POOL: DESCRIPTION | domains}[request["UserPoolId"]]}

    def get_paginator(self, operation: str) -> SimpleNamespace:
        pages: dict[str, list[dict[str, Any]]] = {
            "list_groups": [
                {"Groups": [{"GroupName": "paying"}]},
                {"Groups": [{"GroupName": "staff"}]},
            ],
            "list_identity_providers": [{"Providers": [{"ProviderName": "Google"}]}],
        }

        def paginate(**request: str) -> list[dict[str, Any]]:
            assert request == {"UserPoolId": POOL}
            return pages[operation]

        return SimpleNamespace(paginate=paginate)

    def describe_user_pool_domain(self, **request: str) -> dict[str, Any]:
        versions: dict[str, Any] = {HOST: {"ManagedLoginVersion": 2}, "school": {}}
        return {"DomainDescription": versions[request["Domain"]]}


def test_facts_of_a_pool_have_its_groups_domains_and_providers() -> None:
    account = Account(REGION, lambda _service, _region: FakeCognito())
    facts = account.user_pool(POOL)
    assert facts is not None
    assert facts.groups == {"paying", "staff"}
    assert facts.versions == {HOST: 2, "school.auth.eu-west-2.amazoncognito.com": 1}
    assert facts.providers == {"Google"}
    assert account.user_pool("eu-west-2_Missing") is None
