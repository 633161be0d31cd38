"""Parse the path rules of edge_auth's settings."""

import re
from typing import Final

from edge_auth.errors import SettingsError

PATH_PATTERN: Final = re.compile(r"/[A-Za-z0-9._~!$&'()+,=:@/*-]*")  # decoded; "*" is a wildcard
# A character that no pattern contains, so that only a wildcard matches it.
ANY_CHARACTER: Final = "\uffff"
_RULE_KEYS: Final = frozenset(
    ["path", "public", "forwards_token", "signed_in", "groups", "scopes", "claims"]
)

type Document = dict[str, object]
type ClaimValue = str | bool


class ClaimRequirement:
    """The values that a claim must contain: at least one of `any_of`, and each of `all_of`.

    None means that the set isn't required.
    """

    __slots__ = ("all_of", "any_of", "claim")

    def __init__(
        self, claim: str, any_of: frozenset[ClaimValue] | None, all_of: frozenset[ClaimValue] | None
    ) -> None:
        self.claim = claim
        self.any_of = any_of
        self.all_of = all_of


class PathRule:
    """A path pattern and its access requirements."""

    __slots__ = ("_expression", "forwards_token", "path", "public", "requirements")

    def __init__(
        self,
        path: str,
        *,
        public: bool,
        requirements: tuple[ClaimRequirement, ...],
        forwards_token: bool = False,
    ) -> None:
        self.path = path
        self.public = public
        #: The origin authorizes requests itself and receives the session's token.
        self.forwards_token = forwards_token
        self.requirements = requirements
        expression = ".*".join(map(re.escape, path.split("*")))
        # /premium/* also matches /premium, so that both require the same.
        if path.endswith("/*"):
            expression = f"{expression[:-3]}(?:/.*)?"
        self._expression = re.compile(expression, re.DOTALL)

    def matches(self, path: str) -> bool:
        """Return True if the pattern matches the whole decoded path.

        "*" matches any characters including "/", as in a cache behavior (CloudFront, "Path
        pattern").
        """
        return self._expression.fullmatch(path) is not None


def sample_paths(pattern: str) -> list[str]:
    """Return paths that stand for all paths of a pattern.

    Another pattern matches every path of `pattern` if and only if it matches all of them: each
    wildcard is replaced by a character that only a wildcard matches.
    """
    samples = [pattern.replace("*", ANY_CHARACTER)]
    if pattern.endswith("/*") and len(pattern) > 2:
        samples.append(pattern[:-2].replace("*", ANY_CHARACTER))
    return samples


def parse_rule(key: str, value: object, token_use: str) -> PathRule:
    """Return the rule in a JSON object; `key` names it in errors.

    Raises:
        SettingsError: The rule has an unknown key or an invalid value.
    """
    if not isinstance(value, dict):
        raise SettingsError(key, "must be a JSON object")
    path = value.get("path")
    if (
        not isinstance(path, str)
        or not PATH_PATTERN.fullmatch(path)
        or any(part in path for part in ("//", "/./", "/../"))
        or path.endswith(("/.", "/.."))
    ):
        raise SettingsError(f"{key}.path", "must be a decoded path pattern such as /premium/*")
    unknown = sorted(value.keys() - _RULE_KEYS)
    if unknown:
        raise SettingsError(f"{key}.{unknown[0]}", "isn't a key of a rule")
    public, signed_in = _flag(key, value, "public"), _flag(key, value, "signed_in")
    forwards = _flag(key, value, "forwards_token")
    requirements = tuple(_requirements(key, value, token_use))
    if public + forwards + (signed_in or bool(requirements)) != 1:
        raise SettingsError(
            key,
            "must be public, forwards_token, or require signed_in, groups, scopes or claims",
        )
    return PathRule(path, public=public, requirements=requirements, forwards_token=forwards)


def _flag(key: str, rule: Document, name: str) -> bool:
    value = rule.get(name, False)
    if not isinstance(value, bool):
        raise SettingsError(f"{key}.{name}", "must be true or false")
    return value


def _requirements(key: str, rule: Document, token_use: str) -> list[ClaimRequirement]:
    requirements = []
    if rule.get("groups") is not None:
        requirements.append(_requirement(f"{key}.groups", "cognito:groups", rule["groups"]))
    if rule.get("scopes") is not None:
        if token_use == "id":  # noqa: S105 # a token type
            raise SettingsError(
                f"{key}.scopes", "require token_use access, because an ID token has no scope"
            )
        requirements.append(_requirement(f"{key}.scopes", "scope", rule["scopes"]))
    claims = rule.get("claims")
    if claims is not None:
        if not isinstance(claims, dict) or not claims:
            raise SettingsError(f"{key}.claims", "must be a JSON object of claim names")
        for name, expected in claims.items():
            is_value = isinstance(expected, (str, bool))
            condition = {"any": [expected]} if is_value else expected
            requirements.append(_requirement(f"{key}.claims.{name}", name, condition))
    return requirements


def _requirement(key: str, claim: str, value: object) -> ClaimRequirement:
    if not isinstance(value, dict) or not value or value.keys() - {"any", "all"}:
        raise SettingsError(key, 'must be {"any": [...]} or {"all": [...]}')
    sets: dict[str, frozenset[ClaimValue]] = {}
    for quantifier, members in value.items():
        if (
            not isinstance(members, list)
            or not members
            or not all(isinstance(member, (str, bool)) and member != "" for member in members)
        ):
            raise SettingsError(f"{key}.{quantifier}", "must be a list of values that isn't empty")
        sets[quantifier] = frozenset(members)
    return ClaimRequirement(claim, sets.get("any"), sets.get("all"))
