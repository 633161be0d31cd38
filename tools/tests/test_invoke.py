"""The options, messages and template lookup of `make invoke`."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aws_emulator.built_functions import BuiltFunction
from aws_emulator.errors import CommandError
from aws_emulator.invoke import Result
from tools import invoke
from tools.paths import ROOT
from tools.stack import StackTarget

TEMPLATE = """
Resources:
  Access:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: Access, Handler: access.handler, Runtime: python3.13}
  AccessVersion:
    Type: Custom::EdgeVersion
    Properties: {BuiltVersion: {Ref: Access.Version}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: Worker
      Handler: worker.handler
      Runtime: python3.13
      Environment: {Variables: {TABLE: {Ref: Table}}}
"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(invoke, "STATE", tmp_path)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path


@pytest.fixture
def event(tmp_path: Path) -> str:
    path = tmp_path / "event.json"
    path.write_text("{}")
    return str(path)


def returning(result: Result) -> Any:
    return lambda *_: result


def test_response_is_printed_as_json(
    build: Path, event: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(invoke, "invoke", returning(Result("id", response={"naïve": 1})))
    assert invoke.run({"FUNCTION": "Worker", "EVENT": event}, build) == 0
    printed = capsys.readouterr()
    assert printed.out == '{\n  "naïve": 1\n}\n'
    assert "these variables are not set: TABLE" in printed.err


def test_function_error_is_printed_and_ends_the_command(
    build: Path, event: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = {"errorType": "KeyError", "errorMessage": "'id'", "stackTrace": ["  File x, line 1\n"]}
    monkeypatch.setattr(invoke, "invoke", returning(Result("id", error=error)))
    with pytest.raises(CommandError) as raised:
        invoke.run({"FUNCTION": "Worker", "EVENT": event}, build)
    assert str(raised.value).startswith("Worker failed: KeyError: 'id'. ")
    assert json.loads(capsys.readouterr().out) == error


def test_function_is_read_after_the_build_of_another_command(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sam build` deletes the templates first: whoever waits for its lock reads the new ones."""
    (build / "template.yaml").unlink()

    @contextmanager
    def build_lock(kind: int) -> Iterator[None]:
        assert kind == fcntl.LOCK_SH
        (build / "template.yaml").write_text(TEMPLATE)
        yield

    monkeypatch.setattr(invoke, "build_lock", build_lock)
    function, at_edge = invoke.read_function(build, "Worker")
    assert (function.logical_id, at_edge) == ("Worker", False)


def test_edge_function_requires_the_running_system(build: Path, event: str) -> None:
    with pytest.raises(CommandError, match=r"Start `make up` in another terminal first"):
        invoke.run({"FUNCTION": "Access", "EVENT": event}, build)


@pytest.mark.parametrize("options", [{}, {"FUNCTION": "Worker"}])
def test_missing_option_is_refused_with_an_example(options: dict[str, str]) -> None:
    with pytest.raises(CommandError, match=r"make invoke FUNCTION=ValidateFunction EVENT="):
        invoke.run(options)


def test_unreadable_event_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        invoke.read_event(str(tmp_path / "absent.json"))
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(CommandError, match="not valid JSON"):
        invoke.read_event(str(tmp_path / "bad.json"))


def test_version_is_the_one_associated_with_the_distribution() -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:app-access:7"
    associations = {"Items": [{"LambdaFunctionARN": arn, "EventType": "viewer-request"}]}
    behavior = {"LambdaFunctionAssociations": associations}
    configs = [{"DistributionConfig": {"DefaultCacheBehavior": behavior}}]
    assert invoke.associated_version(configs, "app-access") == "7"
    with pytest.raises(CommandError, match="no association with app"):
        invoke.associated_version(configs, "app")


def test_settings_are_added_to_a_copy_of_the_package(tmp_path: Path) -> None:
    package = tmp_path / "Access"
    package.mkdir()
    (package / "access.py").write_text("")
    function = BuiltFunction("Access", package, "access.handler", "python3.13")
    with invoke.with_settings(function, b"{}") as changed:
        assert {it.name for it in changed.directory.iterdir()} == {"access.py", "settings.json"}
    assert [it.name for it in package.iterdir()] == ["access.py"]


def test_edge_function_is_in_the_stack_of_the_edge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = StackTarget("http://127.0.0.1:1", "eu-west-2")
    monkeypatch.setattr(invoke, "find_running_stack", lambda _directory: home)
    edge = replace(home, region="us-east-1")
    assert invoke.running_stacks(tmp_path, at_edge=False) == (home, home)
    assert invoke.running_stacks(tmp_path, at_edge=True) == (home, edge)
    monkeypatch.setattr(invoke, "find_running_stack", lambda _directory: None)
    assert invoke.running_stacks(tmp_path, at_edge=True) == (None, None)


def test_example_names_a_file_of_the_repository() -> None:
    path = invoke._EXAMPLE.rpartition("EVENT=")[2]
    assert isinstance(invoke.read_event(str(ROOT / path)), dict)
