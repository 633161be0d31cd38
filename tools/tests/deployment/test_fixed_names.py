"""Names of the templates that another resource has: found, and reported with their deletion."""

import dataclasses
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.deployment import leftovers, recovery
from tools.deployment.environments import Environment, template_defaults
from tools.deployment.fixed_names import NAMED_TYPES, TakenName, taken_names
from tools.deployment.leftovers import ExistingResource
from tools.deployment.preflight import checks
from tools.deployment.preflight.command import known_leftovers
from tools.deployment.preflight.findings import Severity
from tools.deployment.retained_resources import RETAINED_TYPES
from tools.deployment.templates import NamedResource, named_resources

ACCOUNT = "123456789012"
ENVIRONMENT = Environment(
    "test", "us-east-1", "dev", "meridian-dev-us-east-1", {"Stage": "dev"}, template_defaults()
)
TOPIC = NamedResource(
    "AWS::SNS::Topic", "meridian-dev-alarms", "us-east-1", "stacks/a.yaml: Topic", retained=False
)


class Topics:
    """A client of Amazon SNS with one topic; without it, SNS answers "not found"."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self.calls = 0

    def get_topic_attributes(self, **query: str) -> dict[str, Any]:
        self.calls += 1
        if query["TopicArn"] != self.arn:
            missing = {"Error": {"Code": "NotFound", "Message": "Topic does not exist"}}
            raise ClientError(missing, "GetTopicAttributes")  # type: ignore[arg-type]
        return {"Attributes": {}}


def found(topics: Topics, owned: set[tuple[str, str]]) -> list[TakenName]:
    return taken_names(ENVIRONMENT, [TOPIC], owned, lambda *_: topics, ACCOUNT)


def test_name_of_a_foreign_resource_is_reported_with_its_deletion() -> None:
    topics = Topics(f"arn:aws:sns:us-east-1:{ACCOUNT}:meridian-dev-alarms")
    finding = checks.check_fixed_names(found(topics, set()))
    assert finding.severity is Severity.ERROR
    lines = " ".join(finding.lines())
    assert "Topic meridian-dev-alarms in us-east-1 (stacks/a.yaml: Topic)" in lines
    assert f"aws sns delete-topic --topic-arn {topics.arn} --region us-east-1" in lines


def test_free_name_is_not_reported() -> None:
    assert found(Topics("arn:aws:sns:us-east-1:123456789012:other"), set()) == []
    assert checks.check_fixed_names([]).severity is Severity.OK


def test_name_that_the_stack_owns_is_not_looked_up() -> None:
    topics = Topics(f"arn:aws:sns:us-east-1:{ACCOUNT}:meridian-dev-alarms")
    assert found(topics, {("AWS::SNS::Topic", "Topic")}) == []
    assert topics.calls == 0


@pytest.mark.parametrize(("overrides", "looks"), [({}, False), ({"AuditTrail": "true"}, True)])
def test_name_in_an_optional_stack_is_looked_up_only_if_a_parameter_selects_it(
    overrides: dict[str, str], looks: bool
) -> None:
    class Trails:
        def get_trail(self, **query: str) -> dict[str, Any]:
            assert query == {"Name": "meridian-dev-audit"}
            return {"Trail": {}}

    environment = dataclasses.replace(ENVIRONMENT, overrides={**ENVIRONMENT.overrides, **overrides})
    expected = [it for it in named_resources("dev", "us-east-1", ACCOUNT) if "audit" in it.source]
    taken = taken_names(environment, expected, set(), lambda *_: Trails(), ACCOUNT)
    assert bool(taken) == looks


@pytest.mark.slow
def test_each_type_with_a_fixed_name_is_looked_up() -> None:
    """Cognito's domain has a check of its own, which also names its owner."""
    types = {
        it.type
        for region, home in (("us-east-1", "us-east-1"), ("eu-west-2", "us-east-1"))
        for it in named_resources("dev", region, ACCOUNT, home)
    }
    assert types - {"AWS::Cognito::UserPoolDomain"} == set(NAMED_TYPES) | RETAINED_TYPES


def test_each_retained_type_has_a_deletion() -> None:
    expected = [it for it in named_resources("dev", "us-east-1", ACCOUNT) if it.retained]
    for resource in expected:
        text = leftovers.deletion(ExistingResource(resource, "the-id", "items"))
        assert "{" not in text
        assert resource.name in text or "the-id" in text


class NoStacks:
    """A CloudFormation client without stacks, which counts the listings of resources."""

    def describe_stacks(self, **_: object) -> dict[str, Any]:
        missing = {"Error": {"Code": "ValidationError", "Message": "Stack does not exist"}}
        raise ClientError(missing, "DescribeStacks")  # type: ignore[arg-type]

    def get_paginator(self, name: str) -> "NoStacks":
        assert name == "list_stacks"
        return self

    def paginate(self, StackStatusFilter: tuple[str, ...]) -> list[dict[str, Any]]:  # noqa: N803
        assert "DELETE_COMPLETE" not in StackStatusFilter
        return [{"StackSummaries": []}]


def test_leftovers_that_preflight_could_not_read_are_unknown() -> None:
    """The deployment then looks for them itself, and stops with the reason."""
    unreadable = checks.check_unreadable("leftovers", "access denied")
    assert known_leftovers([unreadable], []) is None
    assert known_leftovers([checks.check_leftovers([], "default")], []) == []


def test_deployment_looks_for_leftovers_once() -> None:
    """Preflight found them; without a deleted stack they are still the same."""

    def clients(service: str, _region: str) -> NoStacks:
        assert service == "cloudformation"
        return NoStacks()

    empty = NamedResource("AWS::SQS::Queue", "q", "us-east-1", "stacks/a.yaml: Q", retained=True)
    present = [ExistingResource(empty, "url", "")]
    result = recovery.recover(
        ENVIRONMENT, clients, ACCOUNT, nested_stacks=["Kept"], present=present
    )
    assert result.leftovers is present
