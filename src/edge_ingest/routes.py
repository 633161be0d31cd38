"""Which path is which endpoint."""

from typing import Final, Literal, NamedTuple

from clickstream.event import TYPES, EventType
from edge_ingest.errors import UnknownRouteError

type Kind = Literal["batch", "event", "pixel", "project_settings", "source_config"]


class Route(NamedTuple):
    """An endpoint: `event_type` where the path names it, `key` where the path holds the key."""

    kind: Kind
    methods: tuple[str, ...]
    event_type: EventType | None = None
    key: str | None = None


_POST: Final = ("POST",)
_GET: Final = ("GET", "HEAD")
_BATCH: Final = Route("batch", _POST)

# Segment HTTP API, the short forms of its browser SDK, and RudderStack's variations.
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
_PROJECTS: Final = "/v1/projects/"
_SETTINGS: Final = "/settings"


def match(path: str) -> Route:
    """Find the endpoint at a path, with or without a slash at its end.

    Raises:
        UnknownRouteError: nothing is served there.
    """
    path = path.removesuffix("/")
    route = _ROUTES.get(path)
    if route is not None:
        return route
    if path.startswith(_PROJECTS) and path.endswith(_SETTINGS):
        key = path[len(_PROJECTS) : -len(_SETTINGS)]
        if key and "/" not in key:
            return Route("project_settings", _GET, key=key)
    raise UnknownRouteError("not_found", "nothing is served at this path")
