"""Tests of `make erase`: the order of its steps, and its refusals."""

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from tools.operations import commands, erase
from tools.operations.commands import OperatedStack
from tools.operations.stage import Stage

USER = "7d1f-the-student"
REPORT: dict[str, Any] = {
    "region": "eu-west-2",
    "rows": {"events": 3, "changes": 1},
    "objects": 2,
    "versions": 4,
    "files_made_again": 1,
    "objects_read": 12,
    "bytes_read": 3456,
    "passes": 2,
    "left": [],
    "waiting": 0,
    "stream_expires": "2026-12-05T00:00Z",
    "complete": True,
}


class Recorder:
    """A stage and its Regions; `steps` are the calls in their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[Any] = []
        self.browsers: dict[str, Any] = {
            "eu-west-2": {"visitors": ["v1", "v2"], "shared": ["v2"]},
            "ap-south-1": {"visitors": ["v3"], "shared": []},
        }
        self.output: str | None = None
        self.appointments: list[Any] = []
        monkeypatch.setattr(commands, "run", self.run)
        monkeypatch.setattr(erase, "invoke", self.invoke)

    def run(
        self, stack: OperatedStack, command: str, arguments: Sequence[str], *, capture: bool
    ) -> Any:
        assert (command, capture) == ("erase", True)
        self.steps.append((stack.region, *arguments))
        if self.output is not None:
            return SimpleNamespace(stdout=self.output, stderr="S3 failed.")
        is_search = arguments[0] == "--find"
        answer = self.browsers[stack.region] if is_search else {**REPORT, "region": stack.region}
        return SimpleNamespace(stdout=json.dumps(answer), stderr="")

    def invoke(self, functions: Any, name: str, request: dict[str, str]) -> Any:
        assert (functions, name) == (self, "meridian-prod-sources")
        self.steps.append((request["action"], request["person"]))
        return {"effectiveWithinSeconds": 60}

    def query(self, **query: Any) -> Any:
        assert query["ExpressionAttributeValues"] == {":student": {"S": USER}}
        return {"Items": self.appointments}

    def erase(self, *ids: str) -> list[dict[str, Any]]:
        stage = Stage("prod", "eu-west-2", lambda _: self)
        stacks = [OperatedStack({}, "prod", region, {}) for region in ("eu-west-2", "ap-south-1")]
        return erase.erase(stage, stacks, ids or [USER], self.steps.append)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


def test_person_is_suppressed_in_effect_before_each_region_is_erased(recorder: Recorder) -> None:
    reports = recorder.erase()
    everywhere = ("--visitor=v1", "--visitor=v2", "--visitor=v3", "--", USER)
    assert recorder.steps == [
        ("eu-west-2", "--find", "--", USER),
        ("ap-south-1", "--find", "--", USER),
        ("suppress", USER),
        ("suppress", "v1"),
        ("suppress", "v3"),
        60.0,
        ("eu-west-2", *everywhere),
        ("ap-south-1", *everywhere),
    ]
    assert [it["region"] for it in reports] == ["eu-west-2", "ap-south-1"]


def test_address_and_its_hash_are_suppressed_as_ids(recorder: Recorder) -> None:
    ids = [USER, *erase.ids_of_address("student@school.example")]
    recorder.erase(*ids)
    suppressed = [it[1] for it in recorder.steps if isinstance(it, tuple) and it[0] == "suppress"]
    assert suppressed == [*ids, "v1", "v3"]


def test_student_with_appointments_is_refused_at_first(recorder: Recorder) -> None:
    recorder.appointments = [{"pk": {"S": "ADVISOR#a"}}]
    with pytest.raises(CommandError, match="make person"):
        recorder.erase()
    assert recorder.steps == []


def test_id_of_a_server_is_refused_before_a_suppression(recorder: Recorder) -> None:
    visitors = [f"v{n}" for n in range(erase.MAX_VISITORS + 1)]
    recorder.browsers["eu-west-2"] = {"visitors": visitors, "shared": []}
    with pytest.raises(CommandError, match="anonymous ids"):
        recorder.erase()
    assert not any(it[0] == "suppress" for it in recorder.steps)


def test_failed_region_is_named_with_its_error(recorder: Recorder) -> None:
    recorder.output = ""
    with pytest.raises(CommandError, match=r"eu-west-2: S3 failed\."):
        recorder.erase()


def test_report_lists_erased_and_remaining_rows() -> None:
    lines = "\n".join(erase.lines_of(REPORT))
    assert "1 rows of changes, 3 rows of events" in lines
    assert "nothing of the person is left" in lines
    assert "2026-12-05T00:00Z" in lines
    incomplete = {**REPORT, "left": ["events/x"], "waiting": 2, "complete": False}
    lines = "\n".join(erase.lines_of(incomplete))
    assert "left: events/x" in lines
    assert "2 records" in lines
    assert "nothing of the person" not in lines


def test_address_is_searched_as_it_is_and_as_its_hash() -> None:
    assert erase.ids_of_address("") == []
    address, digest = erase.ids_of_address("Student@school.example")
    assert address == "Student@school.example"
    assert digest == erase.ids_of_address("student@school.example")[1]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "USER="),
        ({"USER_NAME": USER}, f"CONFIRM={USER}"),
        ({"USER_NAME": USER, "CONFIRM": "another"}, f"CONFIRM={USER}"),
    ],
)
def test_command_refuses_missing_variables(variables: dict[str, str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        erase.main(variables)
