"""Cookies: parsing, chunks, deletion, and removal before the origin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import cookies, session
from edge_auth.errors import SessionTooLargeError
from edge_auth.viewer_request import ViewerRequest
from tests.unit.edge_auth.viewer_events import viewer_request

_VALUES = st.text("abcXYZ019._-~", max_size=3 * cookies.MAX_CHUNK_BYTES)


def stored(lines: list[str]) -> dict[str, str]:
    pairs = (line.split(";")[0].partition("=") for line in lines if not line.endswith("Max-Age=0"))
    return {name: value for name, _, value in pairs}


@given(_VALUES.filter(lambda text: not text.startswith("~")))
def test_cookie_value_round_trips(text: str) -> None:
    jar = stored(cookies.set_cookie(cookies.TOKEN_COOKIE, text, 60))
    assert cookies.read_chunked(jar, cookies.TOKEN_COOKIE) == text
    assert all(len(name) + len(value) <= 4_096 for name, value in jar.items())


@pytest.mark.parametrize(
    ("length", "count"),
    [
        (cookies.MAX_CHUNK_BYTES, 1),
        (cookies.MAX_CHUNK_BYTES + 1, 2),
        (2 * cookies.MAX_CHUNK_BYTES + 1, 3),
        (3 * cookies.MAX_CHUNK_BYTES, 3),
    ],
)
def test_long_value_is_split_into_chunks(length: int, count: int) -> None:
    assert len(cookies.set_cookie(cookies.TOKEN_COOKIE, "x" * length, 60)) == count


def test_value_over_three_chunks_is_rejected() -> None:
    with pytest.raises(SessionTooLargeError):
        cookies.set_cookie(cookies.TOKEN_COOKIE, "x" * (3 * cookies.MAX_CHUNK_BYTES + 1), 60)


def test_stale_chunks_are_ignored_and_deleted() -> None:
    jar = stored(cookies.set_cookie(cookies.TOKEN_COOKIE, "x" * 3 * cookies.MAX_CHUNK_BYTES, 60))
    lines = cookies.set_cookie(cookies.TOKEN_COOKIE, "short", 60, jar)
    assert len(lines) == 3
    assert cookies.read_chunked(jar | stored(lines), cookies.TOKEN_COOKIE) == "short"


def test_missing_chunk_gives_empty_value() -> None:
    jar = stored(cookies.set_cookie(cookies.TOKEN_COOKIE, "x" * 3 * cookies.MAX_CHUNK_BYTES, 60))
    del jar[f"{cookies.TOKEN_COOKIE}.2"]
    assert cookies.read_chunked(jar, cookies.TOKEN_COOKIE) == ""


def test_first_value_counts_across_all_cookie_headers() -> None:
    lines = [
        f"a=b; {cookies.TOKEN_COOKIE}=one",
        f"{cookies.TOKEN_COOKIE}=two;{cookies.REFRESH_TOKEN_COOKIE}=r",
    ]
    assert cookies.parse_cookies(lines) == {
        cookies.TOKEN_COOKIE: "one",
        cookies.REFRESH_TOKEN_COOKIE: "r",
    }


def test_delete_uses_same_attributes_as_set() -> None:
    (set_line,) = cookies.set_cookie(cookies.TOKEN_COOKIE, "x", 60)
    (delete_line,) = cookies.delete_cookies([cookies.TOKEN_COOKIE])
    assert set_line.split("; ")[1:-1] == delete_line.split("; ")[1:-1]


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (f"a=b; {cookies.TOKEN_COOKIE}=x; c=d", "a=b; c=d"),
        (f"{cookies.TOKEN_COOKIE}=x", ""),
        (
            f"{cookies.TOKEN_COOKIE}.2=x;{cookies.SIGN_IN_COOKIE_PREFIX}abc=y;  {cookies.PREFIX}=z",
            "",
        ),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_own_cookies_are_stripped_from_cookie_header(line: str, left: str) -> None:
    assert cookies.strip_own_cookies(line) == left


def test_delete_all_stays_below_response_size_limit() -> None:
    names = {f"{cookies.SIGN_IN_COOKIE_PREFIX}{number:012}": "x" for number in range(700)}
    lines = cookies.delete_all(names)
    assert sum(map(len, lines)) < 20_000


def test_delete_all_skips_malformed_cookie_names() -> None:
    lines = cookies.delete_all({f"{cookies.PREFIX}x\\evil": "", f"{cookies.PREFIX}ok": ""})
    assert any(line.startswith(f"{cookies.PREFIX}ok=") for line in lines)
    assert [line for line in lines if "evil" in line] == []


@pytest.mark.parametrize(("extra", "fits"), [(0, True), (1, False)])
def test_session_over_9216_bytes_is_rejected(extra: int, fits: bool) -> None:
    request = ViewerRequest(viewer_request())
    token, refresh = "t" * 5_000, "r" * (session.MAX_SESSION_BYTES - 5_000 + extra)
    if fits:
        assert session.session_cookies(request, token, refresh, 60)
    else:
        with pytest.raises(SessionTooLargeError):
            session.session_cookies(request, token, refresh, 60)
