"""Which stacks a Region gets: with the home and the edge in one Region, and in two."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import ROOT
from tools.deployment import replicas
from tools.deployment.conditions import evaluate, may_exist
from tools.deployment.region_values import EDGE_VALUES, HOME_VALUES
from tools.deployment.templates import load

TEMPLATE: Final = load(ROOT / "template.yaml")
EVERYWHERE: Final = {"AlarmKey", "Audit"}
REGIONAL: Final = EVERYWHERE | {
    *(
        "Analytics",
        "AuditTables",
        "CapacityAlarms",
        "CourseCatalogue",
        "Dashboards",
        "Names",
        "School",
    ),
    "Stream",
}
FURTHER_REGION: Final = REGIONAL | {"PortalCopy", "SignUps"}
HOME: Final = REGIONAL | {
    *("Accounts", "Budget", "Foundation", "HomeAlarms", "HomeDashboards", "Portal", "PortalAccess"),
    *("LakeRegions", "RequestLogTables", "SignInName"),
}
EDGE: Final = {"Edge", "RequestLogFiles"}
#: (Region of the stack, home Region) -> the nested stacks.
LAYOUTS: Final = {
    ("us-east-1", "us-east-1"): HOME | EDGE,
    ("eu-west-2", "us-east-1"): FURTHER_REGION,
    ("eu-west-2", "eu-west-2"): HOME,
    ("ap-south-1", "eu-west-2"): FURTHER_REGION,
    ("us-east-1", "eu-west-2"): EVERYWHERE | EDGE,
}
FOUNDATION: Final = load(ROOT / "stacks" / "foundation.yaml")
TABLES: Final = {
    name: it
    for name, it in FOUNDATION["Resources"].items()
    if it["Type"] == "AWS::DynamoDB::GlobalTable"
}
REPLICATED: Final = TABLES.keys() - {"AccountsTable"}
FURTHER: Final = ["eu-west-2", "ap-south-1", "eu-central-1", "ap-southeast-2", "sa-east-1"]
CASES: Final = [pytest.param(*it, id=f"{it[0]}-home-{it[1]}") for it in LAYOUTS]


def existing(section: str, region: str, home: str) -> dict[str, Any]:
    """Return the entries of Resources or Outputs that a stack gets."""
    return {
        name: it for name, it in TEMPLATE[section].items() if may_exist(TEMPLATE, it, region, home)
    }


def references(value: Any, region: str, home: str) -> Iterator[str]:
    """Yield the logical IDs to which a value refers; of Fn::If, those of the chosen branch."""
    if isinstance(value, list):
        for each in value:
            yield from references(each, region, home)
    elif isinstance(value, dict) and set(value) == {"Fn::If"}:
        condition, if_true, if_false = value["Fn::If"]
        chosen = evaluate(TEMPLATE, {"Condition": condition}, region, home)
        for branch in [if_true] * (chosen is not False) + [if_false] * (chosen is not True):
            yield from references(branch, region, home)
    elif isinstance(value, dict) and set(value) == {"Fn::GetAtt"}:
        yield str(value["Fn::GetAtt"][0])
    elif isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        yield from (
            it.partition(".")[0] for it in re.findall(r"\$\{([^}]+)\}", str(value["Fn::Sub"]))
        )
    elif isinstance(value, dict) and set(value) == {"Ref"}:
        yield str(value["Ref"])
    elif isinstance(value, dict):
        for each in value.values():
            yield from references(each, region, home)


@pytest.mark.parametrize(("region", "home"), CASES)
def test_region_gets_the_stacks_of_its_tasks(region: str, home: str) -> None:
    assert existing("Resources", region, home).keys() == LAYOUTS[region, home]


@pytest.mark.parametrize(("region", "home"), CASES)
def test_stack_refers_to_existing_stacks_only(region: str, home: str) -> None:
    stacks = existing("Resources", region, home)
    known = stacks.keys() | TEMPLATE["Parameters"].keys()
    used = {
        it
        for part in (stacks, existing("Outputs", region, home))
        for it in references([{**each, "Condition": ""} for each in part.values()], region, home)
    }
    assert {it for it in used if not it.startswith("AWS::")} <= known


def test_edge_of_the_home_waits_for_the_consumer_of_the_stream() -> None:
    """The collector's settings have the Regions whose stream has a consumer."""
    edge = TEMPLATE["Resources"]["Edge"]["Properties"]
    assert "Stream" in set(references(edge, "us-east-1", "us-east-1"))
    assert "Stream" not in set(references(edge, "us-east-1", "eu-west-2"))


def test_values_between_stacks_are_outputs_and_parameters() -> None:
    home = existing("Outputs", "eu-west-2", "eu-west-2")
    edge = existing("Outputs", "us-east-1", "eu-west-2")
    assert set(HOME_VALUES) <= home.keys()
    assert set(EDGE_VALUES) <= edge.keys()
    assert {*HOME_VALUES, *EDGE_VALUES} <= TEMPLATE["Parameters"].keys()


def replica_parameters(name_of_list: str, listed: str) -> dict[str, str]:
    """Return the parameters of the foundation for a value of one list of Regions."""
    parts = {}
    for name, value in TEMPLATE["Resources"]["Foundation"]["Properties"]["Parameters"].items():
        if re.fullmatch(r"(Accounts)?Replica[1-4]", name):
            index, split = value["Fn::Select"]
            separator, text = split["Fn::Split"]
            expanded = text["Fn::Sub"].replace(f"${{{name_of_list}}}", listed)
            parts[name] = re.sub(r"\$\{[A-Za-z]+\}", "", expanded).split(separator)[index]
    return parts


def chosen_replicas(table: dict[str, Any], values: dict[str, str]) -> list[str]:
    """Return the Regions of a table for values of the parameters; all have backups."""
    chosen = []
    for replica in table["Properties"]["Replicas"]:
        branch = replica
        if "Fn::If" in replica:
            condition, if_true, if_false = replica["Fn::If"]
            parameter = condition.removeprefix("Has")
            expected = {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}
            assert FOUNDATION["Conditions"][condition] == expected
            branch = if_true if values[parameter] else if_false
        if "Region" in branch:
            chosen.append(values.get(branch["Region"]["Ref"], "home"))
            recovery = branch["PointInTimeRecoverySpecification"]
            assert recovery == {"PointInTimeRecoveryEnabled": True}
            # CloudFormation removes the replicas of an earlier version of the accounts table.
            is_removed = branch["Region"]["Ref"].startswith("Accounts")
            assert branch["DeletionProtectionEnabled"] is not is_removed
    return chosen


@given(st.lists(st.sampled_from(FURTHER), max_size=4, unique=True))
def test_tables_have_a_replica_in_the_home_and_each_further_region(further: list[str]) -> None:
    listed = ",".join(further)
    assert re.fullmatch(TEMPLATE["Parameters"]["ReplicaRegions"]["AllowedPattern"], listed)
    values = replica_parameters("ReplicaRegions", listed)
    for name in REPLICATED:
        assert chosen_replicas(TABLES[name], values) == ["home", *further]
    # Personal data of children: no further Region reads them.
    assert chosen_replicas(TABLES["AccountsTable"], values) == ["home"]


@given(st.lists(st.sampled_from(FURTHER), max_size=4, unique=True))
def test_accounts_keep_replicas_of_an_earlier_version_until_they_are_removed(
    earlier: list[str],
) -> None:
    listed = ",".join(earlier)
    parameter = TEMPLATE["Parameters"]["AccountsReplicaRegions"]
    assert re.fullmatch(parameter["AllowedPattern"], listed)
    assert parameter["Default"] == ""
    values = replica_parameters("AccountsReplicaRegions", listed)
    assert chosen_replicas(TABLES["AccountsTable"], values) == ["home", *earlier]
    assert all(chosen_replicas(TABLES[name], values) == ["home"] for name in REPLICATED)


def test_each_further_region_has_alarms_on_its_replicas() -> None:
    alarms = load(ROOT / "stacks" / "home-alarms.yaml")
    stacks = {
        name: it
        for name, it in alarms["Resources"].items()
        if it["Type"] == "AWS::Serverless::Application"
    }
    each = {f"HasReplica{n}": {"Ref": f"Replica{n}"} for n in range(1, 5)}
    for kind, parameter in (("", "ReplicaRegion"), ("portal-", "OtherRegion")):
        regions = {
            it["Condition"]: it["Properties"]["Parameters"][parameter]
            for it in stacks.values()
            if it["Properties"]["Location"] == f"{kind}replication-alarms.yaml"
        }
        assert regions == each
    assert len(stacks) == 2 * len(each)
    parameters = TEMPLATE["Resources"]["HomeAlarms"]["Properties"]["Parameters"]
    foundation = TEMPLATE["Resources"]["Foundation"]["Properties"]["Parameters"]
    for name in (f"Replica{n}" for n in range(1, 5)):
        assert parameters[name] == foundation[name]


@pytest.mark.parametrize("value", ["eu-west-2,", ",eu-west-2", "london", "a-b-1 ,eu-west-2"])
def test_invalid_list_of_further_regions_is_refused(value: str) -> None:
    pattern = TEMPLATE["Parameters"]["ReplicaRegions"]["AllowedPattern"]
    assert not re.fullmatch(pattern, value)
    assert not re.fullmatch(pattern, ",".join(FURTHER[:5]))


def test_tool_knows_the_global_tables() -> None:
    def name_of(table: str) -> str:
        return str(TABLES[table]["Properties"]["TableName"]["Fn::Sub"])

    assert {name_of(it) for it in REPLICATED} == {
        f"meridian-${{Stage}}-{it}" for it in replicas.TABLES
    }
    assert name_of("AccountsTable") == f"meridian-${{Stage}}-{replicas.ACCOUNTS}"
