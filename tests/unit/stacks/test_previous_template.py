"""An update of parameters with UsePreviousTemplate is right with or without another transform.

For another macro, AWS::LanguageExtensions, the processed template stays: "provide the template
instead of using UsePreviousTemplate to ensure new parameter values [...] are applied correctly"
(CloudFormation API reference, UpdateStack). For AWS::Serverless, AWS documents neither.
"""

import copy
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.transformed import transformed
from tools.deployment.sam_transform import translate
from tools.deployment.templates import load

TEMPLATE = ROOT / "template.yaml"


@pytest.mark.parametrize("value", ["true", "false", "", "eu-west-2,ap-south-1"])
def test_transform_of_the_root_is_the_same_for_all_values_of_parameters(value: str) -> None:
    template = copy.deepcopy(load(TEMPLATE))
    parameters = dict.fromkeys(template["Parameters"], value)
    assert translate(template, parameters) == transformed(TEMPLATE)


def test_nested_stack_of_the_root_has_the_url_of_a_template_of_its_own() -> None:
    """An update of the root gives it this template, and the values of the parameters."""
    nested: dict[str, Any] = {
        name: resource["Properties"]
        for name, resource in transformed(TEMPLATE)["Resources"].items()
        if resource["Type"] == "AWS::CloudFormation::Stack"
    }
    assert len(nested) == len(load(TEMPLATE)["Resources"])
    assert all(isinstance(it["TemplateURL"], str) for it in nested.values())
