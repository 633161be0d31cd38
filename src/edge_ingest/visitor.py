"""Visitor identification at the edge: the optional first-party cookie, and pixels without an id."""

import os
import re
from typing import Final

import msgspec

from edge_ingest.cloudfront_event import Request
from edge_ingest.privacy import Policy
from edge_ingest.settings import Cookie, Source


class Visitor(msgspec.Struct, frozen=True):
    """An `anonymousId` for events without one, and the `Set-Cookie` value that stores it."""

    id: str | None = None
    set_cookie: str | None = None


_UNKNOWN: Final = Visitor()


def identify(request: Request, source: Source, policy: Policy, *, is_pixel: bool) -> Visitor:
    """Return the visitor's id, from the cookie if the source enables it.

    A pixel without a cookie gets an id that changes daily. A visitor who opts out of tracking
    gets no cookie.
    """
    if source.cookie and not policy.anonymous:
        return _from_cookie(request, source.cookie)
    if is_pixel:
        return Visitor(policy.daily_visitor_id(request, source.write_key))
    return _UNKNOWN


def _from_cookie(request: Request, cookie: Cookie) -> Visitor:
    """Return the id in the cookie, or a new one. Each response restarts the cookie's lifetime."""
    # RFC 6265 §4.2.1. The pattern accepts only ids in the format that this function creates.
    match = re.search(
        rf"(?:^|;\s*){re.escape(cookie.name)}=([0-9a-f]{{32}})(?:;|$)",
        request.header("cookie") or "",
    )
    visitor_id = match[1] if match else os.urandom(16).hex()
    return Visitor(
        visitor_id,
        f"{cookie.name}={visitor_id}; Max-Age={cookie.days * 86_400}; Path=/; "
        f"Secure; HttpOnly; SameSite={cookie.same_site}",
    )
