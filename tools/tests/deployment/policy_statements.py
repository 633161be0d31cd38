"""Statements of the pipeline's policies, and what they allow, for the tests of both."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from tools.deployment.deployer_actions import TEMPLATES, statements_of
from tools.deployment.sam_transform import transformed

_STAGE: Final = "dev"
_PSEUDO_PARAMETERS: Final = {"AWS::Partition": "aws", "AWS::AccountId": "123456789012"}


def resource(name: str) -> dict[str, Any]:
    """Return a resource of the pipeline's transformed templates by its logical ID.

    Raises:
        LookupError: No template has the resource.
    """
    for path in TEMPLATES:
        resources: dict[str, Any] = transformed(path)["Resources"]
        if name in resources:
            definition: dict[str, Any] = resources[name]
            return definition
    raise LookupError(f"the templates of the pipeline have no resource {name}")


def service_role_statements() -> list[dict[str, Any]]:
    """Return the statements of the managed policies that CloudFormation's role has."""
    names = (
        *("FunctionsPolicy", "DeploymentPolicy", "DataPolicy", "EdgePolicy", "NamesPolicy"),
        *("NetworkPolicy", "CataloguePolicy"),
    )
    return [statement for name in names for statement in statements_of(resource(name))]


def deploy_role_statements(*, creates_buckets: bool = True) -> list[dict[str, Any]]:
    """Return the statements of the role that GitHub Actions assumes.

    Args:
        creates_buckets: Whether the environment's parameter CreatesSamBuckets is true.
    """
    role = resource("DeployRole")
    statements = list(statements_of(role))
    if creates_buckets:
        return statements
    (conditional,) = [it["Fn::If"] for it in role["Properties"]["Policies"] if "Fn::If" in it]
    assert conditional[0] == "CreatesSamBuckets"
    excluded = conditional[1]["PolicyDocument"]["Statement"]
    return [it for it in statements if it not in excluded]


def boundary_statements() -> list[dict[str, Any]]:
    """Return the statements of the permissions boundary."""
    return list(statements_of(resource("Boundary")))


def listed(value: Any) -> list[Any]:
    """Return a list as it is, and one value as a list."""
    return list(value) if isinstance(value, list) else [value]


def patterns(statement: dict[str, Any], stage: str = _STAGE) -> list[str]:
    """Return the ARN patterns of a statement, with pseudo parameters as sample values."""
    return [substituted(it, stage) for it in listed(statement["Resource"])]


def allows(statements: list[dict[str, Any]], action: str, arn: str) -> bool:
    """Return whether one statement of the stage `dev` allows an action, if its condition is true.

    An ARN of `*` demands a statement for all resources.
    """
    return any(
        fnmatchcase(arn, pattern)
        for it in _with_effect("Allow", statements, action)
        for pattern in patterns(it)
    )


def decision(
    statements: list[dict[str, Any]],
    action: str,
    arn: str,
    stage: str,
    tag: str | None,
    *,
    requested: str | None = None,
    context: Mapping[str, str] | None = None,
) -> bool:
    """Evaluate the policies of a stage's role as IAM does: an explicit denial wins.

    IAM User Guide, "Policy evaluation logic". The context keys are the tags of the resource and of
    the request.

    Args:
        statements: The statements of all policies of the role.
        action: The action of the request.
        arn: The resource of the request.
        stage: The parameter Stage of the role's template.
        tag: The value of the resource's tag `stage`; None without one.
        requested: The value of the tag `stage` in the request; None without one.
        context: Other context keys of the request.

    Returns:
        Whether IAM allows the request.
    """
    keys = dict(context or {})
    if tag is not None:
        keys["aws:ResourceTag/stage"] = tag
    if requested is not None:
        keys["aws:RequestTag/stage"] = requested

    def applies(effect: str) -> bool:
        return any(
            fnmatchcase(arn, pattern) and conditions_met(it.get("Condition", {}), keys, stage)
            for it in _with_effect(effect, statements, action)
            for pattern in patterns(it, stage)
        )

    return applies("Allow") and not applies("Deny")


def conditions_met(condition: dict[str, Any], context: dict[str, str], stage: str) -> bool:
    """Evaluate a statement's Condition (IAM User Guide, "Condition operators").

    A negated operator is true without the key, another one is false.

    Raises:
        LookupError: The operator isn't one of those that the policies use.
    """
    for operator, keys in condition.items():
        for key, wanted in keys.items():
            values = [substituted(it, stage) for it in listed(wanted)]
            value = context.get(key)
            if operator == "Null":
                met = (value is None) == (values == ["true"])
            elif operator in ("StringEquals", "Bool"):
                met = value in values
            elif operator == "StringNotEquals":
                met = value not in values
            elif operator in ("ArnLike", "StringLike"):
                met = value is not None and any(fnmatchcase(value, it) for it in values)
            else:
                raise LookupError(f"the evaluation doesn't know the operator {operator}")
            if not met:
                return False
    return True


def _with_effect(
    effect: str, statements: list[dict[str, Any]], action: str
) -> Iterator[dict[str, Any]]:
    """Yield the statements with an effect for an action. IAM ignores the case of actions."""
    for statement in statements:
        matches = (
            fnmatchcase(action.lower(), str(it).lower()) for it in listed(statement["Action"])
        )
        if statement["Effect"] == effect and any(matches):
            yield statement


def substituted(value: Any, stage: str = _STAGE) -> str:
    """Return a string, Fn::Sub, Ref or Fn::GetAtt with sample values."""
    if isinstance(value, str):
        return value
    ((function, text),) = value.items()
    if function == "Ref" and text == "Stage":
        return stage
    if function != "Fn::Sub":
        return f"<{text}>"
    for name, sample in (_PSEUDO_PARAMETERS | {"Stage": stage}).items():
        text = text.replace(f"${{{name}}}", sample)
    return str(text)
