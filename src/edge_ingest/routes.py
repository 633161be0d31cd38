"""The routing table: request path to endpoint, accepted methods and event type.

The paths are those of the Segment HTTP API, the short paths of Segment's browser SDK, and
RudderStack's variants.
"""

from typing import Final, Literal

import msgspec

from clickstream.event import TYPES, EventType
from edge_ingest.errors import NotFoundError

type Kind = Literal["batch", "event", "pixel", "project_settings", "source_config"]


class Route(msgspec.Struct, frozen=True):
    """An endpoint. `event_type` and `write_key` are set if the path contains them."""

    kind: Kind
    methods: tuple[str, ...]
    event_type: EventType | None = None
    write_key: str | None = None


_POST: Final = ("POST",)
_GET: Final = ("GET", "HEAD")
_BATCH: Final = Route("batch", _POST)

_ROUTES: Final[dict[str, Route]] = {
    "/v1/batch": _BATCH,
    "/v1/import": _BATCH,
    "/v1/b": _BATCH,
    "/beacon/v1/batch": _BATCH,
    **{f"/v1/{name}": Route("event", _POST, name) for name in TYPES},
    **{f"/v1/{name[0]}": Route("event", _POST, name) for name in TYPES},
    **{
        f"{prefix}/{name}{suffix}": Route("pixel", _GET, name)
        for prefix in ("/pixel/v1", "/v1/pixel")
        for name in TYPES
        for suffix in ("", ".gif")
    },
    "/sourceConfig": Route("source_config", _GET),
}
#: Every path of the table. The distribution's cache behaviors and the web ACL must match them.
PATHS: Final = tuple(_ROUTES)
#: The beginnings of the paths that the distribution's cache behaviors reserve for the collector.
_RESERVED: Final = ("/v1/", "/beacon/", "/pixel/", "/sourceConfig")
_PROJECTS_PREFIX: Final = "/v1/projects/"
_SETTINGS_SUFFIX: Final = "/settings"


def match(path: str) -> Route:
    """Return the route of a path, with or without a trailing slash.

    Raises:
        NotFoundError: No route matches.
    """
    path = path.removesuffix("/")
    route = _ROUTES.get(path)
    if route is not None:
        return route
    if path.startswith(_PROJECTS_PREFIX) and path.endswith(_SETTINGS_SUFFIX):
        key = path[len(_PROJECTS_PREFIX) : -len(_SETTINGS_SUFFIX)]
        if key and "/" not in key:
            return Route("project_settings", _GET, write_key=key)
    raise NotFoundError(
        "not_found", "no endpoint has this path: send events to the paths of Segment's HTTP API"
    )


def is_page(method: str, path: str) -> bool:
    """Return whether a request is for a page of the portal, which the origin has.

    The default cache behavior has the collector, too: other SDKs post to paths of their own.
    """
    return method in _GET and not path.startswith(_RESERVED)
