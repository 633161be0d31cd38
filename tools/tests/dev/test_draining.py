"""Tests of waiting for a running system's streams."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aws_emulator.event_sources.status import STATUS_FILE
from tools.dev.draining import is_drained
from tools.dev.system import System

REGIONS = ("eu-west-2", "ap-south-1")


def mapping(region: str, caught_up_at: float | None = 10.0) -> dict[str, Any]:
    shards = [] if caught_up_at is None else [{"in_flight": 0, "caught_up_at": caught_up_at}]
    return {"region": region, "source_arn": f"arn:{region}", "state": "running", "shards": shards}


def running(folder: Path, *mappings: dict[str, Any]) -> System:
    file = folder / STATUS_FILE
    file.write_text(json.dumps({"updated_at": 10.0, "mappings": mappings}))
    return cast("System", SimpleNamespace(event_sources_status=file))


def test_mappings_of_all_regions_must_have_caught_up(tmp_path: Path) -> None:
    system = running(tmp_path, *(mapping(it) for it in REGIONS))
    assert is_drained(system, 10.0, REGIONS)
    assert not is_drained(system, 10.001, REGIONS)


@pytest.mark.parametrize("caught_up_at", [None, 9.0])
def test_mapping_of_removed_region_does_not_count(
    tmp_path: Path, caught_up_at: float | None
) -> None:
    system = running(
        tmp_path, *(mapping(it) for it in REGIONS), mapping("eu-central-1", caught_up_at)
    )
    assert is_drained(system, 10.0, REGIONS)
    assert not is_drained(system, 10.0, [*REGIONS, "eu-central-1"])


def test_system_without_known_mappings_is_not_drained(tmp_path: Path) -> None:
    assert not is_drained(running(tmp_path), 0.0, REGIONS)
    assert not is_drained(running(tmp_path, mapping(REGIONS[0])), 0.0, REGIONS, sources_at_least=2)
    (tmp_path / STATUS_FILE).write_text("half a li")
    missing = cast("System", SimpleNamespace(event_sources_status=tmp_path / STATUS_FILE))
    assert not is_drained(missing, 0.0, REGIONS)
