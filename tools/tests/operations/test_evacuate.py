# ruff: noqa: N803 - parameters of a boto3 client
"""Tests of the evacuation of a Region, with DynamoDB in memory."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.deployment.environments import layout_of_regions
from tools.operations import evacuate

DOMAIN = {"Domain": "school.example", "HostedZoneId": "Z1"}
REGIONS = ["eu-west-2", "ap-south-1", "eu-central-1", "us-west-2", "sa-east-1"]
stages = st.integers(1, 5).map(lambda count: REGIONS[:count])


class FakeTables:
    """The profiles table in each Region, without replication."""

    def __init__(self) -> None:
        self.marks: set[tuple[str, str]] = set()
        self.lost: set[str] = set()

    def client(self, service: str, region: str) -> Any:
        assert service == "dynamodb"
        return FakeTable(self, region)


class FakeTable:
    def __init__(self, tables: FakeTables, region: str) -> None:
        self.tables, self.region = tables, region

    def _key(self, item: dict[str, Any], table: str) -> tuple[str, str]:
        assert table == "meridian-local-profiles"
        if self.region in self.tables.lost:
            error = {"Error": {"Code": "ServiceUnavailable", "Message": "lost"}}
            raise ClientError(error, "PutItem")  # type: ignore[arg-type]
        return self.region, item["pk"]["S"]

    def get_item(self, *, TableName: str, Key: Any, ConsistentRead: bool) -> dict[str, Any]:
        return {"Item": {}} if self._key(Key, TableName) in self.tables.marks else {}

    def put_item(self, *, TableName: str, Item: Any) -> None:
        self.tables.marks.add(self._key(Item, TableName))

    def delete_item(self, *, TableName: str, Key: Any) -> None:
        self.tables.marks.discard(self._key(Key, TableName))


def stage_of(regions: list[str], tables: FakeTables, names: Any = None) -> evacuate.Stage:
    layout = layout_of_regions("local", regions, DOMAIN if names is None else names)
    return evacuate.Stage(layout, tables.client)


@given(st.data(), stages)
def test_one_region_of_a_stage_always_serves(data: st.DataObject, regions: list[str]) -> None:
    tables = FakeTables()
    stage = stage_of(regions, tables)
    evacuated: set[str] = set()
    for _ in range(data.draw(st.integers(0, 8))):
        region, undo = data.draw(st.sampled_from(regions)), data.draw(st.booleans())
        is_last = not undo and not set(regions) - evacuated - {region}
        if is_last:
            with pytest.raises(CommandError, match="last Region"):
                evacuate.change(stage, region, undo=undo)
            continue
        assert "90 seconds" in evacuate.change(stage, region, undo=undo)
        (evacuated.discard if undo else evacuated.add)(region)
        assert {it for it in regions if len(regions) > 1 and stage.is_evacuated(it)} == evacuated


@given(stages.filter(lambda it: len(it) > 1))
def test_mark_of_a_region_is_in_another_one(regions: list[str]) -> None:
    """stacks/names.yaml: the home has no mark of several further Regions.

    The loss of one Region therefore leaves all others but one free to be evacuated.
    """
    tables = FakeTables()
    home, *further = regions
    for region in regions:
        evacuate.change(stage_of(regions, FakeTables()), region, undo=False)
        stage_of(regions, tables).evacuate(region)
        ((holder, mark),) = (it for it in tables.marks if it[1].endswith(f"#{region}"))
        assert mark == f"EVACUATED#{region}"
        assert holder != region
        assert holder in (further if region == home or len(further) > 1 else [home])
    of_further = [holder for holder, mark in tables.marks if not mark.endswith(f"#{home}")]
    assert len(set(of_further)) == len(further)


@pytest.mark.parametrize("region", ["", "us-east-1"])
def test_unknown_region_is_refused(region: str) -> None:
    with pytest.raises(CommandError, match="REGION must be one of eu-west-2, ap-south-1"):
        evacuate.change(stage_of(REGIONS[:2], FakeTables()), region, undo=False)


def test_stage_without_a_domain_is_refused() -> None:
    with pytest.raises(CommandError, match="no domain name"):
        evacuate.change(stage_of(REGIONS[:2], FakeTables(), {}), "eu-west-2", undo=False)


def test_lost_mark_region_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tables = FakeTables()
    tables.lost.add("eu-west-2")
    monkeypatch.setattr(evacuate, "local_stage", lambda _: stage_of(REGIONS[:2], tables))
    with pytest.raises(CommandError, match="eu-west-2, which has the mark of ap-south-1"):
        evacuate.main({"REGION": "ap-south-1"}, tmp_path)


def test_evacuation_without_a_running_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No system is running"):
        evacuate.main({"REGION": "ap-south-1"}, tmp_path)


def test_environment_of_samconfig_names_the_stage() -> None:
    stage = evacuate.aws_stage("prod")
    assert stage.regions() == ["eu-west-2", "ap-south-1"]
    assert stage.layout.mark_region_of("eu-west-2") == "ap-south-1"
