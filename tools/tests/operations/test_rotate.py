"""Rotation of CloudFront's key, with stacks and secrets in memory."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tests.support.examples import at_most
from tools.deployment import collector
from tools.deployment.environments import Environment, Layout
from tools.operations import rotate
from tools.stack import stack_name

LONDON, MUMBAI, EDGE = "eu-west-2", "ap-south-1", "us-east-1"


class InterruptedRotationError(Exception):
    """Ends a rotation as a lost connection does."""


class FakeStage:
    """The stacks of a stage; CloudFront sends the first key of the stack in us-east-1.

    The update number `failing` of all raises. Each update checks that no request is refused.
    """

    def __init__(self, layout: Layout, keys: str, failing: int = -1) -> None:
        self.keys = {it.region: keys for it in layout.in_order()}
        self.serving = {it.region for it in (layout.home, *layout.others)}
        self.home, self.failing, self.updates = layout.home.region, failing, 0
        self.created = {key: self._time(0) for key in keys.split("+")}

    def _time(self, seconds: int) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)

    def update(self, environment: Environment, changed: dict[str, str], _clients: object) -> None:
        self.updates += 1
        if self.updates == self.failing:
            raise InterruptedRotationError
        value = changed[rotate.PARAMETER]
        self.keys[environment.region] = value
        if environment.region == self.home:
            present = value.split("+")
            self.created = {key: self.created.get(key, self._time(self.updates)) for key in present}
        self.check()

    def check(self) -> None:
        sent = self.keys[EDGE][0]
        for region in self.serving:
            accepted = self.keys[region].split("+")
            assert sent in accepted, f"{region} refuses {sent}"
        assert set(self.keys[EDGE][0]) <= self.created.keys(), "the distribution names no secret"

    def client(self, service: str, region: str) -> Any:
        return FakeClient(self, region)


class FakeClient:
    """CloudFormation and Secrets Manager of one Region."""

    def __init__(self, stage: FakeStage, region: str) -> None:
        self.stage, self.region = stage, region

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        parameter = {
            "ParameterKey": rotate.PARAMETER,
            "ParameterValue": self.stage.keys[self.region],
        }
        outputs = {"OriginKeyPrefix": "origin-key", "ApiId": "a1"}
        listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        stack = {"StackStatus": "UPDATE_COMPLETE", "Parameters": [parameter], "Outputs": listed}
        return {"Stacks": [stack]}

    def describe_secret(self, SecretId: str) -> dict[str, Any]:  # noqa: N803 - as of boto3
        return {"CreatedDate": self.stage.created[SecretId[-1]]}


def layout_in(home: str, domain: str) -> Layout:
    def environment(region: str) -> Environment:
        overrides = {"Stage": "prod", "HomeRegion": home, "Domain": domain}
        return Environment(region, region, "prod", stack_name("prod", region), overrides)

    others = (environment(MUMBAI),) if domain else ()
    return Layout(environment(home), environment(EDGE), others)


@contextmanager
def replaced(stage: FakeStage) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collector, "update_parameters", stage.update)
        yield


def rotation_of(layout: Layout, stage: FakeStage) -> rotate.Rotation:
    return rotate.Rotation(layout, stage.client, say=lambda _: None, pause=lambda _: None)


@settings(max_examples=at_most(60))
@given(
    home=st.sampled_from([LONDON, EDGE]),
    domain=st.sampled_from(["", "school.example"]),
    first=st.sampled_from("AB"),
    failing=st.integers(1, 9),
)
def test_every_region_accepts_the_sent_key_at_each_step_also_after_an_interruption(
    home: str, domain: str, first: str, failing: int
) -> None:
    layout = layout_in(home, domain)
    stage = FakeStage(layout, first, failing)
    with replaced(stage):
        with suppress(InterruptedRotationError):
            rotation_of(layout, stage).run()
        # Not begun, or completed: the next run begins a rotation.
        if stage.keys[home] == first:
            assert stage.updates == 1
        if "+" in stage.keys[home]:
            rotation_of(layout, stage).run()
            assert set(stage.keys.values()) == {rotate._OTHER[first]}


def test_two_rotations_end_with_a_new_key_of_the_first_name() -> None:
    layout = layout_in(LONDON, "school.example")
    stage = FakeStage(layout, "A")
    first = stage.created["A"]
    with replaced(stage):
        rotation_of(layout, stage).run()
        rotation_of(layout, stage).run()
    assert set(stage.keys.values()) == {"A"}
    assert stage.created["A"] > first


def test_key_in_samconfig_is_refused_before_the_first_step() -> None:
    layout = layout_in(LONDON, "")
    assert isinstance(layout.home.overrides, dict)
    layout.home.overrides[rotate.PARAMETER] = "A"
    stage = FakeStage(layout, "A")
    with replaced(stage), pytest.raises(CommandError, match="sets OriginKeys"):
        rotation_of(layout, stage).run()
    assert stage.updates == 0


def test_stack_of_an_earlier_version_is_refused_with_the_next_step() -> None:
    layout = layout_in(LONDON, "")
    stage = FakeStage(layout, "A")
    stage.keys[LONDON] = ""
    with replaced(stage), pytest.raises(CommandError, match=r"Deploy it again.*PLACE=eu-west-2"):
        rotation_of(layout, stage).run()


def test_late_replica_of_the_secret_stops_the_rotation_before_cloudfront_sends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layout = layout_in(LONDON, "")
    stage = FakeStage(layout, "A")
    describe = FakeClient.describe_secret

    def late(self: FakeClient, **names: str) -> dict[str, Any]:
        replica = {"Region": EDGE, "Status": "InProgress"}
        return describe(self, **names) | {"ReplicationStatus": [replica]}

    monkeypatch.setattr(FakeClient, "describe_secret", late)
    with replaced(stage), pytest.raises(CommandError, match=f"no replica in {EDGE}"):
        rotation_of(layout, stage).run()
    assert stage.keys == {LONDON: "A+B", EDGE: "A"}


def test_without_a_running_system_the_command_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="make up"):
        rotate.main({}, tmp_path)


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (ClientError({"Error": {"Message": "It does not exist"}}, "DescribeStacks"), "make deploy"),
        (EndpointConnectionError(endpoint_url="https://x.example"), "credentials"),
    ],
)
def test_refused_call_is_one_message_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, expected: str
) -> None:
    class Refusing:
        def describe_stacks(self, **_: str) -> None:
            raise problem

    monkeypatch.setattr(boto3, "client", lambda *_, **__: Refusing())
    with pytest.raises(CommandError, match=f"(?i){expected}"):
        rotate.main({"PLACE": "default"})
