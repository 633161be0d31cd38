"""Each change of an edge function publishes a version, and no version survives its rollback."""

import copy
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.transformed import translate
from tools.deployment.templates import fixed_name, load

PATH = ROOT / "stacks" / "edge-functions.yaml"
FUNCTIONS = ("EdgeAuthFunction", "EdgeIngestFunction")
CHANGES: dict[str, Any] = {
    "Timeout": 4,
    "MemorySize": 127,
    "Runtime": "python3.14",
    "Role": "arn:aws:iam::123456789012:role/other",
    "Handler": "other.handler",
    "EphemeralStorage": {"Size": 1024},
}


def versions(**changes: Any) -> dict[str, dict[str, Any]]:
    """Return function -> version resource, with changed properties of both functions."""
    template = copy.deepcopy(load(PATH))
    for name in FUNCTIONS:
        template["Resources"][name]["Properties"] |= changes
    resources = translate(template)["Resources"]
    return {
        name: {"LogicalId": logical_id, **it}
        for name in FUNCTIONS
        for logical_id, it in resources.items()
        if it["Type"] == "AWS::Lambda::Version"
        and it["Properties"]["FunctionName"] == {"Ref": name}
    }


@pytest.mark.parametrize("name", CHANGES)
def test_change_of_a_property_publishes_a_new_version(name: str) -> None:
    """The distribution uses the version that the custom resource publishes from this one."""
    before, after = versions(), versions(**{name: CHANGES[name]})
    for function in FUNCTIONS:
        assert before[function]["LogicalId"] != after[function]["LogicalId"], function


def test_version_of_a_failed_update_is_deleted_and_that_of_a_deleted_stack_kept() -> None:
    for function, version in versions().items():
        assert version["DeletionPolicy"] == "RetainExceptOnCreate", function


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_that_outlives_its_stack_has_no_fixed_name(name: str) -> None:
    function = load(PATH)["Resources"][name]
    assert function["DeletionPolicy"] == "RetainExceptOnCreate"
    values = {"Stage": "dev", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"}
    assert fixed_name(function, values) is None
