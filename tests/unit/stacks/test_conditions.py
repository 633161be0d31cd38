"""Conditions that the templates use, also in the files that they include."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.stacks.test_template_limits import included
from tests.unit.stacks.transformed import all_stacks, transformed


def used_conditions(value: Any) -> Iterator[str]:
    """Yield the name of each condition in an Fn::If or a Condition."""
    if isinstance(value, list):
        for item in value:
            yield from used_conditions(item)
    if not isinstance(value, dict):
        return
    if "Fn::If" in value:
        yield value["Fn::If"][0]
    for key, item in value.items():
        # A state's condition is an expression.
        if key == "Condition" and isinstance(item, str) and not item.startswith("{%"):
            yield item
        yield from used_conditions(item)


def defined_and_used(path: Path) -> tuple[set[str], set[str]]:
    """Return the conditions that a stack defines, and those that it and its included files use."""
    template = transformed(path)
    conditions = template.get("Conditions", {})
    files = [yaml.safe_load(it.read_text()) for it in included(template)]
    return set(conditions), set(used_conditions([template, *files]))


@pytest.mark.parametrize("path", [path for path, _ in all_stacks()], ids=lambda path: path.stem)
def test_each_used_condition_is_defined_and_the_other_way_round(path: Path) -> None:
    """CloudFormation refuses an undefined one: "Unresolved condition dependency"."""
    defined, used = defined_and_used(path)
    assert defined == used
