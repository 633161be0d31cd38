"""Read the templates that `sam build` wrote: `.aws-sam/build`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.deployment.conditions import may_exist
from tools.paths import ROOT
from tools.template_yaml import yaml_parse

BUILD: Final = ROOT / ".aws-sam" / "build"
type Template = dict[str, Any]


def read_built_templates(region: str, home_region: str, build: Path = BUILD) -> dict[str, Template]:
    """Return the root template and the nested ones that a Region gets, by path of logical IDs.

    The root's path is ''; a nested stack's path is e.g. `Accounts/Import`.

    Args:
        region: The Region of the stack.
        home_region: The stack's parameter HomeRegion.
        build: The output folder of `sam build`.

    Raises:
        CommandError: The application isn't built.
    """
    root = build / "template.yaml"
    if not root.exists():
        raise CommandError(f"{root} doesn't exist. Run `make build` first.")
    return dict(_read(root, "", region, home_region))


def reserved_executions(templates: dict[str, Template]) -> int:
    """Return the executions that the templates' Custom::ReservedConcurrency resources reserve."""
    return sum(
        int(function["Executions"])
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "Custom::ReservedConcurrency"
        for function in resource["Properties"]["Functions"]
    )


def fixed_reservations(templates: dict[str, Template]) -> int:
    """Return the executions that the templates' functions reserve themselves.

    No custom resource adapts them to the quota. They are alternatives of Fn::If.
    """
    values = [
        resource["Properties"].get("ReservedConcurrentExecutions", 0)
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] in ("AWS::Lambda::Function", "AWS::Serverless::Function")
    ]
    alternatives = [it["Fn::If"][1:] if isinstance(it, dict) else [it] for it in values]
    return sum(max(int(it) for it in row if not isinstance(it, dict)) for row in alternatives)


def _read(file: Path, path: str, region: str, home_region: str) -> Iterator[tuple[str, Template]]:
    template: Template = yaml_parse(file.read_text())
    yield path, template
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] not in ("AWS::Serverless::Application", "AWS::CloudFormation::Stack"):
            continue
        if not may_exist(template, resource, region, home_region):
            continue
        properties = resource["Properties"]
        location = properties.get("Location") or properties.get("TemplateURL")
        nested = f"{path}/{logical_id}" if path else logical_id
        yield from _read(file.parent / str(location), nested, region, home_region)
