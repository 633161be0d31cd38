"""Dashboards are valid, and saved queries cover the log group of each function."""

import json
import re
from typing import Any, Final

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.test_granted_actions import FUNCTIONS
from tests.unit.stacks.transformed import all_stacks, text_of, transformed

#: "template: logical ID" -> properties.
type Resources = dict[str, dict[str, Any]]


def of_type(kind: str) -> Resources:
    return {
        f"{path.name}: {name}": resource["Properties"]
        for path, _ in all_stacks()
        for name, resource in transformed(path)["Resources"].items()
        if resource["Type"] == kind
    }


DASHBOARDS: Final = of_type("AWS::CloudWatch::Dashboard")
QUERIES: Final = of_type("AWS::Logs::QueryDefinition")
#: Logical ID -> name, of the log groups in the templates of their queries.
LOG_GROUPS: Final = {
    name.partition(": ")[2]: it["LogGroupName"]
    for name, it in of_type("AWS::Logs::LogGroup").items()
}


def widgets(name: str) -> list[dict[str, Any]]:
    """Return the widgets of a dashboard, with each optional part; a reference is a word."""
    body = re.sub(r"\$\{[^}]+\}", "reference", body_of(DASHBOARDS[name]["DashboardBody"]))
    listed: list[dict[str, Any]] = json.loads(body)["widgets"]
    return listed


def body_of(value: Any, *, has_replicas: bool = True) -> str:
    """Return a dashboard's body with references in braces."""
    if isinstance(value, dict) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(body_of(it, has_replicas=has_replicas) for it in parts)
    if isinstance(value, dict) and "Fn::If" in value:
        _, first, second = value["Fn::If"]
        return body_of(first if has_replicas else second, has_replicas=has_replicas)
    return text_of(value)


STAGE: Final = "home-dashboards.yaml: Regions"


@pytest.mark.parametrize(("has_replicas", "rows"), [(True, 5), (False, 1)])
def test_dashboard_of_the_stage_has_a_row_for_each_region(has_replicas: bool, rows: int) -> None:
    body = json.loads(body_of(DASHBOARDS[STAGE]["DashboardBody"], has_replicas=has_replicas))
    by_region: dict[str, set[str]] = {}
    for widget in body["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            by_region.setdefault(widget["properties"]["region"], set()).add(metric[1])
    assert by_region.pop("us-east-1") >= {"Requests", "5xxErrorRate", "EstimatedCharges"}
    replicas = {f"${{Replica{number}}}" for number in range(1, 5)} if has_replicas else set()
    assert by_region.keys() == {"${AWS::Region}", *replicas}
    assert len(by_region) == rows
    for metrics in by_region.values():
        assert metrics >= {
            "IncomingRecords",
            "Count",
            "IteratorAge",
            "Errors",
            "5XXError",
            "Latency",
        }


@pytest.mark.parametrize("name", DASHBOARDS)
def test_widgets_of_dashboard_lie_side_by_side(name: str) -> None:
    """CloudWatch's grid has 24 columns ("Dashboard body structure and syntax")."""
    cells: set[tuple[int, int]] = set()
    for widget in widgets(name):
        own = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert max(x for x, _ in own) < 24
        assert not cells & own
        cells |= own


def test_overview_shows_traffic_lag_errors_and_cost() -> None:
    (name,) = [it for it in DASHBOARDS if it == "dashboards.yaml: Overview"]
    metrics = {
        metric[1]
        for it in widgets(name)
        for metric in it["properties"].get("metrics", [])
        if isinstance(metric[0], str)
    }
    assert metrics >= {"IncomingRecords", "IteratorAge", "Errors", "EstimatedCharges"}


@pytest.mark.parametrize("query", ["errors", "cold-starts", "slowest"])
def test_saved_queries_cover_each_function(query: str) -> None:
    groups = {
        text_of(LOG_GROUPS.get(group.get("Ref"), group))
        .removeprefix("/aws/lambda/")
        .removeprefix("us-east-1.")
        for it in QUERIES.values()
        if text_of(it["Name"]).rpartition("/")[2].startswith(query)
        for group in it["LogGroupNames"]
    }
    names = set()
    for logical_id, (_, _, properties) in FUNCTIONS.items():
        name = properties["FunctionName"]["Fn::Sub"]
        # The name of an edge function has a generated suffix, so a parameter passes it.
        names.add(name if isinstance(name, str) else f"${{{logical_id}}}")
    assert groups == names


def test_names_of_saved_queries_are_unique_in_a_region() -> None:
    names = [text_of(it["Name"]) for it in QUERIES.values()]
    assert len(names) == len(set(names)) == 18


def test_saved_queries_find_the_errors_that_lambda_writes_for_a_function() -> None:
    """Python's runtime writes "[ERROR] <type>: ..." with a traceback for an unhandled exception."""
    for name, query in QUERIES.items():
        if name.endswith("ErrorsQuery") and "home" in name:
            pattern = re.search(r"like /(.+)/", query["QueryString"])
            assert pattern
            assert re.search(pattern[1], "[ERROR] KeyError: 'a'")
            assert re.search(pattern[1], "Task timed out after 25.00 seconds")


def test_shard_level_metrics_are_off_by_default() -> None:
    """Each costs as much as a custom metric, per shard."""
    parameters = transformed(ROOT / "template.yaml")["Parameters"]
    assert parameters["ShardLevelMetrics"]["Default"] == "false"
