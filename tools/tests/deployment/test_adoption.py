"""Leftovers with data: which can be adopted, and the templates that import them."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.deployment import adoption, import_templates, leftovers
from tools.deployment.environments import Environment, read_environment
from tools.deployment.import_templates import (
    IDENTIFIERS,
    import_template,
    nested_imports,
    nested_stacks,
    references,
    resolve,
    root_template,
)
from tools.deployment.leftovers import ExistingResource
from tools.deployment.retained_resources import RETAINED_TYPES
from tools.deployment.templates import load, named_resources
from tools.paths import ROOT

ACCOUNT = "123456789012"
HOME: Environment = read_environment("london")


def left(*, stage: str = "prod", region: str = "eu-west-2") -> list[ExistingResource]:
    """Every retained resource of a home, each with data."""
    return [
        ExistingResource(it, f"id-of-{it.name}", "data")
        for it in named_resources(stage, region, ACCOUNT, region)
        if it.retained and it.type in RETAINED_TYPES
    ]


def obstacles(present: list[ExistingResource], *, is_new: bool = True) -> dict[str, str]:
    checked = leftovers.with_obstacles(present, is_new=is_new)
    return {it.resource.name: it.obstacle for it in checked}


def test_every_retained_type_has_an_identifier() -> None:
    assert set(IDENTIFIERS) == RETAINED_TYPES


def test_each_retained_resource_can_be_adopted() -> None:
    assert set(obstacles(left()).values()) == {""}


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-2", "ap-south-1"])
def test_resources_with_data_are_one_level_below_the_root(region: str) -> None:
    """CloudFormation imports into one level of nested stacks."""
    retained = [it for it in named_resources("prod", region, ACCOUNT, "eu-west-2") if it.retained]
    assert retained
    assert {it.template for it in retained if it.type in RETAINED_TYPES} <= nested_stacks().keys()


def test_nothing_is_adopted_by_a_stack_that_exists() -> None:
    assert all(
        "CloudFormation imports into new ones" in it
        for it in obstacles(left(), is_new=False).values()
    )


def test_resource_of_another_stack_has_an_obstacle_even_without_data() -> None:
    (first, *_) = left()
    refused = obstacles([replace(first, content="", owner="the stack other")])
    assert refused == {first.resource.name: "it belongs to the stack other"}


def test_two_user_pools_with_users_are_not_adopted() -> None:
    pool = next(it for it in left() if it.resource.type == "AWS::Cognito::UserPool")
    assert obstacles([pool]) == {pool.resource.name: ""}
    both = leftovers.with_obstacles([pool, replace(pool, physical_id="other")], is_new=True)
    assert all("several of this name" in it.obstacle for it in both)
    # The message says which one is which, and what to do.
    message = leftovers.refusal([replace(it, content="about 3 users") for it in both])
    for each in both:
        assert f"delete-user-pool --user-pool-id {each.physical_id}" in message
    assert message.count("Keep the one in use") == 2
    assert "about 3 users" in message
    # An empty one is removed.
    empty = replace(pool, physical_id="other", content="")
    checked = leftovers.with_obstacles([pool, empty], is_new=True)
    assert (leftovers.adoptable(checked), leftovers.removable(checked)) == ([pool], [empty])


def test_table_without_the_replica_of_another_one_is_not_adopted() -> None:
    """All tables get the same parameter. The remedy keeps all items."""
    tables = [it for it in left() if it.resource.type == "AWS::DynamoDB::GlobalTable"]
    same = [replace(it, replicas=("ap-south-1",)) for it in tables]
    assert set(obstacles(same).values()) == {""}
    (accounts,) = (it for it in same if it.resource.logical_id == leftovers.ACCOUNTS_TABLE)
    first, second = (it for it in same if it != accounts)
    more = ("ap-south-1", "eu-central-1", "eu-west-2")
    different = leftovers.with_obstacles(
        [replace(first, replicas=more), second, accounts], is_new=True
    )
    (refused,) = leftovers.refused(different)
    # The accounts table has replicas only if an earlier version created it.
    assert refused.resource == second.resource
    assert refused.obstacle == "it has no replica in eu-central-1, eu-west-2"
    # DynamoDB adds one replica at a time.
    message = leftovers.refusal(different)
    assert f"--table-name {second.resource.name} --region {second.resource.region}" in message
    assert "--replica-updates Create={RegionName=eu-central-1}" in message
    assert "delete-table" not in message
    assert set(obstacles([replace(accounts, replicas=()), first, second]).values()) == {""}


def imports(present: list[ExistingResource]) -> dict[str, import_templates.NestedImport]:
    checked = leftovers.with_obstacles(present, is_new=True)
    pools = {it.physical_id: {"paying"} for it in checked}
    result = nested_imports(HOME, ACCOUNT, leftovers.adoptable(checked), pools)
    return {it.logical_id: it for it in result}


def test_each_import_has_the_resources_of_its_stack_and_nothing_else() -> None:
    stacks = imports(left())
    assert set(stacks) == {
        *("Accounts", "CourseCatalogue", "Foundation", "Portal", "School", "Stream"),
    }
    for stack in stacks.values():
        wanted = {item["LogicalResourceId"] for item in stack.resources}
        resources = stack.template["Resources"]
        assert set(resources) == wanted
        assert {item["DeletionPolicy"] for item in resources.values()} == {"Retain"}
        # As CloudFormation demands of an import.
        assert "Outputs" not in stack.template
        assert "Transform" not in stack.template


def test_import_refers_only_to_names_of_its_template() -> None:
    for stack in imports(left()).values():
        parts = [stack.template.get(key, {}) for key in ("Resources", "Parameters", "Conditions")]
        assert references(stack.template["Resources"]) <= {name for part in parts for name in part}
        required = {
            name
            for name, value in stack.template.get("Parameters", {}).items()
            if "Default" not in value
        }
        assert required <= set(stack.parameters)


def test_import_of_a_pool_has_its_existing_groups() -> None:
    items = imports(left())["Foundation"].resources
    groups = [it for it in items if it["ResourceType"] == "AWS::Cognito::UserPoolGroup"]
    assert [it["ResourceIdentifier"]["GroupName"] for it in groups] == ["paying"]
    assert groups[0]["ResourceIdentifier"]["UserPoolId"] == "id-of-meridian-prod"


def test_property_that_refers_to_a_missing_queue_is_left_out() -> None:
    queue = next(it for it in left() if it.resource.logical_id == "Notifications")
    properties = imports([queue])["Accounts"].template["Resources"]["Notifications"]["Properties"]
    assert "RedrivePolicy" not in properties
    assert properties["FifoQueue"] is True
    dead = next(it for it in left() if it.resource.logical_id == "NotificationsDeadLetters")
    both = imports([queue, dead])["Accounts"].template["Resources"]
    assert "RedrivePolicy" in both["Notifications"]["Properties"]


def test_replicas_of_adopted_tables_stay_in_the_parameters() -> None:
    tables = [
        replace(it, replicas=("ap-south-1",))
        for it in left()
        if it.resource.type == "AWS::DynamoDB::GlobalTable"
    ]
    foundation = imports(tables)["Foundation"]
    assert foundation.parameters["Replica1"] == "ap-south-1"
    assert foundation.parameters["Replica2"] == ""
    # Of an earlier version; the deployment that follows removes it.
    assert foundation.parameters["AccountsReplica1"] == "ap-south-1"
    assert foundation.parameters["AccountsReplica2"] == ""
    assert foundation.parameters["Stage"] == "prod"


@given(
    st.sets(st.sampled_from(sorted(load(ROOT / "stacks/accounts.yaml")["Resources"])), min_size=1)
)
def test_import_template_of_any_resources_has_no_open_reference(wanted: set[str]) -> None:
    template = load(ROOT / "stacks/accounts.yaml")
    result = import_template(template, wanted, {"Stage"})
    names = wanted | set(result.get("Parameters", {})) | set(result.get("Conditions", {}))
    assert set(result["Resources"]) == wanted
    for resource in result["Resources"].values():
        assert references(resource["Properties"]) <= names


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("plain", "plain"),
        (60, "60"),
        ({"Ref": "Stage"}, "prod"),
        ({"Ref": "Unknown"}, None),
        ({"Fn::Sub": "a-${Stage}"}, "a-prod"),
        ({"Fn::Sub": "a-${Unknown}"}, None),
        ({"Fn::Select": [1, {"Fn::Split": [",", {"Fn::Sub": "${Stage},b"}]}]}, "b"),
        ({"Fn::GetAtt": ["Stream", "Outputs.StreamName"]}, None),
    ],
)
def test_expression_of_a_nested_parameter_is_resolved(expression: Any, expected: Any) -> None:
    assert resolve(expression, {"Stage": "prod"}) == expected


def test_root_begins_with_a_resource_without_cost() -> None:
    """CloudFormation nests a stack into an existing one, and a stack has at least one resource."""
    resources = root_template({}, [])["Resources"]
    assert [it["Type"] for it in resources.values()] == ["AWS::CloudFormation::WaitConditionHandle"]


class NoBucket:
    """A CloudFormation client of a Region in which SAM CLI never deployed."""

    def describe_stacks(self, StackName: str) -> None:  # noqa: N803 - boto3's name
        error = {"Error": {"Code": "ValidationError", "Message": f"{StackName} does not exist"}}
        raise ClientError(error, "DescribeStacks")  # type: ignore[arg-type]


def test_adoption_without_a_bucket_names_the_command_that_creates_it() -> None:
    with pytest.raises(CommandError, match="sam package --resolve-s3 --region eu-west-2"):
        adoption.sam_bucket(NoBucket(), "eu-west-2")
