"""Revoked tokens at the edge: pages, data, the API, and an unreadable deny-list."""

from collections.abc import Callable
from typing import Any

import pytest

from edge_auth import authorization, revocations
from edge_auth.errors import FetchError, SettingsError
from edge_auth.settings import parse
from revocations import deny_list
from signed_snapshot.publisher import Publisher
from signed_snapshot.reader import MAX_AGE_DURING_FAILURES_S, RETRY_S
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.cloudfront_rules import assert_valid_result
from tests.unit.edge_auth.conftest import create_context
from tests.unit.edge_auth.fake_browser import FakeBrowser, location
from tests.unit.edge_auth.fake_cognito import FakeCognito
from tests.unit.edge_auth.viewer_events import viewer_request
from tests.unit.signed_snapshot.fake_aws import FakeKms, FakeS3

SITE = f"https://{issuer.HOST}"
LESSON = f"{SITE}/premium/lesson.html"
MAX_AGE_S = 55
SUB = str(issuer.access_claims()["sub"])
SESSION = str(issuer.access_claims()["origin_jti"])
FETCH = {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}


class Site:
    """A browser, and the deny-list that the site's distribution serves."""

    def __init__(self, clock: issuer.Clock, cognito: FakeCognito, **settings: object) -> None:
        self.clock = clock
        self.s3 = FakeS3()
        self.publisher = Publisher(
            self.s3, FakeKms(), bucket="b", key="k", name="revocations", key_id="one"
        )
        self.publisher.update(lambda content: content, int(clock()))
        self.urls: list[str] = []
        self.down = False
        self.cognito = cognito
        chosen = {"jwks": self.publisher.public_keys(), **settings}
        context = create_context(clock, fetch=self.fetch, post=cognito.post, revocations=chosen)
        self.browser = FakeBrowser(context, cognito, clock)

    def fetch(self, url: str) -> bytes:
        if "/snapshots/" not in url:
            return self.cognito.fetch(url)
        self.urls.append(url)
        if self.down:
            raise FetchError
        return self.s3.objects["k"]

    def revoke(self, change: Callable[..., Any], *arguments: Any) -> None:
        now = int(self.clock())
        self.publisher.update(lambda content: change(content, *arguments, now), now)


@pytest.fixture
def site(clock: issuer.Clock, cognito: FakeCognito) -> Site:
    site = Site(clock, cognito)
    assert "status" not in site.browser.navigate(LESSON)
    return site


def code(result: dict[str, Any]) -> str:
    import json

    return str(json.loads(result["body"])["code"])


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        (deny_list.revoke_user, (SUB,)),
        (deny_list.revoke_session, (SESSION,)),
        (deny_list.revoke_everyone, ()),
    ],
)
def test_revoked_token_opens_nothing_within_a_minute(
    change: Callable[..., Any], arguments: tuple[str, ...], site: Site
) -> None:
    site.revoke(change, *arguments)
    site.clock.now += MAX_AGE_S
    for headers in (FETCH, FETCH | {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "video"}):
        result = site.browser.send(LESSON, headers=headers)
        assert (result["status"], code(result)) == ("401", "token_revoked")
    # The origin of the API would accept the token until it expires.
    result = site.browser.send(f"{SITE}/api/profile", headers=FETCH)
    assert (result["status"], code(result)) == ("401", "token_revoked")
    session = site.browser.send(f"{SITE}/auth/session", headers=FETCH)
    assert '"signed_in": false' in session["body"]


def test_revoked_page_signs_the_browser_out_at_cognito_too(site: Site) -> None:
    site.revoke(deny_list.revoke_session, SESSION)
    site.clock.now += MAX_AGE_S
    refreshes = len(site.cognito.posted)
    result = site.browser.send(LESSON)
    assert location(result).startswith(f"{issuer.HOSTED_UI}/logout?")
    assert site.browser.cookies == {}
    # No refresh: its token would be of the same session.
    assert [it.get("grant_type") for it in site.cognito.posted[refreshes:]] == [None]


def test_new_sign_in_after_revocation_of_user_opens_page(site: Site) -> None:
    site.revoke(deny_list.revoke_user, SUB)
    site.clock.now += MAX_AGE_S
    site.browser.navigate(LESSON)
    assert "status" not in site.browser.navigate(LESSON)


def test_prefetch_of_revoked_page_signs_no_browser_out(site: Site) -> None:
    site.revoke(deny_list.revoke_user, SUB)
    site.clock.now += MAX_AGE_S
    before = site.browser.cookies
    page = {"Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch", "Accept": "text/html"}
    assert site.browser.send(LESSON, headers=page)["status"] == "401"
    assert site.browser.cookies == before


@pytest.mark.parametrize("header", ["cookie", "authorization"])
def test_revoked_bearer_token_is_not_forwarded(header: str, site: Site) -> None:
    site.revoke(deny_list.revoke_user, SUB)
    site.clock.now += MAX_AGE_S
    headers = dict(FETCH)
    if header == "authorization":
        headers["Authorization"] = f"Bearer {issuer.token()}"
    cookies = {"__Host-meridian-token": issuer.token()} if header == "cookie" else {}
    result = site.browser.send(f"{SITE}/api/profile", headers=headers, cookies=cookies)
    assert result["status"] == "401"


@pytest.mark.parametrize("token", ["x", "a.b", "é.b.c", "a.!.c", "a.W10.c", "a." + "b" * 9_000])
def test_malformed_bearer_token_is_the_apis_to_refuse(token: str, site: Site) -> None:
    headers = FETCH | {"Authorization": f"Bearer {token}"}
    assert "status" not in site.browser.send(f"{SITE}/api/profile", headers=headers, cookies={})


def test_requests_without_token_need_no_deny_list(site: Site) -> None:
    site.urls.clear()
    site.down = True
    site.clock.now += MAX_AGE_DURING_FAILURES_S
    for url in (f"{SITE}/api/accounts", f"{SITE}/courses/a.html", f"{SITE}/auth/session"):
        assert site.browser.send(url, headers=FETCH, cookies={}).get("status") in (None, "200")
    assert site.urls == []


@pytest.mark.parametrize("url", [LESSON, f"{SITE}/api/profile", f"{SITE}/auth/session"])
def test_unreadable_deny_list_denies_after_ten_minutes(url: str, site: Site) -> None:
    site.down = True
    # Each request keeps the failed reads apart.
    site.clock.now += MAX_AGE_DURING_FAILURES_S - 1
    assert site.browser.send(url, headers=FETCH).get("status") in (None, "200")
    site.clock.now += 1
    denied = site.browser.send(url, headers=FETCH)
    assert (denied["status"], code(denied)) == ("503", "snapshot_unavailable")
    assert denied["headers"]["retry-after"]
    site.down = False
    site.clock.now += RETRY_S
    assert site.browser.send(url, headers=FETCH).get("status") in (None, "200")


def test_process_without_deny_list_denies(clock: issuer.Clock, cognito: FakeCognito) -> None:
    site = Site(clock, cognito)
    site.down = True
    page = site.browser.navigate(LESSON)
    assert page["status"] == "503"
    assert "Please try again" in page["body"]


def test_deny_list_is_read_from_the_distribution(site: Site) -> None:
    assert set(site.urls) == {f"{SITE}/snapshots/revocations"}
    assert revocations.PATH == "/snapshots/revocations"


def test_deny_list_is_read_from_a_configured_origin(
    clock: issuer.Clock, cognito: FakeCognito
) -> None:
    site = Site(clock, cognito, origin="http://localhost:8080")
    assert "status" not in site.browser.navigate(LESSON)
    assert set(site.urls) == {"http://localhost:8080/snapshots/revocations"}


def test_event_without_distribution_denies(site: Site) -> None:
    event: Any = viewer_request(
        "/premium/a.html", headers=FETCH | {"Authorization": f"Bearer {issuer.token()}"}
    )
    event["Records"][0]["cf"]["config"]["distributionDomainName"] = ""
    result = authorization.handle_viewer_request(site.browser.context, event)[1].result
    assert_valid_result(result, event)
    assert result["status"] == "503"


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ([], "revocations"),
        ({}, "revocations.jwks"),
        ({"jwks": {"keys": []}}, "revocations.jwks"),
        ({"jwks": issuer.jwks(), "origin": "http://school.example"}, "revocations.origin"),
        ({"jwks": issuer.jwks(), "origin": "https://a.example/x"}, "revocations.origin"),
        ({"jwks": issuer.jwks(), "max_age_s": 56}, "max_age_s"),
        ({"jwks": issuer.jwks(), "max_age_s": 0}, "max_age_s"),
        ({"jwks": issuer.jwks(), "url": "x"}, "revocations"),
    ],
)
def test_invalid_setting_of_revocations_is_named(value: object, key: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse(issuer.settings(revocations=value))
    assert raised.value.key == key


def test_token_of_a_replaced_sign_in_opens_nothing(site: Site) -> None:
    """Its own claim says so: a refresh after newer sign-ins returned it."""
    signed_in = int(site.clock())
    stays = issuer.token(issuer.access_claims(site.clock(), replaced_until=signed_in - 1))
    replaced = issuer.token(issuer.access_claims(site.clock(), replaced_until=signed_in))
    for token, status in ((stays, None), (replaced, "401")):
        cookies = {"__Host-meridian-token": token}
        for url in (LESSON, f"{SITE}/api/profile"):
            answer = site.browser.send(url, headers=FETCH, cookies=cookies)
            assert answer.get("status") == status
