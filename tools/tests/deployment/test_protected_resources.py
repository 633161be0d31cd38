"""The catalogue's protected balancer and database: found without a stack, and told by destroy."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.deployment import adoption, destroy, recovery
from tools.deployment.environments import Environment, read_environment
from tools.deployment.fixed_names import NAMED_TYPES, TakenName, is_selected, taken_names
from tools.deployment.preflight import checks
from tools.deployment.preflight.findings import Severity
from tools.deployment.retained_resources import RetainedResources
from tools.deployment.stacks import KeptResource
from tools.deployment.templates import PROTECTED_TYPES, NamedResource, named_resources

ACCOUNT = "123456789012"
REGION = "us-east-1"
MISSING = {
    "describe_load_balancers": "LoadBalancerNotFound",
    "describe_db_clusters": "DBClusterNotFoundFault",
    "describe_global_clusters": "GlobalClusterNotFoundFault",
}


def environment(**overrides: str) -> Environment:
    home = read_environment("default")
    names = {"Domain": "school.example", "HostedZoneId": "Z1", "Catalogue": "true"}
    return replace(home, overrides={**home.overrides, **names, **overrides})


def protected(home: Environment) -> list[NamedResource]:
    named = named_resources(home.stage, REGION, ACCOUNT, home.home_region)
    return [it for it in named if it.type in PROTECTED_TYPES]


class Aws:
    """Elastic Load Balancing and Amazon RDS, with or without the resources of the stage."""

    def __init__(self, *, has_resources: bool) -> None:
        self.has_resources = has_resources
        self.names: list[str] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**query: Any) -> dict[str, Any]:
            (value,) = query.values()
            self.names += value if isinstance(value, list) else [value]
            if not self.has_resources:
                code = {"Error": {"Code": MISSING[operation], "Message": "not found"}}
                raise ClientError(code, operation)  # type: ignore[arg-type]
            return {"LoadBalancers": [{}], "DBClusters": [{}], "GlobalClusters": [{}]}

        return call


def taken(home: Environment, aws: Aws) -> list[TakenName]:
    return taken_names(home, protected(home), set(), lambda *_: aws, ACCOUNT)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"Catalogue": "false"}, []),
        ({}, ["DBCluster", "LoadBalancer"]),
        ({"GlobalDatabase": "true"}, ["DBCluster", "GlobalCluster", "LoadBalancer"]),
    ],
)
def test_leftover_of_a_deleted_stack_is_an_error_with_its_deletion(
    overrides: dict[str, str], expected: list[str]
) -> None:
    home = environment(**overrides)
    names = taken(home, Aws(has_resources=True))
    assert sorted(it.resource.type.rpartition("::")[2] for it in names) == expected
    finding = checks.check_fixed_names(names)
    assert finding.severity is (Severity.ERROR if expected else Severity.OK)
    lines = " ".join(finding.lines())
    for name in names:
        assert name.resource.name in name.deletion
        assert name.deletion in lines
        assert "{" not in name.deletion
        assert (
            "protection" in name.deletion.partition(", then ")[0] or "remove-from" in name.deletion
        )


def test_free_names_are_no_leftovers() -> None:
    aws = Aws(has_resources=False)
    assert taken(environment(GlobalDatabase="true"), aws) == []
    assert sorted(aws.names) == [
        "meridian-dev-catalogue",
        "meridian-dev-catalogue",
        f"meridian-dev-catalogue-{REGION}",
    ]


def test_further_region_without_a_global_database_has_no_catalogue() -> None:
    further = replace(environment(), region="ap-south-1")
    assert taken(further, Aws(has_resources=True)) == []
    member = replace(environment(GlobalDatabase="true"), region="ap-south-1")
    types = {it.resource.type for it in taken(member, Aws(has_resources=True))}
    assert types == PROTECTED_TYPES - {"AWS::RDS::GlobalCluster"}


@pytest.mark.parametrize("wanted", ["true", "false"])
def test_logs_of_a_catalogue_that_was_turned_off_stop_no_deployment(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bucket of access logs stays, and holds objects. No deployment needs the name."""
    looked_up: list[str] = []

    def find(_resources: RetainedResources, resource: NamedResource) -> Iterator[str]:
        looked_up.append(resource.name)
        return iter(())

    class NoStacks:
        def __init__(self, *_: Any) -> None:
            pass

        def existing(self, *_: Any) -> list[str]:
            return []

        def owned(self, _name: str) -> set[tuple[str, str]]:
            return set()

        def status(self, _name: str) -> None:
            return None

    monkeypatch.setattr(RetainedResources, "find", find)
    monkeypatch.setattr(recovery, "Stacks", NoStacks)
    monkeypatch.setattr(adoption, "begins_adoption", lambda *_: False)
    home = environment(Catalogue=wanted)
    assert recovery.find_leftovers(home, lambda *_: None, ACCOUNT) == []
    bucket = f"meridian-{home.stage}-balancer-{ACCOUNT}-{REGION}"
    assert (bucket in looked_up) is (wanted == "true")
    assert f"meridian-{home.stage}-lake-{ACCOUNT}-{REGION}" in looked_up


def test_parameters_select_the_optional_stacks_only() -> None:
    home = environment(Catalogue="false")
    named = named_resources(home.stage, REGION, ACCOUNT, home.home_region)
    left_out = {it.template for it in named if not is_selected(home, it)}
    assert {it for it in left_out if not it.startswith("stacks/catalogue/")} == {
        "stacks/audit.yaml",
        "stacks/edge-request-logs.yaml",
    }


class Tree:
    """A stack with a protected balancer and database, and a global cluster that stays."""

    def existing(self, name: str, _nested: object) -> list[str]:
        return [name]

    def kept_resources(self, _name: str) -> list[KeptResource]:
        return [KeptResource("AWS::RDS::GlobalCluster", "meridian-dev-catalogue")]

    def protected_resources(self, _name: str) -> list[KeptResource]:
        arn = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/meridian-dev-catalogue/1"
        return [
            KeptResource("AWS::ElasticLoadBalancingV2::LoadBalancer", arn),
            KeptResource("AWS::RDS::DBCluster", "meridian-dev-catalogue-us-east-1"),
            *self.kept_resources(""),
        ]


def test_destroy_says_how_to_turn_the_protection_off(capsys: pytest.CaptureFixture[str]) -> None:
    tree: Any = Tree()
    destroy._print_plan(environment(), tree, [])
    printed = capsys.readouterr().out
    *_, balancer, database = printed.splitlines()
    assert "can't delete these before their protection is off" in printed
    assert "--load-balancer-arn arn:aws:elasticloadbalancing" in balancer
    assert "deletion_protection.enabled,Value=false --region us-east-1" in balancer
    assert "modify-db-cluster --db-cluster-identifier meridian-dev-catalogue-us-east-1" in database


@pytest.mark.parametrize("kind", sorted(PROTECTED_TYPES))
def test_each_protected_type_has_both_commands(kind: str) -> None:
    command = destroy.unprotect(KeptResource(kind, "the-id"), REGION)
    assert "the-id" in command
    assert "{" not in command
    assert kind in NAMED_TYPES
