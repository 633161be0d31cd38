"""No parameter replaces a resource whose name stays the same.

CloudFormation creates the new resource before it deletes the old one: "CloudFormation cannot update
a stack when a custom-named resource requires replacing", or the service answers "already exists".
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.unit.stacks.transformed import all_stacks, nested, text_of, transformed

type Parents = tuple[tuple[Path, str], ...]

#: Parameters that keep their value for the life of a stage; `make preflight` refuses another home.
CONSTANT: Final = {"Stage", "HomeRegion"}
_STACK: Final = "AWS::CloudFormation::Stack"
#: A reference in Fn::Sub.
_REFERENCE: Final = re.compile(r"\$\{([^}!]+)\}")


def parameters(path: Path, value: Any, parents: Parents) -> set[str]:
    """Return the root's parameters on which a value depends, also through nested stacks."""
    if isinstance(value, list):
        return {it for part in value for it in parameters(path, part, parents)}
    if not isinstance(value, dict):
        return set()
    names: set[str] = set()
    for key, part in value.items():
        if key == "Ref":
            names |= _referred(path, part, parents)
        elif key == "Fn::GetAtt":
            target = part if isinstance(part, str) else ".".join(part)
            names |= _referred(path, target, parents)
        elif key == "Fn::Sub":
            text, own = (part, {}) if isinstance(part, str) else part
            names |= parameters(path, list(own.values()), parents)
            for name in _REFERENCE.findall(text):
                names |= _referred(path, name, parents) if name not in own else set()
        elif key == "Fn::If":
            conditions = transformed(path)["Conditions"]
            names |= parameters(path, conditions[part[0]], parents)
            names |= parameters(path, part[1:], parents)
        elif key == "Condition" and isinstance(part, str):
            names |= parameters(path, transformed(path)["Conditions"][part], parents)
        else:
            names |= parameters(path, part, parents)
    return names


def _referred(path: Path, target: str, parents: Parents) -> set[str]:
    name, _, attribute = target.partition(".")
    resources = transformed(path)["Resources"]
    if name.startswith("AWS::"):
        return set()
    if name in resources:
        if resources[name]["Type"] != _STACK:
            return set()  # the resource keeps its ID while it isn't replaced itself
        child = nested(path, name)
        output = transformed(child)["Outputs"][attribute.removeprefix("Outputs.")]
        return parameters(child, output["Value"], (*parents, (path, name)))
    if not parents:
        return {name}
    parent, logical_id = parents[-1]
    arguments = transformed(parent)["Resources"][logical_id]["Properties"].get("Parameters", {})
    return parameters(parent, arguments[name], parents[:-1]) if name in arguments else set()


def replacing(resource: dict[str, Any]) -> Iterator[Any]:
    """Yield the values of the properties whose change replaces a resource."""
    # cfn-lint takes seconds to import, in each process that collects this file.
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
    for pointer in schema.get("createOnlyProperties", []):
        value: Any = resource.get("Properties", {})
        for part in pointer.removeprefix("/properties/").split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            yield value


def is_name(value: Any) -> bool:
    """Return whether a property is a name with the stage."""
    return "meridian" in text_of(value) and "${Stage}" in text_of(value)


def named(path: Path) -> dict[str, list[Any]]:
    """Return the resources with a fixed name -> the properties whose change replaces them."""
    properties = {
        f"{name} ({it['Type']})": list(replacing(it))
        for name, it in transformed(path)["Resources"].items()
        if not it["Type"].startswith(("Custom::", "AWS::CloudFormation::"))
    }
    return {name: it for name, it in properties.items() if any(map(is_name, it))}


@pytest.mark.parametrize("stack", all_stacks(), ids=lambda it: it[0].name)
def test_parameter_that_replaces_a_resource_changes_its_name(
    stack: tuple[Path, Parents],
) -> None:
    path, parents = stack
    for name, values in named(path).items():
        in_name = [it for it in values if is_name(it)]
        replaces = parameters(path, values, parents)
        assert replaces <= parameters(path, in_name, parents) | CONSTANT, name


def test_parameters_are_found_through_nested_stacks() -> None:
    (stack,) = (it for it in all_stacks() if it[0].name == "budget.yaml")
    assert list(named(stack[0])) == ["Budget (AWS::Budgets::Budget)"]
    assert parameters(stack[0], {"Ref": "OperatorEmail"}, stack[1]) == {"OperatorEmail"}
    key = {"Fn::Sub": ["${A}-${Stage}", {"A": {"Fn::If": ["HasBoundary", "b", "c"]}}]}
    (stack,) = (it for it in all_stacks() if it[0].name == "accounts-starts.yaml")
    assert parameters(stack[0], key, stack[1]) == {"PermissionsBoundary", "Stage"}
