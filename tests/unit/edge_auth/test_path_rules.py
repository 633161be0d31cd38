"""Path rules: patterns, precedence and claim requirements."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth.errors import NotEntitledError
from edge_auth.path_rules import check_requirements, match_rule
from edge_auth.rule_settings import PathRule, sample_paths
from edge_auth.settings import Settings, parse
from tests.unit.edge_auth import issuer


def settings(*documents: dict[str, Any]) -> Settings:
    return parse(issuer.settings(rules=list(documents), upgrade_path=None))


def rules(*documents: dict[str, Any]) -> tuple[PathRule, ...]:
    return settings(*documents).rules


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
    (rule,) = rules({"path": pattern, "signed_in": True})
    assert rule.matches(path) is matches


def test_first_matching_rule_wins_and_no_match_is_denied() -> None:
    all_rules = settings(
        {"path": "/premium/free/*", "public": True}, {"path": "/premium/*", "signed_in": True}
    )
    assert match_rule(all_rules, "/premium/free/a").public
    assert not match_rule(all_rules, "/premium/a").public
    with pytest.raises(NotEntitledError):
        match_rule(all_rules, "/other")


_patterns = st.lists(st.sampled_from(["a", "b", "/", "*", "a*", "/*"]), max_size=5).map(
    lambda parts: "/" + "".join(parts).replace("//", "/").lstrip("/")
)


@given(_patterns, _patterns, st.lists(st.sampled_from("ab/c"), max_size=6))
def test_pattern_that_matches_all_samples_matches_every_path(
    inner: str, outer: str, characters: list[str]
) -> None:
    (inside,), (around,) = ([it] for it in map(_rule_of, (inner, outer)))
    if all(around.matches(sample) for sample in sample_paths(inner)):
        for path in (f"/{''.join(characters)}", inner.replace("*", "".join(characters))):
            assert not inside.matches(path) or around.matches(path)
    else:
        assert any(inside.matches(sample) for sample in sample_paths(inner))


def _rule_of(pattern: str) -> PathRule:
    return PathRule(pattern, public=False, requirements=())


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
