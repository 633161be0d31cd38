"""Which rule judges a path, and whether a visitor's claims fulfil it."""

from edge_auth.claims import Claims
from edge_auth.errors import NotEntitledError
from edge_auth.settings import Requirement, Rule, Value


def rule_for(rules: tuple[Rule, ...], path: str) -> Rule:
    """The first rule that matches the canonical path. Raises NotEntitledError where none does."""
    for rule in rules:
        if rule.matches(path):
            return rule
    raise NotEntitledError(code="no_rule")


def _values(claims: Claims, name: str) -> frozenset[Value]:
    value = claims.get(name)
    if name == "scope" and isinstance(value, str):
        value = value.split(" ")  # RFC 8693, section 4.2
    members = value if isinstance(value, list) else [value]
    return frozenset(member for member in members if isinstance(member, (str, bool)))


def _holds(requirement: Requirement, claims: Claims) -> bool:
    values = _values(claims, requirement.claim)
    if requirement.all is not None and not requirement.all <= values:
        return False
    return requirement.any is None or not requirement.any.isdisjoint(values)


def check_entitled(rule: Rule, claims: Claims) -> None:
    """Returns when every requirement of the rule holds. Raises NotEntitledError."""
    if not all(_holds(requirement, claims) for requirement in rule.requirements):
        raise NotEntitledError
