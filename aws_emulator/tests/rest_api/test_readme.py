"""Tests that the tables in README.md agree with the API Gateway API and with the code."""

import ast
import re
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest

from aws_emulator import rest_api
from aws_emulator.rest_api.definition import parse as parse_definition
from aws_emulator.rest_api.mapping_template import Input, Util
from aws_emulator.rest_api.model import Request
from aws_emulator.rest_api.pipeline import new_context
from aws_emulator.rest_api.settings import parse
from aws_emulator.tests.rest_api import fakes, notes_api
from aws_emulator.tests.rest_api.test_definition import INTEGRATION, changed

PACKAGE: Final = Path(rest_api.__file__).parent
NOTHING: Final = "\N{EN DASH}"
README: Final = (PACKAGE / "README.md").read_text()
TABLES: Final = ("Extensions", "Integration", "IntegrationResponse", "MethodSetting")


def rows(title: str) -> dict[str, tuple[str, str, str]]:
    """Return (supported, refused, ignored) by property, from the table under a heading."""
    section = re.split(r"\n#{2,3} ", README.partition(f"### {title}\n")[2])[0]
    cells = re.findall(r"^\| ([\w-]+) \| (.+) \| (.+) \| (.+) \|$", section, re.MULTILINE)
    return {name: (supported, refused, ignored) for name, supported, refused, ignored in cells[1:]}


def literals() -> set[str]:
    """Return the string literals of the modules that read definitions and stages."""
    names: set[str] = set()
    for module in ("definition", "stage_reader"):
        for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)
    # The name of the validators' section is formed from the name of the validator property.
    return names | {"x-amazon-apigateway-request-validators"}


@pytest.mark.parametrize("title", TABLES)
def test_code_reads_exactly_supported_properties(title: str) -> None:
    known = literals()
    for name, (supported, _, _) in rows(title).items():
        assert (name in known) is (supported != NOTHING), name


@pytest.mark.parametrize("title", ["Extensions", "Integration"])
def test_ignored_property_changes_nothing(title: str) -> None:
    for name, (_, _, ignored) in rows(title).items():
        if not ignored.startswith("yes"):
            continue
        if title == "Integration":
            document = changed(**{name: "x"})
        else:
            document = notes_api.document() | {name: "x"}
        parsed = parse_definition(document)
        assert set(parsed.methods) == set(notes_api.api().methods), name


def test_method_settings_table_lists_every_member_of_api_shape() -> None:
    model = botocore.session.get_session().get_service_model("apigateway")
    shape: Any = model.shape_for("MethodSetting")
    assert list(rows("MethodSetting")) == list(shape.members)


def test_integration_table_lists_every_property_of_notes_api() -> None:
    used = {
        name
        for path in notes_api.document()["paths"].values()
        for operation in path.values()
        for name in operation[INTEGRATION]
    }
    supported = {name for name, row in rows("Integration").items() if row[0] != NOTHING}
    assert used == supported


def test_template_variables_table_equals_code() -> None:
    table = dict(re.findall(r"^\| `(\$\w+)` \| (.+) \|$", README, re.MULTILINE))
    context = new_context(fakes.stage(), Request("GET", "/notes"))
    members = {
        "$input": {name for name in dir(Input("", {})) if not name.startswith("_")},
        "$util": {name for name in dir(Util) if not name.startswith("_")},
        "$context": {*context, "resourcePath"},
    }
    assert {name: set(text.split(", ")) for name, text in table.items()} == members


def test_options_table_equals_help(capsys: pytest.CaptureFixture[str]) -> None:
    documented = re.findall(r"^\| `(--[a-z-]+)` \|", README, re.MULTILINE)
    with pytest.raises(SystemExit):
        parse(["--help"])
    printed = re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)
    assert documented == printed
