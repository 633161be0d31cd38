"""Tests for `responses` and `sdk_settings`: CORS, preflights and settings documents."""

import json

import pytest

from tests.unit.edge_ingest import harness

ONE = {"batch": [harness.track()]}


def test_preflight_response_allows_the_requested_headers() -> None:
    requested = "anonymousid,authorization,content-type,rsa-retry-attempt,sentat,x-retry-count"
    result = harness.Harness().send(
        "OPTIONS",
        "/v1/batch/",
        key=None,
        headers={
            "Origin": "https://school.example:8443",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": requested,
        },
    )
    assert result["status"] == "200"
    assert harness.header(result, "access-control-allow-headers") == requested
    assert harness.header(result, "access-control-allow-origin") == "https://school.example:8443"
    assert harness.header(result, "access-control-allow-credentials") == "true"
    assert harness.header(result, "access-control-max-age") == "7200"
    assert "POST" in (harness.header(result, "access-control-allow-methods") or "")
    assert harness.header(result, "vary") == "Origin, Access-Control-Request-Headers"


@pytest.mark.parametrize("origin", ["null", "https://[::1]:8080", "capacitor://localhost"])
def test_every_response_allows_its_origin(origin: str) -> None:
    headers = {"Origin": origin}
    for result in (
        harness.Harness().send(body=ONE, headers=headers),
        harness.Harness().send(body=b"x", headers=headers),
        harness.Harness().send(body=ONE, key=None, headers=headers),
        harness.Harness().send(uri="/nothing", headers=headers),
    ):
        assert harness.header(result, "access-control-allow-origin") == origin
        assert harness.header(result, "access-control-allow-credentials") == "true"
        assert harness.header(result, "access-control-expose-headers") == "Retry-After"


@pytest.mark.parametrize(
    ("status", "limits"),
    [("429", {"rate_limit": {"events_per_second": 1, "burst": 1}}), ("503", {})],
)
def test_page_without_authorization_cannot_read_an_event_to_repeat(
    status: str, limits: dict[str, object]
) -> None:
    """SDKs that ignore statuses repeat an event if `fetch` fails, for lack of these headers."""
    collector = harness.Harness(harness.settings_document(**limits))
    if status == "503":
        collector.streams.fault = harness.unreachable("us-east-1", "eu-west-2", "ap-south-1")
    else:
        collector.send_ok(body=ONE)
    headers = {"Origin": "https://school.example"}
    in_body = harness.track(writeKey=harness.WRITE_KEY)
    refused = collector.send(uri="/v1/track", body=in_body, key=None, headers=headers)
    assert refused["status"] == status
    assert harness.header(refused, "access-control-allow-origin") is None
    assert harness.header(refused, "vary") == "Origin"
    assert harness.header(refused, "retry-after")
    for readable in (
        collector.send(uri="/v1/track", body=harness.track(), headers=headers),
        collector.send(body=ONE | {"writeKey": harness.WRITE_KEY}, key=None, headers=headers),
    ):
        assert readable["status"] == status
        assert harness.header(readable, "access-control-allow-origin") == headers["Origin"]
    final = collector.send(uri="/v1/track", body=harness.track(), key=None, headers=headers)
    assert final["status"] == "401"
    assert harness.header(final, "access-control-allow-origin") == headers["Origin"]


@pytest.mark.parametrize("origin", ["https://a b", "x\r\ny: z", "https://é.example", "*", ""])
def test_invalid_origin_is_not_allowed(origin: str) -> None:
    result = harness.Harness().send(body=ONE, headers={"Origin": origin})
    assert harness.header(result, "access-control-allow-origin") is None
    harness.assert_valid_response(result)


def test_sdk_settings_name_the_source_and_are_cacheable() -> None:
    collector = harness.Harness()
    result = collector.send("GET", f"/v1/projects/{harness.WRITE_KEY}/settings", key=None)
    document = json.loads(result["body"])
    assert document["integrations"]["Segment.io"]["apiKey"] == harness.WRITE_KEY
    assert document["integrations"]["Segment.io"]["apiHost"] == "d111111abcdef8.cloudfront.net/v1"
    assert harness.header(result, "cache-control") == "public, max-age=300"
    assert harness.header(result, "access-control-allow-origin") == "*"
    for result in (
        collector.send(
            "GET", "/sourceConfig/", query=f"writeKey={harness.WRITE_KEY}&p=npm", key=None
        ),
        collector.send("GET", "/sourceConfig/"),
    ):
        assert json.loads(result["body"])["source"]["enabled"] is True
    for unknown in ("/v1/projects/other/settings", "/sourceConfig/"):
        assert collector.send("GET", unknown, key=None)["status"] == "401"


@pytest.mark.parametrize(
    ("host", "address", "protocol"),
    [
        ("learn.school.example", "learn.school.example", "https"),
        ("localhost:8080", "localhost:8080", "http"),
        ("127.0.0.1:8080", "127.0.0.1:8080", "http"),
        ("[::1]:8080", "[::1]:8080", "http"),
        ("127.0.0.1.example", "127.0.0.1.example", "https"),
        ("portal.s3.us-east-1.amazonaws.com", "d111111abcdef8.cloudfront.net", "https"),
        ('evil"/x', "d111111abcdef8.cloudfront.net", "https"),
        ("", "d111111abcdef8.cloudfront.net", "https"),
    ],
)
def test_project_settings_name_the_host_that_served_them(
    host: str, address: str, protocol: str
) -> None:
    uri = f"/v1/projects/{harness.WRITE_KEY}/settings"
    result = harness.Harness().send("GET", uri, key=None, headers={"Host": host})
    segment = json.loads(result["body"])["integrations"]["Segment.io"]
    assert (segment["apiHost"], segment["protocol"]) == (f"{address}/v1", protocol)
