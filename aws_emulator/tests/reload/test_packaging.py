"""Changed templates are packaged with the deployed code, without a build."""

from pathlib import Path
from typing import Any

import pytest

from aws_emulator.reload.packaging import BuildNeededError, StackNode
from aws_emulator.reload.templates import TemplateError, load, parse

ROOT = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Child:
    Type: AWS::Serverless::Application
    Properties: {Location: child.yaml, Parameters: {Stage: !Ref Stage}}
  Other:
    Type: AWS::Serverless::Application
    Properties: {Location: other.yaml}
"""
CHILD = """\
Globals:
  Function: {Runtime: python3.13, CodeUri: src/}
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Properties: {Handler: a.b, MemorySize: 128}
  Flow:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: flow.json}
  Api:
    Type: AWS::Serverless::Api
    Properties:
      DefinitionBody:
        paths:
          Fn::Transform: {Name: AWS::Include, Parameters: {Location: paths.yaml}}
"""
OTHER = "Resources:\n  Queue: {Type: AWS::SQS::Queue}\n"


class Uploads:
    """An upload function that keeps the files."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def __call__(self, name: str, content: bytes) -> str:
        self.files[name] = content
        return f"s3://uploads/{name}"

    def document(self, location: str) -> dict[str, Any]:
        name = location.removeprefix("s3://uploads/")
        return parse(self.files[name].decode(), Path(name)).document


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {"template.yaml": ROOT, "child.yaml": CHILD, "other.yaml": OTHER}
    for name, text in {**texts, "flow.json": "{}", "paths.yaml": "/a: {}\n"}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def node(folder: Path) -> StackNode:
    def deployed(**locations: dict[str, str]) -> dict[str, Any]:
        return {"Resources": {name: {"Properties": it} for name, it in locations.items()}}

    root = deployed(Child={"Location": "s3://old/child"}, Other={"Location": "s3://old/other"})
    child = deployed(Worker={"CodeUri": "s3://old/code"}, Flow={"DefinitionUri": "s3://old/flow"})
    return StackNode(
        load(folder / "template.yaml"),
        "root",
        root,
        {
            "Child": StackNode(load(folder / "child.yaml"), "child", child),
            "Other": StackNode(load(folder / "other.yaml"), "other", {}),
        },
    )


def edit(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_unrelated_change_packages_nothing(node: StackNode, folder: Path) -> None:
    assert node.package({folder / "README.md"}, Uploads()) is None


def test_changed_template_keeps_deployed_code_and_unchanged_stacks(
    node: StackNode, folder: Path
) -> None:
    path = edit(folder / "child.yaml", "MemorySize: 128", "MemorySize: 256")
    uploads = Uploads()
    packaged = node.package({path}, uploads)
    assert packaged is not None
    resources = packaged.deployed["Resources"]
    assert resources["Other"]["Properties"]["Location"] == "s3://old/other"
    assert resources["Child"]["Properties"]["Parameters"] == {"Stage": {"Ref": "Stage"}}
    child = uploads.document(resources["Child"]["Properties"]["Location"])
    worker = child["Resources"]["Worker"]["Properties"]
    assert worker == {"Handler": "a.b", "MemorySize": 256, "CodeUri": "s3://old/code"}
    assert child["Globals"]["Function"] == {"Runtime": "python3.13"}
    assert packaged.children["Child"].stack == "child"


@pytest.mark.parametrize(("name", "content"), [("flow.json", "[]"), ("paths.yaml", "/b: {}\n")])
def test_file_that_a_template_refers_to_is_uploaded(
    node: StackNode, folder: Path, name: str, content: str
) -> None:
    (folder / name).write_text(content)
    assert folder / name in node.files()
    uploads = Uploads()
    packaged = node.package({folder / name}, uploads)
    assert packaged is not None
    location = packaged.deployed["Resources"]["Child"]["Properties"]["Location"]
    text = uploads.files[location.removeprefix("s3://uploads/")].decode()
    assert content.encode() in uploads.files.values()
    # No reference to a local file remains.
    assert f'"{name}"' not in text


def test_second_package_starts_from_the_first(node: StackNode, folder: Path) -> None:
    first = node.package({edit(folder / "child.yaml", "128", "256")}, Uploads())
    assert first is not None
    second = first.package({edit(folder / "other.yaml", "Queue:", "Renamed:")}, Uploads())
    assert second is not None
    for packaged in (first, second):
        location = packaged.deployed["Resources"]["Child"]["Properties"]["Location"]
        assert location == first.deployed["Resources"]["Child"]["Properties"]["Location"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("  Worker:", "  Second:", "Second is new"),
        ("CodeUri: src/", "CodeUri: lib/", "CodeUri of Worker changed"),
        ("python3.13", "python3.14", "Runtime of Worker changed"),
        (
            "    Properties: {Handler",
            "    Metadata: {BuildMethod: makefile}\n    Properties: {Handler",
            "Metadata of Worker changed",
        ),
    ],
)
def test_function_with_other_code_needs_a_build(
    node: StackNode, folder: Path, old: str, new: str, reason: str
) -> None:
    path = edit(folder / "child.yaml", old, new)
    with pytest.raises(BuildNeededError, match=reason):
        node.package({path}, Uploads())


def test_new_nested_stack_is_packaged_completely(node: StackNode, folder: Path) -> None:
    (folder / "third.yaml").write_text(OTHER)
    path = edit(folder / "template.yaml", "  Other:", "  Third:")
    edit(path, "other.yaml", "third.yaml")
    uploads = Uploads()
    packaged = node.package({path}, uploads)
    assert packaged is not None
    location = packaged.deployed["Resources"]["Third"]["Properties"]["Location"]
    assert uploads.document(location) == parse(OTHER, Path()).document
    assert packaged.children["Third"].stack is None


def test_stack_that_a_condition_leaves_out_keeps_its_location(folder: Path) -> None:
    deployed = {
        "Resources": {
            "Child": {"Properties": {"Location": "s3://old/child"}},
            "Other": {"Properties": {"Location": "s3://old/other"}},
        }
    }
    other = StackNode(load(folder / "other.yaml"), "other", {})
    node = StackNode(load(folder / "template.yaml"), "root", deployed, {"Other": other})
    packaged = node.package({edit(folder / "other.yaml", "Queue:", "Renamed:")}, Uploads())
    assert packaged is not None
    assert packaged.deployed["Resources"]["Child"]["Properties"]["Location"] == "s3://old/child"


def test_missing_file_is_named(node: StackNode, folder: Path) -> None:
    (folder / "flow.json").unlink()
    with pytest.raises(TemplateError, match=r"flow\.json: No such file"):
        node.package({folder / "flow.json"}, Uploads())


@pytest.mark.parametrize(
    ("text", "line_suffix"),
    [("a: [1,\nb: }\n", ":2:4:"), ("- 1\n", ":1:"), ("a: !Ref\n  - {\n", ":3:1:")],
)
def test_invalid_template_is_reported_with_its_line(text: str, line_suffix: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(text, Path("stacks/a.yaml"))
    assert str(caught.value).startswith(f"stacks/a.yaml{line_suffix}")


def test_short_forms_are_read_as_cloudformation_does() -> None:
    text = "a: !GetAtt B.C.D\nb: !Sub x\nc: !If [D, !Ref E, 1]\nd: 2012-10-17\ne: !Condition F\n"
    assert parse(text, Path()).document == {
        "a": {"Fn::GetAtt": ["B", "C.D"]},
        "b": {"Fn::Sub": "x"},
        "c": {"Fn::If": ["D", {"Ref": "E"}, 1]},
        "d": "2012-10-17",
        "e": {"Condition": "F"},
    }


def test_lines_of_resources_are_known(folder: Path) -> None:
    assert load(folder / "child.yaml").lines == {"Worker": 4, "Flow": 7, "Api": 10}
