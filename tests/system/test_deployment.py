"""`make preflight` and `make smoke` against the running system."""

import dataclasses
import fcntl
from collections.abc import Callable
from typing import Any

import pytest

from aws_emulator.endpoint import Endpoint
from aws_emulator.errors import CommandError
from tools.deployment.environments import Environment, template_defaults
from tools.deployment.preflight.account import Account
from tools.deployment.preflight.command import preflight, require_no_errors
from tools.deployment.preflight.findings import Finding, Severity
from tools.deployment.smoke.command import check_target
from tools.deployment.smoke.direct_request import check_direct_request
from tools.deployment.smoke.paid_page import check_paid_page
from tools.deployment.smoke.sign_in import check_sign_in
from tools.deployment.smoke.target import Target
from tools.deployment.templates import named_resources
from tools.dev.sam_deployment import build_lock
from tools.dev.system import System

pytestmark = pytest.mark.integration


@pytest.fixture
def target(meridian: System) -> Target:
    endpoint = meridian.target.regional_endpoint
    return Target(
        meridian.url,
        (meridian.api_url,),
        meridian.target.stage,
        meridian.deployed,
        endpoint.client,
    )


@pytest.fixture
def account(meridian: System) -> Account:
    def client(service: str, region: str) -> Any:
        return Endpoint(meridian.target.endpoint, region).client(service)

    return Account(meridian.target.region, client)


def checked(environment: Environment, account: Account) -> list[Finding]:
    """Run preflight while no other test replaces the output of `sam build`."""
    with build_lock(fcntl.LOCK_SH):
        return preflight(environment, account)


@pytest.fixture
def environment(meridian: System) -> Environment:
    target = meridian.target
    overrides = {"Stage": target.stage}
    return Environment(
        "local", target.region, target.stage, target.stack_name, overrides, template_defaults()
    )


def test_deployment_generates_the_secret_of_the_collector(target: Target) -> None:
    parameter = target.client("ssm").get_parameter(
        Name=f"/meridian/{target.stage}/collector-secret", WithDecryption=True
    )["Parameter"]
    generation, _, secret = parameter["Value"].partition(":")
    assert (parameter["Type"], generation) == ("SecureString", "1")
    assert len(bytes.fromhex(secret)) == 32


def test_smoke_test_passes_on_the_running_system(
    target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    users = target.client("cognito-idp").list_users
    pool = target.stack.outputs["UserPoolId"]
    before = len(users(UserPoolId=pool)["Users"])
    check_target(target)
    assert capsys.readouterr().out.count("✓") == 5
    assert len(users(UserPoolId=pool)["Users"]) == before


def test_smoke_test_reports_a_page_that_everyone_reads(target: Target, meridian: System) -> None:
    """At the API's address edge_auth doesn't run, so the paying student's page is missing there."""
    problems = check_paid_page(dataclasses.replace(target, url=meridian.api_url))
    assert any(it.startswith("paying student: ") for it in problems)


def test_smoke_test_reports_a_visitor_without_a_sign_in_page(
    target: Target, meridian: System
) -> None:
    assert check_sign_in(dataclasses.replace(target, url=meridian.api_url))
    outputs = target.stack.outputs | {"SignInHost": "auth.school.example"}
    elsewhere = dataclasses.replace(target.stack, outputs=outputs)
    (problem,) = check_sign_in(dataclasses.replace(target, stack=elsewhere))
    assert "not at auth.school.example" in problem


def test_smoke_test_reports_an_api_that_answers_everyone(target: Target, meridian: System) -> None:
    """CloudFront adds the key to each request, so its address answers without one."""
    problems = check_direct_request(dataclasses.replace(target, api_urls=(meridian.url,)))
    assert len(problems) == 2


def test_smoke_test_fails_without_an_answer(target: Target) -> None:
    with pytest.raises(CommandError, match="didn't answer"):
        check_target(dataclasses.replace(target, url="http://127.0.0.1:9"))


def test_preflight_of_the_running_system_finds_no_error(
    environment: Environment, account: Account
) -> None:
    findings = checked(environment, account)
    assert {it.check for it in findings} >= {
        "credentials", "Region", "stack", "leftovers", "reserved concurrency", "permissions",
        "edge quotas", "sign-in domain", "email",
    }  # fmt: skip
    assert [it for it in findings if it.severity is Severity.ERROR] == []
    require_no_errors(environment, findings)


def test_preflight_of_a_region_without_replica_stops_the_deployment(
    environment: Environment, account: Account
) -> None:
    stockholm = dataclasses.replace(
        environment, name="stockholm", region="eu-north-1", stack_name="meridian-local-eu-north-1"
    )
    findings = checked(stockholm, dataclasses.replace(account, region="eu-north-1"))
    assert [it.check for it in findings if it.severity is Severity.ERROR] == ["table replica"]
    with pytest.raises(CommandError, match="would fail: table replica"):
        require_no_errors(stockholm, findings)


def test_preflight_names_resources_that_another_stack_owns(
    environment: Environment, account: Account, meridian: System
) -> None:
    """Another stack name owns nothing, so the running system's resources are foreign to it."""
    other = dataclasses.replace(environment, stack_name="meridian-local-other")
    errors = {
        it.check: it.observation for it in checked(other, account) if it.severity is Severity.ERROR
    }
    assert errors.keys() == {"leftovers", "fixed names", "sign-in domain"}
    own = named_resources(other.stage, other.region, "000000000000")
    # No parameter selects the trail or the catalogue, and the domain has a check of its own.
    elsewhere = {"AWS::CloudTrail::Trail", "AWS::Cognito::UserPoolDomain"}
    names = {
        it.name
        for it in own
        if not it.retained and it.type not in elsewhere and "-catalogue" not in it.name
    }
    assert {it for it in names if f" {it} in " not in errors["fixed names"]} == set()
    assert meridian.deployed.outputs["UserPoolId"] in errors["sign-in domain"]
    assert f"meridian-{environment.stage}-accounts" in errors["leftovers"]


@pytest.mark.parametrize("call", [Account.caller, Account.region_is_enabled])
def test_unreachable_aws_is_one_error_message(call: Callable[[Account], object]) -> None:
    def client(service: str, region: str) -> Any:
        return Endpoint("http://127.0.0.1:9", region).client(service)

    with pytest.raises(CommandError, match="Could not connect"):
        call(Account("us-east-1", client))
