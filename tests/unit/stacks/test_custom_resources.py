"""Every custom resource answers CloudFormation: also after an error, a timeout and at its deletion.

tests/unit/custom_resource shows that for `respond`.
"""

from typing import Any, Final

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.transformed import all_stacks, resolve, transformed


def custom_resources() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return "template: logical ID" -> the resource, and the properties of its function."""
    listed = {}
    for path, parents in all_stacks():
        for name, resource in transformed(path)["Resources"].items():
            if resource["Type"].startswith("Custom::"):
                token = resource["Properties"]["ServiceToken"]
                template, function = resolve(path, token, parents)
                properties = transformed(template)["Resources"][function]["Properties"]
                listed[f"{path.name}: {name}"] = (resource, properties)
    return listed


RESOURCES: Final = custom_resources()


def test_templates_have_custom_resources() -> None:
    assert len(RESOURCES) >= 9


@pytest.mark.parametrize("name", RESOURCES)
def test_handler_passes_each_request_to_respond_with_its_time(name: str) -> None:
    module = RESOURCES[name][1]["Handler"].rpartition(".")[0]
    source = (ROOT / "src" / f"{module.replace('.', '/')}.py").read_text()
    assert "return respond(event, " in source
    assert ", send_response, context)" in source


@pytest.mark.parametrize("name", RESOURCES)
def test_cloudformation_waits_longer_than_the_function_runs(name: str) -> None:
    """Otherwise it ignores the answer of a slow operation."""
    resource, function = RESOURCES[name]
    assert int(resource["Properties"]["ServiceTimeout"]) > int(function["Timeout"])
