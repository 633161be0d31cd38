"""Tests for `routes`: every supported path, with and without a trailing slash."""

import pytest

from edge_ingest import routes
from edge_ingest.errors import NotFoundError

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
def test_batch_path_matches(path: str, slash: str) -> None:
    assert routes.match(path + slash) == routes.Route("batch", ("POST",))


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("path", "name"), EVENTS)
def test_event_path_matches_with_its_type(path: str, name: str, slash: str) -> None:
    match = routes.match(path + slash)
    assert (match.kind, match.event_type, match.methods) == ("event", name, ("POST",))


@pytest.mark.parametrize(("path", "name"), PIXELS)
def test_pixel_path_matches_with_its_type(path: str, name: str) -> None:
    match = routes.match(path)
    assert (match.kind, match.event_type, match.methods) == ("pixel", name, ("GET", "HEAD"))


def test_settings_paths_match() -> None:
    assert routes.match("/sourceConfig/").kind == "source_config"
    assert routes.match("/sourceConfig").kind == "source_config"
    match = routes.match("/v1/projects/WK/settings")
    assert (match.kind, match.write_key) == ("project_settings", "WK")
    assert routes.match("/v1/projects/WK/settings/") == match


@pytest.mark.parametrize(
    "path",
    ["", "/", "/v1", "/v1/", "/v1/batch//", "/v2/batch", "/v1/Batch", "/v1/x", "/v1/merge",
     "/v1/projects//settings", "/v1/projects/settings", "/v1/projects/a/b/settings",
     "/v1/projects/a", "/pixel/v1/", "/pixel/v1/batch", "/beacon/v1/track", "/sourceConfig/x"],
)  # fmt: skip
def test_unknown_path_is_not_found(path: str) -> None:
    with pytest.raises(NotFoundError):
        routes.match(path)
