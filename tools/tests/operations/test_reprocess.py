# ruff: noqa: N803 - parameters of a boto3 client
"""Tests of `make reprocess` with Step Functions in memory."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from aws_emulator.errors import CommandError
from tools.deployment.environments import layout_of_regions
from tools.operations import evacuate, reprocess
from tools.operations.reprocess import CONFIRM, RUN, UNDO, lines_of, workflows_of

DAY: Final = date(2026, 11, 21)
NOW: Final = datetime(2026, 11, 28, tzinfo=UTC)
COUNTS: Final[dict[str, Any]] = {
    "day": str(DAY),
    "objects": 3,
    "to_write": 2,
    "written": 2,
    "changed": 1_200,
    "refused": 0,
    "left": 0,
    "stale": 1,
    "old_versions": 2,
    "before": {"good": 5},
    "after": {"good": 5},
}


class FakeStates:
    """The state machine of a Region. Each look at an execution is the next one of `statuses`."""

    def __init__(self, region: str) -> None:
        self.arn = f"arn:aws:states:{region}:000000000000:stateMachine:meridian-local-reprocess"
        self.executions: dict[str, dict[str, Any]] = {}
        self.statuses: list[dict[str, Any]] = []
        self.machines = [self.arn]

    def get_paginator(self, operation: str) -> "Pages":
        return Pages(self, operation)

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002
        assert stateMachineArn == f"{self.arn}:live"
        arn = f"{self.arn.replace('stateMachine', 'execution')}:{name}"
        self.executions[arn] = json.loads(input)
        return {"executionArn": arn}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        assert executionArn in self.executions
        if self.statuses:
            return self.statuses.pop(0)
        return succeeded(self.executions[executionArn]["mode"])


class Pages:
    def __init__(self, states: FakeStates, operation: str) -> None:
        self.states, self.operation = states, operation

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        if self.operation == "list_state_machines":
            names = [
                {"name": it.rpartition(":")[2], "stateMachineArn": it}
                for it in self.states.machines
            ]
            return [{"stateMachines": names}]
        running = [
            {"name": it.rpartition(":")[2], "executionArn": it} for it in self.states.executions
        ]
        return [{"executions": running}]


def succeeded(mode: str, **changes: Any) -> dict[str, Any]:
    answer = {"mode": mode, "done": True, "complete": True, "counts": COUNTS, **changes}
    return {"status": "SUCCEEDED", "output": json.dumps(answer)}


class Regions:
    """The stage's Step Functions by Region."""

    def __init__(self) -> None:
        self.states = {it: FakeStates(it) for it in ("us-east-1", "eu-west-2")}

    def stage(self) -> evacuate.Stage:
        layout = layout_of_regions("local", list(self.states), None)
        return evacuate.Stage(layout, lambda _, region: self.states[region])

    def run(self, mode: str, region: str = "") -> dict[str, dict[str, Any]]:
        workflows = workflows_of(self.stage(), region)
        return reprocess.reprocess(workflows, DAY, mode, NOW, lambda _: None)


def test_command_starts_an_execution_in_each_region_and_waits() -> None:
    regions = Regions()
    regions.states["eu-west-2"].statuses = [{"status": "RUNNING"}, {"status": "RUNNING"}]
    assert regions.run(RUN).keys() == {"us-east-1", "eu-west-2"}
    for states in regions.states.values():
        ((arn, begin),) = states.executions.items()
        assert arn.rpartition(":")[2] == "2026-11-21-run-20261128T000000000000"
        assert begin == {"day": "2026-11-21", "mode": "run", "position": None, "counts": None}
        assert not states.statuses


def test_one_region_is_selected() -> None:
    regions = Regions()
    assert regions.run(RUN, "eu-west-2").keys() == {"eu-west-2"}
    assert not regions.states["us-east-1"].executions
    with pytest.raises(CommandError, match="REGION must be one of us-east-1, eu-west-2, not x"):
        regions.run(RUN, "x")


def test_command_follows_the_execution_of_the_same_mode_and_refuses_another() -> None:
    regions = Regions()
    regions.run(RUN)
    regions.run(RUN)
    assert all(len(it.executions) == 1 for it in regions.states.values())
    with pytest.raises(CommandError, match=r"2026-11-21-run-.* works on the day"):
        regions.run(UNDO)
    workflow = workflows_of(regions.stage(), "us-east-1")[0]
    assert workflow.running(date(2026, 11, 22)) is None


def test_failed_execution_names_the_error_and_the_repetition() -> None:
    regions = Regions()
    failed = {"status": "FAILED", "error": "StorageError", "cause": "Can't write s3://lake/key"}
    regions.states["us-east-1"].statuses = [failed]
    with pytest.raises(CommandError, match=r"StorageError Can't write .* Repeat the command"):
        regions.run(RUN)


def test_region_without_the_workflow_is_named() -> None:
    regions = Regions()
    regions.states["eu-west-2"].machines = []
    with pytest.raises(CommandError, match="eu-west-2 has no state machine"):
        regions.run(RUN, "eu-west-2")


def test_refused_call_names_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    regions = Regions()

    def refuse(**_: object) -> None:
        error = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
        raise ClientError(error, "StartExecution")  # type: ignore[arg-type]

    monkeypatch.setattr(regions.states["us-east-1"], "start_execution", refuse)
    with pytest.raises(CommandError, match="Can't call Step Functions in us-east-1"):
        regions.run(RUN)


@pytest.mark.parametrize(
    ("mode", "changes", "texts"),
    [
        (RUN, {}, ["read 3 objects, wrote 2 with 1,200 changed rows", "rows before: 5 good"]),
        (RUN, {}, ["2 versions with the rows of before are kept for 30 days"]),
        (RUN, {"refused": 4, "left": 1}, ["4 events are invalid", "1 objects of a newer version"]),
        (UNDO, {}, ["2 objects have the rows of before again"]),
        (CONFIRM, {"old_versions": 0}, ["deleted 2 versions"]),
    ],
)
def test_report_has_the_counts_of_its_mode(
    mode: str, changes: dict[str, int], texts: list[str]
) -> None:
    answer = {"mode": mode, "complete": True, "counts": COUNTS | changes}
    lines = "\n".join(lines_of("us-east-1", answer))
    assert all(it in lines for it in texts)
    assert "missing" not in lines
    assert "missing" in "\n".join(lines_of("us-east-1", {**answer, "complete": False}))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "with DAY="),
        ({"DAY": "yesterday"}, "with DAY="),
        ({"DAY": "2026-11-21", "CONFIRM": "1", "UNDO": "1"}, "not both"),
        ({"DAY": "2026-11-21"}, "No system is running"),
    ],
)
def test_wrong_command_is_refused(
    environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=message):
        reprocess.main(environment, tmp_path)


def test_command_returns_1_if_rows_are_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    regions = Regions()
    monkeypatch.setattr(reprocess, "local_stage", lambda _: regions.stage())
    report = tmp_path / "report.json"
    environment = {"DAY": str(DAY), "UNDO": "1", "REPORT": str(report)}
    assert reprocess.main(environment, tmp_path) == 0
    assert json.loads(report.read_text())["eu-west-2"]["counts"] == COUNTS
    regions.states["eu-west-2"].statuses = [succeeded(UNDO, complete=False)]
    assert reprocess.main(environment, tmp_path) == 1
    assert "rows of before are missing" in capsys.readouterr().out
