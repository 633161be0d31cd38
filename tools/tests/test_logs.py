"""The options and sources of `make logs`."""

import json
from pathlib import Path
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from tools import logs
from tools.logs import LogOptions, SystemLogs

NAMES = {"AccessFunction": "app-access", "WorkerFunction": "app-worker"}


class FakeLogs:
    """A client with the log groups of two functions and one state machine."""

    def get_paginator(self, operation: str) -> "FakeLogs":
        assert operation == "describe_log_groups"
        return self

    def paginate(self) -> list[dict[str, Any]]:
        names = [
            "/aws/lambda/app-access",
            "/aws/lambda/app-worker",
            "/aws/vendedlogs/states/app-flow",
        ]
        return [{"logGroups": [{"logGroupName": name} for name in names]}]

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        event = {"timestamp": 5, "message": request["logGroupName"], "logStreamName": "s"}
        return {"events": [event] if request["startTime"] <= 5 else []}


def sources(system: SystemLogs) -> list[str]:
    return [line.source for line in system.read(0)]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    access = {"time": "1970-01-01T00:00:00.001+00:00", "id": "cf", "status": 200}
    (tmp_path / "cloudfront-access.jsonl").write_text(json.dumps(access) + "\n")
    event = {"time": 0.002, "event": "start"}
    (tmp_path / "event-sources.log").write_text(json.dumps(event) + "\n")
    return tmp_path


def test_lines_of_functions_state_machines_and_servers_are_merged(directory: Path) -> None:
    system = SystemLogs([("us-east-1", FakeLogs())], NAMES, directory)
    assert sources(system) == [
        *("cloudfront", "event-sources", "AccessFunction", "WorkerFunction", "app-flow")
    ]
    assert sources(system) == []


def test_source_names_the_region_of_a_further_edge_location(directory: Path) -> None:
    access = {"time": "1970-01-01T00:00:00.001+00:00", "id": "cf", "status": 200}
    (directory / "cloudfront-ap-south-1-access.jsonl").write_text(json.dumps(access) + "\n")
    found_sources = sources(SystemLogs([], NAMES, directory))
    assert sorted(found_sources) == ["cloudfront", "cloudfront@ap-south-1", "event-sources"]


def test_source_names_the_region_of_a_regional_stack(directory: Path) -> None:
    system = SystemLogs([("eu-west-2", FakeLogs())], NAMES, directory, function="app-access")
    assert sources(system) == ["AccessFunction@eu-west-2"]


@pytest.mark.parametrize(
    ("function", "name"),
    [("AccessFunction", "app-access"), ("app-access", "app-access"), ("", None)],
)
def test_function_is_a_logical_id_or_a_function_name(function: str, name: str | None) -> None:
    assert logs.find_name(NAMES, function) == name


def test_unknown_function_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CommandError, match="Functions: AccessFunction, WorkerFunction"):
        logs.find_name(NAMES, "Access")


def test_options_follow_by_default() -> None:
    assert LogOptions.from_environment({}) == LogOptions("", "", follow=True)
    # make exports options that aren't given as empty variables.
    assert LogOptions.from_environment({"FOLLOW": ""}).follow
    options = {"FUNCTION": "AccessFunction", "TRACE": "r1", "FOLLOW": "0"}
    assert LogOptions.from_environment(options) == LogOptions("AccessFunction", "r1", follow=False)


def test_command_without_a_running_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "STATE", tmp_path)
    with pytest.raises(CommandError, match="Start `make up` in another terminal first"):
        logs.run(LogOptions())
