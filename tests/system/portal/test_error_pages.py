"""Errors of the origins through the distribution: a page for people, JSON for programs."""

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.axe import violations
from tests.system.portal.conftest import Student
from tests.system.portal.test_journey import assert_fits, sign_in
from tools.dev.system import System

pytestmark = pytest.mark.browser

type Visit = Callable[..., Page]


@pytest.mark.parametrize("path", ["/no-such-page", "/no-such-page.html", "/no/such/page/"])
def test_missing_public_page_gets_page_with_404(visit: Visit, path: str) -> None:
    page = visit()
    response = page.goto(path)
    assert response is not None
    assert response.status == 404
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    expect(page.get_by_role("heading", level=1)).to_have_text("We can't find this page")
    assert "<Error>" not in response.text()
    assert_fits(page)
    assert violations(page) == []
    page.get_by_role("link", name="Home page").click()
    expect(page.get_by_role("heading", name="Noon is somewhere")).to_be_visible()


# Below /courses/, a name that isn't a course of the member is refused before the origin.
@pytest.mark.parametrize("folder", ["app", "premium"])
def test_missing_page_of_members_gets_page_with_404(
    visit: Visit, meridian: System, folder: str
) -> None:
    page = visit()
    paying = next(it for it in meridian.students if it.paying)
    sign_in(page, Student(paying.email, paying.password))
    response = page.goto(f"/{folder}/no-such-page.html")
    assert response is not None
    assert response.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("We can't find this page")
    assert "no-store" in response.headers["cache-control"] or (
        response.headers["cache-control"] == "private, no-cache"
    )


def test_missing_script_style_or_picture_gets_one_sentence(meridian: System) -> None:
    with httpx.Client(base_url=meridian.url, timeout=30) as http:
        for path in ("/js/none.js", "/none.css", "/art/none.svg", "/none.png", "/none.json"):
            answer = http.get(path)
            assert answer.status_code == 404, path
            assert answer.headers["content-type"] == "text/plain; charset=utf-8", path
            assert answer.text == "This site has no such file.\n"


def test_programs_get_json_and_their_status(meridian: System) -> None:
    with httpx.Client(base_url=meridian.url, timeout=30) as http:
        unknown = http.get("/api/nothing")
        assert unknown.status_code in {401, 403, 404}
        assert "json" in unknown.headers["content-type"]
        refused = http.post("/no-such-page", json={})
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        unauthorized = http.post("/v1/batch", json={"batch": []})
        assert unauthorized.status_code in {400, 401}
        assert "json" in unauthorized.headers["content-type"]


def test_error_pages_of_edge_auth_have_the_same_look(visit: Visit) -> None:
    page, missing = visit(), visit()
    page.goto("/auth/sign-out")
    missing.goto("/no-such-page")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == missing.evaluate(ground)
    for shown in (page, missing):
        expect(shown.get_by_role("banner").get_by_role("link")).to_have_text(
            re.compile("Meridian School")
        )
    assert violations(page) == []
