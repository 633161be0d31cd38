"""Tests of path patterns and path normalisation."""

import pytest
from hypothesis import given

from aws_emulator.cloudfront.model import CacheBehavior
from aws_emulator.cloudfront.policies import CachePolicy
from aws_emulator.cloudfront.stages.path_pattern import matches, normalise, select_behavior
from aws_emulator.tests.cloudfront import strategies

CACHE = CachePolicy("cache", 0, 0, 0)


def reference(pattern: str, path: str) -> bool:
    """Match recursively: `*` any characters, `?` one character, any other itself."""
    if not pattern:
        return not path
    if pattern[0] == "*":
        return reference(pattern[1:], path) or (bool(path) and reference(pattern, path[1:]))
    return bool(path) and pattern[0] in {"?", path[0]} and reference(pattern[1:], path[1:])


@given(strategies.path_patterns, strategies.paths)
def test_pattern_matches_as_reference_does(pattern: str, path: str) -> None:
    rooted = pattern if pattern[0] in "/*" else "/" + pattern
    assert matches(pattern, path) == reference(rooted, path)


@given(strategies.path_patterns, strategies.paths)
def test_leading_slash_of_pattern_is_optional(pattern: str, path: str) -> None:
    if pattern[0] not in "/*":
        assert matches(pattern, path) == matches("/" + pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.jpg", "/a/b/c.jpg", True),
        ("*.jpg", "/LOGO.JPG", False),
        ("images/*.jpg", "/images/product1/x.jpg", True),
        ("images/*.jpg", "/other/images/x.jpg", False),
        ("a??.jpg", "/ant.jpg", True),
        ("a??.jpg", "/an.jpg", False),
        ("*.doc*", "/x.docx", True),
        ("/premium/*", "/premium/", True),
        ("/premium/*", "/premium", False),
        ("/a[b]+.txt", "/abb.txt", False),
        ("/a.b", "/a\nb", False),
        ("*.jpg", "/a\nb.jpg", True),
    ],
)
def test_documented_examples_match(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/premium/../index.html", "/index.html"),
        ("/x/../premium/a", "/premium/a"),
        ("//premium//a", "/premium/a"),
        ("/./premium/./a/.", "/premium/a/"),
        ("/%70remium/a", "/premium/a"),
        ("/premium%2fa", "/premium%2Fa"),
        ("/%2e%2E/premium/", "/premium/"),
        ("/../../", "/"),
        ("/", "/"),
        ("/a%zz", "/a%zz"),
    ],
)
def test_normalise_follows_rfc_3986(path: str, expected: str) -> None:
    assert normalise(path) == expected


@given(strategies.paths)
def test_normalise_is_idempotent(path: str) -> None:
    normal = normalise(path)
    assert normal.startswith("/")
    assert "//" not in normal
    assert not {".", ".."} & set(normal.split("/"))
    assert normalise(normal) == normal


@given(strategies.paths)
def test_select_behavior_returns_first_match_or_default(
    path: str,
) -> None:
    listed = [CacheBehavior(pattern, "o", CACHE) for pattern in ("/a*", "/a/b*", "*P", "*")]
    chosen = select_behavior(listed, path).path_pattern
    wanted = normalise(path)
    assert chosen == next(
        each.path_pattern
        for each in listed
        if each.path_pattern == "*" or reference(each.path_pattern, wanted)
    )
