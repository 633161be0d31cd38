"""Sign-in, refresh and sign-out of a student in Chromium, against the running system.

The system is the `meridian` fixture, or a running one named by environment variables: MERIDIAN_URL
(the portal), AWS_ENDPOINT_URL (the emulator) and MERIDIAN_STUDENTS (JSON: [{"email": …,
"password": …, "paying": …}, …]).
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from tests.support.chromium import launched
from tests.support.managed_login import add_passkey, sign_in_with_passkey, sign_in_with_password

pytestmark = pytest.mark.browser

TOKEN, REFRESH = "__Host-meridian-token", "__Host-meridian-refresh"
LOGIN_PAGE = re.compile(r"/oauth2/authorize\?")


@dataclass(frozen=True)
class Student:
    """A user of the pool; paying students are in the group "paying"."""

    email: str
    password: str
    paying: bool


@dataclass(frozen=True)
class Site:
    """The running system: portal URL, emulator endpoint and students."""

    url: str
    endpoint: str
    students: tuple[Student, ...]

    def student(self, *, paying: bool) -> Student:
        return next(student for student in self.students if student.paying is paying)


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Site:
    if "MERIDIAN_URL" in os.environ:
        students = json.loads(os.environ["MERIDIAN_STUDENTS"])
        return Site(
            os.environ["MERIDIAN_URL"].rstrip("/"),
            os.environ["AWS_ENDPOINT_URL"],
            tuple(Student(**student) for student in students),
        )
    running: Any = request.getfixturevalue("meridian")
    students = (Student(it.email, it.password, it.paying) for it in running.students)
    return Site(running.url, running.target.endpoint, tuple(students))


# Module scope: while Playwright's event loop runs, asyncio.run raises.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def context(chromium: Browser, site: Site) -> Iterator[BrowserContext]:
    browser_context = chromium.new_context(
        base_url=site.url, viewport={"width": 360, "height": 640}
    )
    yield browser_context
    browser_context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def cookie_names(context: BrowserContext) -> set[str]:
    return {cookie["name"] for cookie in context.cookies() if cookie["name"].startswith("__Host-")}


def sign_in(page: Page, student: Student) -> None:
    """Fill in the managed login page."""
    expect(page).to_have_url(LOGIN_PAGE)
    sign_in_with_password(page, student.email, student.password)


def payload(token: str) -> str:
    """Return the payload of a token as standard base64."""
    return token.split(".")[1].replace("-", "+").replace("_", "/")


def record_navigations(page: Page) -> list[Response]:
    """Return a list that receives every response to a navigation, redirects included."""
    responses: list[Response] = []
    page.on(
        "response", lambda it: responses.append(it) if it.request.is_navigation_request() else None
    )
    return responses


def test_paying_student_signs_in_reads_refreshes_and_signs_out(
    context: BrowserContext, page: Page, site: Site
) -> None:
    page.goto("/premium/?week=3&q=a%26b")
    sign_in(page, site.student(paying=True))
    expect(page).to_have_url(f"{site.url}/premium/?week=3&q=a%26b")
    expect(page.locator("h1")).to_be_visible()

    session_cookies = [
        cookie for cookie in context.cookies() if cookie["name"].startswith("__Host-meridian-")
    ]
    assert {TOKEN, REFRESH} <= {it["name"] for it in session_cookies}
    for cookie in session_cookies:
        assert cookie["httpOnly"]
        assert cookie["secure"]
        assert cookie["sameSite"] == "Lax"
        assert cookie["path"] == "/"
    assert page.evaluate("document.cookie") == ""

    session = page.evaluate("fetch('/auth/session').then(it => it.json())")
    assert session["signed_in"] is True
    assert session["groups"] == ["paying"]

    page.goto("/auth/refresh?return_to=/premium/%3Fweek%3D4")
    page.get_by_role("button", name="Refresh access").click()
    expect(page).to_have_url(f"{site.url}/premium/?week=4")

    page.goto("/auth/sign-out")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{site.url}/")
    assert cookie_names(context) == set()
    status = page.evaluate("fetch('/premium/').then(it => it.status)")
    assert status == 401
    page.goto("/premium/")
    expect(page).to_have_url(LOGIN_PAGE)


def test_student_adds_passkey_and_signs_in_with_it(
    context: BrowserContext, page: Page, site: Site
) -> None:
    """Chromium makes and uses the keys, in an authenticator that has a fingerprint to check."""
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    device = devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    student, other = site.student(paying=True), site.student(paying=False)
    page.goto("/app/")
    sign_in(page, student)
    page.get_by_role("link", name="Add a passkey").click()
    add_passkey(page, student.email, student.password)
    expect(page).to_have_url(f"{site.url}/app/")
    (key,) = devices.send("WebAuthn.getCredentials", device)["credentials"]
    assert (key["rpId"], key["signCount"]) == ("localhost", 1)

    page.goto("/auth/sign-out")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{site.url}/")
    page.goto("/premium/?week=3")
    # The device has no passkey of the other student.
    sign_in_with_passkey(page, other.email)
    expect(page.get_by_role("alert")).to_have_text("Incorrect username or passkey.")
    assert TOKEN not in cookie_names(context)
    page.goto("/premium/?week=3")
    sign_in_with_passkey(page, student.email)
    expect(page).to_have_url(f"{site.url}/premium/?week=3")

    # Without the fingerprint, the device doesn't answer.
    devices.send("WebAuthn.setUserVerified", {**device, "isUserVerified": False})
    context.clear_cookies()
    page.goto("/premium/?week=4")
    sign_in_with_passkey(page, student.email)
    expect(page.get_by_role("alert")).not_to_be_empty()
    assert TOKEN not in cookie_names(context)


def test_directory_without_slash_leads_to_page(page: Page, site: Site) -> None:
    page.goto("/premium?week=3")
    sign_in(page, site.student(paying=True))
    expect(page).to_have_url(f"{site.url}/premium/?week=3")
    expect(page.locator("h1")).to_be_visible()


def test_missing_token_is_refreshed_with_one_redirect(
    context: BrowserContext, page: Page, site: Site
) -> None:
    page.goto("/premium/")
    sign_in(page, site.student(paying=True))
    expect(page).to_have_url(f"{site.url}/premium/")
    context.clear_cookies(name=TOKEN)
    responses = record_navigations(page)
    page.goto("/premium/?again=1")
    assert [(it.status, it.url) for it in responses] == [
        (303, f"{site.url}/premium/?again=1"),
        (200, f"{site.url}/premium/?again=1"),
    ]


def test_images_and_data_of_open_page_are_renewed_silently(
    context: BrowserContext, page: Page, site: Site
) -> None:
    """The page asks for several files at once after its token has ended."""
    page.goto("/premium/")
    sign_in(page, site.student(paying=True))
    expect(page).to_have_url(f"{site.url}/premium/")
    responses: list[Response] = []
    page.on("response", lambda it: responses.append(it))
    for kind in ("fetch", "script"):
        context.clear_cookies(name=TOKEN)
        outcomes = page.evaluate(
            """kind => Promise.all([1, 2, 3].map(number => {
              const url = `/premium/?${kind}=${number}`
              if (kind === "fetch") return fetch(url).then(it => it.status)
              const link = document.createElement("link")
              Object.assign(link, {rel: "preload", as: kind, href: url})
              return new Promise(done => {
                link.onload = () => done(200)
                link.onerror = () => done(0)
                document.head.append(link)
              })
            }))""",
            kind,
        )
        assert outcomes == [200, 200, 200]
        assert TOKEN in {cookie["name"] for cookie in context.cookies()}
        statuses = [it.status for it in responses if f"?{kind}=" in it.url]
        assert 303 in statuses
        assert not {401, 403} & set(statuses)


def test_revoked_refresh_token_starts_sign_in(
    context: BrowserContext, page: Page, site: Site
) -> None:
    page.goto("/premium/")
    sign_in(page, site.student(paying=True))
    expect(page).to_have_url(f"{site.url}/premium/")
    values = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
    claims = json.loads(page.evaluate("token => atob(token)", payload(values[TOKEN])))
    revoked = {"token": values[REFRESH], "client_id": claims["client_id"]}
    httpx.post(f"{site.endpoint}/oauth2/revoke", data=revoked).raise_for_status()
    context.clear_cookies(name=TOKEN)
    page.goto("/premium/")
    expect(page).to_have_url(LOGIN_PAGE)


def test_two_tabs_sign_in_concurrently(context: BrowserContext, page: Page, site: Site) -> None:
    other = context.new_page()
    page.goto("/premium/?tab=1")
    other.goto("/app/?tab=2")
    for tab, path in ((other, "/app/?tab=2"), (page, "/premium/?tab=1")):
        sign_in(tab, site.student(paying=True))
        expect(tab).to_have_url(f"{site.url}{path}")


@pytest.fixture
def join_group(site: Site) -> Iterator[Callable[[str], None]]:
    """Add the student who doesn't pay to a group, as a purchase would; remove them at the end."""
    client = boto3.client(
        "cognito-idp",
        region_name="us-east-1",
        endpoint_url=site.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    (pool,) = [
        it["Id"]
        for it in client.list_user_pools(MaxResults=10)["UserPools"]
        if it["Name"].startswith("meridian-")
    ]
    student = {"UserPoolId": pool, "Username": site.student(paying=False).email}
    joined: list[str] = []

    def join(name: str) -> None:
        client.admin_add_user_to_group(**student, GroupName=name)
        joined.append(name)

    yield join
    for name in joined:
        client.admin_remove_user_from_group(**student, GroupName=name)


def test_purchase_takes_effect_after_refresh(
    page: Page, site: Site, join_group: Callable[[str], None]
) -> None:
    page.goto("/premium/?week=3")
    sign_in(page, site.student(paying=False))
    expect(page).to_have_url(f"{site.url}/upgrade.html?return_to=%2Fpremium%2F%3Fweek%3D3")
    assert page.evaluate("fetch('/premium/').then(it => it.status)") == 403
    join_group("paying")
    page.get_by_role("link", name="Refresh access").click()
    expect(page).to_have_url(f"{site.url}/premium/?week=3")
    expect(page.locator("h1")).to_be_visible()


def test_error_page_fits_phone_and_satisfies_csp(page: Page) -> None:
    console_messages: list[str] = []
    page.on("console", lambda it: console_messages.append(it.text))
    response = page.goto("/auth/callback?code=stolen&state=AAAA")
    assert response is not None
    assert response.status == 400
    assert "no-store" in response.headers["cache-control"]
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("main")).to_have_css(
        "max-width", "544px"
    )  # the CSP allows the page's style
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    # Chromium reports the 400 status, and would report a CSP violation too.
    assert not [text for text in console_messages if "Content Security Policy" in text]
    page.keyboard.press("Tab")
    expect(page.locator("a").first).to_be_focused()
