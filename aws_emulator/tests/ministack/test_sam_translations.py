"""Equal templates are parsed once, and translated once for equal parameter values and Regions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.ministack.patches.nested_stack_transforms import keep_templates
from aws_emulator.ministack.patches.sam_parameters import keep_translations

#: A template, the parameter values and the Region of a translation.
_ARGUMENTS = st.tuples(
    st.dictionaries(st.sampled_from("AB"), st.integers(0, 1), max_size=2),
    st.dictionaries(st.sampled_from("PQ"), st.sampled_from(["", "1"]), max_size=2),
    st.sampled_from(["us-east-1", "eu-west-2"]),
)


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
        return {"Resources": [template, values, regions[-1]]}

    regions: list[str] = []
    translate = keep_translations(transform)
    with pytest.MonkeyPatch.context() as environment:
        for template, values, region in sequence:
            environment.setenv("AWS_DEFAULT_REGION", region)
            regions.append(region)
            translated = translate(template, values, _loader)
            assert translated == {"Resources": [template, values, region]}
            # A change of the result must not change the kept translation.
            translated["Resources"].clear()
    distinct = {(tuple(t.items()), tuple(v.items()), region) for t, v, region in sequence}
    assert len(calls) == len(distinct)


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
