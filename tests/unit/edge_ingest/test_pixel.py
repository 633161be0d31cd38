"""A GIF for pages without scripts: an event, and an image whatever became of it."""

import base64
import json
import re
from typing import Any

import pytest

from tests.unit.edge_ingest import edge


def pixel(query: str, uri: str = "/pixel/v1/page", **sent: Any) -> tuple[str, dict[str, Any]]:
    """The status of a pixel's GIF, and the event that it stored."""
    collector = edge.Edge()
    result = collector.send("GET", uri, query=query, key=None, **sent)
    assert base64.b64decode(result["body"])[:6] == b"GIF89a"
    assert edge.header(result, "content-type") == "image/gif"
    assert edge.header(result, "cache-control") == "no-store"
    events = [json.loads(bytes(a.event)) for r in collector.streams.records for a in r.accepted]
    return result["status"], events[0] if events else {}


def test_a_pixel_is_an_event() -> None:
    query = (
        f"writeKey={edge.KEY}&anonymousId=a&name=Home&properties.path=%2Fx&properties.path=y&_=1"
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
    status, event = pixel(f"writeKey={edge.KEY}&data={data}", "/v1/pixel/track.gif")
    assert (status, event["type"], event["event"]) == ("200", "track", "ÿ?>")


def test_a_page_without_scripts_has_a_visitor_for_the_day() -> None:
    query = f"writeKey={edge.KEY}"
    _, first = pixel(query, headers={"User-Agent": "A"})
    _, again = pixel(query, headers={"User-Agent": "A"})
    _, other = pixel(query, headers={"User-Agent": "B"})
    assert first["anonymousId"] == again["anonymousId"] != other["anonymousId"]
    assert re.fullmatch("[0-9a-f]{32}", first["anonymousId"])


def test_each_view_of_a_pixel_is_an_event_of_its_own() -> None:
    collector = edge.Edge()
    ids = set()
    for n in range(2):
        event = edge.request("GET", "/pixel/v1/page", query=f"writeKey={edge.KEY}", key=None)
        event["Records"][0]["cf"]["config"]["requestId"] = f"request-{n}"
        collector.collector.answer(event, 5)
        ids.add(collector.streams.records[n].accepted[0].message_id)
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", "401"),
        ("writeKey=other", "401"),
        (f"writeKey={edge.KEY}&data=*", "400"),
        (f"writeKey={edge.KEY}&data=W10", "400"),
    ],
)
def test_a_pixel_that_fails_is_still_an_image(query: str, status: str) -> None:
    assert pixel(query) == (status, {})
