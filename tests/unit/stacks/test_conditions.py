"""Conditions that the templates use, also in the files that they include."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.stacks.transformed import all_stacks, transformed


def used_conditions(value: Any, folder: Path) -> Iterator[str]:
    """Yield the name of each condition in an Fn::If or a Condition."""
    if isinstance(value, list):
        for item in value:
            yield from used_conditions(item, folder)
    if not isinstance(value, dict):
        return
    if value.get("Name") == "AWS::Include":
        included = (folder / value["Parameters"]["Location"]).resolve()
        yield from used_conditions(yaml.safe_load(included.read_text()), included.parent)
    if "Fn::If" in value:
        yield value["Fn::If"][0]
    for key, item in value.items():
        # A state's condition is an expression.
        if key == "Condition" and isinstance(item, str) and not item.startswith("{%"):
            yield item
        yield from used_conditions(item, folder)


@pytest.mark.parametrize("path", [path for path, _ in all_stacks()], ids=lambda path: path.stem)
def test_each_used_condition_is_defined(path: Path) -> None:
    """CloudFormation refuses an undefined one: "Unresolved condition dependency"."""
    template = transformed(path)
    used = set(used_conditions(template, path.parent))
    assert used - set(template.get("Conditions", {})) == set()
