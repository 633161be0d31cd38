"""Tests that share a running system are in one group, and each suite finds its tests."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tests.support.groups import GROUPS, INDEPENDENT, ends_group, find_group, position
from tests.support.paths import ROOT
from tools.syntax import nodes


@pytest.mark.parametrize(
    ("test_id", "group"),
    [
        ("tests/system/test_journey.py::test_portal_is_public", "events"),
        ("tests/system/portal/test_journey.py::test_retried_form", "school"),
        ("tests/system/test_regions.py::test_feedback[a/b::c]", "regions"),
        ("aws_emulator/tests/cloudfront/test_legacy_app.py::test_key", "legacy"),
        (
            "aws_emulator/tests/ministack/test_patches.py::test_contract_holds_with_patch",
            "emulator",
        ),
        (
            "aws_emulator/tests/ministack/test_patches.py::test_contract_fails_without_patch[x]",
            None,
        ),
        ("tools/tests/test_cli.py::test_help", None),
    ],
)
def test_longest_beginning_decides_the_group_of_a_test(test_id: str, group: str | None) -> None:
    assert find_group(test_id) == group


def test_tests_without_a_group_run_last() -> None:
    first = [beginnings[0] for beginnings in GROUPS.values()]
    assert [position(test_id) for test_id in first] == list(range(len(GROUPS)))
    assert position("tools/tests/test_cli.py::test_help") == len(GROUPS)


@pytest.mark.parametrize(
    ("test_id", "next_id", "ends"),
    [
        ("tests/system/test_why.py::test_a", "tests/system/test_journey.py::test_b", False),
        ("tests/system/test_why.py::test_a", "tests/system/test_regions.py::test_b", True),
        ("tests/system/test_why.py::test_a", "tools/tests/test_cli.py::test_help", True),
        ("tools/tests/test_cli.py::test_help", "tools/tests/test_logs.py::test_b", False),
    ],
)
def test_systems_end_after_the_last_test_of_their_group(
    test_id: str, next_id: str, ends: bool
) -> None:
    assert ends_group(test_id, next_id) == ends


@pytest.mark.parametrize("path", sorted((ROOT / "tests/system").rglob("test_*.py")), ids=str)
def test_system_in_several_regions_starts_for_one_group(path: Path) -> None:
    """A test of another group that uses the fixture would start the system a second time."""
    folder = str(path.relative_to(ROOT))
    functions = [it for it in nodes(path.read_text()) if isinstance(it, ast.FunctionDef)]
    groups = {
        find_group(f"{folder}::{it.name}")
        for it in functions
        if it.name.startswith("test_") and "regions" in {each.arg for each in it.args.args}
    }
    assert groups <= {"regions", "catalogue"}


@pytest.mark.parametrize(
    "beginning", [*INDEPENDENT, *(it for beginnings in GROUPS.values() for it in beginnings)]
)
def test_beginning_of_a_group_is_a_path(beginning: str) -> None:
    assert (ROOT / beginning.partition("::")[0]).exists()


MARKS: Final = re.compile(
    r"(?m)^(pytestmark = .*|@)pytest\.mark\.(?:package|integration|browser)\b"
)


def test_unit_folder_contains_no_test_that_needs_a_running_system() -> None:
    """`make test` doesn't search tests/unit for such tests."""
    paths = sorted((ROOT / "tests" / "unit").rglob("*.py"))
    assert [path for path in paths if MARKS.search(path.read_text())] == []


@pytest.mark.parametrize("folder", ["package", "system"])
def test_other_folders_contain_no_unit_test(folder: str) -> None:
    """`make unit` doesn't search these folders."""
    paths = sorted((ROOT / "tests" / folder).rglob("test_*.py"))
    assert paths
    marked = [path for path in paths if MARKS.search(path.read_text())]
    assert [path for path in paths if path not in marked] == []
