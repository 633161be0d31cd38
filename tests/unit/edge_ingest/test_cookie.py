"""The first-party cookie: off by default, and only of our own making."""

import json
import re

import pytest

from tests.unit.edge_ingest import edge

ONE = {"batch": [edge.track()]}


def test_there_is_no_cookie_by_default() -> None:
    assert edge.header(edge.Edge().send(body=ONE), "set-cookie") is None


def test_the_cookie_is_the_visitor_of_events_without_one() -> None:
    collector = edge.Edge(edge.document(cookie={"enabled": True, "name": "v", "days": 30}))
    result = collector.send(body={"batch": [{"type": "page"}]})
    cookie = edge.header(result, "set-cookie") or ""
    found = re.fullmatch(
        r"v=([0-9a-f]{32}); Max-Age=2592000; Path=/; Secure; HttpOnly; SameSite=Lax", cookie
    )
    assert found is not None
    headers = {"Cookie": f"xv={'0' * 32}; v={found[1]}; a=b"}
    again = collector.send(body={"batch": [{"type": "page"}]}, headers=headers)
    assert edge.header(again, "set-cookie") == cookie
    stored = [json.loads(bytes(r.accepted[0].event)) for r in collector.streams.records]
    assert [event["anonymousId"] for event in stored] == [found[1]] * 2


@pytest.mark.parametrize("value", ["v=", "v=x", "v=" + "0" * 31, "v=" + "g" * 32, "xv=" + "0" * 32])
def test_a_cookie_of_someone_elses_making_is_not_taken(value: str) -> None:
    collector = edge.Edge(edge.document(cookie={"enabled": True, "name": "v"}))
    result = collector.send(body=ONE, headers={"Cookie": value})
    assert value not in (edge.header(result, "set-cookie") or "").split(";")
