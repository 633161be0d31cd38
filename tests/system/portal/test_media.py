"""A lesson's HLS video in Chromium: across the end of its cookies, sign-out and revocation."""

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.axe import violations
from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_journey import assert_fits, sign_in
from tests.system.portal.test_sign_out import sign_out_with_link
from tests.system.test_revocation import create_account
from tools.dev.system import System
from tools.operations.revoke import revoke
from tools.stack import client

pytestmark = pytest.mark.browser

type Visit = Callable[..., Page]
WAIT_S: Final = 120.0
MEDIA: Final = "/media/lesson-one/"
PLAYLIST: Final = f"{MEDIA}index.m3u8"
#: Two lifetimes of the local cookies (stacks/edge-media.yaml), 20 seconds each.
PLAYED_S: Final = 41
PLAY: Final = "video => { video.muted = true; return video.play(); }"


@pytest.fixture
def paying(meridian: System) -> Student:
    """The paying demo student."""
    demo_student = next(it for it in meridian.students if it.paying)
    return Student(demo_student.email, demo_student.password)


def media_cookies(page: Page) -> dict[str, dict[str, Any]]:
    """Return the browser's signed cookies by name."""
    stored = page.context.cookies(page.url.partition("/premium")[0] + PLAYLIST)
    return {it["name"]: dict(it) for it in stored if it["name"].startswith("CloudFront-")}


def expiry(page: Page) -> int:
    """Return the end of the browser's policy, in epoch seconds."""
    text = media_cookies(page)["CloudFront-Policy"]["value"].translate(str.maketrans("-_~", "+=/"))
    (statement,) = json.loads(base64.b64decode(text))["Statement"]
    assert statement["Resource"] == "https://*/media/*"
    end = statement["Condition"]["DateLessThan"]["AWS:EpochTime"]
    assert isinstance(end, int)
    return end


def requests_of_media(meridian: System) -> list[dict[str, Any]]:
    """Return the access log's entries of segments."""
    log = meridian.directory / "logs" / "cloudfront-access.jsonl"
    written = log.read_text().rpartition("\n")[0].splitlines()
    return [json.loads(line) for line in written if f'"{MEDIA}segment' in line]


def position(page: Page) -> float:
    return float(page.eval_on_selector("#lesson-video", "video => video.currentTime"))


def test_video_plays_across_two_expiries_without_a_function(
    visit: Visit, paying: Student, meridian: System, page_errors: list[str]
) -> None:
    earlier = len(requests_of_media(meridian))
    page = visit()
    sign_in(page, paying, "/premium/")
    wait_until(lambda: "CloudFront-Policy" in media_cookies(page), "the signed cookies", WAIT_S)
    cookies = media_cookies(page)
    assert cookies.keys() == {
        f"CloudFront-{it}" for it in ("Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm")
    }
    for cookie in cookies.values():
        assert (cookie["path"], cookie["httpOnly"], cookie["secure"]) == ("/media/", True, True)
        assert (cookie["domain"], cookie["sameSite"]) == ("localhost", "Lax")
    first_end = expiry(page)
    page.eval_on_selector("#lesson-video", PLAY)
    wait_until(lambda: position(page) > PLAYED_S, "the video plays", WAIT_S)
    # The last segments were requested with cookies that were renewed at least twice.
    assert expiry(page) >= first_end + 20
    expect(page.locator("#video-status")).to_be_empty()
    wait_until(
        lambda: (
            {re.sub(r".*segment-", "", it["path"]) for it in requests_of_media(meridian)[earlier:]}
            >= {f"{number:02}.m4s" for number in range(12)}
        ),
        "requests of all segments",
        WAIT_S,
    )
    entries = requests_of_media(meridian)[earlier:]
    assert datetime.fromisoformat(entries[-1]["time"]).timestamp() > first_end
    for entry in entries:
        assert entry["status"] in {200, 304}, entry
        # CloudFront itself verifies the cookies.
        assert entry["functions"] == {}, entry
    assert page_errors == []


def test_video_has_captions_in_three_languages(
    visit: Visit, paying: Student, page_errors: list[str]
) -> None:
    page = visit()
    sign_in(page, paying, "/premium/")
    # A browser loads the captions of a language when they are shown.
    loaded = """language => {
      const tracks = [...document.querySelector("#lesson-video").textTracks];
      const track = tracks.find(it => it.language === language);
      track.mode = "showing";
      return track.cues?.length ?? 0;
    }"""
    for language in ("en", "hi", "vi"):
        page.wait_for_function(f"language => ({loaded})(language) === 9", arg=language)
    assert page_errors == []


def test_member_reads_the_three_lessons_of_a_course(
    visit: Visit, paying: Student, page_errors: list[str]
) -> None:
    page = visit()
    sign_in(page, paying, "/premium/")
    for number, title in enumerate(("Where is noon?", "Why clocks agree", "Find your own noon"), 1):
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        expect(page.get_by_text(f"Lesson {number} of 3")).to_be_visible()
        answers = page.locator("details p")
        expect(answers.first).to_be_hidden()
        page.locator("summary").first.click()
        expect(answers.first).to_be_visible()
        assert_fits(page)
        assert violations(page) == []
        if number < 3:
            page.get_by_role("link", name="Next lesson").click()
    expect(page.get_by_role("heading", name=re.compile("ve finished the course"))).to_be_visible()
    assert page_errors == []


def test_media_needs_cookies_of_cloudfront(meridian: System) -> None:
    answer = httpx.get(f"{meridian.url}{PLAYLIST}", timeout=30)
    assert answer.status_code == 403
    assert "<Code>MissingKey</Code>" in answer.text
    # S3 decodes the path to the key of the playlist.
    hidden = httpx.get(f"{meridian.url}/media%2Flesson-one%2Findex.m3u8", timeout=30)
    assert hidden.status_code == 404


def test_sign_out_closes_media(visit: Visit, paying: Student) -> None:
    page = visit()
    sign_in(page, paying, "/premium/")
    wait_until(lambda: "CloudFront-Policy" in media_cookies(page), "the signed cookies", WAIT_S)
    fetch = f"fetch({PLAYLIST!r}).then(answer => answer.status)"
    assert page.evaluate(fetch) == 200
    sign_out_with_link(page)
    assert [it["name"] for it in page.context.cookies() if "CloudFront" in it["name"]] == []
    assert page.evaluate(fetch) == 403


def post(meridian: System, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{meridian.url}/api/media-cookies", headers=headers, timeout=30)


def get_media(meridian: System, opened: httpx.Response) -> int:
    """Return the status of a request with the cookies of a response."""
    values = [it.partition(";")[0] for it in opened.headers.get_list("set-cookie")]
    headers = {"Cookie": "; ".join(values)}
    return httpx.get(f"{meridian.url}{PLAYLIST}", headers=headers, timeout=30).status_code


def test_revocation_closes_media_at_the_end_of_the_cookies(meridian: System) -> None:
    student, guest = create_account(meridian, "paying"), create_account(meridian, "staff")
    refused = post(meridian, guest.sign_in())
    assert (refused.status_code, refused.json()["code"]) == (403, "not_entitled")
    token = student.sign_in()
    opened = post(meridian, token)
    assert (opened.status_code, opened.json()) == (
        200,
        {"path": "/media/", "expiresIn": 20, "renewIn": 10},
    )
    assert get_media(meridian, opened) == 200

    message = revoke(
        client("lambda", meridian.target), meridian.target.stage, {"user": student.email}
    )
    assert "Media" in message
    # The function reads the present deny-list; edge_auth may have refused the token before it.
    denied = post(meridian, token)
    assert (denied.status_code, denied.json()["code"]) == (401, "token_revoked")
    wait_until(lambda: get_media(meridian, opened) == 403, "the cookies end", WAIT_S)


def test_newest_three_sessions_of_a_member_play_media(meridian: System) -> None:
    """The local limit is three (tools/dev/system.py)."""
    student = create_account(meridian, "paying")
    tokens = [student.sign_in() for _ in range(4)]
    assert [post(meridian, it).status_code for it in tokens] == [200] * 4
    replaced = post(meridian, tokens[0])
    assert (replaced.status_code, replaced.json()["code"]) == (403, "session_replaced")
    assert get_media(meridian, replaced) == 403
    assert [post(meridian, it).status_code for it in tokens[1:]] == [200] * 3
    assert post(meridian, student.sign_in()).status_code == 200
    assert post(meridian, tokens[1]).status_code == 403
