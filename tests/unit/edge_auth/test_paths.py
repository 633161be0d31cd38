"""Decoding and encoding paths, and validating return URLs."""

import pytest
from hypothesis import given

from edge_auth.errors import PathError
from edge_auth.paths import (
    decode_path,
    encode_path,
    is_local_url,
    percent_encode,
    return_url,
    without_parameters,
)
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
        ("/premium;v=1/a;b", "/premium;v=1/a;b"),
        ("/premium%3Bv=1/a", "/premium;v=1/a"),
        (
            "/\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "/\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        ("/%F0%9F%91%A9%E2%80%8D%F0%9F%8F%AB.mp4", "/\U0001f469\u200d\U0001f3eb.mp4"),
        ("/a%C2%A0b", "/a\u00a0b"),
        ("/a%C2%ADb", "/a\u00adb"),
        ("/premium%2fa", "/premium/a"),
        ("/../../..", "/"),
        ("/a/.", "/a/"),
        ("/a/..", "/"),
        ("/premium/caf%C3%A9 x", "/premium/café x"),
        ("/100%25.html", "/100%.html"),
    ],
)
def test_decode_path_normalizes(uri: str, path: str) -> None:
    assert decode_path(uri) == path


@pytest.mark.parametrize(
    ("path", "reading"),
    [
        ("/premium;v=1/a;b", "/premium/a"),
        ("/..;/premium/a", "/premium/a"),
        ("/a/..;x/premium/", "/premium/"),
        ("/;x/;y/a", "/a"),
        ("/a;x/", "/a/"),
    ],
)
def test_parameters_are_removed_as_some_servers_do(path: str, reading: str) -> None:
    assert without_parameters(path) == reading


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


@pytest.mark.parametrize("uri", ["", "/\x7f", "/\x1f", "/\x80", "/%C2%9F", "/\ud800", *AMBIGUOUS])
def test_ambiguous_path_is_rejected(uri: str) -> None:
    with pytest.raises(PathError):
        decode_path(uri)


@given(strategies.viewer_uris)
def test_decoded_path_round_trips(uri: str) -> None:
    try:
        path = decode_path(uri)
    except PathError:
        return
    assert decode_path(percent_encode(path)) == path
    assert decode_path(encode_path(uri, path)) == path
    assert not {".", ".."} & set(path.split("/"))
    assert "//" not in path


def test_encode_path_keeps_equivalent_uri() -> None:
    assert encode_path("/a%20b/%C3%A9", "/a b/é") == "/a%20b/%C3%A9"
    assert encode_path("/x/../a%20b", "/a b") == "/a%20b"
    assert encode_path("/a b/é", "/a b/é") == "/a%20b/%C3%A9"


@pytest.mark.parametrize(("length", "local"), [(2_048, True), (2_049, False)])
def test_return_url_limit_is_2048_characters(length: int, local: bool) -> None:
    assert is_local_url("/" + "a" * (length - 1)) is local


def test_long_return_url_drops_query_then_path() -> None:
    assert return_url("/a", "q" * 2_045) == "/a?" + "q" * 2_045
    assert return_url("/a", "q" * 2_046) == "/a"
    assert return_url("/" + "a" * 2_048, "q") == "/"


# From public lists of open-redirect payloads.
FOREIGN = [
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
MALFORMED = ["", " /x", "/ evil", "/\t/evil.example", "/\n/evil.example", "/a\r\nSet-Cookie: b"]
UNICODE = ["\u2044evil.example", "/\u3002evil.example"]


@pytest.mark.parametrize("url", [*FOREIGN, *MALFORMED, *UNICODE])
def test_foreign_url_is_not_local(url: str) -> None:
    assert not is_local_url(url)


@pytest.mark.parametrize("url", ["/", "/a?b=c&d=%2F%2Fx", "/a?next=//x", "/a%20b", "/@x", "/auth0"])
def test_site_url_is_local(url: str) -> None:
    assert is_local_url(url)
