"""Properties of the result for every event that a visitor could send."""

import posixpath
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_auth import authorization
from edge_auth.context import AuthContext
from edge_auth.errors import EdgeAuthError
from tests import strategies
from tests.unit.edge_auth import cloudfront_rules, issuer
from tests.unit.edge_auth.conftest import create_context
from tests.unit.edge_auth.fake_browser import Result
from tests.unit.edge_auth.viewer_events import NAVIGATION_HEADERS, viewer_request

# Public rules for most paths, so that a wrongly decoded path could pass.
RULES = [
    {"path": "/premium/*", "groups": {"any": ["paying"]}},
    {"path": "/app/*", "signed_in": True},
    {"path": "/api/*", "forwards_token": True},
    *({"path": f"/*{character}*", "public": True} for character in "aeinprs.,"),
]
CONTEXT = create_context(issuer.Clock(), rules=RULES, upgrade_path=None)
TOKEN = issuer.token()


def handle(event: object, context: AuthContext = CONTEXT) -> Result:
    return authorization.handle_viewer_request(context, event)[1].result


@given(strategies.viewer_requests())
def test_any_event_gives_valid_result(event: dict[str, Any]) -> None:
    cloudfront_rules.assert_valid_result(handle(event), event)


@given(strategies.json_values())
def test_malformed_event_returns_400(event: object) -> None:
    assert handle(event)["status"] == "400"


@given(strategies.viewer_requests())
def test_request_without_token_reaches_no_protected_path(event: dict[str, Any]) -> None:
    """The test decodes the origin's URI with the standard library, not with edge_auth."""
    result = handle(event)
    if "status" in result:
        uri = event["Records"][0]["cf"]["request"]["uri"]
        assert result["status"] != "200" or posixpath.basename(unquote(uri)).startswith("s")
        return
    for reading in (result["uri"], result["uri"].replace("\\", "/"), unquote(result["uri"])):
        path = posixpath.normpath("/" + unquote(reading).partition(";")[0].lstrip("/"))
        assert not f"{path}/".startswith(("/premium/", "/app/", "/auth/"))


@given(strategies.viewer_requests())
def test_anonymous_request_has_no_identity_headers(event: dict[str, Any]) -> None:
    result = handle(event)
    if "status" not in result:
        assert not any("meridian" in name for name in result["headers"])


@given(strategies.viewer_uris)
def test_entitled_token_is_never_forbidden(uri: str) -> None:
    event = viewer_request(uri, headers={"Authorization": f"Bearer {TOKEN}"})
    result = handle(event)
    cloudfront_rules.assert_valid_result(result, event)
    if "status" in result and result["status"] == "403":
        assert "no_rule" in result["body"]
        return
    assert "status" not in result or result["status"] in ("200", "303", "400", "401", "404")


@given(st.integers(0, len(TOKEN) - 1), st.integers(0, 6))
@example(len(TOKEN) - 1, 0)
def test_token_with_changed_bit_is_denied(index: int, bit: int) -> None:
    changed = TOKEN[:index] + chr(ord(TOKEN[index]) ^ (1 << bit)) + TOKEN[index + 1 :]
    event = viewer_request(headers={"Authorization": f"Bearer {changed}"})
    assert handle(event)["status"] in ("400", "401", "503")


def test_every_changed_bit_of_token_is_rejected() -> None:
    """Change 7 bits of each of about 1,000 characters."""
    for index in range(len(TOKEN)):
        for bit in range(7):
            changed = TOKEN[:index] + chr(ord(TOKEN[index]) ^ (1 << bit)) + TOKEN[index + 1 :]
            with pytest.raises(EdgeAuthError):
                CONTEXT.verifier.verify(changed)


@given(st.text(max_size=60) | strategies.viewer_uris)
@example("//evil.example")
@example("/\\evil.example")
@example("/\t/evil.example")
@example("/%09/evil.example")
@example("/%2f%2fevil.example")
@example("https://evil.example")
@example("/auth/sign-out")
@example("/x/../auth/sign-out")
def test_return_url_stays_on_this_site(address: str) -> None:
    from urllib.parse import quote

    cookies = {"__Host-meridian-refresh": "a-refresh-token"}
    query = f"return_to={quote(address, safe='', errors='replace')}"
    context = create_context(issuer.Clock(), post=refreshing_post)
    event = viewer_request(
        "/auth/refresh", query=query, method="POST", headers=NAVIGATION_HEADERS, cookies=cookies
    )
    result = handle(event, context)
    assert result["status"] == "303"
    redirected = urlsplit(result["headers"]["location"][0]["value"])
    assert (redirected.scheme, redirected.netloc) == ("https", issuer.HOST)
    assert not redirected.path.startswith(("//", "/\\"))
    assert not f"{posixpath.normpath(unquote(redirected.path))}/".startswith("/auth/")


def refreshing_post(_: str, form: dict[str, str]) -> dict[str, object]:
    return {"access_token": TOKEN}
