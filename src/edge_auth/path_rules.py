"""Match a decoded path to its path rule, and check the token's claims against the rule."""

from edge_auth.claims import Claims
from edge_auth.errors import NotEntitledError
from edge_auth.rule_settings import ClaimRequirement, ClaimValue, PathRule
from edge_auth.settings import Settings


def match_rule(settings: Settings, path: str) -> PathRule:
    """Return the first rule that matches the decoded path.

    Raises:
        NotEntitledError: No rule matches the path (`no_rule`).
    """
    rule = settings.find_rule(path)
    if rule is not None:
        return rule
    raise NotEntitledError(code="no_rule")


def _claim_values(claims: Claims, name: str) -> frozenset[ClaimValue]:
    value = claims.get(name)
    if name == "scope" and isinstance(value, str):
        value = value.split(" ")  # RFC 8693, section 4.2
    members = value if isinstance(value, list) else [value]
    return frozenset(member for member in members if isinstance(member, (str, bool)))


def _is_met(requirement: ClaimRequirement, claims: Claims) -> bool:
    values = _claim_values(claims, requirement.claim)
    if requirement.all_of is not None and not requirement.all_of <= values:
        return False
    return requirement.any_of is None or not requirement.any_of.isdisjoint(values)


def check_requirements(rule: PathRule, claims: Claims, path: str) -> None:
    """Check that the claims meet every requirement of the rule for a path that it matches.

    A token of the client credentials grant belongs to no user: only a rule with scopes admits it.
    Its `sub` is the app client (AWS, "Understanding the access token").

    Raises:
        NotEntitledError: The claims don't meet a requirement.
    """
    requirements = rule.requirements_for(path)
    is_machine = "client_id" in claims and claims.get("sub") == claims["client_id"]
    if is_machine and not any(it.claim == "scope" for it in requirements):
        raise NotEntitledError(code="machine_token")
    if not all(_is_met(requirement, claims) for requirement in requirements):
        raise NotEntitledError
