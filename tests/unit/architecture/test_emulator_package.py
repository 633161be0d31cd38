"""The emulator package serves any application, so it contains no name of this project."""

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

EMULATOR = ROOT / "aws_emulator"
FILES = sorted(
    path
    for path in EMULATOR.rglob("*")
    if path.suffix in {".py", ".md", ".yaml", ".json"} and "__pycache__" not in path.parts
)
PROJECT_WORDS = re.compile(r"meridian|school", re.IGNORECASE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EMULATOR)))
def test_emulator_package_has_no_project_name(path: Path) -> None:
    assert PROJECT_WORDS.findall(path.read_text()) == []
