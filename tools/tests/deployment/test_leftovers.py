"""Leftovers of failed and deleted stacks: found, described, and never removed with data."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.errors import CommandError
from tools.deployment import leftovers, recovery
from tools.deployment.leftovers import ExistingResource
from tools.deployment.preflight import checks
from tools.deployment.preflight.findings import Severity
from tools.deployment.retained_resources import RETAINED_TYPES, RetainedResources
from tools.deployment.templates import NamedResource, fixed_name, named_resources

ACCOUNT = "123456789012"


def existing(name: str, content: str = "", obstacle: str = "") -> ExistingResource:
    resource = NamedResource(
        "AWS::DynamoDB::Table", name, "us-east-1", "stacks/stream.yaml: LiveTable", retained=True
    )
    return ExistingResource(resource, name, content, obstacle=obstacle)


def test_resource_of_a_stack_is_not_looked_up() -> None:
    """A deployment of a complete stack then needs no permission to read its data."""
    expected = named_resources("dev", "us-east-1", ACCOUNT)
    retained = [it for it in expected if it.retained]
    owned = {(it.type, it.logical_id) for it in retained[1:]}
    assert leftovers.without_owner(expected, owned) == retained[:1]


def test_type_and_logical_id_name_one_retained_resource() -> None:
    expected = [it for it in named_resources("dev", "us-east-1", ACCOUNT) if it.retained]
    assert len({(it.type, it.logical_id) for it in expected}) == len(expected)


def test_leftover_with_an_obstacle_is_refused_with_the_next_step() -> None:
    message = leftovers.refusal([existing("empty"), existing("full", "items", "of a cause")])
    assert "Table full in us-east-1: items (stacks/stream.yaml: LiveTable), can't be" in message
    assert "because of a cause" in message
    assert "empty" not in message
    assert "Deploy with another Stage" in message


class DeniedTable:
    """A DynamoDB client of a caller who may not read items."""

    def scan(self, **_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Scan")


def test_leftover_that_the_caller_may_not_read_counts_as_data() -> None:
    resources = RetainedResources(lambda _service, _region: DeniedTable())
    content = resources.content(existing("live").resource, "live")
    assert content == "content unknown, access denied"
    assert leftovers.removable([existing("live", content)]) == []


def test_no_leftover_is_removed_while_one_has_an_obstacle() -> None:
    def clients(service: str, region: str) -> object:
        raise AssertionError(f"{service} in {region} was called")

    with pytest.raises(CommandError, match="can't adopt them"):
        recovery.remove([existing("empty"), existing("full", "items", "a cause")], clients)


class TableWithReplica:
    """A DynamoDB client for a table that is empty in us-east-1, with a replica that has items."""

    def __init__(self, region: str) -> None:
        self.region = region

    def describe_table(self, **_: object) -> dict[str, Any]:
        return {"Table": {"Replicas": [{"RegionName": "eu-west-2"}]}}

    def scan(self, **_: object) -> dict[str, int]:
        return {"Count": int(self.region == "eu-west-2")}

    def update_table(self, **change: object) -> None:
        assert change == {"TableName": "accounts", "DeletionProtectionEnabled": False}

    def get_waiter(self, _: str) -> "TableWithReplica":
        return self

    def wait(self, **_: object) -> None:
        """Return at once."""


def test_leftover_with_data_in_a_replica_only_is_refused_with_the_next_step() -> None:
    with pytest.raises(CommandError, match="can't adopt them") as refusal:
        recovery.remove([existing("accounts")], lambda _, region: TableWithReplica(region))
    assert "Table accounts in us-east-1: items in eu-west-2 (stacks/" in str(refusal.value)
    assert "Deploy with another Stage" in str(refusal.value)
    assert "Repeat" not in str(refusal.value)


class RefusedTable:
    """A DynamoDB client that the caller's policies don't allow to read the table."""

    def describe_table(self, **_: object) -> None:
        refusal = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}
        raise ClientError(refusal, "DescribeTable")  # type: ignore[arg-type]


def test_refused_deletion_names_cause_and_next_step_in_two_sentences() -> None:
    with pytest.raises(CommandError, match=r"not authorized\. Repeat the command later"):
        recovery.remove([existing("accounts")], lambda *_: RefusedTable())


def test_names_of_a_stage_differ_by_region_only_where_the_template_says_so() -> None:
    def names(region: str) -> set[str]:
        return {it.name for it in named_resources("dev", region, ACCOUNT)}

    home, london = names("us-east-1"), names("eu-west-2")
    assert f"meridian-dev-lake-{ACCOUNT}-eu-west-2" in london
    assert "meridian-dev-events" in home & london
    # Resources of the home Region only.
    assert "meridian-dev-accounts" in home - london


def test_edge_without_the_home_has_names_of_the_edge_only() -> None:
    names = {it.name for it in named_resources("dev", "us-east-1", ACCOUNT, "eu-west-2")}
    assert {"meridian-dev-edge-settings", "meridian-dev-edge-schedule-dead-letters"} <= names
    assert not names & {"meridian-dev-events", "meridian-dev-accounts"}
    assert f"meridian-dev-portal-{ACCOUNT}" not in names


def test_every_retained_type_can_be_looked_up() -> None:
    """Without a lookup, a leftover of that type would only show as a failed deployment."""
    retained = {it.type for it in named_resources("dev", "us-east-1", ACCOUNT) if it.retained}
    assert retained == RETAINED_TYPES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", "plain"),
        ({"Fn::Sub": "a-${Stage}-b"}, "a-dev-b"),
        ({"Fn::Sub": "a-${Stage}-${AWS::StackId}"}, None),
        ({"Ref": "Other"}, None),
        (None, None),
    ],
)
def test_name_is_fixed_only_with_known_references(name: object, expected: str | None) -> None:
    resource = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}
    assert fixed_name(resource, {"Stage": "dev"}) == expected


@pytest.mark.parametrize(
    ("obstacles", "severity"),
    [([], Severity.OK), ([""], Severity.WARNING), (["", "a cause"], Severity.ERROR)],
)
def test_preflight_stops_a_deployment_only_for_leftovers_with_an_obstacle(
    obstacles: list[str], severity: Severity
) -> None:
    present = [existing(f"table-{index}", "items", it) for index, it in enumerate(obstacles)]
    finding = checks.check_leftovers(present, "staging")
    assert finding.severity is severity
    if severity is Severity.WARNING:
        assert finding.remedy.endswith("make leftovers REMOVE=1 PLACE=staging")
