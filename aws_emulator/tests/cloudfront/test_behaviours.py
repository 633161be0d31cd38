"""Path patterns against a tiny reference, and paths as RFC 3986 reads them."""

import pytest
from hypothesis import given

from aws_emulator.cloudfront.behaviours import matches, normalise, select
from aws_emulator.cloudfront.model import Behaviour
from aws_emulator.cloudfront.policies import CachePolicy
from aws_emulator.tests import strategies

CACHE = CachePolicy("cache", 0, 0, 0)


def reference(pattern: str, path: str) -> bool:
    """`*` takes any run, `?` one character, anything else itself."""
    if not pattern:
        return not path
    if pattern[0] == "*":
        return reference(pattern[1:], path) or (bool(path) and reference(pattern, path[1:]))
    return bool(path) and pattern[0] in {"?", path[0]} and reference(pattern[1:], path[1:])


@given(strategies.edge_patterns, strategies.edge_paths)
def test_a_pattern_matches_what_the_reference_matches(pattern: str, path: str) -> None:
    rooted = pattern if pattern[0] in "/*" else "/" + pattern
    assert matches(pattern, path) == reference(rooted, path)


@given(strategies.edge_patterns, strategies.edge_paths)
def test_the_slash_before_a_pattern_changes_nothing(pattern: str, path: str) -> None:
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
def test_the_examples_of_the_page(pattern: str, path: str, expected: bool) -> None:
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
def test_a_path_is_normalised_before_it_is_matched(path: str, expected: str) -> None:
    assert normalise(path) == expected


@given(strategies.edge_paths)
def test_a_normal_path_is_rooted_and_stays_as_it_is(path: str) -> None:
    normal = normalise(path)
    assert normal.startswith("/")
    assert "//" not in normal
    assert not {".", ".."} & set(normal.split("/"))
    assert normalise(normal) == normal


@given(strategies.edge_paths)
def test_the_first_behaviour_that_matches_answers_and_the_default_takes_the_rest(
    path: str,
) -> None:
    listed = [Behaviour(pattern, "o", CACHE) for pattern in ("/a*", "/a/b*", "*P", "*")]
    chosen = select(listed, path).pattern
    wanted = normalise(path)
    assert chosen == next(
        each.pattern for each in listed if each.pattern == "*" or reference(each.pattern, wanted)
    )
