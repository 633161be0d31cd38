"""Error pages: self-contained, escaped, small, with a heading and a code for support."""

import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser

import pytest

from edge_auth import error_pages, errors

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.EdgeAuthError)
]


def create(kind: type[errors.EdgeAuthError]) -> errors.EdgeAuthError:
    if kind is errors.SettingsError:
        return errors.SettingsError("key", "problem")
    return errors.MethodError(("GET",)) if kind is errors.MethodError else kind()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_renders_self_contained_page(kind: type[errors.EdgeAuthError]) -> None:
    error = create(kind)
    page = error_pages.render(
        error, site_name='<School & "Sons">', request_id="<script>alert(1)</script>"
    )
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


def test_csp_allows_only_the_page_style() -> None:
    page = error_pages.render(errors.AnonymousError(), site_name="x", request_id="x")
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in error_pages.CSP
    assert "default-src 'none'" in error_pages.CSP
    assert "frame-ancestors 'none'" in error_pages.CSP
