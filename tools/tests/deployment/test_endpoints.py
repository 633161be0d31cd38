"""The parameter that disables the execute-api endpoints, with CloudFormation in memory."""

from dataclasses import replace

import pytest

from tools.deployment import region_values
from tools.deployment.environments import Layout
from tools.tests.deployment.test_region_values import (
    EDGE,
    HOME_OUTPUTS,
    LAYOUT,
    LONDON,
    MUMBAI,
    SINGLE,
    FakeStage,
    updates,
    with_domain,
)

__all__ = ["updates"]


def domain_stage(*regions: str, **parameters: str) -> FakeStage:
    """A stage with the domain name; CloudFront calls it, and all stacks have the parameters."""
    outputs = HOME_OUTPUTS | {"ApiDomainName": "global-api.school.example"}
    stage = FakeStage(dict.fromkeys(regions, outputs), set())
    values = {
        "Domain": "school.example",
        "ExecuteApiEndpoint": "enabled",
        "ApiDomainName": "global-api.school.example",
        **parameters,
    }
    for region in regions:
        stack = stage.regions[region].stack
        assert stack is not None
        stack["Parameters"] = [
            {"ParameterKey": name, "ParameterValue": value} for name, value in values.items()
        ]
    return stage


def test_endpoints_are_disabled_when_cloudfront_calls_the_domain_name(
    updates: dict[str, dict[str, str]],
) -> None:
    layout = with_domain(LAYOUT)
    region_values.disable_endpoints(layout, domain_stage(LONDON, EDGE, MUMBAI).client)
    disabled = {"ExecuteApiEndpoint": "disabled"}
    assert updates == {layout.home.stack_name: disabled, layout.others[0].stack_name: disabled}


def test_endpoint_of_a_home_with_the_edge_is_disabled(updates: dict[str, dict[str, str]]) -> None:
    layout = with_domain(SINGLE)
    region_values.disable_endpoints(layout, domain_stage(EDGE).client)
    assert updates == {layout.home.stack_name: {"ExecuteApiEndpoint": "disabled"}}


@pytest.mark.parametrize(
    ("layout", "stage"),
    [
        (LAYOUT, domain_stage(LONDON, EDGE)),
        (with_domain(LAYOUT), domain_stage(LONDON)),
        (with_domain(LAYOUT), domain_stage(LONDON, EDGE, ApiDomainName="a1.execute-api")),
        (with_domain(LAYOUT), domain_stage(LONDON, EDGE, Domain="old.example")),
        (with_domain(LAYOUT), domain_stage(LONDON, EDGE, ExecuteApiEndpoint="disabled")),
    ],
    ids=["no domain", "no edge yet", "origin without the name", "other domain", "disabled"],
)
def test_endpoint_that_cloudfront_may_call_stays(
    layout: Layout, stage: FakeStage, updates: dict[str, dict[str, str]]
) -> None:
    region_values.disable_endpoints(layout, stage.client)
    assert updates == {}


def test_endpoint_stays_enabled_if_samconfig_says_so(updates: dict[str, dict[str, str]]) -> None:
    layout = with_domain(SINGLE)
    home = replace(
        layout.home, overrides={**layout.home.overrides, "ExecuteApiEndpoint": "enabled"}
    )
    layout = Layout(home, home)
    region_values.disable_endpoints(layout, domain_stage(EDGE).client)
    assert updates == {}


@pytest.mark.parametrize(
    ("layout", "expected"),
    [(with_domain(SINGLE), {}), (SINGLE, {"ExecuteApiEndpoint": "enabled"})],
    ids=["kept", "removed"],
)
def test_removed_domain_enables_the_endpoint(layout: Layout, expected: dict[str, str]) -> None:
    """A later domain name would otherwise disable it before CloudFront calls the name."""
    stage = domain_stage(EDGE, ExecuteApiEndpoint="disabled")
    assert region_values.needed_values(layout.home, layout, stage.client) == expected
