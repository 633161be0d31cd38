"""Cookies: read, split, cleared, kept from the origin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import cookies, session
from edge_auth.errors import SessionTooLargeError
from edge_auth.request import Request
from tests.unit.edge_auth.events import viewer_request

_VALUES = st.text("abcXYZ019._-~", max_size=3 * cookies.CHUNK)


def kept(lines: list[str]) -> dict[str, str]:
    pairs = (line.split(";")[0].partition("=") for line in lines if not line.endswith("Max-Age=0"))
    return {name: value for name, _, value in pairs}


@given(_VALUES.filter(lambda text: not text.startswith("~")))
def test_what_is_set_is_read(text: str) -> None:
    jar = kept(cookies.setting(cookies.TOKEN, text, 60))
    assert cookies.value(jar, cookies.TOKEN) == text
    assert all(len(name) + len(value) <= 4_096 for name, value in jar.items())


@pytest.mark.parametrize(
    ("length", "count"),
    [
        (cookies.CHUNK, 1),
        (cookies.CHUNK + 1, 2),
        (2 * cookies.CHUNK + 1, 3),
        (3 * cookies.CHUNK, 3),
    ],
)
def test_a_long_value_is_split(length: int, count: int) -> None:
    assert len(cookies.setting(cookies.TOKEN, "x" * length, 60)) == count


def test_a_value_past_the_last_chunk_is_refused() -> None:
    with pytest.raises(SessionTooLargeError):
        cookies.setting(cookies.TOKEN, "x" * (3 * cookies.CHUNK + 1), 60)


def test_left_over_chunks_are_neither_read_nor_left() -> None:
    jar = kept(cookies.setting(cookies.TOKEN, "x" * 3 * cookies.CHUNK, 60))
    lines = cookies.setting(cookies.TOKEN, "short", 60, jar)
    assert len(lines) == 3
    assert cookies.value(jar | kept(lines), cookies.TOKEN) == "short"


def test_a_missing_chunk_is_a_missing_value() -> None:
    jar = kept(cookies.setting(cookies.TOKEN, "x" * 3 * cookies.CHUNK, 60))
    del jar[f"{cookies.TOKEN}.2"]
    assert cookies.value(jar, cookies.TOKEN) == ""


def test_of_two_cookies_the_first_counts_and_headers_are_joined() -> None:
    lines = [f"a=b; {cookies.TOKEN}=one", f"{cookies.TOKEN}=two;{cookies.REFRESH}=r"]
    assert cookies.read(lines) == {cookies.TOKEN: "one", cookies.REFRESH: "r"}


def test_a_cookie_is_cleared_with_the_attributes_it_was_set_with() -> None:
    (setting,) = cookies.setting(cookies.TOKEN, "x", 60)
    (clearing,) = cookies.clearing([cookies.TOKEN])
    assert setting.split("; ")[1:-1] == clearing.split("; ")[1:-1]


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (f"a=b; {cookies.TOKEN}=x; c=d", "a=b; c=d"),
        (f"{cookies.TOKEN}=x", ""),
        (f"{cookies.TOKEN}.2=x;{cookies.LOGIN}abc=y;  {cookies.PREFIX}=z", ""),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_the_origin_sees_none_of_ours(line: str, left: str) -> None:
    assert cookies.without_ours(line) == left


def test_a_flood_of_names_does_not_make_an_answer_too_long() -> None:
    names = {f"{cookies.LOGIN}{number:012}": "x" for number in range(700)}
    lines = cookies.clearing_all(names)
    assert sum(map(len, lines)) < 20_000


def test_a_name_that_is_none_of_ours_never_goes_back() -> None:
    lines = cookies.clearing_all({f"{cookies.PREFIX}x\\evil": "", f"{cookies.PREFIX}ok": ""})
    assert [line for line in lines if "evil" in line] == []


@pytest.mark.parametrize(("extra", "fits"), [(0, True), (1, False)])
def test_a_session_that_would_lock_the_browser_out_is_refused(extra: int, fits: bool) -> None:
    request = Request(viewer_request())
    token, refresh = "t" * 5_000, "r" * (session.MAXIMUM_SESSION - 5_000 + extra)
    if fits:
        assert session.kept(request, token, refresh, 60)
    else:
        with pytest.raises(SessionTooLargeError):
            session.kept(request, token, refresh, 60)
