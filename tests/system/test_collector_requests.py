"""The collector's routes, refusals and origins through the running distribution.

Each request passes the distribution's cache behaviors, its policies and Lambda@Edge.
"""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from edge_ingest import routes
from tests.support.sdk_paths import PATHS_OF_OTHER_SDKS, PATHS_OF_PAGES
from tests.support.sources import ORIGINS_KEY, SITE_KEY
from tests.system.test_journey import event
from tools.dev import system

pytestmark = pytest.mark.integration

PATHS = [path + slash for path in routes.PATHS for slash in ("", "/")]
SITE = "https://school.example"


@pytest.fixture(scope="module")
def http(meridian: system.System) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=meridian.url, timeout=30) as client:
        yield client


def body_of(path: str) -> dict[str, object]:
    """Return a valid body for a route."""
    sent = event("track", "routes", event="Routed", groupId="g-1", previousId="p-1", userId="u-1")
    return {"batch": [sent]} if routes.match(path).kind == "batch" else sent


@pytest.mark.parametrize("path", PATHS)
def test_route_accepts_a_request_and_its_preflight(path: str, http: httpx.Client) -> None:
    route = routes.match(path)
    auth = ("portal-write-key", "")
    asked = {"Origin": SITE, "Access-Control-Request-Headers": "authorization,content-type"}
    preflight = http.options(path, headers={**asked, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == SITE
    assert preflight.headers["access-control-allow-headers"] == "authorization,content-type"
    for method in route.methods:
        sends = method == "POST"
        query = {"event": "Routed", "userId": "u-1", "groupId": "g-1", "previousId": "p-1"}
        answer = http.request(
            method,
            path,
            auth=auth,
            headers={"Origin": SITE},
            json=body_of(path) if sends else None,
            params=query if route.kind == "pixel" else None,
        )
        assert answer.status_code == 200, answer.text
        if sends:
            assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, [])
        elif route.kind == "pixel":
            assert answer.headers["content-type"] == "image/gif"
        elif method == "GET":
            assert answer.json()["source"]["writeKey"] == "portal-write-key"


@pytest.mark.parametrize("path", PATHS)
def test_route_refuses_an_unknown_write_key(path: str, http: httpx.Client) -> None:
    """The refusal shows that the collector, and no other function, got the request."""
    route = routes.match(path)
    body = body_of(path) if "POST" in route.methods else None
    answer = http.request(route.methods[0], path, auth=("wk-unknown", ""), json=body)
    assert answer.status_code == 401
    if route.kind == "pixel":
        assert answer.headers["content-type"] == "image/gif"
    else:
        assert answer.json()["code"] == "invalid_write_key"
        assert "invalid write key" in answer.json()["message"]


def test_settings_of_segments_sdk_name_the_host_of_the_request(http: httpx.Client) -> None:
    for slash in ("", "/"):
        answer = http.get(f"/v1/projects/portal-write-key/settings{slash}")
        assert answer.status_code == 200
        endpoint = answer.json()["integrations"]["Segment.io"]["apiHost"]
        assert endpoint == f"localhost:{http.base_url.port}/v1"


@pytest.mark.parametrize("path", [*PATHS_OF_OTHER_SDKS, *PATHS_OF_PAGES])
def test_event_of_another_sdk_gets_the_json_refusal(path: str, http: httpx.Client) -> None:
    """The body has more than 8 KB, which the managed rules of AWS WAF would block."""
    document = http.post("/e/").json()
    for method in ("POST", "OPTIONS", "PUT"):
        answer = http.request(
            method, path, content=None if method == "OPTIONS" else b"e=" + b"x" * 9_000
        )
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == document
        assert (document["success"], document["code"]) == (False, "not_found")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "no-store"


def test_page_is_served_without_the_collector(http: httpx.Client) -> None:
    for path in ("/", "/index.html"):
        answer = http.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert http.head(path).status_code == 200
    assert http.get("/e/").status_code == 404


def test_cached_settings_are_those_of_the_request(
    http: httpx.Client, meridian: system.System
) -> None:
    """CloudFront caches them: its key has the write key and the host wherever an SDK sends them."""
    path = "/v1/projects/portal-write-key/settings"
    port = meridian.url.rpartition(":")[2]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"localhost:{port}"):
        document = http.get(path, headers={"Host": host}).json()
        assert document["integrations"]["Segment.io"]["apiHost"] == f"{host}/v1"
    for key, status in (("portal-write-key", 200), ("unknown", 401), (SITE_KEY, 200)):
        answer = http.get("/sourceConfig/?p=header", headers={"X-Write-Key": key})
        assert answer.status_code == status
        assert status == 401 or answer.json()["source"]["writeKey"] == key


@pytest.mark.parametrize(
    ("origin", "key", "status"),
    [
        (SITE, ORIGINS_KEY, 200),
        ("https://a.b.school.example", ORIGINS_KEY, 200),
        ("null", ORIGINS_KEY, 200),
        ("file://", ORIGINS_KEY, 200),
        (None, ORIGINS_KEY, 200),
        ("https://rival.example", ORIGINS_KEY, 403),
        ("https://school.example.rival.example", ORIGINS_KEY, 403),
        (SITE, SITE_KEY, 200),
        ("http://school.example", SITE_KEY, 403),
        ("null", SITE_KEY, 403),
        ("file://", SITE_KEY, 403),
        ("null", "portal-write-key", 200),
        ("file://", "portal-write-key", 200),
    ],
)
def test_source_accepts_events_of_its_origins_only(
    origin: str | None, key: str, status: int, http: httpx.Client
) -> None:
    """The page can read each answer; a preflight and settings depend on no source's origins."""
    headers = {} if origin is None else {"Origin": origin}
    settings = http.get(f"/v1/projects/{key}/settings", headers=headers)
    configuration = http.get("/sourceConfig/", params={"writeKey": key}, headers=headers)
    for answer in (settings, configuration):
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "*"
    asked = {**headers, "Access-Control-Request-Method": "POST"}
    preflight = http.options("/v1/track", headers=asked)
    assert preflight.status_code == 200
    sent = event("track", str(uuid.uuid4()), event="Sent")
    answer = http.post("/v1/track", json=sent, auth=(key, ""), headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "origin_not_allowed"
    for response in (preflight, answer):
        assert response.headers.get("access-control-allow-origin") == origin
