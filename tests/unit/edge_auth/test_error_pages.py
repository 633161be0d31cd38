"""Error pages: self-contained, escaped, small, with a heading and a code for support."""

import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser

import pytest

from edge_auth import error_pages, errors
from edge_auth.settings import Site
from tests.support.edge_errors import KINDS, PORTAL, create, pages
from tests.support.paths import ROOT

X = Site("x")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_renders_self_contained_page(kind: type[errors.EdgeAuthError]) -> None:
    error = create(kind)
    site = Site('<School & "Sons">')
    page = error_pages.render(error, site=site, request_id="<script>alert(1)</script>")
    assert len(page.encode()) < 8_192
    assert "<script" not in page
    assert "<School" not in page
    assert error.code in page
    assert error.reason in page
    parsed = ParsedPage()
    parsed.feed(page)
    assert parsed.seen["html"] == {"lang": "en"}
    assert parsed.count["h1"] == parsed.count["main"] == parsed.count["title"] == 1
    assert "width=device-width" in page
    # The page loads no resource; its only URLs are links to this site.
    assert all(url.startswith("/") for url in parsed.urls)
    assert not {"img", "script", "link", "iframe", "object"} & set(parsed.count)


class ParsedPage(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, dict[str, str | None]] = {}
        self.count: dict[str, int] = {}
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = dict(attrs)
        self.count[tag] = self.count.get(tag, 0) + 1
        self.urls += [value or "" for name, value in attrs if name in ("href", "src", "action")]


@pytest.mark.parametrize("site", [X, PORTAL], ids=["plain", "portal"])
def test_csp_allows_only_the_page_style(site: Site) -> None:
    page = error_pages.render(errors.AnonymousError(), site=site, request_id="x")
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = error_pages.content_security_policy(site)
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    loaded = {"img-src", "script-src", "connect-src", "font-src"}
    directives = {it.split()[0] for it in policy.split(";")}
    assert loaded & directives == (loaded if site.font else set())


def test_page_of_the_portal_has_the_font_of_the_other_pages() -> None:
    """The file is there, and has the name and the weights that the portal's style gives it."""
    sheet = (ROOT / "web/public/style.css").read_text()
    (face,) = re.findall(r"@font-face\{(.*?)\}", next(pages(PORTAL)))
    declared = dict(it.split(":", 1) for it in face.split(";"))
    assert declared["src"] == f'url("{PORTAL.font}")'
    assert f"{declared['src']} format" in sheet
    for name in ("font-family", "font-weight", "font-display"):
        assert f"{name}: {declared[name]};" in sheet
    assert (ROOT / "web/public" / PORTAL.font.lstrip("/")).is_file()
    stack = (ROOT / "stacks/edge-functions.yaml").read_text()
    assert f'"font_path": "{PORTAL.font}"' in stack


def test_page_of_a_site_loads_only_its_logo_and_its_script() -> None:
    policy = error_pages.content_security_policy(PORTAL)
    assert {"img-src 'self'", "script-src 'self'"} <= {it.strip() for it in policy.split(";")}
    for page in pages(PORTAL):
        parsed = ParsedPage()
        parsed.feed(page)
        assert {"/icon.svg", "/js/i18n.js"} <= {*parsed.urls}
        assert parsed.count["script"] == parsed.count["img"] == parsed.count["footer"] == 1
        assert "data-translated" in parsed.seen["html"]
        assert all(url.startswith("/") for url in parsed.urls)
