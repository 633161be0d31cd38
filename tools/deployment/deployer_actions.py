"""The actions that a deployment needs: those that pipeline/deployer.yaml grants."""

from typing import Any, Final

from samtranslator.yaml_helper import yaml_parse

from tools.paths import ROOT

TEMPLATES: Final = tuple(ROOT / "pipeline" / name for name in ("deployer.yaml", "policies.yaml"))


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
        properties = resource["Properties"]
        documents = [it["PolicyDocument"] for it in properties.get("Policies", [])]
        documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
        for document in documents:
            for statement in document["Statement"]:
                if statement["Effect"] == "Allow":
                    actions |= set(_list(statement["Action"]))
    return actions


def _resources() -> list[dict[str, Any]]:
    return [
        resource
        for template in TEMPLATES
        for resource in yaml_parse(template.read_text())["Resources"].values()
    ]


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
