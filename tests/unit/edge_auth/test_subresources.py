"""Images, scripts, media segments and data of a page whose token ends while the page is open."""

from collections.abc import Callable

import pytest

from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.fake_browser import FakeBrowser, location
from tests.unit.edge_auth.fake_cognito import FakeCognito

SITE = f"https://{issuer.HOST}"
SEGMENT = f"{SITE}/premium/lesson/7.ts?part=2"
TOKEN, REFRESH = "__Host-meridian-token", "__Host-meridian-refresh"
LIFETIME_S = 3_600
IMAGE = {
    "Accept": "image/avif,image/webp,*/*;q=0.8",
    "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Dest": "image",
    "Sec-Fetch-Site": "same-origin",
}
#: Headers of Chromium's requests, by what a page loads.
KINDS = {
    "image": IMAGE,
    "script": IMAGE | {"Accept": "*/*", "Sec-Fetch-Dest": "script"},
    "module": IMAGE | {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "script"},
    "video": IMAGE | {"Accept": "*/*", "Sec-Fetch-Dest": "video", "Range": "bytes=1000-"},
    "fetch": IMAGE | {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
}


@pytest.fixture
def reader(browser: FakeBrowser, clock: issuer.Clock) -> FakeBrowser:
    """A browser that opened a paid page an hour ago, so that its token has expired."""
    browser.navigate(f"{SITE}/premium/lesson.html")
    clock.now += LIFETIME_S
    return browser


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("kind", KINDS)
def test_subresource_with_expired_token_is_renewed_with_one_redirect(
    kind: str, method: str, reader: FakeBrowser
) -> None:
    renewed = reader.send(SEGMENT, method=method, headers=KINDS[kind])
    assert renewed["status"] == "303"
    assert location(renewed) == SEGMENT
    passed = reader.send(location(renewed), method=method, headers=KINDS[kind])
    assert "status" not in passed
    assert passed["querystring"] == "part=2"


def test_video_plays_for_hours(reader: FakeBrowser, clock: issuer.Clock) -> None:
    for _ in range(20):
        for headers in (KINDS["video"], KINDS["video"]):
            result = reader.send(SEGMENT, headers=headers)
            if result.get("status") == "303":
                result = reader.send(location(result), headers=headers)
            assert "status" not in result
        clock.now += LIFETIME_S // 2


@pytest.mark.parametrize("rotation", [False, True])
def test_concurrent_subresources_keep_one_session(
    rotation: bool, reader: FakeBrowser, cognito: FakeCognito
) -> None:
    """Each sends the old cookies, as a browser does for the images of one page."""
    cognito.rotation = rotation
    before = reader.cookies
    for _ in range(8):
        result = reader.send(SEGMENT, headers=IMAGE, cookies=before)
        assert (result["status"], location(result)) == ("303", SEGMENT)
    for _ in range(8):
        assert "status" not in reader.send(SEGMENT, headers=IMAGE)


def test_refused_refresh_of_subresource_ends_with_401(
    reader: FakeBrowser, cognito: FakeCognito
) -> None:
    """No image starts a sign-in, and the session stays for the next navigation."""
    cognito.refresh_tokens.clear()
    statuses = [reader.send(SEGMENT, headers=IMAGE)["status"] for _ in range(3)]
    assert statuses == ["303", "401", "401"]
    assert {TOKEN, REFRESH} <= set(reader.cookies)


def test_subresource_during_outage_of_cognito_gets_503(
    reader: FakeBrowser, cognito: FakeCognito
) -> None:
    cognito.down = True
    assert reader.send(SEGMENT, headers=IMAGE)["status"] == "503"
    cognito.down = False
    assert reader.send(SEGMENT, headers=IMAGE)["status"] == "303"


@pytest.mark.parametrize(
    "changes",
    [
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Mode": "websocket"},
        {"Sec-Purpose": "prefetch"},
        {"Authorization": "Bearer x"},
    ],
)
def test_other_requests_are_not_renewed(
    changes: dict[str, str], reader: FakeBrowser, cognito: FakeCognito
) -> None:
    posted = len(cognito.posted)
    assert reader.send(SEGMENT, headers=IMAGE | changes)["status"] == "401"
    assert reader.send(SEGMENT, method="POST", headers=IMAGE)["status"] == "401"
    assert len(cognito.posted) == posted


def test_subresource_without_session_gets_401(make_browser: Callable[..., FakeBrowser]) -> None:
    browser = make_browser()
    assert browser.send(SEGMENT, headers=IMAGE)["status"] == "401"
    assert browser.cookies == {}


def test_subresource_of_account_without_group_gets_403(
    reader: FakeBrowser, cognito: FakeCognito
) -> None:
    cognito.groups = []
    assert reader.send(SEGMENT, headers=IMAGE)["status"] == "303"
    assert reader.send(SEGMENT, headers=IMAGE)["status"] == "403"
