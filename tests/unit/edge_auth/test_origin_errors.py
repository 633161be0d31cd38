"""Origin-response events: errors get a page with the same status, other responses stay."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import error_pages, handler
from edge_auth.settings import Site
from tests.support.paths import ROOT
from tests.unit.edge_auth import issuer

POLICY: Final = error_pages.content_security_policy(Site("Meridian School", "/icon.svg"))
EVENT: Final = ROOT / "events" / "edge_auth" / "page-missing.json"


@pytest.fixture(scope="module", autouse=True)
def settings_file(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("edge") / "settings.json"
    path.write_text(json.dumps(issuer.settings(site_name="Meridian School", logo_path="/icon.svg")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handler, "SETTINGS_PATH", str(path))
        handler.auth_context.cache_clear()
        yield path
        handler.auth_context.cache_clear()


def origin_response(status: str, method: str = "GET") -> dict[str, Any]:
    event: dict[str, Any] = json.loads(EVENT.read_text())
    cf = event["Records"][0]["cf"]
    cf["response"]["status"], cf["request"]["method"] = status, method
    return event


def call(event: object) -> Any:
    return handler.lambda_handler(event, None)


@given(st.integers(200, 599).map(str), st.sampled_from(["GET", "HEAD", "POST"]))
def test_status_stays_and_only_errors_get_a_page(status: str, method: str) -> None:
    event = origin_response(status, method)
    response = event["Records"][0]["cf"]["response"]
    result = call(event)
    assert result["status"] == status
    # Read-only at origin response ("Restrictions on all edge functions").
    assert result["headers"]["transfer-encoding"] == response["headers"]["transfer-encoding"]
    if int(status) < 400:
        assert result == response
        return
    assert result["headers"]["content-type"][0]["value"] == "text/html; charset=utf-8"
    assert result["headers"]["content-security-policy"][0]["value"] == POLICY
    assert result["headers"]["cache-control"][0]["value"] == "no-store"
    assert ("body" in result) is (method != "HEAD")
    assert "Meridian School" in result.get("body", "Meridian School")


def test_missing_page_has_other_words_than_a_failed_one() -> None:
    assert "We can't find this page" in unescape(call(origin_response("404"))["body"])
    for status in ("403", "500", "503"):
        assert "isn't available right now" in unescape(call(origin_response(status))["body"])


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "html"),
        ("/no/such/page", "html"),
        ("/no-such.page/", "html"),
        ("/premium/none.html", "html"),
        ("/js/none.js", "plain"),
        ("/none.min.css", "plain"),
        ("/art/none.svg", "plain"),
        ("/none.json", "plain"),
        ("/.well-known/none.txt", "plain"),
    ],
)
@pytest.mark.parametrize("status", ["403", "404", "503"])
def test_file_that_is_no_page_gets_one_sentence(path: str, kind: str, status: str) -> None:
    event = origin_response(status)
    event["Records"][0]["cf"]["request"]["uri"] = path
    result = call(event)
    assert result["status"] == status
    assert result["headers"]["content-type"][0]["value"] == f"text/{kind}; charset=utf-8"
    assert ("<html" in result["body"]) is (kind == "html")
    if kind == "plain":
        missing = "no such file" in result["body"]
        assert missing is (status == "404")
        assert result["headers"]["content-security-policy"][0]["value"] == "default-src 'none'"


def test_headers_of_the_replaced_body_are_gone() -> None:
    event = origin_response("404")
    headers = event["Records"][0]["cf"]["response"]["headers"]
    for name in ("content-length", "etag", "last-modified", "content-encoding"):
        headers[name] = [{"key": name, "value": "7"}]
    assert not {"content-length", "etag", "last-modified", "content-encoding"} & set(
        call(event)["headers"]
    )


def test_invalid_settings_leave_the_page_without_a_name(settings_file: Path) -> None:
    content = settings_file.read_text()
    settings_file.write_text("{")
    handler.auth_context.cache_clear()
    try:
        result = call(origin_response("404"))
    finally:
        settings_file.write_text(content)
        handler.auth_context.cache_clear()
    assert result["status"] == "404"
    assert "We can't find this page" in unescape(result["body"])


def test_error_pages_have_colours_of_the_portal() -> None:
    page = error_pages.render_origin_error(404, site=Site("x"), request_id="x")
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    sheet = (ROOT / "web" / "public" / "style.css").read_text()

    def tokens(text: str) -> list[dict[str, str]]:
        blocks = re.findall(r":root ?\{(.*?)\}", text, re.DOTALL)
        return [dict(re.findall(r"(--[a-z-]+): ?([^;}]+)", it)) for it in blocks]

    for ours, portal in zip(tokens(style), tokens(sheet), strict=True):
        assert ours.items() <= portal.items()
