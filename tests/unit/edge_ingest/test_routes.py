"""Every path of the contract is an endpoint, with and without a slash at its end."""

import pytest

from edge_ingest import routes
from edge_ingest.errors import UnknownRouteError

TYPES = ["track", "page", "screen", "identify", "group", "alias"]
EVENTS = [(f"/v1/{name}", name) for name in TYPES] + [(f"/v1/{name[0]}", name) for name in TYPES]
BATCHES = ["/v1/batch", "/v1/import", "/v1/b", "/beacon/v1/batch"]
PIXELS = [
    (f"{prefix}/{name}{suffix}", name)
    for prefix in ("/pixel/v1", "/v1/pixel")
    for name in TYPES
    for suffix in ("", ".gif")
]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", BATCHES)
def test_batches(path: str, slash: str) -> None:
    assert routes.match(path + slash) == routes.Route("batch", ("POST",))


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("path", "name"), EVENTS)
def test_events(path: str, name: str, slash: str) -> None:
    found = routes.match(path + slash)
    assert (found.kind, found.event_type, found.methods) == ("event", name, ("POST",))


@pytest.mark.parametrize(("path", "name"), PIXELS)
def test_pixels(path: str, name: str) -> None:
    found = routes.match(path)
    assert (found.kind, found.event_type, found.methods) == ("pixel", name, ("GET", "HEAD"))


def test_documents() -> None:
    assert routes.match("/sourceConfig/").kind == "source_config"
    assert routes.match("/sourceConfig").kind == "source_config"
    found = routes.match("/v1/projects/WK/settings")
    assert (found.kind, found.key) == ("project_settings", "WK")
    assert routes.match("/v1/projects/WK/settings/") == found


@pytest.mark.parametrize(
    "path",
    ["", "/", "/v1", "/v1/", "/v1/batch//", "/v2/batch", "/v1/Batch", "/v1/x", "/v1/merge",
     "/v1/projects//settings", "/v1/projects/settings", "/v1/projects/a/b/settings",
     "/v1/projects/a", "/pixel/v1/", "/pixel/v1/batch", "/beacon/v1/track", "/sourceConfig/x"],
)  # fmt: skip
def test_nothing_else_is_served(path: str) -> None:
    with pytest.raises(UnknownRouteError):
        routes.match(path)
