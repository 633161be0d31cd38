"""The fast parser of templates gives what the SAM translator's gives."""

from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse as original

from tools.paths import ROOT
from tools.template_yaml import yaml_parse

TEMPLATES = [ROOT / "template.yaml", ROOT / "stacks" / "stream.yaml"]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda it: it.name)
def test_template_is_parsed_as_by_the_sam_translator(path: Path) -> None:
    assert yaml_parse(path.read_text()) == original(path.read_text())


@pytest.mark.parametrize(
    "text",
    [
        "a: !Ref b",
        "a: !GetAtt b.c.d",
        "a: !GetAtt [b, c]",
        "a: !Sub ['${b}', {b: !Ref c}]",
        "a: !If [b, {c: !Base64 d}, !Ref AWS::NoValue]",
        "a: !Condition b",
        "2026-11-28: 0123\nb: 'on'\nc: on\nd: 1e3",
    ],
)
def test_short_forms_and_scalars_are_parsed_as_by_the_sam_translator(text: str) -> None:
    assert yaml_parse(text) == original(text)
