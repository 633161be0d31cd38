"""Templates and code refer to each other: handlers, packages, nested stacks, definitions."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import CATALOGUE, TEMPLATES, load, of_type

SRC = ROOT / "src"


def functions() -> dict[str, str]:
    """Return the logical ID of every function with its handler."""
    return {
        name: str(it["Properties"]["Handler"])
        for path in TEMPLATES
        for name, it in of_type(path, "AWS::Serverless::Function").items()
    }


def referenced_files(path: Path) -> Iterator[Path]:
    """Yield the local files that a template includes: nested stacks, definitions, fragments."""

    def visit(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                if key in {"Location", "DefinitionUri"} and isinstance(value, str):
                    yield value
                else:
                    yield from visit(value)
        elif isinstance(node, list):
            for item in node:
                yield from visit(item)

    for name in visit(load(path)):
        if name.endswith(".yaml"):
            yield (path.parent / name).resolve()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(functions()))
def test_handler_is_a_function_of_its_module(name: str) -> None:
    module, _, function = functions()[name].rpartition(".")
    tree = ast.parse((SRC / f"{module.replace('.', '/')}.py").read_text())
    defined = {it.name for it in tree.body if isinstance(it, ast.FunctionDef)}
    assert function in defined


def test_makefile_lists_the_package_of_every_function() -> None:
    makefile = (SRC / "Makefile").read_text()
    listed = set(re.findall(r"^build-(\w+): +PACKAGES", makefile, re.MULTILINE))
    assert listed == set(functions())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_files_that_a_template_includes_exist(path: Path) -> None:
    assert [file for file in referenced_files(path) if not file.exists()] == []


def test_every_yaml_file_of_stacks_and_src_is_included_by_a_template() -> None:
    included = {file for path in TEMPLATES for file in referenced_files(path)}
    present = {*(ROOT / "stacks").glob("*.yaml"), *CATALOGUE, *SRC.rglob("*.yaml")}
    assert present - included == set()


def test_every_component_has_a_function() -> None:
    components = {handler.partition(".")[0] for handler in functions().values()}
    packages = {path.name for path in SRC.iterdir() if any(path.glob("*.py"))}
    assert packages - components == {
        *("clickstream", "custom_resource", "signed_snapshot", "staff", "telemetry"),
    }
