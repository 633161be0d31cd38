"""Path rules: patterns, precedence and claim requirements."""

import re
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
        check_requirements(rule_of_path, claims, "/page")
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


def _without_repeated_parameter(pattern: str) -> bool:
    return pattern.count("{x}") < 2


_patterns = (
    st.lists(st.sampled_from(["a", "b", "/", "*", "a*", "/*", "/{x}/", "/{x}"]), max_size=5)
    .map(lambda parts: "/" + "".join(parts).replace("//", "/").lstrip("/"))
    .filter(_without_repeated_parameter)
)


@given(_patterns, _patterns, st.lists(st.sampled_from("ab/c"), max_size=6))
def test_pattern_that_matches_all_samples_matches_every_path(
    inner: str, outer: str, characters: list[str]
) -> None:
    (inside,), (around,) = ([it] for it in map(_rule_of, (inner, outer)))
    if all(around.matches(sample) for sample in sample_paths(inner)):
        text = re.sub("/+", "/", "".join(characters))
        paths = (f"/{text}", inner.replace("*", text), inner.replace("{x}", "b").replace("*", text))
        for path in (re.sub("/+", "/", it) for it in paths):
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


COURSE = {"path": "/courses/{course}/*", "claims": {"courses": {"any": ["{course}"]}}}


def opens(rule: dict[str, Any], path: str, **claims: Any) -> bool:
    all_rules = settings(rule)
    try:
        check_requirements(match_rule(all_rules, path), claims, path)
    except NotEntitledError:
        return False
    return True


@pytest.mark.parametrize(
    ("path", "courses", "passes"),
    [
        ("/courses/go/a.html", ["go"], True),
        ("/courses/go/", ["rust", "go"], True),
        ("/courses/go", ["go"], True),
        ("/courses/go/deep/a.html", ["go"], True),
        ("/courses/go/a.html", ["rust"], False),
        ("/courses/go/a.html", ["g", "go2", "Go", "{course}"], False),
        ("/courses/go/a.html", [], False),
        ("/courses/go/a.html", "go", True),
        ("/courses/go/a.html", [["go"], {"go": 1}], False),
        ("/courses/go;x/a.html", ["go"], False),
        ("/courses/{course}/a.html", ["go"], False),
        # Without a course, no rule matches.
        ("/courses/", ["go", ""], False),
        ("/courses", ["go", ""], False),
    ],
)
def test_course_of_path_must_be_in_claim(path: str, courses: Any, passes: bool) -> None:
    assert opens(COURSE, path, courses=courses) is passes


@given(st.text(min_size=1), st.lists(st.text(min_size=1), max_size=4))
def test_path_opens_only_with_its_own_course(course: str, courses: list[str]) -> None:
    passes = opens(COURSE, f"/courses/{course}/lesson.html", courses=courses)
    assert passes == (course.partition("/")[0] in courses)


def test_segment_that_looks_like_a_parameter_names_no_other_segment() -> None:
    rule = {"path": "/{school}/{course}/*", "claims": {"bought": {"any": ["{school}:{course}"]}}}
    assert opens(rule, "/north/go/a.html", bought=["north:go"])
    assert not opens(rule, "/{course}/go/a.html", bought=["go:go"])


MACHINE = {"sub": issuer.CLIENT, "client_id": issuer.CLIENT, "scope": "reports/read"}


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        ({"scopes": {"any": ["reports/read"]}}, True),
        ({"scopes": {"any": ["reports/write"]}}, False),
        ({"signed_in": True}, False),
        ({"claims": {"client_id": issuer.CLIENT}}, False),
    ],
)
def test_machine_token_needs_a_rule_with_its_scope(rule: dict[str, Any], passes: bool) -> None:
    assert entitled(rule, **MACHINE) is passes
