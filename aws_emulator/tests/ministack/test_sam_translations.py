"""Equal templates are parsed once, and translated once for the parameter values that they read."""

import copy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samtranslator.sdk.parameter import SamParameterValues
from samtranslator.translator.transform import transform as sam_transform

from aws_emulator.ministack.patches.nested_stack_transforms import keep_templates
from aws_emulator.ministack.patches.sam_parameters import (
    keep_translations,
    prepare_values,
    recorded,
)

#: A template, the parameter values and the Region of a translation.
_ARGUMENTS = st.tuples(
    st.dictionaries(st.sampled_from("AB"), st.integers(0, 1), max_size=2),
    st.dictionaries(st.sampled_from("PQ"), st.sampled_from(["", "1"]), max_size=2),
    st.sampled_from(["us-east-1", "eu-west-2"]),
)


@pytest.fixture(scope="module")
def recording() -> Iterator[None]:
    """Let the translator record what it reads."""
    original = SamParameterValues.add_pseudo_parameter_values
    prepare_values()
    yield
    SamParameterValues.add_pseudo_parameter_values = original


def _loader() -> dict[str, str]:
    return {}


@given(st.lists(_ARGUMENTS, max_size=12))
def test_kept_translation_equals_new_one(
    sequence: list[tuple[dict[str, int], dict[str, str], str]],
) -> None:
    calls: list[object] = []

    def transform(template: dict[str, Any], values: dict[str, str], loader: object) -> Any:
        assert loader is _loader
        calls.append((template, values))
        read = recorded(values)
        return {"Resources": [template, dict(read.items()), read.get("P"), regions[-1]]}

    regions: list[str] = []
    translate = keep_translations(transform)
    with pytest.MonkeyPatch.context() as environment:
        for template, values, region in sequence:
            environment.setenv("AWS_DEFAULT_REGION", region)
            regions.append(region)
            translated = translate(template, values, _loader)
            assert translated == {"Resources": [template, values, values.get("P"), region]}
            # A change of the result must not change the kept translation.
            translated["Resources"].clear()
    assert len(calls) <= len(sequence)


@given(st.lists(st.tuples(*[st.sampled_from(["", "1", "2"])] * 3), max_size=8))
def test_value_that_is_not_read_needs_no_translation(sequence: list[tuple[str, str, str]]) -> None:
    calls: list[object] = []

    def transform(_: Any, values: dict[str, str], __: object) -> Any:
        calls.append(values)
        read = recorded(values)
        return [read["P"], "Q" in read and read["Q"] == "1" and read["R"]]

    translate = keep_translations(transform)
    for p, q, r in sequence:
        values = {"P": p, "R": r, "S": "never"} | ({"Q": q} if q else {})
        assert translate({}, values, _loader) == [p, q == "1" and r]
    needed = {(p, q, r if q == "1" else None) for p, q, r in sequence}
    # Four translations are kept.
    assert len(calls) == len(needed) or len(needed) > 4


_TEMPLATE: Final = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Parameters": {
        "Alias": {"Type": "String"},
        "Suffix": {"Type": "String", "Default": "s"},
        "Text": {"Type": "String"},
    },
    "Resources": {
        "Function": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "InlineCode": "",
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "AutoPublishAlias": {"Ref": "Alias"},
                "FunctionName": {"Fn::Sub": "name-${Suffix}"},
                "Environment": {"Variables": {"TEXT": {"Ref": "Text"}}},
            },
        }
    },
}


@pytest.mark.usefixtures("recording")
@given(
    st.lists(
        st.fixed_dictionaries(
            {"Alias": st.sampled_from(["live", "next"]), "Text": st.sampled_from("ab")},
            optional={"Suffix": st.sampled_from("st")},
        ),
        max_size=6,
    )
)
def test_kept_translation_of_a_function_equals_new_one(sequence: list[dict[str, str]]) -> None:
    translate = keep_translations(sam_transform)
    policies = SimpleNamespace(load=dict)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "eu-west-2")
        for values in sequence:
            new = sam_transform(copy.deepcopy(_TEMPLATE), dict(values), policies)
            assert translate(_TEMPLATE, dict(values), policies) == new


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize("always", [False, True])
def test_api_is_deployed_for_a_value_that_sam_does_not_read(always: bool) -> None:
    """ "Always deploys the API, even when no changes to the API have been detected." """
    translate = keep_translations(sam_transform)
    path = {"get": {"summary": {"Ref": "Text"}}}
    properties = {
        "StageName": "api",
        "AlwaysDeploy": always,
        "DefinitionBody": {"openapi": "3.0.1", "paths": {"/a": path}},
    }
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {"Text": {"Type": "String"}},
        "Resources": {"Api": {"Type": "AWS::Serverless::Api", "Properties": properties}},
    }

    def deployment(text: str) -> str:
        translated = translate(template, {"Text": text}, SimpleNamespace(load=dict))
        (logical_id,) = [it for it in translated["Resources"] if it.startswith("ApiDeployment")]
        return str(logical_id)

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "eu-west-2")
        seconds = iter(range(100))
        clock = SimpleNamespace(time=lambda: next(seconds))
        environment.setattr("samtranslator.model.apigateway.time", clock)
        assert (deployment("a") != deployment("b")) == always
        assert deployment("b") == deployment("b")


def test_failed_translation_is_not_translate() -> None:
    results: list[Any] = [ValueError("invalid"), {"Resources": {}}]

    def transform(*_: object) -> Any:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    translate = keep_translations(transform)
    with pytest.raises(ValueError, match="invalid"):
        translate({}, {}, _loader)
    assert translate({}, {}, _loader) == {"Resources": {}}


@given(st.lists(st.sampled_from("ab"), max_size=8))
def test_kept_template_equals_new_one(bodies: list[str]) -> None:
    calls: list[str] = []

    def parse(body: str) -> Any:
        calls.append(body)
        return {"Resources": [body]}

    parsed = keep_templates(parse)
    for body in bodies:
        template = parsed(body)
        assert template == {"Resources": [body]}
        # A change of the result must not change the kept template.
        template["Resources"].clear()
    assert len(calls) == len(set(bodies))
