"""Forwarding the session's token to the API, whose authorizer verifies it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import authorization, cookies
from edge_auth.context import AuthContext
from edge_auth.errors import SettingsError
from edge_auth.settings import parse
from tests import strategies
from tests.unit.edge_auth import cloudfront_rules, issuer
from tests.unit.edge_auth.conftest import create_context
from tests.unit.edge_auth.fake_browser import Result
from tests.unit.edge_auth.viewer_events import NAVIGATION_HEADERS, viewer_request

TOKEN = issuer.token()
SESSION = {
    cookies.TOKEN_COOKIE: TOKEN,
    cookies.REFRESH_TOKEN_COOKIE: "a-refresh-token",
    "theme": "dark",
}
#: The headers of a fetch from a page of the same origin (W3C Fetch Metadata, section 2.4).
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}


def forward(context: AuthContext, event: dict[str, Any]) -> Result:
    result = authorization.handle_viewer_request(context, event)[1].result
    cloudfront_rules.assert_valid_result(result, event)
    assert "status" not in result
    return result


def authorization_values(result: Result) -> list[str]:
    return [it["value"] for it in result["headers"].get("authorization", [])]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_same_origin_session_is_forwarded_as_bearer_token(
    context: AuthContext, method: str
) -> None:
    event = viewer_request("/api/profile", method=method, headers=SAME_ORIGIN, cookies=SESSION)
    result = forward(context, event)
    assert authorization_values(result) == [f"Bearer {TOKEN}"]
    assert result["uri"] == "/api/profile"


def test_api_origin_receives_no_cookie(context: AuthContext) -> None:
    for headers in (SAME_ORIGIN, {}, {"Authorization": "Bearer mine"}):
        event = viewer_request("/api/profile", headers=headers, cookies=SESSION)
        assert "cookie" not in forward(context, event)["headers"]


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
        NAVIGATION_HEADERS,
        {**NAVIGATION_HEADERS, "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_requests_forward_no_token(context: AuthContext, headers: dict[str, str]) -> None:
    event = viewer_request("/api/profile", headers=headers, cookies=SESSION)
    assert authorization_values(forward(context, event)) == []


def test_repeated_sec_fetch_site_forwards_no_token(context: AuthContext) -> None:
    event = viewer_request("/api/profile", headers=SAME_ORIGIN, cookies=SESSION)
    request: Any = event["Records"][0]["cf"]["request"]  # type: ignore[index]  # an event
    request["headers"]["sec-fetch-site"] *= 2
    assert authorization_values(forward(context, event)) == []


@pytest.mark.parametrize("value", ["Bearer mine", "Basic eDp5", "", "mine"])
def test_client_authorization_header_is_passed_unchanged(context: AuthContext, value: str) -> None:
    headers = {**SAME_ORIGIN, "Authorization": value}
    event = viewer_request("/api/profile", headers=headers, cookies=SESSION)
    assert authorization_values(forward(context, event)) == [value]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_chunked_token_is_joined(context: AuthContext, count: int) -> None:
    token = issuer.token(issuer.access_claims(note="x" * (2_500 * (count - 1))))
    lines = [line.partition(";")[0] for line in cookies.set_cookie(cookies.TOKEN_COOKIE, token, 60)]
    assert len(lines) == count
    session = dict(line.split("=", 1) for line in lines)
    event = viewer_request("/api/profile", headers=SAME_ORIGIN, cookies=session)
    assert authorization_values(forward(context, event)) == [f"Bearer {token}"]
    session.popitem()
    event = viewer_request("/api/profile", headers=SAME_ORIGIN, cookies=session)
    assert authorization_values(forward(context, event)) == []


def test_expired_token_is_forwarded(context: AuthContext) -> None:
    """The authorizer rejects it where the API requires a user; other operations ignore it."""
    old = issuer.token(issuer.access_claims(exp=issuer.NOW - 1))
    event = viewer_request(
        "/api/accounts", headers=SAME_ORIGIN, cookies={cookies.TOKEN_COOKIE: old}
    )
    assert authorization_values(forward(context, event)) == [f"Bearer {old}"]


@pytest.mark.parametrize(
    "value", ["", "a", "a.b", "a.b.c.d", "a b.c.d", "é.b.c", f"{'a' * 8189}.b.c"]
)
def test_malformed_token_is_not_forwarded(context: AuthContext, value: str) -> None:
    event = viewer_request(
        "/api/profile", headers=SAME_ORIGIN, cookies={cookies.TOKEN_COOKIE: value}
    )
    assert authorization_values(forward(context, event)) == []


def test_token_of_8192_bytes_is_forwarded(context: AuthContext) -> None:
    longest = f"{'a' * 8188}.b.c"
    lines = [
        line.partition(";")[0] for line in cookies.set_cookie(cookies.TOKEN_COOKIE, longest, 60)
    ]
    session = dict(line.split("=", 1) for line in lines)
    event = viewer_request("/api/profile", headers=SAME_ORIGIN, cookies=session)
    assert authorization_values(forward(context, event)) == [f"Bearer {longest}"]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/api/", "/api/"),
        ("/api/accounts", "/api/accounts"),
        ("/api/appointments/a/2026-12-01T09%3A30%3A00Z", None),
        ("/api//accounts", "/api/accounts"),
        ("/api/x/../profile", "/api/profile"),
    ],
)
def test_api_path_is_normalized_without_index_document(
    context: AuthContext, uri: str, expected: str | None
) -> None:
    event = viewer_request(uri, headers=SAME_ORIGIN, cookies=SESSION)
    assert forward(context, event)["uri"] == (expected or uri)


def test_forged_identity_headers_are_removed_from_api_request(context: AuthContext) -> None:
    headers = {**SAME_ORIGIN, "X-Meridian-Subject": "forged", "x_meridian_groups": "paying"}
    event = viewer_request("/api/profile", headers=headers, cookies=SESSION)
    assert not any("meridian" in name for name in forward(context, event)["headers"])


CONTEXT = create_context(issuer.Clock())


@given(
    strategies.viewer_requests(),
    st.booleans(),
    st.sampled_from([None, "Bearer x.y.z"]),
    st.sampled_from([None, "/api/profile"]),
)
def test_only_same_origin_api_request_without_authorization_forwards_token(
    event: dict[str, Any], same_origin: bool, client_authorization: str | None, api_uri: str | None
) -> None:
    request = event["Records"][0]["cf"]["request"]
    request["uri"] = api_uri or request["uri"]
    changes = {
        "cookie": f"{cookies.TOKEN_COOKIE}={TOKEN}",
        "sec-fetch-site": "same-origin" if same_origin else None,
        "authorization": client_authorization,
    }
    for name, value in changes.items():
        request["headers"].pop(name, None)
        if value is not None:
            request["headers"][name] = [{"key": name, "value": value}]
    result: Result = authorization.handle_viewer_request(CONTEXT, event)[1].result
    if "status" in result:
        return
    is_api = f"{result['uri']}/".startswith("/api/")
    is_forwarded = f"Bearer {TOKEN}" in authorization_values(result)
    assert is_forwarded is (is_api and same_origin and client_authorization is None)


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
def test_forwards_token_rule_rejects_other_requirements(rule: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"rules\[0\]"):
        parse(issuer.settings(rules=[{"path": "/api/*", **rule}]))
