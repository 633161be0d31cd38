"""A request in, an answer out, and between them everything on a stream: the contract as a whole."""

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests import strategies as mine
from tests.unit.edge_ingest import edge

ONE = {"batch": [edge.track()]}
ALL_DOWN = edge.down("us-east-1", "eu-west-2", "ap-south-1")


def outcome(result: dict[str, Any]) -> tuple[str, str]:
    return result["status"], json.loads(result["body"])["code"]


@given(mine.origin_requests(), st.booleans(), st.sampled_from(["portal", "strict"]))
def test_any_request_gets_a_legal_result(event: dict[str, Any], up: bool, kind: str) -> None:
    strict: dict[str, Any] = {
        "cookie": {"enabled": True},
        "privacy": {"ip": "hash", "drop": ["*.a"], "consent": {"categories": ["c"]}},
        "rate_limit": {"events_per_second": 1, "burst": 2},
    }
    collector = edge.Edge(edge.document(**(strict if kind == "strict" else {})))
    if not up:
        collector.streams.weather = ALL_DOWN
    for _ in range(2):
        result = collector.collector.answer(event, 5.0)
        edge.assert_legal(result)
        if result["status"] != "200" and edge.header(result, "content-type") == "application/json":
            answer = json.loads(result["body"])
            assert re.fullmatch("[a-z0-9_]+", answer["code"])
            assert answer["message"]
    assert all(json.loads(line) for line in collector.log)


@given(st.lists(mine.json_values() | st.builds(edge.track, n=mine.json_values()), max_size=6))
def test_accepted_is_on_the_stream_and_accepted_plus_rejected_is_sent(sent: list[object]) -> None:
    collector = edge.Edge()
    answer = collector.take(body={"batch": sent})
    refused = {entry["index"]: entry["code"] for entry in answer["rejected"]}
    assert answer["success"] is True
    assert answer["accepted"] + len(refused) == len(sent)
    if not sent:
        assert not collector.streams.stored
        return
    (record,) = collector.streams.records
    assert {a.i: json.loads(bytes(a.event)) for a in record.accepted} == {
        i: event for i, event in enumerate(sent) if i not in refused
    }
    assert {r.i: r.code for r in record.rejected} == refused
    assert (record.header.accepted, record.header.rejected) == (answer["accepted"], len(refused))


def test_the_header_is_the_servers_word() -> None:
    collector = edge.Edge(here="ap-south-1")
    forged = {"requestId": "x", "receivedAt": "x", "source": "x", "country": "XX", "bot": True}
    collector.take(
        body={"batch": [edge.track(**forged)], "sentAt": "2026-11-21T13:00:00+01:00"} | forged,
        headers={
            "User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)",
            "CloudFront-Viewer-Country": "IN",
            "CloudFront-Viewer-Country-Region": "MH",
            "CloudFront-Viewer-City": "Mumbai",
            "CloudFront-Viewer-Time-Zone": "Asia/Kolkata",
            "CloudFront-Is-Mobile-Viewer": "true",
            "CloudFront-Is-Tablet-Viewer": "true",
            "CloudFront-Is-Desktop-Viewer": "false",
        },
    )
    (record,) = collector.streams.records
    header = record.header
    assert header.request_id.startswith("4TyzHT")
    assert (header.received_at, header.sent_at) == ("2026-11-21T12:00:00.000Z",) * 2
    assert (header.source, header.stream_region, header.edge_region) == (
        "portal",
        "ap-south-1",
        "ap-south-1",
    )
    assert (header.country, header.region, header.city, header.time_zone) == (
        "IN",
        "MH",
        "Mumbai",
        "Asia/Kolkata",
    )
    assert (header.device, header.bot, header.ip) == ("tablet", True, "203.0.113.0")


def test_cloudfronts_own_agent_is_no_agent() -> None:
    collector = edge.Edge()
    collector.take(body={"batch": [edge.track()]}, headers={"User-Agent": "Amazon CloudFront"})
    assert collector.streams.records[0].header.user_agent is None
    assert collector.streams.records[0].header.bot is False


def test_a_server_tells_its_visitors_agent() -> None:
    collector = edge.Edge()
    bot = edge.track(context={"userAgent": "Googlebot/2.1"})
    collector.take(body={"batch": [bot]}, headers={"User-Agent": "analytics-python/2.4.0"})
    assert collector.streams.records[0].header.bot is True


def test_a_batch_that_is_sent_again_meets_its_first_copy() -> None:
    collector = edge.Edge()
    batch = {"batch": [{"type": "page", "anonymousId": "a"}, edge.track(userId="other")]}
    for sent_at in ("2026-11-21T12:00:00Z", "2026-11-21T12:00:09Z"):
        collector.take(body=batch | {"sentAt": sent_at})
    (_, first), (_, second) = collector.streams.stored
    assert first.key == second.key
    ids = [[a.message_id for a in record.accepted] for record in collector.streams.records]
    assert ids[0] == ids[1]
    collector.take(body={"batch": [edge.track(userId="u-2")]})
    assert collector.streams.stored[2][1].key != first.key


# --- weather ---
def test_one_region_down_is_no_matter() -> None:
    collector = edge.Edge()
    collector.streams.weather = edge.down("us-east-1")
    assert collector.take(body=ONE)["accepted"] == 1
    ((region, _),) = collector.streams.stored
    (record,) = collector.streams.records
    assert (region, record.header.stream_region, record.header.failover) == (
        "eu-west-2",
        "eu-west-2",
        True,
    )
    assert json.loads(collector.log[0])["failover"] is True


def test_all_regions_down_is_a_503_that_says_when() -> None:
    collector = edge.Edge()
    collector.streams.weather = ALL_DOWN
    result = collector.send(body=ONE)
    assert outcome(result) == ("503", "unavailable")
    assert 2 <= int(edge.header(result, "retry-after") or "") <= 10
    collector.streams.weather = None
    assert collector.take(body=ONE)["accepted"] == 1


def test_no_time_is_no_try() -> None:
    collector = edge.Edge()
    assert outcome(collector.send(body=ONE, seconds=0.3)) == ("503", "unavailable")
    assert not collector.streams.calls


def test_a_source_that_sends_too_much_is_told_when_to_come_back() -> None:
    collector = edge.Edge(edge.document(rate_limit={"events_per_second": 0.5, "burst": 1}))
    collector.take(body=ONE)
    result = collector.send(body=ONE, headers={"Origin": "https://school.example"})
    assert outcome(result) == ("429", "rate_limited")
    assert edge.header(result, "retry-after") == "2"
    assert edge.header(result, "access-control-expose-headers") == "Retry-After"
    collector.clock.now += 2
    collector.take(body=ONE)
