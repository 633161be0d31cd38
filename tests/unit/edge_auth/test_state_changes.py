"""Sign-in, refresh and sign-out change state only if a person asks for it."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.conftest import create_context
from tests.unit.edge_auth.fake_browser import FakeBrowser, location
from tests.unit.edge_auth.fake_cognito import FakeCognito
from tests.unit.edge_auth.viewer_events import NAVIGATION_HEADERS

SITE = f"https://{issuer.HOST}"
LESSON = f"{SITE}/premium/lesson.html"
TOKEN = "__Host-meridian-token"
FETCH = {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
SPECULATIVE = [
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"Sec-Purpose": "prefetch;anonymous-client-ip"},
    {"Purpose": "prefetch"},
    {"Purpose": "Prefetch"},
    {"X-Purpose": "preview"},
    {"X-Moz": "prefetch"},
    {"Next-Router-Prefetch": "1"},
]
ACTING = ["sign-in", "callback?code=a&state=b", "refresh?return_to=/premium/", "sign-out"]


class Form(HTMLParser):
    """The form of a page: method, action, and the number of its buttons."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.method = self.action = ""
        self.buttons = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.method, self.action = attributes["method"], attributes["action"]
        self.buttons += tag == "button"


@pytest.mark.parametrize("headers", SPECULATIVE, ids=str)
@pytest.mark.parametrize("endpoint", ACTING)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_speculative_request_changes_nothing(
    browser: FakeBrowser,
    cognito: FakeCognito,
    endpoint: str,
    headers: dict[str, str],
    method: str,
) -> None:
    browser.navigate(LESSON)
    before, posted = dict(browser.jar), len(cognito.posted)
    for others in (NAVIGATION_HEADERS, FETCH):
        result = browser.send(
            f"{SITE}/auth/{endpoint}", method=method, headers={**others, **headers}
        )
        assert result["status"] in ("403", "405")
        assert "set-cookie" not in result["headers"]
    assert browser.jar == before
    assert len(cognito.posted) == posted


@pytest.mark.parametrize("headers", SPECULATIVE, ids=str)
def test_speculative_request_of_page_starts_no_sign_in_and_no_refresh(
    browser: FakeBrowser, cognito: FakeCognito, clock: issuer.Clock, headers: dict[str, str]
) -> None:
    speculative = {**NAVIGATION_HEADERS, **headers}
    assert browser.send(LESSON, headers=speculative)["status"] == "401"
    assert browser.jar == {}
    browser.navigate(LESSON)
    assert "status" not in browser.send(LESSON, headers=speculative)
    clock.now += 3_600
    posted = len(cognito.posted)
    assert browser.send(LESSON, headers=speculative)["status"] == "401"
    assert len(cognito.posted) == posted


@given(
    st.sampled_from(["sign-out", "refresh"]),
    st.dictionaries(
        st.sampled_from(["Sec-Fetch-Site", "Sec-Fetch-User", "Accept", "Sec-Fetch-Mode", "X-Any"]),
        st.sampled_from(["same-origin", "none", "?1", "text/html", "navigate", "cors", "no-cors"]),
    ),
    st.sampled_from(["GET", "HEAD"]),
)
def test_no_get_request_refreshes_or_signs_out(
    endpoint: str, headers: dict[str, str], method: str
) -> None:
    clock = issuer.Clock()
    cognito = FakeCognito(clock, rotation=True)
    context = create_context(clock, fetch=cognito.fetch, post=cognito.post)
    browser = FakeBrowser(context, cognito, clock)
    browser.jar["__Host-meridian-refresh"] = ("a-refresh-token", clock() + 60)
    before = dict(browser.jar)
    browser.send(f"{SITE}/auth/{endpoint}", method=method, headers=headers)
    assert browser.jar == before
    assert cognito.posted == []


def test_sign_out_by_get_shows_confirmation_page(
    browser: FakeBrowser, cognito: FakeCognito
) -> None:
    browser.navigate(LESSON)
    result = browser.send(f"{SITE}/auth/sign-out")
    assert result["status"] == "200"
    form = Form(result["body"])
    assert (form.method, form.action, form.buttons) == ("post", "/auth/sign-out", 1)
    csp = result["headers"]["content-security-policy"][0]["value"]
    # The browser applies form-action to the redirect to Cognito too.
    assert f"form-action 'self' {issuer.HOSTED_UI}" in csp
    assert result["headers"]["referrer-policy"][0]["value"] == "same-origin"
    result = browser.send(f"{SITE}{form.action}", method=form.method.upper())
    assert location(result).startswith(f"{issuer.HOSTED_UI}/logout?")
    assert browser.cookies == {}


def test_refresh_by_get_shows_confirmation_page(browser: FakeBrowser) -> None:
    browser.navigate(LESSON)
    result = browser.send(f"{SITE}/auth/refresh?return_to=/premium/%3Fa%3D%22%3Cb%3E%26c")
    assert "<b>" not in result["body"]
    result = browser.send(f"{SITE}{Form(result['body']).action}", method="POST")
    assert location(result) == f'{SITE}/premium/?a="<b>&c'


@pytest.mark.parametrize("endpoint", ["sign-out", "refresh"])
def test_script_must_send_post(browser: FakeBrowser, endpoint: str) -> None:
    result = browser.send(f"{SITE}/auth/{endpoint}", headers=FETCH)
    assert result["status"] == "405"
    assert result["headers"]["allow"][0]["value"] == "POST"


@pytest.mark.parametrize("endpoint", ["sign-out", "refresh"])
@pytest.mark.parametrize(
    ("headers", "works"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": SITE}, False),
        # Browsers without fetch metadata.
        ({"Origin": SITE}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        # No browser: it has no cookies that it didn't choose to send.
        ({}, True),
    ],
    ids=str,
)
def test_post_request_is_accepted_from_own_pages_only(
    browser: FakeBrowser, endpoint: str, headers: dict[str, str], works: bool
) -> None:
    browser.navigate(LESSON)
    before = dict(browser.jar)
    result = browser.send(
        f"{SITE}/auth/{endpoint}", method="POST", headers={"Accept": "text/html", **headers}
    )
    assert (result["status"] == "303") is works
    assert (browser.jar != before) is works
    if not works:
        assert result["status"] == "403"
        assert "Another site" in result["body"]


@pytest.mark.parametrize("headers", [NAVIGATION_HEADERS, FETCH], ids=["page", "script"])
def test_sign_out_clears_stored_pages(browser: FakeBrowser, headers: dict[str, str]) -> None:
    browser.navigate(LESSON)
    result = browser.send(f"{SITE}/auth/sign-out", method="POST", headers=headers)
    (cleared,) = result["headers"]["clear-site-data"]
    assert '"cache"' in cleared["value"]
    # It would also delete the cookies of other hosts of the registered domain.
    assert '"cookies"' not in cleared["value"]
    assert '"*"' not in cleared["value"]
    assert TOKEN not in browser.cookies
