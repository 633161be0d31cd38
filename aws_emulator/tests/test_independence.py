"""Tests that the package serves any project: no names of one project, no imports of its code."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

import aws_emulator

PACKAGE: Final = Path(aws_emulator.__file__).parent
#: Words of the project in this repository, which the package must not contain.
_PROJECT_WORDS: Final = re.compile("mer" + "idian|sch" + "ool|por" + "tal", re.IGNORECASE)
_PROJECT_PACKAGES: Final = frozenset({"src", "tests", "tools", "benchmarks", "lake", "stacks"})
FILES: Final = [
    path.relative_to(PACKAGE)
    for path in sorted(PACKAGE.rglob("*"))
    if path.suffix in {".py", ".md", ".yaml", ".json", ".toml"}
    and ".aws-sam" not in path.parts
    and path != Path(__file__)
]
MODULES: Final = [path for path in FILES if path.suffix == ".py"]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_file_contains_no_word_of_one_project(path: Path) -> None:
    found = {
        f"line {number}: {line.strip()}"
        for number, line in enumerate((PACKAGE / path).read_text().splitlines(), 1)
        if _PROJECT_WORDS.search(line)
    }
    assert not found


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_module_imports_nothing_of_one_project(path: Path) -> None:
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        for name in names:
            assert name.partition(".")[0] not in _PROJECT_PACKAGES, name
