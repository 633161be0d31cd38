"""Reading functions from the output of `sam build`."""

from pathlib import Path

import pytest

from aws_emulator.built_functions import find_function
from aws_emulator.errors import CommandError

ROOT_TEMPLATE = """
Globals:
  Function:
    Runtime: python3.13
    Timeout: 20
    Environment: {Variables: {LEVEL: INFO, SHARED: global}}
Resources:
  Nested:
    Type: AWS::Serverless::Application
    Properties: {Location: Nested/template.yaml}
  Remote:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: "https://bucket.s3.amazonaws.com/template.yaml"}
  First:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: First
      Handler: index.handler
      MemorySize: 256
      Environment:
        Variables: {SHARED: own, COUNT: 3, DEBUG: true, TABLE: {Ref: Table}}
  Uploaded:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: "s3://bucket/key", Handler: index.handler}
"""
NESTED_TEMPLATE = """
Resources:
  Inner:
    Type: AWS::Lambda::Function
    Properties: {Code: Inner, Handler: app.run, Runtime: python3.13, Timeout: {Ref: Limit}}
"""


@pytest.fixture
def build(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text(ROOT_TEMPLATE)
    (tmp_path / "Nested").mkdir()
    (tmp_path / "Nested" / "template.yaml").write_text(NESTED_TEMPLATE)
    return tmp_path


def test_function_has_properties_of_its_template_and_its_globals(build: Path) -> None:
    function = find_function(build, "First")
    assert function.directory == build / "First"
    assert (function.handler, function.memory_mb, function.timeout_s) == ("index.handler", 256, 20)
    assert function.environment == {"LEVEL": "INFO", "SHARED": "own", "COUNT": "3", "DEBUG": "true"}
    assert function.unresolved == ("TABLE",)


def test_function_of_nested_template_has_defaults_for_intrinsic_functions(build: Path) -> None:
    function = find_function(build, "Inner")
    assert function.directory == build / "Nested" / "Inner"
    assert (function.handler, function.memory_mb, function.timeout_s) == ("app.run", 128, 3)


def test_unknown_function_is_refused_with_the_known_ones(build: Path) -> None:
    with pytest.raises(CommandError, match=r"no function 'Uploaded'.*First, Inner\."):
        find_function(build, "Uploaded")


def test_missing_build_output_is_refused_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"does not exist\. Run `sam build` first\."):
        find_function(tmp_path, "First")


@pytest.mark.parametrize("text", ["[", "text", ""])
def test_invalid_template_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "template.yaml").write_text(text)
    with pytest.raises(CommandError, match=r"Run `sam build` again\."):
        find_function(tmp_path, "First")
