"""Values between the stacks of a stage, with CloudFormation, Lambda and DynamoDB in memory."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.errors import CommandError
from tools.deployment import collector, portal_copies, region_values
from tools.deployment.environments import Environment, Layout
from tools.stack import stack_name

LONDON, MUMBAI, PARIS, EDGE = "eu-west-2", "ap-south-1", "eu-west-3", "us-east-1"
HOME_OUTPUTS = {name: f"{name} of the home" for name in region_values.HOME_VALUES}
EDGE_OUTPUTS = {name: f"{name} of the edge" for name in region_values.EDGE_VALUES}


def environment_in(region: str, home: str = LONDON) -> Environment:
    overrides = {"Stage": "prod", "HomeRegion": home}
    return Environment(region, region, "prod", stack_name("prod", region), overrides)


LAYOUT = Layout(environment_in(LONDON), environment_in(EDGE), (environment_in(MUMBAI),))
SINGLE = Layout(environment_in(EDGE, EDGE), environment_in(EDGE, EDGE))


class FakeRegion:
    """CloudFormation, Lambda and DynamoDB of one Region, with at most one stack."""

    class exceptions:  # noqa: N801 - as of a boto3 client
        ResourceNotFoundException = KeyError

    def __init__(self, stack: dict[str, Any] | None, *, has_consumer: bool) -> None:
        self.stack, self.has_consumer = stack, has_consumer

    def describe_stacks(self, **names: str) -> dict[str, Any]:
        if self.stack is None:
            message = f"Stack with id {names['StackName']} does not exist"
            error = {"Error": {"Code": "ValidationError", "Message": message}}
            raise ClientError(error, "DescribeStacks")  # type: ignore[arg-type]
        return {"Stacks": [self.stack]}

    def get_paginator(self, _: str) -> "FakeRegion":
        return self

    def paginate(self) -> list[dict[str, Any]]:
        mapping = {"State": "Enabled", "EventSourceArn": "arn::stream/meridian-prod-events"}
        return [{"EventSourceMappings": [mapping] if self.has_consumer else []}]

    def describe_table(self, **_: str) -> dict[str, Any]:
        if self.has_consumer:
            return {"Table": {"LatestStreamArn": "arn:stream"}}
        raise KeyError


class FakeStage:
    """The Regions of a stage; `stacks` has the outputs of each deployed stack by Region."""

    def __init__(self, stacks: dict[str, dict[str, str]], consumers: set[str]) -> None:
        self.regions = {
            region: FakeRegion(self._stack(stacks.get(region)), has_consumer=region in consumers)
            for region in (LONDON, MUMBAI, PARIS, EDGE)
        }

    def _stack(self, outputs: dict[str, str] | None) -> dict[str, Any] | None:
        if outputs is None:
            return None
        listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        return {"StackStatus": "CREATE_COMPLETE", "Outputs": listed, "Parameters": []}

    def client(self, _service: str, region: str) -> Any:
        return self.regions[region]


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """The parameters that were updated, by stack."""
    updated: dict[str, dict[str, str]] = {}

    def update(environment: Environment, changed: dict[str, str], _clients: object) -> None:
        updated[environment.stack_name] = changed

    monkeypatch.setattr(collector, "update_parameters", update)
    return updated


def test_home_in_us_east_1_needs_no_value_of_another_stack() -> None:
    stage = FakeStage({}, set())
    assert region_values.needed_values(SINGLE.home, SINGLE, stage.client) == {}


def test_first_deployment_of_the_home_has_no_distribution_yet() -> None:
    stage = FakeStage({}, set())
    assert region_values.needed_values(LAYOUT.home, LAYOUT, stage.client) == {}


def test_later_deployment_of_the_home_keeps_the_distribution() -> None:
    stage = FakeStage({EDGE: EDGE_OUTPUTS}, set())
    assert region_values.needed_values(LAYOUT.home, LAYOUT, stage.client) == EDGE_OUTPUTS


def test_new_edge_gets_values_of_the_home_and_regions_with_a_consumer() -> None:
    stage = FakeStage({LONDON: HOME_OUTPUTS}, {LONDON})
    values = region_values.needed_values(LAYOUT.edge, LAYOUT, stage.client)
    assert values == HOME_OUTPUTS | {"Regions": LONDON}


def test_deployed_edge_keeps_its_regions() -> None:
    """A Region that `make destroy` removed stays removed."""
    stage = FakeStage({LONDON: HOME_OUTPUTS, EDGE: EDGE_OUTPUTS}, {LONDON, MUMBAI})
    assert region_values.needed_values(LAYOUT.edge, LAYOUT, stage.client) == HOME_OUTPUTS


def test_edge_of_a_home_without_the_outputs_is_refused_with_the_next_step() -> None:
    stage = FakeStage({LONDON: {"UserPoolId": "p"}}, set())
    with pytest.raises(CommandError, match=r"has no output UserPoolClientId.*PLACE=eu-west-2"):
        region_values.needed_values(LAYOUT.edge, LAYOUT, stage.client)


def test_further_region_gets_user_pool_and_stream_of_its_replica() -> None:
    stage = FakeStage({LONDON: {"UserPoolArn": "arn:pool"}}, {MUMBAI})
    expected = {"AppointmentsStreamArn": "arn:stream", "UserPoolArn": "arn:pool"}
    assert region_values.needed_values(LAYOUT.others[0], LAYOUT, stage.client) == expected


def test_further_region_without_replica_is_refused_with_the_next_step() -> None:
    stage = FakeStage({LONDON: {"UserPoolArn": "arn:pool"}}, set())
    with pytest.raises(CommandError, match=r"no replica with a stream.*Deploy the home"):
        region_values.needed_values(LAYOUT.others[0], LAYOUT, stage.client)


def test_deployed_edge_passes_the_distribution_to_the_home(
    updates: dict[str, dict[str, str]],
) -> None:
    stage = FakeStage({LONDON: HOME_OUTPUTS, EDGE: EDGE_OUTPUTS}, {LONDON})
    edge = stage.regions[EDGE].stack
    assert edge is not None
    name = {"ParameterKey": "SignInHost", "ParameterValue": HOME_OUTPUTS["SignInHost"]}
    edge["Parameters"] = [name]
    region_values.pass_on(LAYOUT.edge, LAYOUT, stage.client)
    assert updates == {"meridian-prod-eu-west-2": EDGE_OUTPUTS}


def test_deployed_home_passes_changed_values_to_the_edge(
    updates: dict[str, dict[str, str]],
) -> None:
    """For example the keys of CloudFront during a rotation."""
    stage = FakeStage({LONDON: HOME_OUTPUTS, EDGE: EDGE_OUTPUTS}, {LONDON})
    edge = stage.regions[EDGE].stack
    assert edge is not None
    unchanged = {**HOME_OUTPUTS, "OriginKeys": "A"}
    edge["Parameters"] = [
        {"ParameterKey": key, "ParameterValue": value} for key, value in unchanged.items()
    ]
    region_values.pass_on(LAYOUT.home, LAYOUT, stage.client)
    expected = {"OriginKeys": HOME_OUTPUTS["OriginKeys"]}
    assert updates == {"meridian-prod-us-east-1": expected}


@pytest.mark.parametrize("environment", [LAYOUT.home, LAYOUT.others[0]], ids=["home", "further"])
def test_value_waits_for_an_edge_that_does_not_exist(
    environment: Environment, updates: dict[str, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    stage = FakeStage({LONDON: HOME_OUTPUTS}, {LONDON, MUMBAI})
    region_values.pass_on(environment, LAYOUT, stage.client)
    assert updates == {}
    assert "Deploy the edge last: make deploy PLACE=us-east-1" in capsys.readouterr().out


def test_home_in_us_east_1_passes_nothing_on(updates: dict[str, dict[str, str]]) -> None:
    region_values.pass_on(SINGLE.home, SINGLE, FakeStage({}, set()).client)
    assert updates == {}


def with_domain(layout: Layout) -> Layout:
    def named(environment: Environment) -> Environment:
        overrides = {**environment.overrides, "Domain": "school.example"}
        return replace(environment, overrides=overrides)

    return Layout(named(layout.home), named(layout.edge), tuple(map(named, layout.others)))


KEYS = {name: HOME_OUTPUTS[name] for name in region_values.SHARED_KEYS}


def test_further_region_gets_the_keys_of_the_home_only_with_a_domain() -> None:
    stage = FakeStage({LONDON: HOME_OUTPUTS | {"UserPoolArn": "arn:pool"}}, {MUMBAI})
    layout = with_domain(LAYOUT)
    values = region_values.needed_values(layout.others[0], layout, stage.client)
    without = region_values.needed_values(LAYOUT.others[0], LAYOUT, stage.client)
    assert values == without | KEYS | {"MarkRegion": "none"}


def test_home_passes_its_keys_to_further_regions_with_a_domain(
    updates: dict[str, dict[str, str]],
) -> None:
    stage = FakeStage({LONDON: HOME_OUTPUTS, MUMBAI: {"ApiId": "a1"}}, {MUMBAI})
    layout = with_domain(LAYOUT)
    region_values.pass_on(layout.home, layout, stage.client)
    expected = KEYS | {"MarkRegion": "none"}
    assert updates == {layout.others[0].stack_name: expected}


@pytest.mark.parametrize("order", [[MUMBAI, PARIS], [PARIS, MUMBAI]])
def test_further_regions_get_the_list_of_the_home_in_its_order(
    updates: dict[str, dict[str, str]], order: list[str]
) -> None:
    """The number of a Region in the list is in the paths of its operations, in each API."""
    layout = with_domain(
        Layout(LAYOUT.home, LAYOUT.edge, (environment_in(MUMBAI), environment_in(PARIS)))
    )
    outputs = {"ApiId": "a1"}
    home = HOME_OUTPUTS | {"UserPoolArn": "arn:pool"}
    stage = FakeStage({LONDON: home, MUMBAI: outputs, PARIS: outputs, EDGE: {}}, {MUMBAI, PARIS})
    stack = stage.regions[LONDON].stack
    assert stack is not None
    stack["Parameters"] = [
        {"ParameterKey": "ReplicaRegions", "ParameterValue": ",".join(order)},
    ]
    values = region_values.needed_values(layout.others[0], layout, stage.client)
    assert values["ReplicaRegions"] == ",".join(order)
    region_values.pass_on(layout.home, layout, stage.client)
    for further in layout.others:
        assert updates[further.stack_name]["ReplicaRegions"] == ",".join(order)
    region_values.forget_region(layout, MUMBAI, stage.client)
    assert updates[layout.others[1].stack_name]["ReplicaRegions"] == PARIS


def test_each_of_several_further_regions_has_the_mark_of_another_one(
    updates: dict[str, dict[str, str]],
) -> None:
    """A stack asks the Region in which `make evacuate` writes its mark."""
    others = (environment_in(MUMBAI), environment_in(PARIS))
    layout = with_domain(Layout(LAYOUT.home, LAYOUT.edge, others))
    outputs = {"ApiId": "a1"}
    stage = FakeStage({LONDON: HOME_OUTPUTS, MUMBAI: outputs, PARIS: outputs, EDGE: {}}, {MUMBAI})
    region_values.pass_on(layout.home, layout, stage.client)
    passed = {name: it["MarkRegion"] for name, it in updates.items() if "MarkRegion" in it}
    assert passed == {it.stack_name: layout.mark_region_of(it.region) for it in others}
    assert {layout.mark_region_of(it.region) for it in others} == {MUMBAI, PARIS}
    region_values.forget_region(layout, MUMBAI, stage.client)
    assert updates[others[1].stack_name]["MarkRegion"] == "none"


class GrowingStage(FakeStage):
    """A stage whose home gets the name of the sign-in pages with the edge's certificate."""

    def grow(self, environment: Environment, changed: dict[str, str], _clients: object) -> None:
        stack = self.regions[environment.region].stack
        assert stack is not None
        stack["Parameters"] += [
            {"ParameterKey": key, "ParameterValue": value} for key, value in changed.items()
        ]
        if changed.get("SignInCertificateArn", "none") != "none":
            output = {"OutputKey": "SignInHost", "OutputValue": "auth.school.example"}
            others = [it for it in stack["Outputs"] if it["OutputKey"] != "SignInHost"]
            stack["Outputs"] = [*others, output]


def test_edge_gets_the_name_of_the_sign_in_pages_when_it_exists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cognito needs the edge's certificate and record first, so sign-in works at all times."""
    home = HOME_OUTPUTS | {"SignInHost": "none"}
    layout = with_domain(LAYOUT)
    stage = GrowingStage({LONDON: home, EDGE: EDGE_OUTPUTS}, {LONDON})
    monkeypatch.setattr(collector, "update_parameters", stage.grow)
    assert region_values.needed_values(layout.edge, layout, stage.client)["SignInHost"] == "none"
    region_values.pass_on(layout.edge, layout, stage.client)
    edge = stage.regions[EDGE].stack
    assert edge is not None
    assert {"ParameterKey": "SignInHost", "ParameterValue": "auth.school.example"} in edge[
        "Parameters"
    ]


def test_home_with_the_edge_passes_the_name_to_itself(updates: dict[str, dict[str, str]]) -> None:
    layout = with_domain(SINGLE)
    stage = FakeStage({EDGE: {"SignInHost": "auth.school.example"}}, set())
    region_values.pass_on(layout.home, layout, stage.client)
    assert updates == {layout.home.stack_name: {"SignInHost": "auth.school.example"}}


@pytest.mark.parametrize(
    ("layout", "expected"),
    [(with_domain(SINGLE), {}), (SINGLE, {"SignInHost": "none"})],
    ids=["kept", "removed"],
)
def test_removed_domain_takes_the_name_of_the_sign_in_pages_along(
    layout: Layout, expected: dict[str, str]
) -> None:
    """SAM would deploy the previous value, of a name that the same update deletes."""
    stage = FakeStage({EDGE: {"UserPoolId": "p"}}, set())
    stack = stage.regions[EDGE].stack
    assert stack is not None
    name = {"ParameterKey": "SignInHost", "ParameterValue": "auth.school.example"}
    stack["Parameters"] = [name]
    assert region_values.needed_values(layout.home, layout, stage.client) == expected


def test_home_gives_up_the_certificate_before_the_edge_goes(
    updates: dict[str, dict[str, str]],
) -> None:
    """ACM can't delete a certificate that Cognito uses."""
    stage = FakeStage({LONDON: HOME_OUTPUTS}, set())
    region_values.withdraw_certificate(LAYOUT, stage.client)
    assert updates == {}
    stack = stage.regions[LONDON].stack
    assert stack is not None
    stack["Parameters"] = [{"ParameterKey": "SignInCertificateArn", "ParameterValue": "arn"}]
    region_values.withdraw_certificate(LAYOUT, stage.client)
    assert updates == {LAYOUT.home.stack_name: {"SignInCertificateArn": "none"}}
    region_values.withdraw_certificate(SINGLE, stage.client)


def test_edge_gets_the_health_checks_of_the_regions(updates: dict[str, dict[str, str]]) -> None:
    """Their alarms are in us-east-1."""
    stacks = {
        LONDON: HOME_OUTPUTS | {"HealthCheckId": "l1"},
        MUMBAI: {"HealthCheckId": "m1"},
        EDGE: EDGE_OUTPUTS,
    }
    stage = FakeStage(stacks, {LONDON, MUMBAI})
    layout = with_domain(LAYOUT)
    values = region_values.needed_values(layout.edge, layout, stage.client)
    both = f"{LONDON}:l1,{MUMBAI}:m1"
    assert values["HealthChecks"] == both
    edge = stage.regions[EDGE].stack
    assert edge is not None
    edge["Parameters"] = [{"ParameterKey": "HealthChecks", "ParameterValue": both}]
    region_values.pass_health_checks(layout, stage.client)
    assert updates == {}
    region_values.forget_region(layout, MUMBAI, stage.client)
    assert updates == {layout.edge.stack_name: {"HealthChecks": f"{LONDON}:l1"}}


def test_edge_that_was_deployed_beside_a_further_region_gets_its_health_check(
    updates: dict[str, dict[str, str]],
) -> None:
    layout = with_domain(LAYOUT)
    stacks = {
        LONDON: HOME_OUTPUTS | {"HealthCheckId": "l1"},
        MUMBAI: {"HealthCheckId": "m1"},
        EDGE: EDGE_OUTPUTS,
    }
    stage = FakeStage(stacks, {LONDON, MUMBAI})
    edge = stage.regions[EDGE].stack
    assert edge is not None
    before = {"HealthChecks": f"{LONDON}:l1", "SignInHost": HOME_OUTPUTS["SignInHost"]}
    edge["Parameters"] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in before.items()
    ]
    region_values.pass_on(layout.edge, layout, stage.client)
    assert updates[layout.edge.stack_name] == {"HealthChecks": f"{LONDON}:l1,{MUMBAI}:m1"}


def test_home_in_us_east_1_gets_only_the_health_checks_of_further_regions(
    updates: dict[str, dict[str, str]],
) -> None:
    """Its stack knows its own check."""
    layout = Layout(SINGLE.home, SINGLE.home, (environment_in(MUMBAI, EDGE),))
    stage = FakeStage({EDGE: {"HealthCheckId": "e1"}, MUMBAI: {"HealthCheckId": "m1"}}, {MUMBAI})
    edge = stage.regions[EDGE].stack
    assert edge is not None
    edge["Parameters"] = [{"ParameterKey": "HealthChecks", "ParameterValue": ""}]
    region_values.pass_health_checks(layout, stage.client)
    assert updates == {layout.edge.stack_name: {"HealthChecks": f"{MUMBAI}:m1"}}


def test_copies_reach_the_home_then_the_edge(
    updates: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudFront reads a copy only when it has the pages."""
    order: list[str] = []

    def replicate(_home: object, bucket: str, regions: list[str], _clients: object) -> int:
        order.extend([*updates, bucket, *regions])
        return 3

    monkeypatch.setattr(portal_copies, "replicate", replicate)
    stage = FakeStage(
        {
            LONDON: HOME_OUTPUTS | {"PortalBucket": "pages"},
            MUMBAI: {"PortalCopyBucket": "pages-ap-south-1"},
            EDGE: EDGE_OUTPUTS,
        },
        {LONDON, MUMBAI},
    )
    region_values.pass_copies(LAYOUT, stage.client)
    distribution = {"DistributionId": EDGE_OUTPUTS["DistributionId"]}
    assert updates == {
        "meridian-prod-ap-south-1": distribution,
        "meridian-prod-eu-west-2": {"PortalCopies": MUMBAI},
        "meridian-prod-us-east-1": {"PortalCopies": MUMBAI},
    }
    assert order == [*list(updates)[:2], "pages", MUMBAI]


def test_stage_without_copies_changes_nothing(updates: dict[str, dict[str, str]]) -> None:
    """A stage in one Region, and further Regions of an earlier version."""
    single = FakeStage({EDGE: HOME_OUTPUTS | EDGE_OUTPUTS | {"PortalBucket": "pages"}}, {EDGE})
    region_values.pass_copies(SINGLE, single.client)
    assert updates == {}


def test_removed_region_has_no_rule_and_no_origin_left(
    updates: dict[str, dict[str, str]],
) -> None:
    stage = FakeStage({LONDON: HOME_OUTPUTS, EDGE: EDGE_OUTPUTS}, {LONDON})
    for region in (LONDON, EDGE):
        stack = stage.regions[region].stack
        assert stack is not None
        stack["Parameters"] = [{"ParameterKey": "PortalCopies", "ParameterValue": MUMBAI}]
    region_values.forget_region(LAYOUT, MUMBAI, stage.client)
    assert updates == {
        "meridian-prod-us-east-1": {"PortalCopies": ""},
        "meridian-prod-eu-west-2": {"PortalCopies": ""},
    }
    assert next(iter(updates)) == "meridian-prod-us-east-1"
