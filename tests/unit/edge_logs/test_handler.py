"""Each Region gets a retention for the edge functions' logs, also if another Region fails."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_logs import aws_clients, handler
from edge_logs.errors import IncompleteError, InvalidPropertyError, LogsApiError
from edge_logs.log_groups import MAX_SUMMARY_CHARS, EdgeLogs, Run, parse
from tests.support.paths import ROOT
from tests.unit.stacks.transformed import transformed

REGIONS = ["eu-west-2", "us-east-1"]
PROPERTIES = {"Functions": ["auth", "ingest"], "RetentionInDays": "30"}
EXPECTED = {
    ("us-east-1", "/aws/lambda/auth"): 30,
    ("us-east-1", "/aws/lambda/ingest"): 30,
    **{
        (region, f"/aws/lambda/us-east-1.{name}"): 30
        for region in REGIONS
        for name in ("auth", "ingest")
    },
}


@dataclass
class FakeRegions:
    """Replaces the functions of `aws_clients`. `down` lists the Regions that refuse every call."""

    down: set[str] = field(default_factory=set)
    retention: dict[tuple[str, str], int] = field(default_factory=dict)
    responses: list[dict[str, Any]] = field(default_factory=list)

    def enabled_regions(self) -> list[str]:
        return REGIONS

    def set_retention(self, region: str, groups: list[str], days: int) -> None:
        self._check(region)
        self.retention |= {(region, group): days for group in groups}

    def delete_groups(self, region: str, groups: list[str]) -> None:
        self._check(region)
        for group in groups:
            self.retention.pop((region, group), None)

    def _check(self, region: str) -> None:
        if region in self.down:
            raise LogsApiError("Connect timeout.")

    def send_response(self, _url: str, document: dict[str, Any]) -> None:
        self.responses.append(json.loads(json.dumps(document)))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRegions:
    regions = FakeRegions()
    for name in ("enabled_regions", "set_retention", "delete_groups"):
        monkeypatch.setattr(aws_clients, name, getattr(regions, name))
    monkeypatch.setattr(handler, "send_response", regions.send_response)
    return regions


def request(kind: str, fake: FakeRegions) -> dict[str, Any]:
    event = json.loads((ROOT / "events" / "edge_logs" / "create.json").read_text())
    event |= {"RequestType": kind, "ResourceProperties": PROPERTIES}
    handler.lambda_handler(event, None)
    return fake.responses[-1]


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_deployment_sets_retention_in_each_region(kind: str, fake: FakeRegions) -> None:
    response = request(kind, fake)
    assert response["Status"] == "SUCCESS"
    assert fake.retention == EXPECTED
    assert response["Data"]["Summary"] == (
        "The logs of the edge functions expire in 2 of 2 Regions."
    )


def test_deletion_removes_the_groups_and_can_be_repeated(fake: FakeRegions) -> None:
    request("Create", fake)
    for _ in range(2):
        assert request("Delete", fake)["Status"] == "SUCCESS"
        assert fake.retention == {}


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_outage_of_another_region_does_not_stop_a_deployment(kind: str, fake: FakeRegions) -> None:
    fake.down = {"eu-west-2"}
    response = request(kind, fake)
    assert response["Status"] == "SUCCESS"
    assert "1 of 2 Regions. Errors: eu-west-2: Connect timeout." in response["Data"]["Summary"]


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_error_in_the_functions_own_region_fails_the_deployment(
    kind: str, fake: FakeRegions
) -> None:
    fake.down = {"us-east-1"}
    response = request(kind, fake)
    assert response["Status"] == "FAILED"
    assert response["Reason"].startswith("[incomplete] ")


def test_daily_run_sets_retention_in_each_region(fake: FakeRegions) -> None:
    handler.lambda_handler(dict(PROPERTIES), None)
    assert fake.retention == EXPECTED


def test_daily_run_fails_after_it_has_tried_each_region(fake: FakeRegions) -> None:
    fake.down = {"eu-west-2"}
    with pytest.raises(IncompleteError, match="eu-west-2"):
        handler.lambda_handler(dict(PROPERTIES), None)
    assert fake.retention.keys() == {it for it in EXPECTED if it[0] == "us-east-1"}


@pytest.mark.parametrize(
    "changed",
    [
        {"Functions": []},
        {"Functions": "auth"},
        {"Functions": [""]},
        {"Functions": None},
        {"RetentionInDays": "0"},
        {"RetentionInDays": "-1"},
        {"RetentionInDays": None},
    ],
)
def test_invalid_property_is_rejected(changed: dict[str, object]) -> None:
    with pytest.raises(InvalidPropertyError):
        parse({**PROPERTIES, **changed})


@given(st.lists(st.text(min_size=1), min_size=1), st.integers(1, 3653), st.text())
def test_each_function_has_one_group_per_region(
    functions: list[str], days: int, region: str
) -> None:
    logs = parse({"Functions": functions, "RetentionInDays": str(days)})
    assert logs == EdgeLogs(tuple(functions), days)
    groups = logs.groups(region)
    assert groups[: len(functions)] == [f"/aws/lambda/us-east-1.{name}" for name in functions]
    assert len(groups) == len(functions) * (2 if region == "us-east-1" else 1)


def test_summary_fits_in_a_response_of_cloudformation() -> None:
    regions = tuple(f"region-{number}" for number in range(40))
    run = Run(regions, dict.fromkeys(regions, "x" * 500))
    assert len(run.summary) == MAX_SUMMARY_CHARS


def test_retention_covers_each_function_of_the_distribution() -> None:
    """A further edge function without its retention would keep its logs forever."""
    distribution = transformed(ROOT / "stacks" / "edge.yaml")["Resources"]["Distribution"]
    used = {
        association["LambdaFunctionARN"]["Fn::GetAtt"][-1]
        for behavior in distribution["Properties"]["DistributionConfig"]["CacheBehaviors"]
        for association in behavior.get("LambdaFunctionAssociations", [])
    }
    functions = {it.removeprefix("Outputs.").replace("VersionArn", "Function") for it in used}
    stack = transformed(ROOT / "stacks" / "edge-logs.yaml")["Resources"]
    listed = {it["Ref"] for it in stack["LogGroups"]["Properties"]["Functions"]}
    assert listed == functions
    nested = transformed(ROOT / "stacks" / "edge-functions.yaml")["Resources"]["EdgeLogs"]
    arguments = nested["Properties"]["Parameters"]
    assert {name: arguments[name] for name in listed} == {name: {"Ref": name} for name in listed}
    daily_input = stack["DailyEdgeLogRetention"]["Properties"]["Target"]["Input"]["Fn::Sub"]
    assert [name for name in listed if f'"${{{name}}}"' not in daily_input] == []
