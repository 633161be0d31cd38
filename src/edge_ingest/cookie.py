"""The first-party visitor cookie: off unless a source's settings turn it on."""

import os
import re
from typing import NamedTuple

from edge_ingest.settings import Cookie
from edge_ingest.viewer import Request


class Visitor(NamedTuple):
    """A visitor's id, and the Set-Cookie header that keeps it."""

    id: str
    set_cookie: str


def visitor(request: Request, cookie: Cookie) -> Visitor:
    """Return the id that the browser brought, or a new one; the cookie's life starts again."""
    found = re.search(
        # RFC 6265 §4.2.1. Only an id of our own making is taken back.
        rf"(?:^|;\s*){re.escape(cookie.name)}=([0-9a-f]{{32}})(?:;|$)",
        request.header("cookie") or "",
    )
    identity = found[1] if found else os.urandom(16).hex()
    return Visitor(
        identity,
        f"{cookie.name}={identity}; Max-Age={cookie.days * 86_400}; Path=/; "
        f"Secure; HttpOnly; SameSite={cookie.same_site}",
    )
