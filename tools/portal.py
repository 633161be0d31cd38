"""Upload the portal's pages to its S3 bucket.

Pages load scripts, styles and pictures from `/assets/<version>/`, a copy under a name that changes
with their content. The original names stay for other sites and for the pages of edge_auth.
"""

import hashlib
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
#: The content of such a name never changes: fonts get a new name by hand, copies by their version.
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
#: The files that pages load by a name or an import, relative to the folder `public`.
_ASSET: Final = r'(?:(?:js|lang|art|vendor)/[^"]+|[^"/]+\.(?:css|svg))'
_REFERENCE: Final = re.compile(rf'((?:src|href|poster)=")/({_ASSET})"')
_VERSION_CHARS: Final = 12
#: Paths that search engines leave out: pages of members, sign-in, the API.
_PRIVATE: Final = ("/app/", "/auth/", "/api/", "/media/", "/premium/")
#: Previews of links need the picture's whole address (The Open Graph protocol, "og:image").
_PREVIEW: Final = re.compile(r'(<meta property="og:image" content=")(/[^"]*")')


def cache_control(name: str, assets_s: int) -> str:
    """Return the header Cache-Control of a file by its name.

    `assets_s` is the age up to which browsers use scripts, styles and pictures without asking; the
    copies in `/assets/` stay for a year, unless it is zero. Browsers ask for pages each time, which
    costs a response without a body.
    """
    if name.endswith(".woff2") or (assets_s and name.startswith("public/assets/")):
        return _IMMUTABLE
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


def assets_version(folder: Path = PAGES) -> str:
    """Return the name of the folder with the copies: a hash of all scripts, styles and pictures."""
    digest = hashlib.sha256()
    for path in sorted((folder / "public").rglob("*")):
        name = path.relative_to(folder / "public").as_posix()
        if path.is_file() and re.fullmatch(_ASSET, name):
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:_VERSION_CHARS]


def with_versioned_assets(page: bytes, version: str) -> bytes:
    """Return a page that loads the copies of its scripts, styles and pictures."""
    return _REFERENCE.sub(rf'\g<1>/assets/{version}/\g<2>"', page.decode()).encode()


def put_file(
    s3: Any,
    bucket: str,
    key: str,
    content: bytes | None,
    *,
    origin: str = "",
    assets_s: int = ASSETS_S,
    version: str = "",
) -> None:
    """Upload one file of the portal and its copy, or delete them if there is no `content`.

    `origin` and `assets_s` are those of `upload_pages`. `version` is that of the copies, empty for
    pages that load the originals.
    """
    if content is not None and key.endswith(".html"):
        content = with_whole_addresses(content, origin)
        content = with_versioned_assets(content, version) if version else content
    keys = [key]
    top, _, name = key.partition("/")
    if version and top == "public" and re.fullmatch(_ASSET, name):
        # First the copy, which no page names yet.
        keys.insert(0, f"public/assets/{version}/{name}")
    for each in keys:
        put_page(s3, bucket, each, content, cache_control=cache_control(each, assets_s))


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
    version = assets_version(folder)

    def put(key: str, content: bytes) -> None:
        put_file(s3, bucket, key, content, origin=origin, assets_s=assets_s, version=version)

    settings = {"writeKey": write_key, "regions": [*regions]} | (
        {"mailbox": mailbox} if mailbox else {}
    )
    put("public/portal.json", json.dumps(settings).encode())
    put("public/vocabularies.json", VOCABULARIES.read_bytes())
    put("public/robots.txt", robots(origin).encode())
    if origin:
        put("public/sitemap.xml", site_map(origin, indexed_pages(folder)).encode())
    files = sorted(path for top in FOLDERS for path in (folder / top).rglob("*") if path.is_file())
    # A page is last: what it loads is there.
    for path in sorted(files, key=lambda it: it.suffix == ".html"):
        put(path.relative_to(folder).as_posix(), path.read_bytes())
    return len(files)
