"""The complete flow in a browser: sign in, read, refresh, sign out, and its failures."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from edge_auth.encoding import base64url_decode
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.fake_browser import FakeBrowser, Result, location
from tests.unit.edge_auth.fake_cognito import FakeCognito

SITE = f"https://{issuer.HOST}"
LESSON = f"{SITE}/premium/lesson%20one.html?week=3&q=a%26b"
TOKEN, REFRESH = "__Host-meridian-token", "__Host-meridian-refresh"
FETCH = {"Accept": "*/*", "Sec-Fetch-Mode": "cors"}


def reason(result: Result) -> str:
    text = result["headers"]["x-meridian-reason"][0]["value"]
    assert isinstance(text, str)
    return text


def session_cookies(browser: FakeBrowser) -> set[str]:
    """Return the names of the cookies, without those of single sign-ins."""
    return {name for name in browser.cookies if not name.startswith("__Host-meridian-login-")}


def test_sign_in_returns_to_exact_page(browser: FakeBrowser) -> None:
    result = browser.navigate(LESSON)
    assert "status" not in result
    assert browser.visited[-1] == LESSON
    assert result["uri"] == "/premium/lesson%20one.html"
    assert result["querystring"] == "week=3&q=a%26b"
    assert session_cookies(browser) == {TOKEN, REFRESH, "__Host-meridian-sign-ins"}


def test_state_parameter_hides_return_url(browser: FakeBrowser) -> None:
    result = browser.send(LESSON)
    state = location(result).partition("&state=")[2].partition("&")[0]
    assert b"premium" not in base64url_decode(state.encode())


def test_first_redirect_has_reason_anonymous_and_no_store(browser: FakeBrowser) -> None:
    result = browser.send(LESSON)
    assert (result["status"], reason(result)) == ("303", "anonymous")
    assert result["headers"]["cache-control"][0]["value"] == "no-store"


def test_own_cookies_do_not_reach_origin(browser: FakeBrowser) -> None:
    browser.navigate(LESSON)
    result = browser.send(LESSON, cookies={**browser.cookies, "theme": "dark"})
    assert [entry["value"] for entry in result["headers"]["cookie"]] == ["theme=dark"]


def test_callback_cannot_be_replayed(browser: FakeBrowser, cognito: FakeCognito) -> None:
    browser.navigate(LESSON)
    callback = next(address for address in browser.visited if "/auth/callback" in address)
    posted = len(cognito.posted)
    without_session = {
        name: value for name, value in browser.cookies.items() if name not in {TOKEN, REFRESH}
    }
    result = browser.send(callback, cookies=without_session)
    assert (result["status"], reason(result)) == ("400", "invalid")
    assert len(cognito.posted) == posted


def test_callback_of_another_browser_is_rejected_before_code_exchange(
    browser: FakeBrowser, make_browser: Callable[..., FakeBrowser], cognito: FakeCognito
) -> None:
    attacker = make_browser()
    stolen = cognito.visit(location(attacker.send(LESSON)))
    browser.send(LESSON)
    assert browser.send(stolen)["status"] == "400"
    assert cognito.posted == []


@pytest.mark.parametrize(("seconds", "works"), [(600, True), (601, False)])
def test_sign_in_expires_after_ten_minutes(
    browser: FakeBrowser, cognito: FakeCognito, clock: issuer.Clock, seconds: int, works: bool
) -> None:
    callback = cognito.visit(location(browser.send(LESSON)))
    cookies = browser.cookies
    clock.now += seconds
    result = browser.send(callback, cookies=cookies)
    assert (result["status"] == "303") is works


def test_wrong_nonce_is_rejected(browser: FakeBrowser, cognito: FakeCognito) -> None:
    cognito.nonce_override = "of-another-sign-in"
    result = browser.navigate(LESSON)
    assert result["status"] == "400"
    assert TOKEN not in browser.cookies


def test_denied_sign_in_shows_page_without_loop(browser: FakeBrowser, cognito: FakeCognito) -> None:
    cognito.sign_in_works = False
    result = browser.navigate(LESSON)
    assert result["status"] == "403"
    assert session_cookies(browser) == set()


def test_hundred_tabs_sign_in_concurrently(browser: FakeBrowser, cognito: FakeCognito) -> None:
    pages = [f"{SITE}/premium/{number}.html?tab={number}" for number in range(100)]
    authorize_urls = [location(browser.send(page, cookies={})) for page in pages]
    callbacks = [cognito.visit(url) for url in authorize_urls]
    header = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    assert len(header) < 10_000
    for page, callback in reversed(list(zip(pages, callbacks, strict=True))):
        result = browser.send(callback)
        assert location(result) == page
        assert "status" not in browser.send(page)


@pytest.mark.parametrize(("tabs", "cleared"), [(99, 0), (100, 1), (101, 2)])
def test_oldest_pending_sign_ins_are_deleted_above_limit(
    browser: FakeBrowser, clock: issuer.Clock, tabs: int, cleared: int
) -> None:
    names: list[str] = []
    for number in range(tabs):
        before = set(browser.cookies)
        browser.send(f"{SITE}/premium/{number}", cookies={})
        names += set(browser.cookies) - before
        clock.now += 1
    browser.send(f"{SITE}/premium/new")
    assert [name for name in names if name not in browser.cookies] == names[:cleared]


def test_expired_token_is_refreshed_with_one_redirect(
    browser: FakeBrowser, clock: issuer.Clock
) -> None:
    browser.navigate(LESSON)
    clock.now += 3_600
    browser.visited.clear()
    assert "status" not in browser.navigate(LESSON)
    assert browser.visited == [LESSON, LESSON]


@pytest.mark.parametrize("rotation", [False, True])
def test_session_is_refreshed_for_days_without_a_sign_in(
    browser: FakeBrowser, cognito: FakeCognito, clock: issuer.Clock, rotation: bool
) -> None:
    cognito.rotation = rotation
    browser.navigate(LESSON)
    first = browser.cookies[REFRESH]
    for _ in range(5):
        clock.now += 86_400
        assert "status" not in browser.navigate(LESSON)
    assert (browser.cookies[REFRESH] == first) is not rotation
    assert browser.cookies[REFRESH] in cognito.refresh_tokens


def test_concurrent_refresh_with_rotation_keeps_session(
    browser: FakeBrowser, cognito: FakeCognito, clock: issuer.Clock
) -> None:
    cognito.rotation = True
    browser.navigate(LESSON)
    clock.now += 3_600
    both = browser.cookies
    first, second = browser.send(LESSON, cookies=both), browser.send(LESSON, cookies=both)
    assert (location(first), location(second)) == (LESSON, LESSON)
    assert "status" not in browser.send(LESSON)


def test_rejected_refresh_token_starts_sign_in(
    browser: FakeBrowser, cognito: FakeCognito, clock: issuer.Clock
) -> None:
    browser.navigate(LESSON)
    dead = browser.cookies[REFRESH]
    cognito.refresh_tokens.clear()
    clock.now += 3_600
    browser.visited.clear()
    assert "status" not in browser.navigate(LESSON)
    assert browser.visited[:2] == [LESSON, LESSON]
    assert browser.visited[2].startswith(issuer.HOSTED_UI)
    assert browser.cookies[REFRESH] != dead
    assert sum(form.get("refresh_token") == dead for form in cognito.posted) == 1


def test_browser_without_session_cookies_gets_page_without_loop(browser: FakeBrowser) -> None:
    store_cookies = browser.store_cookies

    def drop_session_cookies(result: Result) -> None:
        store_cookies(result)
        browser.jar.pop(TOKEN, None)
        browser.jar.pop(REFRESH, None)

    browser.store_cookies = drop_session_cookies  # type: ignore[method-assign]  # a browser that drops cookies
    result = browser.navigate(LESSON)
    assert (result["status"], reason(result)) == ("401", "invalid")
    assert "sign_in_loop" in result["body"]


def test_expired_new_tokens_show_error_page(browser: FakeBrowser, cognito: FakeCognito) -> None:
    cognito.token_lifetime = -5  # the edge location's clock is ahead
    assert browser.navigate(LESSON)["status"] == "400"


def test_cognito_outage_returns_503_without_loop(
    browser: FakeBrowser, cognito: FakeCognito, clock: issuer.Clock
) -> None:
    browser.navigate(LESSON)
    clock.now += 3_600
    cognito.down = True
    result = browser.navigate(LESSON)
    assert (result["status"], reason(result)) == ("503", "unavailable")
    assert REFRESH in browser.cookies


def test_new_group_takes_effect_after_refresh(browser: FakeBrowser, cognito: FakeCognito) -> None:
    cognito.groups = []
    result = browser.navigate(f"{SITE}/premium/a.html")
    assert browser.visited[-1] == f"{SITE}/upgrade.html?return_to=%2Fpremium%2Fa.html"
    assert "status" not in result
    cognito.groups = ["paying"]
    result = browser.send(f"{SITE}/auth/refresh?return_to=/premium/a.html", method="POST")
    assert location(result) == f"{SITE}/premium/a.html"
    assert "status" not in browser.navigate(location(result))


def test_fetch_refreshes_and_reads_session(browser: FakeBrowser, cognito: FakeCognito) -> None:
    browser.navigate(LESSON)
    cognito.groups = ["paying", "teachers"]
    result = browser.send(f"{SITE}/auth/refresh", method="POST", headers=FETCH)
    assert result["status"] == "200"
    session = browser.send(f"{SITE}/auth/session", headers=FETCH)
    assert '"groups": ["paying", "teachers"]' in session["body"]
    assert "eyJ" not in session["body"]


def test_fetch_without_session_returns_401_and_signed_out_state(
    browser: FakeBrowser, cognito: FakeCognito
) -> None:
    assert browser.send(f"{SITE}/auth/refresh", method="POST", headers=FETCH)["status"] == "401"
    session = browser.send(f"{SITE}/auth/session", headers=FETCH)
    assert '"signed_in": false' in session["body"]
    browser.navigate(LESSON)
    cognito.refresh_tokens.clear()
    result = browser.send(f"{SITE}/auth/refresh", method="POST", headers=FETCH)
    assert (result["status"], reason(result)) == ("401", "expired")


def test_expired_token_returns_401_to_fetch(browser: FakeBrowser, clock: issuer.Clock) -> None:
    browser.navigate(LESSON)
    clock.now += 3_600
    result = browser.send(LESSON, headers=FETCH)
    assert (result["status"], reason(result)) == ("401", "expired")


def test_sign_out_deletes_cookies_and_revokes_refresh_token(
    browser: FakeBrowser, cognito: FakeCognito
) -> None:
    browser.navigate(LESSON)
    token = browser.cookies[REFRESH]
    result = browser.send(f"{SITE}/auth/sign-out", method="POST")
    assert location(result).startswith(f"{issuer.HOSTED_UI}/logout?")
    assert cognito.visit(location(result)) == f"{SITE}/"
    assert browser.cookies == {}
    assert cognito.revoked == [token]


def test_sign_out_with_invalid_tokens_deletes_cookies_during_cognito_outage(
    browser: FakeBrowser, cognito: FakeCognito
) -> None:
    cognito.down = True
    cookies = {TOKEN: "broken", REFRESH: "x.y", f"{TOKEN}.2": "left-over"}
    result = browser.send(f"{SITE}/auth/sign-out", method="POST", cookies=cookies)
    assert result["status"] == "303"
    cleared = [entry["value"].partition("=")[0] for entry in result["headers"]["set-cookie"]]
    assert set(cookies) <= set(cleared)


def test_sign_in_at_configured_localhost_origin_returns_to_page(browser: FakeBrowser) -> None:
    page = "http://localhost:8080/premium/a.html"
    assert "status" not in browser.navigate(page)
    assert browser.visited[-1] == page


def test_unknown_host_is_rejected(browser: FakeBrowser) -> None:
    assert browser.send("https://evil.example/premium/a.html")["status"] == "400"


def test_sign_in_requests_token_for_configured_resource(
    make_browser: Callable[..., FakeBrowser],
) -> None:
    """AWS, "Authorize endpoint": `resource` becomes the access token's audience (RFC 8707)."""
    browser = make_browser(audience="https://school.example/pages")
    assert "status" not in browser.navigate(LESSON)
    assert "resource=" not in location(make_browser().send(LESSON))


def test_id_token_can_be_session_token(
    make_browser: Callable[..., FakeBrowser], clock: issuer.Clock
) -> None:
    browser = make_browser(token_use="id")
    assert "status" not in browser.navigate(LESSON)
    clock.now += 3_600
    assert "status" not in browser.navigate(LESSON)


def test_rotated_signing_key_is_fetched_once(browser: FakeBrowser, cognito: FakeCognito) -> None:
    cognito.kid, cognito.kids = "second", ("first", "second")
    assert "status" not in browser.navigate(LESSON)
    assert cognito.fetches == 1


@pytest.mark.parametrize("path", ["/auth", "/auth/", "/auth/nothing", "/auth/sign-in/x"])
def test_unknown_auth_path_returns_404(browser: FakeBrowser, path: str) -> None:
    assert browser.send(f"{SITE}{path}")["status"] == "404"


@pytest.mark.parametrize(
    ("path", "method"),
    [("sign-in", "POST"), ("callback", "POST"), ("session", "DELETE"), ("sign-out", "PUT")],
)
def test_unsupported_method_returns_405_with_allow(
    browser: FakeBrowser, path: str, method: str
) -> None:
    result = browser.send(f"{SITE}/auth/{path}", method=method)
    assert result["status"] == "405"
    assert method not in result["headers"]["allow"][0]["value"]


@pytest.mark.parametrize(
    ("query", "provider"),
    [
        ("identity_provider=Google", ["Google"]),
        ("identity_provider=Evil", None),
        ("identity_provider=Google&identity_provider=Google", None),
        ("identity_provider=", None),
        ("", None),
    ],
)
def test_sign_in_link_names_a_configured_identity_provider(
    make_browser: Callable[..., FakeBrowser], query: str, provider: list[str] | None
) -> None:
    browser = make_browser(identity_providers=["Google", "school-saml"])
    url = urlsplit(location(browser.send(f"{SITE}/auth/sign-in?return_to=/premium/&{query}")))
    assert parse_qs(url.query).get("identity_provider") == provider


def test_sign_in_that_an_identity_provider_started_is_repeated_by_this_browser(
    browser: FakeBrowser, cognito: FakeCognito
) -> None:
    """A code that this browser didn't ask for isn't exchanged: it could be another person's."""
    result = browser.send(f"{SITE}/auth/callback?code=unrequested")
    assert cognito.posted == []
    assert session_cookies(browser) == set()
    assert result["status"] == "303"
    back = browser.send(cognito.visit(location(result)))
    assert location(back) == f"{SITE}/"
    assert TOKEN in browser.cookies
