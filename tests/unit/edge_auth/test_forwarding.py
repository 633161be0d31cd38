"""What of a signed-in browser reaches an origin that judges tokens itself: the school's API."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import cookies, decision
from edge_auth.errors import SettingsError
from edge_auth.gate import Gate
from edge_auth.settings import parse
from tests import strategies
from tests.unit.edge_auth import issuer, legal
from tests.unit.edge_auth.browser import Result
from tests.unit.edge_auth.conftest import gate_of
from tests.unit.edge_auth.events import PAGE, viewer_request

TOKEN = issuer.token()
SESSION = {cookies.TOKEN: TOKEN, cookies.REFRESH: "a-refresh-token", "theme": "dark"}
#: What a browser adds to a request of a page of ours (W3C Fetch Metadata, section 2.4).
OURS = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}


def passed(gate: Gate, event: dict[str, Any]) -> Result:
    result = decision.answer(gate, event)[1].result
    legal.check(result, event)
    assert "status" not in result
    return result


def authorization(result: Result) -> list[str]:
    return [it["value"] for it in result["headers"].get("authorization", [])]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_the_session_of_our_own_page_is_shown_as_a_bearer_token(gate: Gate, method: str) -> None:
    event = viewer_request("/api/profile", method=method, headers=OURS, cookies=SESSION)
    result = passed(gate, event)
    assert authorization(result) == [f"Bearer {TOKEN}"]
    assert result["uri"] == "/api/profile"


def test_no_cookie_reaches_the_origin(gate: Gate) -> None:
    for headers in (OURS, {}, {"Authorization": "Bearer mine"}):
        event = viewer_request("/api/profile", headers=headers, cookies=SESSION)
        assert "cookie" not in passed(gate, event)["headers"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "none"},  # typed into the address bar
        {"Sec-Fetch-Site": "same-site"},  # another host of the same registered domain
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "Same-Origin"},
        {"Sec-Fetch-Site": "same-origin, cross-site"},
        {"Origin": f"https://{issuer.HOST}"},
        {"Referer": f"https://{issuer.HOST}/app/"},
        {"X-Requested-With": "XMLHttpRequest"},
        PAGE,
        {**PAGE, "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_who_is_not_our_own_page_brings_nobody_along(gate: Gate, headers: dict[str, str]) -> None:
    event = viewer_request("/api/profile", headers=headers, cookies=SESSION)
    assert authorization(passed(gate, event)) == []


def test_two_words_about_where_it_comes_from_are_none(gate: Gate) -> None:
    event = viewer_request("/api/profile", headers=OURS, cookies=SESSION)
    request: Any = event["Records"][0]["cf"]["request"]  # type: ignore[index]  # an event
    request["headers"]["sec-fetch-site"] *= 2
    assert authorization(passed(gate, event)) == []


@pytest.mark.parametrize("value", ["Bearer mine", "Basic eDp5", "", "mine"])
def test_a_header_of_the_clients_own_wins_and_is_judged_behind_us(gate: Gate, value: str) -> None:
    headers = {**OURS, "Authorization": value}
    event = viewer_request("/api/profile", headers=headers, cookies=SESSION)
    assert authorization(passed(gate, event)) == [value]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_token_in_chunks_is_put_together(gate: Gate, count: int) -> None:
    token = issuer.token(issuer.access_claims(note="x" * (2_500 * (count - 1))))
    lines = [line.partition(";")[0] for line in cookies.setting(cookies.TOKEN, token, 60)]
    assert len(lines) == count
    session = dict(line.split("=", 1) for line in lines)
    event = viewer_request("/api/profile", headers=OURS, cookies=session)
    assert authorization(passed(gate, event)) == [f"Bearer {token}"]
    session.popitem()
    event = viewer_request("/api/profile", headers=OURS, cookies=session)
    assert authorization(passed(gate, event)) == []


def test_an_expired_token_is_the_origins_to_refuse(gate: Gate) -> None:
    """Where nobody needs to be signed in, an old session in the browser is in nobody's way."""
    old = issuer.token(issuer.access_claims(exp=issuer.NOW - 1))
    event = viewer_request("/api/accounts", headers=OURS, cookies={cookies.TOKEN: old})
    assert authorization(passed(gate, event)) == [f"Bearer {old}"]


@pytest.mark.parametrize(
    "value", ["", "a", "a.b", "a.b.c.d", "a b.c.d", "é.b.c", f"{'a' * 8189}.b.c"]
)
def test_what_is_no_token_is_not_shown(gate: Gate, value: str) -> None:
    event = viewer_request("/api/profile", headers=OURS, cookies={cookies.TOKEN: value})
    assert authorization(passed(gate, event)) == []


def test_the_longest_token_is_shown(gate: Gate) -> None:
    longest = f"{'a' * 8188}.b.c"
    lines = [line.partition(";")[0] for line in cookies.setting(cookies.TOKEN, longest, 60)]
    session = dict(line.split("=", 1) for line in lines)
    event = viewer_request("/api/profile", headers=OURS, cookies=session)
    assert authorization(passed(gate, event)) == [f"Bearer {longest}"]


@pytest.mark.parametrize(
    ("uri", "gone_on"),
    [
        ("/api/", "/api/"),
        ("/api/accounts", "/api/accounts"),
        ("/api/appointments/a/2026-12-01T09%3A30%3A00Z", None),
        ("/api//accounts", "/api/accounts"),
        ("/api/x/../profile", "/api/profile"),
    ],
)
def test_no_page_is_looked_for_and_what_was_judged_goes_on(
    gate: Gate, uri: str, gone_on: str | None
) -> None:
    event = viewer_request(uri, headers=OURS, cookies=SESSION)
    assert passed(gate, event)["uri"] == (gone_on or uri)


def test_identity_headers_are_still_ours_alone(gate: Gate) -> None:
    headers = {**OURS, "X-Meridian-Subject": "forged", "x_meridian_groups": "paying"}
    event = viewer_request("/api/profile", headers=headers, cookies=SESSION)
    assert not any("meridian" in name for name in passed(gate, event)["headers"])


GATE = gate_of(issuer.Clock())


@given(strategies.viewer_requests(), st.booleans())
def test_no_other_path_shows_a_token(event: dict[str, Any], from_our_page: bool) -> None:
    """Whatever else is in the request: a token is added on /api/ only, and for our pages only."""
    request = event["Records"][0]["cf"]["request"]
    request["headers"]["cookie"] = [{"key": "Cookie", "value": f"{cookies.TOKEN}={TOKEN}"}]
    if from_our_page:
        request["headers"]["sec-fetch-site"] = [{"key": "Sec-Fetch-Site", "value": "same-origin"}]
    else:
        request["headers"].pop("sec-fetch-site", None)
    before = request["headers"].get("authorization", [])
    result: Result = decision.answer(GATE, event)[1].result
    if "status" in result:
        return
    if result["headers"].get("authorization", []) != before and not result["uri"].startswith(
        "/premium"
    ):
        assert from_our_page
        assert f"{result['uri']}/".startswith("/api/")


@pytest.mark.parametrize(
    "rule",
    [
        {"forwards_token": True, "public": True},
        {"forwards_token": True, "signed_in": True},
        {"forwards_token": True, "groups": {"any": ["paying"]}},
        {"forwards_token": False},
        {"forwards_token": "yes"},
    ],
)
def test_such_a_rule_stands_alone(rule: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"rules\[0\]"):
        parse(issuer.settings(rules=[{"path": "/api/*", **rule}]))
