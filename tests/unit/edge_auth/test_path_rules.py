"""Path rules: patterns, precedence and claim requirements."""

from typing import Any

import pytest

from edge_auth.errors import NotEntitledError
from edge_auth.path_rules import check_requirements, match_rule
from edge_auth.settings import PathRule, parse
from tests.unit.edge_auth import issuer


def rules(*documents: dict[str, Any]) -> tuple[PathRule, ...]:
    return parse(issuer.settings(rules=list(documents), upgrade_path=None)).rules


def entitled(rule: dict[str, Any], **claims: Any) -> bool:
    (rule_of_path,) = rules({"path": "/*", **rule})
    try:
        check_requirements(rule_of_path, claims)
    except NotEntitledError:
        return False
    return True


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/premium/*", "/premium/", True),
        ("/premium/*", "/premium/a/b", True),
        ("/premium/*", "/premium", True),
        ("/premium/*", "/premiumx", False),
        ("/premium/*", "/premium\n/x", False),
        ("/premium/*", "/x/premium/", False),
        ("/*", "/", True),
        ("/*.pdf", "/a/b.pdf", True),
        ("/*.pdf", "/a/bxpdf", False),
        ("/a/*/c", "/a/b/b/c", True),
        ("/exact", "/exact", True),
        ("/exact", "/exact/", False),
        ("/a.b", "/axb", False),
    ],
)
def test_pattern_matches_path(pattern: str, path: str, matches: bool) -> None:
    (rule,) = rules({"path": pattern, "public": True})
    assert rule.matches(path) is matches


def test_first_matching_rule_wins_and_no_match_is_denied() -> None:
    all_rules = rules(
        {"path": "/premium/free/*", "public": True}, {"path": "/premium/*", "signed_in": True}
    )
    assert match_rule(all_rules, "/premium/free/a").public
    assert not match_rule(all_rules, "/premium/a").public
    with pytest.raises(NotEntitledError):
        match_rule(all_rules, "/other")


GROUPS = "cognito:groups"


@pytest.mark.parametrize(
    ("rule", "claims", "passes"),
    [
        ({"signed_in": True}, {}, True),
        ({"groups": {"any": ["a", "b"]}}, {GROUPS: ["b", "c"]}, True),
        ({"groups": {"any": ["a", "b"]}}, {GROUPS: ["c"]}, False),
        ({"groups": {"any": ["a"]}}, {}, False),
        ({"groups": {"any": ["a"]}}, {GROUPS: "a"}, True),
        ({"groups": {"any": ["a"]}}, {GROUPS: "abc"}, False),
        ({"groups": {"any": ["a"]}}, {GROUPS: {"a": 1}}, False),
        ({"groups": {"any": ["a"]}}, {GROUPS: [["a"]]}, False),
        ({"groups": {"all": ["a", "b"]}}, {GROUPS: ["b", "a"]}, True),
        ({"groups": {"all": ["a", "b"]}}, {GROUPS: ["a"]}, False),
        ({"groups": {"any": ["a"], "all": ["b"]}}, {GROUPS: ["a"]}, False),
        ({"groups": {"any": ["a"], "all": ["b"]}}, {GROUPS: ["a", "b"]}, True),
        ({"scopes": {"any": ["x/read"]}}, {"scope": "openid x/read"}, True),
        ({"scopes": {"any": ["x/read"]}}, {"scope": "x/reader"}, False),
        ({"scopes": {"all": ["x", "y"]}}, {"scope": "y x"}, True),
        ({"claims": {"tier": "gold"}}, {"tier": "gold"}, True),
        ({"claims": {"tier": "gold"}}, {"tier": "golden"}, False),
        ({"claims": {"email_verified": True}}, {"email_verified": True}, True),
        ({"claims": {"email_verified": True}}, {"email_verified": 1}, False),
        ({"claims": {"email_verified": True}}, {"email_verified": "true"}, False),
        ({"claims": {"tier": {"any": ["gold", "silver"]}}}, {"tier": "silver"}, True),
        ({"claims": {"roles": {"all": ["a", "b"]}}}, {"roles": ["a", "b", "c"]}, True),
        ({"claims": {"scope": "a b"}}, {"scope": "a b"}, False),
        ({"groups": {"any": ["a"]}, "claims": {"t": "x"}}, {GROUPS: ["a"]}, False),
        ({"groups": {"any": ["a"]}, "claims": {"t": "x"}}, {GROUPS: ["a"], "t": "x"}, True),
    ],
)
def test_requirements_match_claims(
    rule: dict[str, Any], claims: dict[str, Any], passes: bool
) -> None:
    assert entitled(rule, **claims) is passes
