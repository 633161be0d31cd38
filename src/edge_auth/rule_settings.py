"""Parse the path rules of edge_auth's settings."""

import re
from typing import Final

from edge_auth.errors import SettingsError

PATH_PATTERN: Final = re.compile(r"/[A-Za-z0-9._~!$&'()+,=:@/*-]*")  # decoded; "*" is a wildcard
# A segment that the requirements name, such as {course}.
_PARAMETER: Final = re.compile(r"(?<=/)\{([a-z][a-z0-9_]{0,31})\}(?=/|$)")
# A character that no pattern contains, so that only a wildcard matches it.
ANY_CHARACTER: Final = "\uffff"
_RULE_KEYS: Final = frozenset(
    ["path", "public", "forwards_token", "signed_in", "groups", "scopes", "claims", "app_page"]
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

    def with_parameters(self, parameters: dict[str, str]) -> "ClaimRequirement":
        """Return the requirement for a path, whose segments replace {name} in the values."""
        if not parameters:
            return self
        sets = (self.any_of, self.all_of)
        any_of, all_of = (values and frozenset(_filled(it, parameters) for it in values)
                          for values in sets)  # fmt: skip
        return ClaimRequirement(self.claim, any_of, all_of)


def _filled(value: ClaimValue, parameters: dict[str, str]) -> ClaimValue:
    """Return a value with its parameters; one pass, so that a segment can't name another one."""
    if not isinstance(value, str):
        return value
    return re.sub(r"\{(\w+)\}", lambda match: parameters.get(match[1], match[0]), value)


class PathRule:
    """A path pattern and its access requirements."""

    __slots__ = (
        "_expression",
        "app_page",
        "forwards_token",
        "parameters",
        "path",
        "public",
        "requirements",
    )

    def __init__(
        self,
        path: str,
        *,
        public: bool,
        requirements: tuple[ClaimRequirement, ...],
        forwards_token: bool = False,
        app_page: str = "",
    ) -> None:
        self.path = path
        #: The page of a single-page application, for paths that name no file; else empty.
        self.app_page = app_page
        #: The names of segments such as {course}.
        self.parameters = tuple(_PARAMETER.findall(path))
        self.public = public
        #: The origin authorizes requests itself and receives the session's token.
        self.forwards_token = forwards_token
        self.requirements = requirements
        expression = ".*".join(map(re.escape, _PARAMETER.sub("\0", path).split("*")))
        for name in self.parameters:
            expression = expression.replace("\0", f"(?P<{name}>[^/]+)", 1)
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

    def is_directory(self, path: str) -> bool:
        """Return True if the rule's pattern is a matched path followed by /*."""
        directory = self.path.removesuffix("/*")
        return directory != self.path and "*" not in directory and (
            path.count("/") == directory.count("/")
        )  # fmt: skip

    def requirements_for(self, path: str) -> tuple[ClaimRequirement, ...]:
        """Return the requirements of a path that the rule matches."""
        match = self._expression.fullmatch(path) if self.parameters else None
        if match is None:
            return self.requirements
        return tuple(it.with_parameters(match.groupdict()) for it in self.requirements)


def sample_paths(pattern: str) -> list[str]:
    """Return paths that stand for all paths of a pattern.

    Another pattern matches every path of `pattern` if and only if it matches all of them: each
    wildcard is replaced by a character that only a wildcard or a parameter matches, and by two
    segments, which a parameter doesn't match. A parameter is replaced by the character.
    """
    pattern = _PARAMETER.sub(ANY_CHARACTER, pattern)
    patterns = [pattern]
    if pattern.endswith("/*") and len(pattern) > 2:
        patterns.append(pattern[:-2])
    replacements = (ANY_CHARACTER, f"{ANY_CHARACTER}/{ANY_CHARACTER}")
    samples = [it.replace("*", replacement) for replacement in replacements for it in patterns]
    return list(dict.fromkeys(samples))


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
        or not PATH_PATTERN.fullmatch(_PARAMETER.sub("", path))
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
    _check_parameters(key, path, requirements)
    app_page = value.get("app_page", "")
    if app_page != "" and (not isinstance(app_page, str) or not PATH_PATTERN.fullmatch(app_page)):
        raise SettingsError(f"{key}.app_page", "must be a path of the rule, such as /app/a.html")
    return PathRule(
        path,
        public=public,
        requirements=requirements,
        forwards_token=forwards,
        app_page=app_page,
    )


def _check_parameters(key: str, path: str, requirements: tuple[ClaimRequirement, ...]) -> None:
    """Require that each parameter of the path decides, and that values name no other one.

    Raises:
        SettingsError: A parameter is unused, unknown or repeated.
    """
    names = _PARAMETER.findall(path)
    used = {
        name
        for requirement in requirements
        for value in (requirement.any_of or frozenset()) | (requirement.all_of or frozenset())
        if isinstance(value, str)
        for name in re.findall(r"\{(.*?)\}", value)
    }
    if used != set(names) or len(used) < len(names):
        raise SettingsError(
            f"{key}.path", "must have each parameter, such as {course}, that the requirements name"
        )


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
