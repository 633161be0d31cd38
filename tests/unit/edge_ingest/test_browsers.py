"""What browsers need: preflights, answers that pages may read, documents fetched first."""

import json

import pytest

from tests.unit.edge_ingest import edge

ONE = {"batch": [edge.track()]}


def test_preflights_mirror_what_they_ask_for() -> None:
    asked = "anonymousid,authorization,content-type,rsa-retry-attempt,sentat,x-retry-count"
    result = edge.Edge().send(
        "OPTIONS",
        "/v1/batch/",
        key=None,
        headers={
            "Origin": "https://school.example:8443",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": asked,
        },
    )
    assert result["status"] == "200"
    assert edge.header(result, "access-control-allow-headers") == asked
    assert edge.header(result, "access-control-allow-origin") == "https://school.example:8443"
    assert edge.header(result, "access-control-allow-credentials") == "true"
    assert edge.header(result, "access-control-max-age") == "7200"
    assert "POST" in (edge.header(result, "access-control-allow-methods") or "")
    assert "Origin" in (edge.header(result, "vary") or "")


@pytest.mark.parametrize("origin", ["null", "https://[::1]:8080", "capacitor://localhost"])
def test_every_answer_can_be_read_by_the_page_that_asked(origin: str) -> None:
    headers = {"Origin": origin}
    for result in (
        edge.Edge().send(body=ONE, headers=headers),
        edge.Edge().send(body=b"x", headers=headers),
        edge.Edge().send(body=ONE, key=None, headers=headers),
        edge.Edge().send(uri="/nothing", headers=headers),
    ):
        assert edge.header(result, "access-control-allow-origin") == origin
        assert edge.header(result, "access-control-allow-credentials") == "true"
        assert edge.header(result, "access-control-expose-headers") == "Retry-After"


@pytest.mark.parametrize("origin", ["https://a b", "x\r\ny: z", "https://é.example", "*", ""])
def test_what_is_no_origin_is_not_mirrored(origin: str) -> None:
    result = edge.Edge().send(body=ONE, headers={"Origin": origin})
    assert edge.header(result, "access-control-allow-origin") is None
    edge.assert_legal(result)


def test_the_documents_that_sdks_fetch_first() -> None:
    collector = edge.Edge()
    result = collector.send("GET", f"/v1/projects/{edge.KEY}/settings", key=None)
    document = json.loads(result["body"])
    assert document["integrations"]["Segment.io"]["apiKey"] == edge.KEY
    assert document["integrations"]["Segment.io"]["apiHost"] == "d111111abcdef8.cloudfront.net/v1"
    assert edge.header(result, "cache-control") == "public, max-age=300"
    assert edge.header(result, "access-control-allow-origin") == "*"
    for result in (
        collector.send("GET", "/sourceConfig/", query=f"writeKey={edge.KEY}&p=npm", key=None),
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
def test_events_go_to_the_address_that_served_the_settings(
    host: str, address: str, protocol: str
) -> None:
    uri = f"/v1/projects/{edge.KEY}/settings"
    result = edge.Edge().send("GET", uri, key=None, headers={"Host": host})
    segment = json.loads(result["body"])["integrations"]["Segment.io"]
    assert (segment["apiHost"], segment["protocol"]) == (f"{address}/v1", protocol)
