"""Read the templates that `sam build` wrote: `.aws-sam/build`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from samtranslator.yaml_helper import yaml_parse

from aws_emulator.errors import CommandError
from tools.paths import ROOT

BUILD: Final = ROOT / ".aws-sam" / "build"
type Template = dict[str, Any]


def read_built_templates(*, home: bool, build: Path = BUILD) -> dict[str, Template]:
    """Return the root template and its nested templates by path of logical IDs.

    The root's path is ''; a nested stack's path is e.g. `Accounts/Import`.

    Args:
        home: Whether to include the stacks that only the home Region has.
        build: The output folder of `sam build`.

    Raises:
        CommandError: The application isn't built.
    """
    root = build / "template.yaml"
    if not root.exists():
        raise CommandError(f"{root} doesn't exist. Run `make build` first.")
    return dict(_read(root, "", home=home))


def reserved_executions(templates: dict[str, Template]) -> int:
    """Return the executions that the templates' Custom::ReservedConcurrency resources reserve."""
    return sum(
        int(function["Executions"])
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "Custom::ReservedConcurrency"
        for function in resource["Properties"]["Functions"]
    )


def _read(file: Path, path: str, *, home: bool) -> Iterator[tuple[str, Template]]:
    template: Template = yaml_parse(file.read_text())
    yield path, template
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] not in ("AWS::Serverless::Application", "AWS::CloudFormation::Stack"):
            continue
        if not home and resource.get("Condition") == "IsHome":
            continue
        properties = resource["Properties"]
        location = properties.get("Location") or properties.get("TemplateURL")
        nested = f"{path}/{logical_id}" if path else logical_id
        yield from _read(file.parent / str(location), nested, home=home)
