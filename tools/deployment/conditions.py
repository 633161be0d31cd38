"""Decide which resources of a template a Region gets, from the template's conditions. Pure.

Only the Region, the parameter HomeRegion and the given values of other parameters are known. A
condition on another parameter is unknown.
"""

from collections.abc import Mapping
from typing import Any


def may_exist(
    template: Mapping[str, Any], resource: Mapping[str, Any], region: str, home_region: str
) -> bool:
    """Return whether a Region gets a resource, also if a further parameter decides it.

    Args:
        template: A template with intrinsic functions in their long form.
        resource: A resource of the template.
        region: The Region of the stack.
        home_region: The stack's parameter HomeRegion.
    """
    condition = resource.get("Condition")
    if condition is None:
        return True
    return evaluate(template, {"Condition": condition}, region, home_region) is not False


def evaluate(
    template: Mapping[str, Any],
    expression: Mapping[str, Any],
    region: str,
    home_region: str,
    parameters: Mapping[str, str] | None = None,
) -> bool | None:
    """Return the value of a condition function, or None if it depends on an unknown parameter.

    Args:
        template: A template with intrinsic functions in their long form.
        expression: A condition function, such as {"Condition": "IsHome"}.
        region: The Region of the stack.
        home_region: The stack's parameter HomeRegion.
        parameters: Values of further parameters.
    """
    known = {**(parameters or {}), "AWS::Region": region, "HomeRegion": home_region}
    return _evaluate(template.get("Conditions", {}), expression, known)


def _evaluate(
    conditions: Mapping[str, Any], expression: Any, known: Mapping[str, str]
) -> bool | None:
    ((function, operand),) = expression.items()
    if function == "Condition":
        return _evaluate(conditions, conditions[operand], known)
    if function == "Fn::Equals":
        values = [_value(it, known) for it in operand]
        return None if None in values else values[0] == values[1]
    results = [_evaluate(conditions, it, known) for it in operand]
    if function == "Fn::Not":
        return None if results[0] is None else not results[0]
    # The value that decides the function whatever the others are: false for And, true for Or.
    decisive = bool(function == "Fn::Or")
    if decisive in results:
        return decisive
    return None if None in results else not decisive


def _value(operand: Any, known: Mapping[str, str]) -> str | None:
    if isinstance(operand, Mapping):
        return known.get(str(operand.get("Ref")))
    return str(operand)
