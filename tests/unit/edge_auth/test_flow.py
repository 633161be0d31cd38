"""The whole way of a person: sign in, read, renew, sign out; and everything that can go wrong."""

from collections.abc import Callable

import pytest

from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.browser import Browser, Result, location
from tests.unit.edge_auth.events import PAGE
from tests.unit.edge_auth.fake_cognito import FakeCognito

SITE = f"https://{issuer.HOST}"
LESSON = f"{SITE}/premium/lesson%20one.html?week=3&q=a%26b"
TOKEN, REFRESH = "__Host-meridian-token", "__Host-meridian-refresh"
FETCH = {"Accept": "*/*", "Sec-Fetch-Mode": "cors"}


def reason(result: Result) -> str:
    text = result["headers"]["x-meridian-reason"][0]["value"]
    assert isinstance(text, str)
    return text


def test_sign_in_brings_back_to_the_exact_page(browser: Browser) -> None:
    result = browser.open(LESSON)
    assert "status" not in result
    assert browser.visited[-1] == LESSON
    assert result["uri"] == "/premium/lesson%20one.html"
    assert result["querystring"] == "week=3&q=a%26b"
    assert set(browser.cookies) == {TOKEN, REFRESH, "__Host-meridian-sign-ins"}


def test_the_state_shows_nothing(browser: Browser) -> None:
    result = browser.ask(LESSON)
    state = location(result).partition("&state=")[2].partition("&")[0]
    from edge_auth.encoding import decode

    assert b"premium" not in decode(state.encode())


def test_the_first_redirect_says_anonymous_and_is_not_kept(browser: Browser) -> None:
    result = browser.ask(LESSON)
    assert (result["status"], reason(result)) == ("303", "anonymous")
    assert result["headers"]["cache-control"][0]["value"] == "no-store"


def test_our_cookies_do_not_reach_the_origin(browser: Browser) -> None:
    browser.open(LESSON)
    result = browser.ask(LESSON, sent={**browser.cookies, "theme": "dark"})
    assert [entry["value"] for entry in result["headers"]["cookie"]] == ["theme=dark"]


def test_a_callback_works_once(browser: Browser) -> None:
    browser.open(LESSON)
    callback = next(address for address in browser.visited if "/auth/callback" in address)
    result = browser.ask(callback)
    assert (result["status"], reason(result)) == ("400", "invalid")


def test_a_callback_of_another_browser_is_refused_before_the_code_is_used(
    browser: Browser, make_browser: Callable[..., Browser], cognito: FakeCognito
) -> None:
    attacker = make_browser()
    stolen = cognito.visit(location(attacker.ask(LESSON)))
    browser.ask(LESSON)
    assert browser.ask(stolen)["status"] == "400"
    assert cognito.posted == []


@pytest.mark.parametrize(("seconds", "works"), [(600, True), (601, False)])
def test_a_sign_in_has_ten_minutes(
    browser: Browser, cognito: FakeCognito, clock: issuer.Clock, seconds: int, works: bool
) -> None:
    callback = cognito.visit(location(browser.ask(LESSON)))
    kept = browser.cookies
    clock.now += seconds
    result = browser.ask(callback, sent=kept)
    assert (result["status"] == "303") is works


def test_a_wrong_nonce_is_refused(browser: Browser, cognito: FakeCognito) -> None:
    cognito.nonce_override = "of-another-sign-in"
    result = browser.open(LESSON)
    assert result["status"] == "400"
    assert TOKEN not in browser.cookies


def test_a_denied_sign_in_is_a_page_and_no_loop(browser: Browser, cognito: FakeCognito) -> None:
    cognito.sign_in_works = False
    result = browser.open(LESSON)
    assert result["status"] == "403"
    assert browser.cookies == {}


def test_a_hundred_tabs_sign_in_at_once(browser: Browser, cognito: FakeCognito) -> None:
    pages = [f"{SITE}/premium/{number}.html?tab={number}" for number in range(100)]
    begun = [location(browser.ask(page, sent={})) for page in pages]
    callbacks = [cognito.visit(address) for address in begun]
    header = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    assert len(header) < 10_000
    for page, callback in reversed(list(zip(pages, callbacks, strict=True))):
        result = browser.ask(callback)
        assert location(result) == page
        assert "status" not in browser.ask(page)


@pytest.mark.parametrize(("tabs", "cleared"), [(99, 0), (100, 1), (101, 2)])
def test_the_oldest_sign_ins_make_room(
    browser: Browser, clock: issuer.Clock, tabs: int, cleared: int
) -> None:
    names: list[str] = []
    for number in range(tabs):
        before = set(browser.cookies)
        browser.ask(f"{SITE}/premium/{number}", sent={})
        names += set(browser.cookies) - before
        clock.now += 1
    browser.ask(f"{SITE}/premium/new")
    assert [name for name in names if name not in browser.cookies] == names[:cleared]


def test_an_expired_token_is_renewed_with_one_redirect(
    browser: Browser, clock: issuer.Clock
) -> None:
    browser.open(LESSON)
    clock.now += 3_600
    browser.visited.clear()
    assert "status" not in browser.open(LESSON)
    assert browser.visited == [LESSON, LESSON]


@pytest.mark.parametrize("rotation", [False, True])
def test_renewing_goes_on_for_days(
    browser: Browser, cognito: FakeCognito, clock: issuer.Clock, rotation: bool
) -> None:
    cognito.rotation = rotation
    browser.open(LESSON)
    first = browser.cookies[REFRESH]
    for _ in range(5):
        clock.now += 86_400
        assert "status" not in browser.open(LESSON)
    assert (browser.cookies[REFRESH] == first) is not rotation
    assert browser.cookies[REFRESH] in cognito.refresh_tokens


def test_two_tabs_that_renew_at_once_stay_signed_in_under_rotation(
    browser: Browser, cognito: FakeCognito, clock: issuer.Clock
) -> None:
    cognito.rotation = True
    browser.open(LESSON)
    clock.now += 3_600
    both = browser.cookies
    first, second = browser.ask(LESSON, sent=both), browser.ask(LESSON, sent=both)
    assert (location(first), location(second)) == (LESSON, LESSON)
    assert "status" not in browser.ask(LESSON)


def test_a_refused_renewal_ends_in_a_clean_sign_in(
    browser: Browser, cognito: FakeCognito, clock: issuer.Clock
) -> None:
    browser.open(LESSON)
    dead = browser.cookies[REFRESH]
    cognito.refresh_tokens.clear()
    clock.now += 3_600
    browser.visited.clear()
    assert "status" not in browser.open(LESSON)
    assert browser.visited[:2] == [LESSON, LESSON]
    assert browser.visited[2].startswith(issuer.HOSTED_UI)
    assert browser.cookies[REFRESH] != dead
    assert sum(form.get("refresh_token") == dead for form in cognito.posted) == 1


def test_a_browser_that_keeps_no_session_gets_a_page_and_no_loop(browser: Browser) -> None:
    real = browser.keep

    def forgets_the_session(result: Result) -> None:
        real(result)
        browser.jar.pop(TOKEN, None)
        browser.jar.pop(REFRESH, None)

    browser.keep = forgets_the_session  # type: ignore[method-assign]  # a browser with a fault
    result = browser.open(LESSON)
    assert (result["status"], reason(result)) == ("401", "invalid")
    assert "sign_in_loop" in result["body"]


def test_tokens_that_are_born_expired_end_in_a_page(browser: Browser, cognito: FakeCognito) -> None:
    cognito.token_lifetime = -5  # an edge whose clock is ahead
    assert browser.open(LESSON)["status"] == "400"


def test_an_outage_of_cognito_is_a_503_and_no_loop(
    browser: Browser, cognito: FakeCognito, clock: issuer.Clock
) -> None:
    browser.open(LESSON)
    clock.now += 3_600
    cognito.down = True
    result = browser.open(LESSON)
    assert (result["status"], reason(result)) == ("503", "unavailable")
    assert REFRESH in browser.cookies


def test_a_new_group_is_seen_at_once(browser: Browser, cognito: FakeCognito) -> None:
    cognito.groups = []
    result = browser.open(f"{SITE}/premium/a.html")
    assert browser.visited[-1] == f"{SITE}/upgrade.html?return_to=%2Fpremium%2Fa.html"
    assert "status" not in result
    cognito.groups = ["paying"]
    assert "status" not in browser.open(f"{SITE}/auth/refresh?return_to=/premium/a.html")
    assert browser.visited[-1] == f"{SITE}/premium/a.html"


def test_a_program_renews_and_reads_its_session(browser: Browser, cognito: FakeCognito) -> None:
    browser.open(LESSON)
    cognito.groups = ["paying", "teachers"]
    result = browser.ask(f"{SITE}/auth/refresh", method="POST", headers=FETCH)
    assert result["status"] == "200"
    session = browser.ask(f"{SITE}/auth/session", headers=FETCH)
    assert '"groups": ["paying", "teachers"]' in session["body"]
    assert "eyJ" not in session["body"]


def test_a_program_without_a_session_is_told(browser: Browser, cognito: FakeCognito) -> None:
    assert browser.ask(f"{SITE}/auth/refresh", method="POST", headers=FETCH)["status"] == "401"
    session = browser.ask(f"{SITE}/auth/session", headers=FETCH)
    assert '"signed_in": false' in session["body"]
    browser.open(LESSON)
    cognito.refresh_tokens.clear()
    result = browser.ask(f"{SITE}/auth/refresh", method="POST", headers=FETCH)
    assert (result["status"], reason(result)) == ("401", "expired")


def test_an_expired_token_is_401_for_a_program(browser: Browser, clock: issuer.Clock) -> None:
    browser.open(LESSON)
    clock.now += 3_600
    result = browser.ask(LESSON, headers=FETCH)
    assert (result["status"], reason(result)) == ("401", "expired")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_sign_out_ends_everything(browser: Browser, cognito: FakeCognito, method: str) -> None:
    browser.open(LESSON)
    token = browser.cookies[REFRESH]
    result = browser.ask(f"{SITE}/auth/sign-out", method=method)
    assert location(result).startswith(f"{issuer.HOSTED_UI}/logout?")
    assert cognito.visit(location(result)) == f"{SITE}/"
    assert browser.cookies == {}
    assert cognito.revoked == [token]


def test_sign_out_works_with_broken_tokens_and_without_cognito(
    browser: Browser, cognito: FakeCognito
) -> None:
    cognito.down = True
    sent = {TOKEN: "broken", REFRESH: "x.y", f"{TOKEN}.2": "left-over"}
    result = browser.ask(f"{SITE}/auth/sign-out", sent=sent)
    assert result["status"] == "303"
    cleared = [entry["value"].partition("=")[0] for entry in result["headers"]["set-cookie"]]
    assert set(sent) <= set(cleared)


def test_another_site_cannot_sign_out(browser: Browser) -> None:
    browser.open(LESSON)
    crossed = {**PAGE, "Sec-Fetch-Site": "cross-site"}
    result = browser.ask(f"{SITE}/auth/sign-out", headers=crossed)
    assert result["status"] == "403"
    assert TOKEN in browser.cookies


def test_localhost_is_an_origin_of_its_own(browser: Browser) -> None:
    page = "http://localhost:8080/premium/a.html"
    assert "status" not in browser.open(page)
    assert browser.visited[-1] == page


def test_an_unknown_host_is_refused(browser: Browser) -> None:
    assert browser.ask("https://evil.example/premium/a.html")["status"] == "400"


def test_an_id_token_can_be_the_session(
    make_browser: Callable[..., Browser], clock: issuer.Clock
) -> None:
    browser = make_browser(token_use="id")
    assert "status" not in browser.open(LESSON)
    clock.now += 3_600
    assert "status" not in browser.open(LESSON)


def test_signing_keys_rotate_under_way(browser: Browser, cognito: FakeCognito) -> None:
    cognito.kid, cognito.kids = "second", ("first", "second")
    assert "status" not in browser.open(LESSON)
    assert cognito.fetches == 1


@pytest.mark.parametrize("path", ["/auth", "/auth/", "/auth/nothing", "/auth/sign-in/x"])
def test_nothing_below_auth_reaches_the_origin(browser: Browser, path: str) -> None:
    assert browser.ask(f"{SITE}{path}")["status"] == "404"


@pytest.mark.parametrize(
    ("path", "method"),
    [("sign-in", "POST"), ("callback", "POST"), ("session", "DELETE"), ("sign-out", "PUT")],
)
def test_our_paths_name_their_methods(browser: Browser, path: str, method: str) -> None:
    result = browser.ask(f"{SITE}/auth/{path}", method=method)
    assert result["status"] == "405"
    assert method not in result["headers"]["allow"][0]["value"]
