"""Reduce templates to what one of their resources needs, so that a test creates little else."""

import copy
import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from tools.deployment.conditions import evaluate
from tools.stack import DEFAULT_HOME_REGION

type Template = dict[str, Any]

_INCLUDE: Final = "AWS::Include"
#: How SAM names the resources that it generates: the name of their resource, and this.
_GENERATED: Final = re.compile(r"(Alias\w*|Deployment|Role|Stage|Version)$")


def with_branches(template: Template, parameters: Mapping[str, str]) -> Template:
    """Return a copy in which each Fn::If is its value for these parameters.

    A value of Fn::If that isn't used can name a resource, too, which CloudFormation then creates.
    """
    values = {name: str(it.get("Default", "")) for name, it in template["Parameters"].items()}
    values |= parameters

    def holds(name: str) -> bool:
        home, condition = values["HomeRegion"], {"Condition": name}
        value = evaluate(template, condition, DEFAULT_HOME_REGION, home, values)
        assert value is not None, f"{name} depends on an unknown value"
        return value

    def branch(node: Any) -> Any:
        if isinstance(node, list):
            return [branch(it) for it in node]
        if not isinstance(node, dict):
            return node
        if list(node) == ["Fn::If"]:
            name, first, second = node["Fn::If"]
            return branch(first if holds(name) else second)
        return {name: branch(it) for name, it in node.items()}

    reduced = copy.deepcopy(template)
    reduced["Resources"] = branch(reduced["Resources"])
    return reduced


def keep_resource(template: Template, name: str) -> None:
    """Remove the resources that one resource doesn't need, directly or not, and all outputs."""
    template.pop("Outputs", None)
    _keep(template, {name})


def keep_outputs(template: Template, names: Collection[str] | None) -> None:
    """Remove the other outputs, and the resources that the remaining ones don't need.

    A template keeps all resources if no output is in use, because it has another effect then, or if
    it includes a file, whose references are unknown. It stays as it is without `names`.
    """
    if names is None:
        return
    outputs = template.get("Outputs", {})
    template["Outputs"] = {name: it for name, it in outputs.items() if name in names}
    resources = template["Resources"]
    needed = _resources_in(template["Outputs"], resources)
    included = [resources[it] for it in _closure(resources, needed)]
    if needed and _INCLUDE not in json.dumps(included, default=str):
        _keep(template, needed)


def outputs_in_use(template: Template, stack: str) -> set[str] | None:
    """Return the outputs of a nested stack that the template's resources and outputs refer to.

    They are unknown, and None, if the template includes a file.
    """
    text = json.dumps([template["Resources"], template.get("Outputs", {})], default=str)
    if _INCLUDE in text:
        return None
    return set(re.findall(rf'\b{stack}(?:\.|", ")Outputs\.(\w+)', text))


def _keep(template: Template, names: Collection[str]) -> None:
    resources = template["Resources"]
    needed = _closure(resources, names)
    for name in resources.keys() - needed:
        del resources[name]


def _closure(resources: dict[str, Any], names: Collection[str]) -> set[str]:
    needed, pending = set[str](), set(names)
    while pending:
        needed |= pending
        pending = {other for it in pending for other in _resources_in(resources[it], resources)}
        pending -= needed
    return needed


def _resources_in(value: object, resources: Collection[str]) -> set[str]:
    """Return the resources that a value could name."""
    names = _names_in(value)
    generated = {it for it in names if _GENERATED.search(it)}
    return {it for it in resources if it in names or any(name.startswith(it) for name in generated)}


def _names_in(value: object) -> set[str]:
    """Return every name that could be a resource's: a string, or the part of one before a dot."""
    if isinstance(value, dict):
        return {name for it in value.values() for name in _names_in(it)}
    if isinstance(value, list):
        return {name for it in value for name in _names_in(it)}
    if not isinstance(value, str):
        return set()
    return {value.partition(".")[0]} | set(re.findall(r"\$\{(\w+)", value))
