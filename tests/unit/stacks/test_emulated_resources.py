"""The emulator emulates, or openly accepts, every resource type and property of the templates."""

import json
import re
import subprocess

import pytest

from aws_emulator.launcher import Interpreters
from aws_emulator.ministack.patches import applied_properties, provisioned_types
from aws_emulator.ministack.patches.accepted_types import ACCEPTED_TYPES
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import TEMPLATES
from tests.unit.stacks.transformed import all_stacks, transformed

_PROVISIONED_TYPES = (
    "import json; from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS;"
    "print(json.dumps(sorted(_RESOURCE_HANDLERS)))"
)


def run_with_ministack(*arguments: str) -> str:
    """Run MiniStack's interpreter and return its output."""
    python = Interpreters().ministack
    if not python.exists():
        pytest.skip(f"{python} is missing: run `make setup`")
    result = subprocess.run(
        [python, *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=180
    )
    return result.stdout


@pytest.fixture(scope="module")
def used_types() -> set[str]:
    """Return the resource types in the templates, before the SAM transform."""
    text = "\n".join(template.read_text() for template in TEMPLATES)
    types = set(re.findall(r"^\s+Type: ['\"]?((?:AWS|Custom)::[\w:]+)", text, re.MULTILINE))
    assert "AWS::Serverless::Function" in types
    return types


@pytest.mark.slow
def test_every_resource_type_is_emulated_or_accepted(used_types: set[str]) -> None:
    provisioned = json.loads(run_with_ministack("-c", _PROVISIONED_TYPES))
    unknown = used_types - {*provisioned, *provisioned_types(), *ACCEPTED_TYPES}
    # SAM transforms its own types; a custom resource calls its function.
    assert {it for it in unknown if not it.startswith(("AWS::Serverless::", "Custom::"))} == set()


def test_accepted_types_contain_only_types_of_templates(used_types: set[str]) -> None:
    generated = {
        resource["Type"]
        for path, _ in all_stacks()
        for resource in transformed(path)["Resources"].values()
    }
    assert set(ACCEPTED_TYPES) <= used_types | generated


@pytest.mark.slow
def test_patches_apply_every_property_that_ministack_drops() -> None:
    module = "aws_emulator.ministack.dropped_properties"
    dropped = json.loads(run_with_ministack("-m", module, *map(str, TEMPLATES)))
    # An empty list would mean that the source analysis no longer works.
    assert "TimeToLiveSpecification" in dropped["AWS::DynamoDB::Table"]
    applied = applied_properties()
    lost = {kind: sorted(set(names) - applied.get(kind, set())) for kind, names in dropped.items()}
    assert {kind: names for kind, names in lost.items() if names} == {}
