"""Statements of the pipeline's policies, and what they allow, for the tests of both."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

from samtranslator.yaml_helper import yaml_parse

from tools.deployment.deployer_actions import TEMPLATES

_PSEUDO_PARAMETERS: Final = {"AWS::Partition": "aws", "AWS::AccountId": "123456789012"}


def resource(name: str) -> dict[str, Any]:
    """Return a resource of the pipeline's templates by its logical ID."""
    for path in TEMPLATES:
        resources: dict[str, Any] = yaml_parse(path.read_text())["Resources"]
        if name in resources:
            definition: dict[str, Any] = resources[name]
            return definition
    raise LookupError(f"the templates of the pipeline have no resource {name}")


def service_role_statements() -> list[dict[str, Any]]:
    """Return the statements of the managed policies that CloudFormation's role has."""
    names = ("FunctionsPolicy", "DeploymentPolicy", "DataPolicy", "EdgePolicy")
    documents = [resource(it)["Properties"]["PolicyDocument"] for it in names]
    return [statement for document in documents for statement in document["Statement"]]


def deploy_role_statements() -> list[dict[str, Any]]:
    """Return the statements of the role that GitHub Actions assumes."""
    (policy,) = resource("DeployRole")["Properties"]["Policies"]
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def listed(value: Any) -> list[Any]:
    """Return a list as it is, and one value as a list."""
    return list(value) if isinstance(value, list) else [value]


def patterns(statement: dict[str, Any]) -> list[str]:
    """Return the ARN patterns of a statement, with pseudo parameters as sample values."""
    return [_substituted(it) for it in listed(statement["Resource"])]


def allows(statements: list[dict[str, Any]], action: str, arn: str) -> bool:
    """Return whether one statement allows an action on an ARN, if its condition is true.

    An ARN of `*` demands a statement for all resources.
    """
    return any(
        fnmatchcase(arn, pattern)
        for it in _allowing(statements, action)
        for pattern in patterns(it)
    )


def _allowing(statements: list[dict[str, Any]], action: str) -> Iterator[dict[str, Any]]:
    """Yield the Allow statements for an action. IAM ignores the case of actions."""
    for statement in statements:
        matches = (
            fnmatchcase(action.lower(), str(it).lower()) for it in listed(statement["Action"])
        )
        if statement["Effect"] == "Allow" and any(matches):
            yield statement


def _substituted(value: Any) -> str:
    """Return a string, Fn::Sub, Ref or Fn::GetAtt with sample values."""
    if isinstance(value, str):
        return value
    ((function, text),) = value.items()
    if function != "Fn::Sub":
        return f"<{text}>"
    for name, sample in _PSEUDO_PARAMETERS.items():
        text = text.replace(f"${{{name}}}", sample)
    return str(text)
