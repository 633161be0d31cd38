"""Compare edge_auth's path rules with the cache behaviors that invoke it. Pure.

edge_auth denies a path without a rule, and CloudFront doesn't invoke it for a path without a
behavior. A slip in either list could therefore deny paid pages, or leave them without protection.
"""

import re
from collections.abc import Sequence
from typing import Final

from edge_auth.rule_settings import PathRule, sample_paths
from edge_auth.settings import Settings
from edge_settings.errors import InvalidSettingsError

#: edge_auth generates the responses below this path, without a rule.
ENDPOINTS: Final = "/auth/*"


def check_coverage(settings: Settings, pages: Sequence[str], apis: Sequence[str]) -> None:
    """Check the rules against path patterns of cache behaviors.

    `pages` are the patterns whose origin stores pages, `apis` those whose origin authorizes
    requests itself.

    Raises:
        InvalidSettingsError: A rule has no behavior, a behavior has no rule that protects it, or
            the page after sign-out is protected.
    """
    if not any(_matches(pattern, "/auth/callback") for pattern in pages):
        raise InvalidSettingsError(
            f"No cache behavior with edge_auth has the path pattern {ENDPOINTS}, so that sign-in "
            f"can't work. The patterns are {', '.join(pages)}."
        )
    for rule in settings.rules:
        _check_rule(rule, apis if rule.forwards_token else pages)
    for pattern in [*pages, *apis]:
        if _slashed(pattern) != ENDPOINTS:
            _check_pattern(settings, pattern)
    _check_signed_out_page(settings, pages)


def _check_rule(rule: PathRule, patterns: Sequence[str]) -> None:
    sample = sample_paths(rule.path)[0]
    if not any(_matches(pattern, sample) for pattern in patterns):
        kind = "an API" if rule.forwards_token else "pages"
        raise InvalidSettingsError(
            f"The rule {rule.path} has paths that no cache behavior for {kind} sends to edge_auth. "
            f"Path patterns are case-sensitive; these are {', '.join(patterns) or 'none'}. Correct "
            "the rule, or add a behavior and its pattern."
        )


def _check_pattern(settings: Settings, pattern: str) -> None:
    slashed = _slashed(pattern).replace("?", "*")
    rule = settings.find_rule(sample_paths(slashed)[0])
    if rule is None:
        raise InvalidSettingsError(
            f"No rule covers the cache behavior {pattern}, so that edge_auth would deny its paths. "
            f"Add a rule for {slashed}."
        )
    if rule.public:
        raise InvalidSettingsError(
            f"The public rule {rule.path} opens the whole cache behavior {pattern}. Protect "
            f"{slashed} with a rule, and name the public paths in rules before it."
        )


def _check_signed_out_page(settings: Settings, pages: Sequence[str]) -> None:
    path = settings.signed_out_path
    rule = settings.find_rule(path)
    if any(_matches(pattern, path) for pattern in pages) and (rule is None or not rule.public):
        raise InvalidSettingsError(
            f"signed_out_path: students are redirected to {path} after sign-out, but a cache "
            "behavior protects it. Add a public rule for it, or name another page."
        )


def _slashed(pattern: str) -> str:
    """Return a path pattern with its optional leading slash (CloudFront, "Path pattern")."""
    return pattern if pattern.startswith("/") else f"/{pattern}"


def _matches(pattern: str, path: str) -> bool:
    wildcards = {"*": ".*", "?": "."}
    parts = (wildcards.get(character) or re.escape(character) for character in _slashed(pattern))
    return re.fullmatch("".join(parts), path, re.DOTALL) is not None
