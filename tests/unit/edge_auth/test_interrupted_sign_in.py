"""Outages, late callbacks, several tabs and parallel refreshes keep session and destination."""

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from edge_auth import http_client, jwks
from edge_auth.errors import FetchError
from edge_auth.handler import EXCHANGES_S, Exchanges
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.conftest import create_context
from tests.unit.edge_auth.fake_browser import FakeBrowser, Result, location
from tests.unit.edge_auth.fake_cognito import FakeCognito

SITE = f"https://{issuer.HOST}"
LESSON = f"{SITE}/premium/lesson.html?week=3&q=a%26b"
TOKEN, REFRESH = "__Host-meridian-token", "__Host-meridian-refresh"


def destination(result: Result) -> str:
    """Return the page to which the sign-in link of an error page leads."""
    (href,) = re.findall(r'href="(/auth/sign-in[^"]*)"', result["body"])
    return parse_qs(urlsplit(unescape(href)).query)["return_to"][0]


def test_callback_during_outage_can_be_repeated(browser: FakeBrowser, cognito: FakeCognito) -> None:
    callback = cognito.visit(location(browser.send(LESSON)))
    cognito.down = True
    result = browser.send(callback)
    assert result["status"] == "503"
    assert "reload" in result["body"]
    cognito.down = False
    assert location(browser.send(callback)) == LESSON


@pytest.mark.parametrize(("failures", "status"), [(0, "303"), (1, "303"), (2, "503")])
def test_failed_exchange_is_repeated_once(
    cognito: FakeCognito, clock: issuer.Clock, failures: int, status: str
) -> None:
    remaining = [failures]

    def post(url: str, form: dict[str, str]) -> dict[str, object]:
        if remaining[0]:
            remaining[0] -= 1
            raise FetchError
        return cognito.post(url, form)

    context = create_context(clock, fetch=cognito.fetch, post=post)
    browser = FakeBrowser(context, cognito, clock)
    callback = cognito.visit(location(browser.send(LESSON)))
    assert browser.send(callback)["status"] == status


def test_outage_of_signing_keys_keeps_sign_in(
    browser: FakeBrowser, cognito: FakeCognito, clock: issuer.Clock
) -> None:
    callback = cognito.visit(location(browser.send(LESSON)))
    cognito.kid, cognito.kids = "second", ("first", "second")
    cookies = dict(browser.cookies)
    fetch = browser.context.keys._fetch

    def failing(url: str) -> bytes:
        raise FetchError

    browser.context.keys._fetch = failing
    assert browser.send(callback)["status"] == "503"
    assert browser.cookies == cookies
    browser.context.keys._fetch = fetch
    clock.now += jwks.FETCH_COOLDOWN_S
    # Cognito has used the code, so the visitor signs in again, with the same destination.
    assert destination(browser.send(callback)) == LESSON.removeprefix(SITE)


@pytest.mark.parametrize("hours", [1, 9, 23])
def test_late_callback_keeps_destination(
    browser: FakeBrowser, cognito: FakeCognito, clock: issuer.Clock, hours: int
) -> None:
    callback = cognito.visit(location(browser.send(LESSON)))
    clock.now += hours * 3_600
    result = browser.send(callback)
    assert result["status"] == "400"
    assert "sign_in_expired" in result["body"]
    assert destination(result) == LESSON.removeprefix(SITE)
    assert cognito.posted == []


def test_denied_sign_in_keeps_destination(browser: FakeBrowser, cognito: FakeCognito) -> None:
    cognito.sign_in_works = False
    assert destination(browser.navigate(LESSON)) == LESSON.removeprefix(SITE)


def test_refused_code_keeps_destination(browser: FakeBrowser, cognito: FakeCognito) -> None:
    callback = cognito.visit(location(browser.send(LESSON)))
    cognito.codes.clear()
    assert destination(browser.send(callback)) == LESSON.removeprefix(SITE)


def test_late_callback_with_session_leads_to_destination(
    browser: FakeBrowser, cognito: FakeCognito, clock: issuer.Clock
) -> None:
    """Another tab has signed in meanwhile."""
    callback = cognito.visit(location(browser.send(LESSON)))
    browser.navigate(f"{SITE}/premium/other.html")
    clock.now += 700
    posted = len(cognito.posted)
    assert location(browser.send(callback)) == LESSON
    assert len(cognito.posted) == posted


def test_reloaded_callback_with_session_leads_to_destination(
    browser: FakeBrowser, cognito: FakeCognito
) -> None:
    browser.navigate(LESSON)
    (callback,) = [url for url in browser.visited if "/auth/callback" in url]
    posted, session = len(cognito.posted), browser.cookies[TOKEN]
    assert location(browser.send(callback)) == LESSON
    assert len(cognito.posted) == posted
    assert browser.cookies[TOKEN] == session


def test_callback_of_another_browser_is_rejected_despite_session(
    browser: FakeBrowser, make_browser: Callable[..., FakeBrowser], cognito: FakeCognito
) -> None:
    attacker = make_browser()
    stolen = cognito.visit(location(attacker.send(f"{SITE}/premium/chosen.html")))
    browser.navigate(LESSON)
    assert browser.send(stolen)["status"] == "400"


@pytest.mark.parametrize("path", ["page", "refresh"])
def test_refused_refresh_does_not_delete_session_of_another_tab(
    browser: FakeBrowser, cognito: FakeCognito, clock: issuer.Clock, path: str
) -> None:
    """Cognito accepts a rotated refresh token once; two tabs send the same one."""
    cognito.rotation = True
    browser.navigate(LESSON)
    clock.now += 3_600
    both = browser.cookies
    url, method = (LESSON, "GET") if path == "page" else (f"{SITE}/auth/refresh", "POST")
    winner = browser.send(url, method=method, cookies=both)
    stored = {name: browser.cookies[name] for name in (TOKEN, REFRESH)}
    # The loser's browser sent its requests before the winner's response arrived, twice.
    attempted = both | {
        name: value for name, value in browser.cookies.items() if name.endswith("-refreshed")
    }
    for cookies in (both, attempted):
        result = browser.send(url, method=method, cookies=cookies)
        assert result["status"] == winner["status"] == "303"
        assert {name: browser.cookies[name] for name in (TOKEN, REFRESH)} == stored
    assert "status" not in browser.send(LESSON)


@pytest.mark.parametrize("length", [2_048, 4_096, 7_000])
def test_refresh_keeps_long_query(browser: FakeBrowser, clock: issuer.Clock, length: int) -> None:
    browser.navigate(LESSON)
    clock.now += 3_600
    url = f"{SITE}/premium/search.html?q={'%20x' * (length // 4)}"
    assert location(browser.send(url)) == url


def test_account_with_too_many_groups_gets_clear_page(
    browser: FakeBrowser, cognito: FakeCognito
) -> None:
    cognito.groups = [f"course-{number:03}-{'x' * 100}" for number in range(60)]
    result = browser.navigate(LESSON)
    assert "too many groups" in result["body"]


def test_refused_forced_refresh_keeps_valid_token(
    browser: FakeBrowser, cognito: FakeCognito
) -> None:
    browser.navigate(LESSON)
    cognito.refresh_tokens.clear()
    browser.send(f"{SITE}/auth/refresh", method="POST")
    assert "status" not in browser.send(LESSON)


def test_exchanges_of_one_invocation_have_one_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[float] = []

    def get(url: str, until: float) -> bytes:
        ends.append(until)
        return b""

    monkeypatch.setattr(http_client, "get", get)
    exchanges = Exchanges()
    exchanges.begin()
    exchanges.fetch("https://x")
    exchanges.fetch("https://x")
    first = ends[-1]
    exchanges.begin()
    exchanges.fetch("https://x")
    assert ends[0] == ends[1] == first < ends[2]
    # Two exchanges fit, and time is left for the function itself.
    assert 2 * http_client.TIMEOUT_S <= EXCHANGES_S <= 4


def test_link_of_passkeys_signs_in_on_its_page(browser: FakeBrowser, cognito: FakeCognito) -> None:
    page = location(browser.send(f"{SITE}/auth/passkey?return_to=/premium/"))
    ordinary = location(browser.send(f"{SITE}/auth/sign-in?return_to=/premium/"))
    assert urlsplit(page).path == "/passkeys/add"
    assert parse_qs(urlsplit(page).query).keys() == parse_qs(urlsplit(ordinary).query).keys()
    assert location(browser.send(cognito.visit(page))) == f"{SITE}/premium/"
    assert {TOKEN, REFRESH} <= browser.cookies.keys()


def test_passkey_page_that_returns_without_a_code_keeps_the_session(
    browser: FakeBrowser, cognito: FakeCognito
) -> None:
    """AWS doesn't say whether the page ends with a code for a student who is signed in."""
    browser.send(cognito.visit(location(browser.send(LESSON))))
    token = browser.cookies[TOKEN]
    page = location(browser.send(f"{SITE}/auth/passkey?return_to=/premium/"))
    (state,) = parse_qs(urlsplit(page).query)["state"]
    result = browser.send(f"{SITE}/auth/callback?state={state}")
    assert location(result) == f"{SITE}/premium/"
    assert browser.cookies[TOKEN] == token


def test_return_without_a_code_opens_nothing_without_a_session(browser: FakeBrowser) -> None:
    page = location(browser.send(f"{SITE}/auth/passkey?return_to=/premium/"))
    (state,) = parse_qs(urlsplit(page).query)["state"]
    assert browser.send(f"{SITE}/auth/callback?state={state}")["status"] == "403"
    assert TOKEN not in browser.cookies
