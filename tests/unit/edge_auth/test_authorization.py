"""Authorization: allowed and denied requests, status codes and reasons."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from edge_auth import authorization
from edge_auth.context import AuthContext
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.fake_browser import Result
from tests.unit.edge_auth.viewer_events import NAVIGATION_HEADERS, viewer_request

TOKEN = "__Host-meridian-token"


def bearer(**claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.token(issuer.access_claims(**claims))}"}


def handle(context: AuthContext, event: object) -> Result:
    return authorization.handle_viewer_request(context, event)[1].result


@pytest.mark.parametrize(
    ("uri", "headers", "status", "reason"),
    [
        ("/premium/a.html", {}, "401", "anonymous"),
        ("/premium/a.html", bearer(exp=issuer.NOW), "401", "expired"),
        ("/premium/a.html", {"Authorization": "Bearer a.b.c"}, "401", "invalid"),
        ("/premium/a.html", bearer(**{"cognito:groups": ["other"]}), "403", "not_entitled"),
        ("/app/", {}, "401", "anonymous"),
    ],
)
def test_denied_fetch_returns_problem_details(
    context: AuthContext, uri: str, headers: dict[str, str], status: str, reason: str
) -> None:
    event = viewer_request(uri, headers=headers)
    result = handle(context, event)
    assert result["status"] == status
    assert result["headers"]["content-type"][0]["value"] == "application/problem+json"
    assert result["headers"]["cache-control"][0]["value"] == "no-store"
    assert ("www-authenticate" in result["headers"]) == (status == "401")
    problem = json.loads(result["body"])
    assert problem["reason"] == reason
    assert problem["status"] == int(status)
    assert problem["request_id"].startswith("4TyzHTaYWb1GX1q")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_every_method_requires_token(context: AuthContext, method: str) -> None:
    assert handle(context, viewer_request(method=method))["status"] == "401"
    assert "status" not in handle(context, viewer_request(method=method, headers=bearer()))


def test_cookie_authenticates_and_header_takes_precedence(context: AuthContext) -> None:
    cookies = {TOKEN: issuer.token()}
    assert "status" not in handle(context, viewer_request(cookies=cookies))
    wins = viewer_request(cookies=cookies, headers={"Authorization": "Bearer broken"})
    assert handle(context, wins)["status"] == "401"


def test_index_document_is_appended_to_directory(context: AuthContext) -> None:
    assert handle(context, viewer_request("/app/", headers=bearer()))["uri"] == "/app/index.html"


@pytest.mark.parametrize(
    ("uri", "query", "target"),
    [
        ("/premium", "", "/premium/"),
        ("/app", "a=b&c=%20", "/app/?a=b&c=%20"),
        ("/%70remium", "", "/%70remium/"),
        ("/x/../premium", "", "/premium/"),
    ],
)
def test_directory_without_slash_is_redirected(
    context: AuthContext, uri: str, query: str, target: str
) -> None:
    result = handle(context, viewer_request(uri, query=query))
    assert result["status"] == "303"
    assert result["headers"]["location"][0]["value"] == f"https://{issuer.HOST}{target}"
    assert "set-cookie" not in result["headers"]


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("/app/notes;2026.pdf", None),
        ("/app/%F0%9F%91%A9%E2%80%8D%F0%9F%8F%AB.mp4", None),
        # A server with path parameters would serve a path of another rule.
        ("/app/..;/premium/a", "400"),
        ("/app/..;x=1/premium/a", "400"),
        ("/app/;/..;/auth/callback", "400"),
        ("/premium;v=1/a", "403"),
    ],
)
def test_semicolon_is_a_character_unless_it_hides_another_rule(
    context: AuthContext, uri: str, status: str | None
) -> None:
    result = handle(context, viewer_request(uri, headers=bearer(**{"cognito:groups": []})))
    assert result.get("status") == status
    if status is None:
        assert result["uri"] == uri


def test_path_without_rule_is_denied(
    make_context: Callable[..., AuthContext],
) -> None:
    context = make_context(rules=[{"path": "/premium/*", "signed_in": True}])
    result = handle(context, viewer_request("/other", headers=bearer()))
    assert result["status"] == "403"
    assert json.loads(result["body"])["code"] == "no_rule"


def test_denied_navigation_returns_html(context: AuthContext) -> None:
    result = handle(context, viewer_request("/app/%zz", headers=NAVIGATION_HEADERS))
    assert result["status"] == "400"
    assert result["headers"]["content-type"][0]["value"].startswith("text/html")
    assert "default-src 'none'" in result["headers"]["content-security-policy"][0]["value"]


@pytest.mark.parametrize(
    ("uri", "page"),
    [
        ("/app/", "/app/index.html"),
        ("/app/lessons/7", "/app/index.html"),
        ("/app/lessons/", "/app/index.html"),
        ("/app/deep/script.js", "/app/deep/script.js"),
        ("/app/index.html", "/app/index.html"),
    ],
)
def test_paths_without_a_file_name_get_the_page_of_the_application(
    make_context: Callable[..., AuthContext], uri: str, page: str
) -> None:
    rule = {"path": "/app/*", "signed_in": True, "app_page": "/app/index.html"}
    context = make_context(rules=[rule], upgrade_path=None)
    assert handle(context, viewer_request(uri, headers=bearer()))["uri"] == page
    assert handle(context, viewer_request(uri))["status"] == "401"


@pytest.mark.parametrize(
    ("uri", "status"),
    [("/courses/go/a.html", None), ("/courses/c/", "403"), ("/courses/go", "303")],
)
def test_course_opens_for_tokens_with_the_course(
    make_context: Callable[..., AuthContext], uri: str, status: str | None
) -> None:
    rule = {"path": "/courses/{course}/*", "claims": {"courses": {"any": ["{course}"]}}}
    context = make_context(rules=[rule], upgrade_path=None)
    event = viewer_request(uri, headers=bearer(courses=["go", "rust"]))
    assert handle(context, event).get("status") == status


def machine(client: str, scope: str) -> dict[str, str]:
    """Return the header of a client credentials token: `sub` is the client, and no user exists."""
    claims = issuer.access_claims(sub=client, client_id=client, scope=scope)
    for name in ("username", "cognito:groups", "origin_jti"):
        del claims[name]
    return {"Authorization": f"Bearer {issuer.token(claims)}"}


@pytest.mark.parametrize(
    ("uri", "headers", "status"),
    [
        ("/app/", bearer(client_id="7mobile"), None),
        ("/app/", bearer(client_id=issuer.CLIENT), None),
        ("/app/", bearer(client_id="9stranger"), "401"),
        ("/app/", bearer(client_id=["7mobile", "9stranger"]), "401"),
        ("/reports/a.csv", machine("8machine", "reports/read"), None),
        ("/reports/a.csv", machine("8machine", "reports/write"), "403"),
        ("/reports/a.csv", machine("9stranger", "reports/read"), "401"),
        # A machine isn't a signed-in user.
        ("/app/", machine("8machine", "reports/read"), "403"),
    ],
)
def test_tokens_of_other_app_clients_open_pages_if_the_settings_name_the_client(
    make_context: Callable[..., AuthContext], uri: str, headers: dict[str, str], status: str | None
) -> None:
    rules = [
        {"path": "/app/*", "signed_in": True},
        {"path": "/reports/*", "scopes": {"any": ["reports/read"]}},
    ]
    context = make_context(rules=rules, upgrade_path=None, other_clients=["7mobile", "8machine"])
    assert handle(context, viewer_request(uri, headers=headers)).get("status") == status
