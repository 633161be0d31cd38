"""Which stacks a Region gets: with the home and the edge in one Region, and in two."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import HOME_REGIONS
from tools.deployment.conditions import evaluate, may_exist
from tools.deployment.region_values import EDGE_VALUES, HOME_VALUES
from tools.deployment.templates import load
from tools.dev.options import REPLICA_REGIONS

TEMPLATE: Final = load(ROOT / "template.yaml")
EVERYWHERE: Final = {"AlarmKey", "Audit"}
REGIONAL: Final = EVERYWHERE | {"CapacityAlarms", "Dashboards", "School", "Stream"}
HOME: Final = REGIONAL | {
    *("Accounts", "Budget", "Foundation", "HomeAlarms", "HomeDashboards", "Portal", "PortalAccess"),
}
#: (Region of the stack, home Region) -> the nested stacks.
LAYOUTS: Final = {
    ("us-east-1", "us-east-1"): HOME | {"Edge"},
    ("eu-west-2", "us-east-1"): REGIONAL,
    ("eu-west-2", "eu-west-2"): HOME,
    ("ap-south-1", "eu-west-2"): REGIONAL,
    ("us-east-1", "eu-west-2"): EVERYWHERE | {"Edge"},
}
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


def test_each_home_region_has_replicas_of_the_global_tables() -> None:
    assert tuple(TEMPLATE["Parameters"]["HomeRegion"]["AllowedValues"]) == HOME_REGIONS
    assert set(HOME_REGIONS) == REPLICA_REGIONS
    foundation = load(ROOT / "stacks" / "foundation.yaml")
    tables = [
        it["Properties"]["Replicas"]
        for it in foundation["Resources"].values()
        if it["Type"] == "AWS::DynamoDB::GlobalTable"
    ]
    assert len(tables) == 3
    for replicas in tables:
        for home in HOME_REGIONS:
            chosen = []
            for replica in replicas:
                branch = replica
                if "Fn::If" in replica:
                    condition, if_true, if_false = replica["Fn::If"]
                    holds = evaluate(foundation, {"Condition": condition}, home, home)
                    branch = if_true if holds else if_false
                if "Region" in branch:
                    chosen.append(branch["Region"])
                    recovery = branch["PointInTimeRecoverySpecification"]
                    assert recovery == {"PointInTimeRecoveryEnabled": True}
                    assert branch["DeletionProtectionEnabled"] is True
            # An edge without the home has no table.
            expected = set(HOME_REGIONS) if home == "us-east-1" else {"eu-west-2", "ap-south-1"}
            assert set(chosen) == expected
