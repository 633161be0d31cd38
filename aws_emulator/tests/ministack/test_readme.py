"""The README's table of AWS services contradicts no patch."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from aws_emulator.ministack import patches
from aws_emulator.tests.ministack.running import ROOT

README: Final = (ROOT / "aws_emulator" / "README.md").read_text()
PATCHES: Final = sorted(Path(patches.__file__).parent.glob("[a-z]*.py"))
#: "Accept state machine definitions in YAML.": the accepted feature.
ACCEPTED: Final = re.compile(r"^Accept (\w+ \w+ .+?)(?: without| that|,|\.)")


def accepted_feature(path: Path) -> str | None:
    """Return the feature that a patch accepts, from the first line of its docstring."""
    document = ast.get_docstring(ast.parse(path.read_text())) or ""
    match = ACCEPTED.match(document)
    return match.group(1) if match else None


@pytest.mark.parametrize(
    "path", [it for it in PATCHES if accepted_feature(it)], ids=lambda path: path.stem
)
def test_readme_does_not_list_an_accepted_feature_as_refused(path: Path) -> None:
    feature = accepted_feature(path)
    assert feature is not None
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| ([^|]+) \| [^|]+ \|$", README, re.MULTILINE)
    assert rows
    assert [row for row in rows if feature in row] == []


def test_definitions_in_yaml_are_an_accepted_feature() -> None:
    assert "state machine definitions in YAML" in map(accepted_feature, PATCHES)
