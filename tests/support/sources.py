"""The collector's sources in the system that tests share."""

from typing import Any, Final

#: Pages of this source may send events: a site, all of its subdomains, a sandboxed frame or local
#: file (`null`), and an app's web view (`file://`).
ORIGINS_KEY: Final = "wk-origins"
ALLOWED_ORIGINS: Final = ("https://school.example", "https://*.school.example", "null", "file://")
#: Only this site may send events of this source.
SITE_KEY: Final = "wk-site"

SOURCES: Final[list[dict[str, Any]]] = [
    {"id": "portal", "write_key": "portal-write-key"},
    {"id": "app", "write_key": ORIGINS_KEY, "origins": list(ALLOWED_ORIGINS)},
    {"id": "site", "write_key": SITE_KEY, "origins": ["https://school.example"]},
]
