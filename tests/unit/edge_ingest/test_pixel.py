"""Tests for `pixel`: events from query parameters, and the GIF response."""

import base64
import json
import re
from typing import Any

import pytest

from tests.unit.edge_ingest import harness


def pixel(query: str, uri: str = "/pixel/v1/page", **sent: Any) -> tuple[str, dict[str, Any]]:
    """Send a pixel request; return the GIF response's status and the stored event."""
    collector = harness.Harness()
    result = collector.send("GET", uri, query=query, key=None, **sent)
    assert base64.b64decode(result["body"])[:6] == b"GIF89a"
    assert harness.header(result, "content-type") == "image/gif"
    assert harness.header(result, "cache-control") == "no-store"
    events = [json.loads(bytes(a.event)) for r in collector.streams.records for a in r.accepted]
    return result["status"], events[0] if events else {}


def test_pixel_parameters_become_an_event() -> None:
    query = (
        f"writeKey={harness.WRITE_KEY}&anonymousId=a&name=Home"
        "&properties.path=%2Fx&properties.path=y&_=1"
    )
    status, event = pixel(query, headers={"Referer": "https://school.example/x"})
    assert status == "200"
    assert event == {
        "type": "page",
        "anonymousId": "a",
        "name": "Home",
        "properties": {"path": "/x", "url": "https://school.example/x"},
    }
    data = base64.urlsafe_b64encode(b'{"userId":"u","event":"\xc3\xbf?>","writeKey":"x"}').decode()
    status, event = pixel(f"writeKey={harness.WRITE_KEY}&data={data}", "/v1/pixel/track.gif")
    assert (status, event["type"], event["event"]) == ("200", "track", "ÿ?>")


def test_pixel_without_id_gets_daily_visitor_id() -> None:
    query = f"writeKey={harness.WRITE_KEY}"
    _, first = pixel(query, headers={"User-Agent": "A"})
    _, second = pixel(query, headers={"User-Agent": "A"})
    _, other = pixel(query, headers={"User-Agent": "B"})
    assert first["anonymousId"] == second["anonymousId"] != other["anonymousId"]
    assert re.fullmatch("[0-9a-f]{32}", first["anonymousId"])


def test_repeated_pixel_request_has_another_message_id() -> None:
    collector = harness.Harness()
    ids = set()
    for n in range(2):
        event = harness.request(
            "GET", "/pixel/v1/page", query=f"writeKey={harness.WRITE_KEY}", key=None
        )
        event["Records"][0]["cf"]["config"]["requestId"] = f"request-{n}"
        collector.collector.handle(event, 5)
        ids.add(collector.streams.records[n].accepted[0].message_id)
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", "401"),
        ("writeKey=other", "401"),
        (f"writeKey={harness.WRITE_KEY}&data=*", "400"),
        (f"writeKey={harness.WRITE_KEY}&data=W10", "400"),
    ],
)
def test_failed_pixel_request_returns_the_gif(query: str, status: str) -> None:
    assert pixel(query) == (status, {})
