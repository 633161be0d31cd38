"""The actions that a deployment needs: those that the templates in pipeline/ grant."""

from collections.abc import Iterator
from typing import Any, Final

from tools.paths import ROOT
from tools.template_yaml import yaml_parse

#: The stack, the roles of one GitHub environment, and the policies of CloudFormation's role.
TEMPLATES: Final = tuple(
    ROOT / "pipeline" / f"{name}.yaml"
    for name in (
        "deployer",
        "environment",
        "function-policies",
        "data-policies",
        "catalogue-policies",
    )
)


def needed_actions() -> list[str]:
    """Return the actions without wildcards in the policies of the two deployment roles, sorted.

    IAM's policy simulator accepts no wildcard.
    """
    return sorted(it for it in granted_actions() if "*" not in it)


def granted_actions() -> set[str]:
    """Return the actions that the Allow statements of the two deployment roles contain."""
    actions: set[str] = set()
    for resource in _resources():
        if resource["Type"] not in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
            continue
        if resource.get("Metadata", {}).get("Boundary"):
            continue
        for statement in statements_of(resource):
            if statement["Effect"] == "Allow":
                actions |= set(_list(statement["Action"]))
    return actions


def statements_of(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the statements of a role's policies or of a managed policy.

    They include policies that a condition selects.
    """
    properties = resource["Properties"]
    policies = [it["Fn::If"][1] if "Fn::If" in it else it for it in properties.get("Policies", [])]
    documents = [it["PolicyDocument"] for it in policies]
    documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
    for document in documents:
        yield from document["Statement"]


def _resources() -> list[dict[str, Any]]:
    return [
        resource
        for template in TEMPLATES
        for resource in yaml_parse(template.read_text())["Resources"].values()
    ]


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
