"""The emulator package serves any application, so it contains no word of this project."""

import re
from typing import Final

from tests.support.paths import ROOT

#: `test_imports.py` checks the package's imports.
PROJECT_WORDS: Final = re.compile(r"meridian|school|portal", re.IGNORECASE)
SUFFIXES: Final = {".py", ".md", ".yaml", ".json", ".toml"}


def test_emulator_package_contains_no_word_of_this_project() -> None:
    violations = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / "aws_emulator").rglob("*"))
        if path.suffix in SUFFIXES and ".aws-sam" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if PROJECT_WORDS.search(line)
    ]
    assert violations == []
