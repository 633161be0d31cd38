"""Upload the portal's pages to its S3 bucket."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from aws_emulator.reload.pages import put_page
from tools.paths import ROOT

PAGES: Final = ROOT / "web"
#: For everyone, and for signed-in visitors; web/README.md isn't uploaded.
FOLDERS: Final = ("public", "members")
#: The choices of the sign-up form, which the account workflow validates.
VOCABULARIES: Final = ROOT / "src" / "stepfunctions" / "vocabularies.json"
#: How long CloudFront uses a file, in seconds. A changed page is everywhere after this time.
_SHARED_S: Final = 300
#: How long browsers use a script, a style or a picture without asking, in seconds.
ASSETS_S: Final = 300
#: Fonts get a new name when they change.
_FONTS: Final = "public, max-age=31536000, immutable"
#: Paths that search engines leave out: pages of members, sign-in, the API.
_PRIVATE: Final = ("/app/", "/auth/", "/api/", "/media/", "/premium/")
#: Previews of links need the picture's whole address (The Open Graph protocol, "og:image").
_PREVIEW: Final = re.compile(r'(<meta property="og:image" content=")(/[^"]*")')


def cache_control(name: str, assets_s: int) -> str:
    """Return the header Cache-Control of a file by its name.

    `assets_s` is the age up to which browsers use scripts, styles and pictures without asking. They
    ask for pages each time, which costs a response without a body.
    """
    if name.endswith(".woff2"):
        return _FONTS
    age_s = 0 if name.endswith(".html") else assets_s
    return f"public, max-age={age_s}, s-maxage={_SHARED_S}"


def robots(origin: str) -> str:
    """Return robots.txt (RFC 9309), with the address of the site map if the origin is known."""
    rules = "".join(f"Disallow: {path}\n" for path in _PRIVATE)
    site_map = f"\nSitemap: {origin}/sitemap.xml\n" if origin else ""
    return f"User-agent: *\n{rules}{site_map}"


def site_map(origin: str, names: Iterable[str]) -> str:
    """Return a site map (sitemaps.org, "XML format") of public pages."""
    addresses = "".join(
        f"<url><loc>{origin}/{name.removesuffix('index.html')}</loc></url>\n" for name in names
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{addresses}</urlset>\n'
    )


def indexed_pages(folder: Path = PAGES) -> list[str]:
    """Return the names of the public pages that search engines may list."""
    public = folder / "public"
    return [
        path.relative_to(public).as_posix()
        for path in sorted(public.rglob("*.html"))
        if 'content="noindex"' not in path.read_text()
    ]


def with_whole_addresses(page: bytes, origin: str) -> bytes:
    """Return a page whose preview picture has an address with the origin."""
    return _PREVIEW.sub(rf"\g<1>{origin}\g<2>", page.decode()).encode() if origin else page


def put_file(
    s3: Any,
    bucket: str,
    key: str,
    content: bytes | None,
    *,
    origin: str = "",
    assets_s: int = ASSETS_S,
) -> None:
    """Upload one file of the portal, or delete its object if there is no `content`.

    `origin` and `assets_s` are those of `upload_pages`.
    """
    if content is not None and key.endswith(".html"):
        content = with_whole_addresses(content, origin)
    put_page(s3, bucket, key, content, cache_control=cache_control(key, assets_s))


def upload_pages(
    s3: Any,
    bucket: str,
    write_key: str,
    regions: Sequence[str],
    folder: Path = PAGES,
    mailbox: str = "",
    *,
    origin: str = "",
    assets_s: int = ASSETS_S,
) -> int:
    """Upload all files of the portal, and return their number.

    The pages report page views to the collector with `write_key`, which is not a secret. `regions`
    are the stage's Regions, the home first. `origin` is the portal's address without a path, empty
    if the portal has no domain name: then there is no site map, which needs it. `mailbox` is the
    URL of the emails, which only the local system has.
    """

    def put(key: str, content: bytes) -> None:
        put_file(s3, bucket, key, content, origin=origin, assets_s=assets_s)

    settings = {"writeKey": write_key, "regions": [*regions]} | (
        {"mailbox": mailbox} if mailbox else {}
    )
    put("public/portal.json", json.dumps(settings).encode())
    put("public/vocabularies.json", VOCABULARIES.read_bytes())
    put("public/robots.txt", robots(origin).encode())
    if origin:
        put("public/sitemap.xml", site_map(origin, indexed_pages(folder)).encode())
    files = sorted(path for top in FOLDERS for path in (folder / top).rglob("*") if path.is_file())
    for path in files:
        put(path.relative_to(folder).as_posix(), path.read_bytes())
    return len(files)
