"""Every row of REFUSALS.md names a test, and every test of a refusal has a row."""

import ast
from pathlib import Path

import pytest

from aws_emulator import refusals
from aws_emulator.errors import CommandError

TESTS = Path(__file__).parents[1]
HERE = Path(__file__).parent


def functions(path: Path) -> set[str]:
    """Return the names of the test functions of a file."""
    tree = ast.parse(path.read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_row_names_an_existing_test() -> None:
    missing = []
    for row in refusals.read():
        file, _, name = row.test.partition("::")
        path = TESTS / file
        if not path.is_file() or name not in functions(path):
            missing.append(row.test)
    assert missing == []


def test_every_test_of_a_refusal_has_a_row() -> None:
    listed = {row.test for row in refusals.read()}
    here = {
        f"refusals/{path.name}::{name}"
        for path in sorted(HERE.glob("test_*.py"))
        if path.name != Path(__file__).name
        for name in functions(path)
    }
    assert here - listed == set()


def test_every_row_is_complete_and_unique() -> None:
    rows = refusals.read()
    assert rows
    assert all(all(row) for row in rows)
    assert len({(row.service, row.refusal) for row in rows}) == len(rows)


def test_register_refuses_row_with_missing_cell(tmp_path: Path) -> None:
    file = tmp_path / "REFUSALS.md"
    head = "| service | refusal | AWS page | test |\n|---|---|---|---|\n"
    file.write_text(head + "| S3 | a | b | `c.py::test_d` |\n\n| other | table |\n")
    assert refusals.read(file) == [("S3", "a", "b", "c.py::test_d")]
    file.write_text(head + "| S3 | a | b |\n")
    with pytest.raises(CommandError, match="Line 3"):
        refusals.read(file)
