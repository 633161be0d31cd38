"""The report of checkov, and the metadata of generated stages."""

import re

import pytest

from tools.deployment.static_analysis import parse, with_stage_metadata
from tools.paths import ROOT


def check(comment: str | None = None) -> dict[str, object]:
    return {
        "check_id": "CKV_AWS_1",
        "check_name": "Encrypt it",
        "file_path": "/stream.json",
        "resource": "AWS::SQS::Queue.Queue",
        "check_result": {"suppress_comment": comment},
    }


def report(**checks: object) -> dict[str, object]:
    results = {"failed_checks": [], "skipped_checks": [], "parsing_errors": []} | checks
    return {"results": results, "summary": {"passed": 2, "failed": 1, "skipped": 3}}


def test_report_without_problems_gives_one_line_of_counts() -> None:
    result = parse(report())
    assert result.problems == []
    assert result.line() == "checkov: 2 passed, 1 failed, 3 skipped"


def test_failed_check_names_template_and_resource() -> None:
    (problem,) = parse(report(failed_checks=[check()])).problems
    assert problem == "failed: CKV_AWS_1 Encrypt it: /stream.json AWS::SQS::Queue.Queue"


@pytest.mark.parametrize(
    ("comment", "problems"), [(None, 1), ("", 1), ("ok", 1), ("Its queue has a DLQ.", 0)]
)
def test_skipped_check_needs_reason(comment: str | None, problems: int) -> None:
    assert len(parse(report(skipped_checks=[check(comment)])).problems) == problems


def test_template_that_checkov_can_not_parse_is_a_problem() -> None:
    assert parse(report(parsing_errors=["/edge.json"])).problems == ["not parsed: /edge.json"]


def test_generated_stage_gets_metadata_of_its_api() -> None:
    api = {"Type": "AWS::ApiGateway::RestApi", "Metadata": {"checkov": {}}}
    stage = {"Type": "AWS::ApiGateway::Stage", "Properties": {"RestApiId": {"Ref": "Api"}}}
    template = {"Resources": {"Api": api, "Stage": stage}}
    assert with_stage_metadata(template)["Resources"]["Stage"]["Metadata"] == {"checkov": {}}
    assert "Metadata" not in stage


def test_programs_and_their_dependencies_are_locked_with_hashes() -> None:
    folder = ROOT / "tools" / "setup"
    pinned = [it for it in (folder / "checks.in").read_text().splitlines() if it[:1].isalpha()]
    locked = re.findall(
        r"^(\S+==\S+)(?: ; .+)? \\\n((?:    --hash=sha256:\w{64}(?: \\)?\n)+)",
        (folder / "checks.txt").read_text(),
        re.MULTILINE,
    )
    names = [name for name, _ in locked]
    assert set(pinned) <= set(names)
    text = (folder / "checks.txt").read_text()
    # Each line belongs to a package with a hash.
    assert len(names) == len(re.findall(r"^\S", text, re.MULTILINE)) > 50
