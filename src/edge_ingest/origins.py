"""Allowed origins: refuse events from web pages that a source doesn't list.

Browsers set the `Origin` header of a POST (Fetch standard, "`Origin` header"), and no page can
change it. Servers, apps and images have none, so a list doesn't exclude them.
"""

from edge_ingest.cloudfront_event import Request
from edge_ingest.errors import ForbiddenError
from edge_ingest.settings import Source


def check_origin(request: Request, source: Source) -> None:
    """Check the origin of the page that sent a request.

    Raises:
        ForbiddenError: The source lists its origins, and the page's isn't among them.
    """
    if not source.origins:
        return
    origin = request.header("origin")
    if origin is None or any(_matches(allowed, origin) for allowed in source.origins):
        return
    raise ForbiddenError("origin_not_allowed", "the source doesn't allow the origin of this page")


def _matches(allowed: str, origin: str) -> bool:
    """Return whether an entry allows an origin; `https://*.school.example` allows subdomains."""
    scheme, wildcard, domain = allowed.partition("://*.")
    if not wildcard:
        return origin == allowed
    start, end = f"{scheme}://", f".{domain}"
    subdomain = origin.removeprefix(start).removesuffix(end)
    return origin == f"{start}{subdomain}{end}" and bool(subdomain) and "/" not in subdomain
