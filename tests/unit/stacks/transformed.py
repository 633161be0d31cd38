"""The project's templates after the SAM transform, for rules about what CloudFormation deploys."""

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from aws_emulator.sam_launcher import validate_policy_templates_once
from tests.support.paths import ROOT
from tools.deployment.deployer_actions import statements_of
from tools.deployment.sam_transform import transformed, translate
from tools.deployment.templates import load

__all__ = [
    "ROOT_TEMPLATE",
    "all_stacks",
    "nested",
    "policy_statements",
    "resolve",
    "transformed",
    "translate",
]

# Otherwise the validation takes more time than the transform of a typical template.
validate_policy_templates_once()

ROOT_TEMPLATE: Final = ROOT / "template.yaml"
_NESTED: Final = "AWS::CloudFormation::Stack"


_load = cache(load)


def policy_statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of a role's policies, also of those with a condition."""
    return list(statements_of({"Properties": role}))


def nested(path: Path, logical_id: str) -> Path:
    """Return the template of a nested stack."""
    location = _load(path)["Resources"][logical_id]["Properties"]["Location"]
    return (path.parent / str(location)).resolve()


def resolve(path: Path, value: Any, parents: tuple[tuple[Path, str], ...]) -> tuple[Path, str]:
    """Follow references through parameters and outputs to a resource.

    `parents` are the stacks around the template `path`, outermost first, each with the logical ID
    of the nested stack in it. Returns the resource's template and logical ID; of Fn::If, those of
    the first value.

    Raises:
        LookupError: The value doesn't refer to a resource.
    """
    if not isinstance(value, dict) or len(value) != 1:
        raise LookupError(f"{value!r} in {path.name} is no reference")
    ((function, target),) = value.items()
    if function == "Fn::If":
        return resolve(path, target[1], parents)
    name, _, attribute = (target if isinstance(target, str) else ".".join(target)).partition(".")
    resources = transformed(path)["Resources"]
    if function in {"Ref", "Fn::GetAtt"} and name in resources:
        if resources[name]["Type"] != _NESTED:
            return path, name
        child = nested(path, name)
        output = attribute.removeprefix("Outputs.")
        return resolve(child, _load(child)["Outputs"][output]["Value"], (*parents, (path, name)))
    if function == "Ref" and parents:
        parent, logical_id = parents[-1]
        arguments = transformed(parent)["Resources"][logical_id]["Properties"]["Parameters"]
        return resolve(parent, arguments[name], parents[:-1])
    raise LookupError(f"{value!r} in {path.name} is no reference to a resource")


@cache
def all_stacks() -> list[tuple[Path, tuple[tuple[Path, str], ...]]]:
    """Return each template with the stacks around it, the root first."""
    stacks: list[tuple[Path, tuple[tuple[Path, str], ...]]] = []

    def visit(path: Path, parents: tuple[tuple[Path, str], ...]) -> None:
        stacks.append((path, parents))
        for name, resource in transformed(path)["Resources"].items():
            if resource["Type"] == _NESTED:
                visit(nested(path, name), (*parents, (path, name)))

    visit(ROOT_TEMPLATE, ())
    return stacks


def text_of(value: Any) -> str:
    """Return a string or Fn::Sub with each reference as its name in braces."""
    if isinstance(value, dict):
        value = value.get("Fn::Sub", "")
    if isinstance(value, list):
        value = value[0]
    return re.sub(r"\s+", " ", str(value))
