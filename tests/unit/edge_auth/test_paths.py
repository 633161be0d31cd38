"""One reading of every path."""

import pytest
from hypothesis import given

from edge_auth.errors import PathError
from edge_auth.paths import canonical, is_local, percent_encode, spelled, target
from tests import strategies


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/", "/"),
        ("/a/b.html", "/a/b.html"),
        ("/premium/%2e%2e/app/x", "/app/x"),
        ("/x/../premium/", "/premium/"),
        ("/x/%2E%2E/%70remium/a", "/premium/a"),
        ("//premium//a", "/premium/a"),
        ("/./premium/./a", "/premium/a"),
        ("/premium;v=1/a;b", "/premium/a"),
        ("/premium%3Bv=1/a", "/premium/a"),
        ("/..;/premium/a", "/premium/a"),
        ("/a/..;x/premium/", "/premium/"),
        ("/premium%2fa", "/premium/a"),
        ("/../../..", "/"),
        ("/a/.", "/a/"),
        ("/a/..", "/"),
        ("/premium/caf%C3%A9 x", "/premium/café x"),
        ("/100%25.html", "/100%.html"),
    ],
)
def test_readings(uri: str, path: str) -> None:
    assert canonical(uri) == path


AMBIGUOUS = [
    "a",
    "*",
    "/%",
    "/%2",
    "/%zz",
    "/%252e",
    "/a%2541",
    "/\\a",
    "/%5ca",
    "/a%00",
    "/%0d%0a",
    "/%c0%af",
    "/%ff",
    "http://evil.example/",
]


@pytest.mark.parametrize("uri", ["", "/\x7f", "/\u2028", "/\ud800", *AMBIGUOUS])
def test_what_has_no_single_reading_is_refused(uri: str) -> None:
    with pytest.raises(PathError):
        canonical(uri)


@given(strategies.viewer_uris)
def test_a_reading_is_read_as_itself(uri: str) -> None:
    try:
        path = canonical(uri)
    except PathError:
        return
    assert canonical(percent_encode(path)) == path
    assert canonical(spelled(uri, path)) == path
    assert not {".", ".."} & set(path.split("/"))
    assert "//" not in path


def test_a_plain_path_keeps_its_spelling() -> None:
    assert spelled("/a%20b/%C3%A9", "/a b/é") == "/a%20b/%C3%A9"
    assert spelled("/x/../a%20b", "/a b") == "/a%20b"
    assert spelled("/a b/é", "/a b/é") == "/a%20b/%C3%A9"


@pytest.mark.parametrize(("length", "local"), [(2_048, True), (2_049, False)])
def test_the_longest_return_address(length: int, local: bool) -> None:
    assert is_local("/" + "a" * (length - 1)) is local


def test_a_return_address_that_is_too_long_loses_its_query_and_then_itself() -> None:
    assert target("/a", "q" * 2_045) == "/a?" + "q" * 2_045
    assert target("/a", "q" * 2_046) == "/a"
    assert target("/" + "a" * 2_048, "q") == "/"


# The tricks of the public lists, in a few words each.
ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "evil.example",
    "https://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "@evil.example",
    ".evil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%5cevil.example",
    "/%5c%5cevil.example",
    "/%00",
    "/%ff",
    "?x",
    "/x#//evil",
    "/auth",
    "/auth/sign-out",
    "/%61uth/sign-out",
    "/auth;x/y",
    "/x/..//auth/refresh",
]
ODD = ["", " /x", "/ evil", "/\t/evil.example", "/\n/evil.example", "/a\r\nSet-Cookie: b"]
UNICODE = ["\u2044evil.example", "/\u3002evil.example"]


@pytest.mark.parametrize("address", [*ELSEWHERE, *ODD, *UNICODE])
def test_addresses_that_are_none_of_this_site(address: str) -> None:
    assert not is_local(address)


@pytest.mark.parametrize(
    "address", ["/", "/a?b=c&d=%2F%2Fx", "/a?next=//x", "/a%20b", "/@x", "/auth0"]
)
def test_addresses_of_this_site(address: str) -> None:
    assert is_local(address)
