"""Tests for `visitor`: the first-party cookie."""

import json
import re

import pytest

from tests.unit.edge_ingest import harness

ONE = {"batch": [harness.track()]}


def test_response_sets_no_cookie_by_default() -> None:
    assert harness.header(harness.Harness().send(body=ONE), "set-cookie") is None


def test_cookie_becomes_anonymous_id_of_events_without_one() -> None:
    collector = harness.Harness(
        harness.settings_document(cookie={"enabled": True, "name": "v", "days": 30})
    )
    result = collector.send(body={"batch": [{"type": "page"}]})
    cookie = harness.header(result, "set-cookie") or ""
    match = re.fullmatch(
        r"v=([0-9a-f]{32}); Max-Age=2592000; Path=/; Secure; HttpOnly; SameSite=Lax", cookie
    )
    assert match is not None
    headers = {"Cookie": f"xv={'0' * 32}; v={match[1]}; a=b"}
    again = collector.send(body={"batch": [{"type": "page"}]}, headers=headers)
    assert harness.header(again, "set-cookie") == cookie
    stored = [json.loads(bytes(r.accepted[0].event)) for r in collector.streams.records]
    assert [event["anonymousId"] for event in stored] == [match[1]] * 2


@pytest.mark.parametrize("value", ["v=", "v=x", "v=" + "0" * 31, "v=" + "g" * 32, "xv=" + "0" * 32])
def test_cookie_with_another_format_is_replaced(value: str) -> None:
    collector = harness.Harness(harness.settings_document(cookie={"enabled": True, "name": "v"}))
    result = collector.send(body=ONE, headers={"Cookie": value})
    cookie = (harness.header(result, "set-cookie") or "").partition(";")[0]
    assert re.fullmatch("v=[0-9a-f]{32}", cookie)
    assert cookie != "v=" + "0" * 32
