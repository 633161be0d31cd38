"""Each error of edge_auth, and each of its pages."""

from collections.abc import Iterator
from typing import Final

from edge_auth import error_pages, errors
from edge_auth.settings import Site

KINDS: Final = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.EdgeAuthError)
]
#: The portal's, as in the template of the edge functions.
PORTAL: Final = Site("Meridian School", "/icon.svg", "/js/i18n.js", "/fonts/manrope-latin.woff2")


def create(kind: type[errors.EdgeAuthError]) -> errors.EdgeAuthError:
    """Return an error of a kind."""
    if kind is errors.SettingsError:
        return errors.SettingsError("key", "problem")
    return errors.MethodError(("GET",)) if kind is errors.MethodError else kind()


def pages(site: Site) -> Iterator[str]:
    """Yield each page of a site: errors of edge_auth and of origins, confirmations."""
    for kind in KINDS:
        yield error_pages.render(create(kind), site=site, request_id="x")
    for status in (404, 503):
        yield error_pages.render_origin_error(status, site=site, request_id="x")
    for endpoint in ("/auth/sign-out", "/auth/refresh"):
        yield error_pages.render_confirmation(endpoint, "", site=site)
