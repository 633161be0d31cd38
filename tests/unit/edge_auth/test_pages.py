"""Error pages: self-contained, escaped, small, readable by people and machines."""

import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser

import pytest

from edge_auth import errors, pages

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.EdgeAuthError)
]


def made(kind: type[errors.EdgeAuthError]) -> errors.EdgeAuthError:
    if kind is errors.SettingsError:
        return errors.SettingsError("key", "problem")
    return errors.MethodError(("GET",)) if kind is errors.MethodError else kind()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_its_page(kind: type[errors.EdgeAuthError]) -> None:
    error = made(kind)
    page = pages.error(error, site_name='<School & "Sons">', request_id="<script>alert(1)</script>")
    assert len(page.encode()) < 8_192
    assert "<script" not in page
    assert "<School" not in page
    assert error.code in page
    assert error.reason in page
    parsed = Parsed()
    parsed.feed(page)
    assert parsed.seen["html"] == {"lang": "en"}
    assert parsed.count["h1"] == parsed.count["main"] == parsed.count["title"] == 1
    assert "width=device-width" in page
    # Nothing is loaded: no address but those of our own paths, as links.
    assert all(address.startswith("/") for address in parsed.addresses)
    assert not {"img", "script", "link", "iframe", "object"} & set(parsed.count)


class Parsed(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, dict[str, str | None]] = {}
        self.count: dict[str, int] = {}
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = dict(attrs)
        self.count[tag] = self.count.get(tag, 0) + 1
        self.addresses += [
            value or "" for name, value in attrs if name in ("href", "src", "action")
        ]


def test_the_policy_allows_this_style_and_nothing_else() -> None:
    page = pages.error(errors.AnonymousError(), site_name="x", request_id="x")
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in pages.CSP
    assert "default-src 'none'" in pages.CSP
    assert "frame-ancestors 'none'" in pages.CSP
