"""Tests for `collector` and `pipeline`: from an origin-request event to records and a response."""

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import clickstream
from tests import strategies
from tests.unit.edge_ingest import harness

ONE = {"batch": [harness.track()]}
ALL_REGIONS_UNREACHABLE = harness.unreachable("us-east-1", "eu-west-2", "ap-south-1")


def status_and_code(result: dict[str, Any]) -> tuple[str, str]:
    return result["status"], json.loads(result["body"])["code"]


@given(strategies.origin_requests(), st.booleans(), st.sampled_from(["portal", "strict"]))
def test_any_request_gets_a_valid_response(
    event: dict[str, Any], reachable: bool, kind: str
) -> None:
    strict: dict[str, Any] = {
        "cookie": {"enabled": True},
        "privacy": {"ip": "hash", "drop": ["*.a"], "consent": {"categories": ["c"]}},
        "rate_limit": {"events_per_second": 1, "burst": 2},
    }
    collector = harness.Harness(harness.settings_document(**(strict if kind == "strict" else {})))
    if not reachable:
        collector.streams.fault = ALL_REGIONS_UNREACHABLE
    statuses = []
    for _ in range(2):
        result = collector.collector.handle(event, 5.0)
        harness.assert_valid_response(result)
        statuses.append(int(result["status"]))
        if (
            result["status"] != "200"
            and harness.header(result, "content-type") == "application/json"
        ):
            error = json.loads(result["body"])
            assert re.fullmatch("[a-z0-9_]+", error["code"])
            assert error["message"]
    assert [json.loads(line)["status"] for line in collector.log] == statuses


@given(
    st.lists(
        strategies.json_values() | st.builds(harness.track, n=strategies.json_values()), max_size=6
    )
)
def test_record_has_every_sent_event_as_accepted_or_rejected(sent: list[object]) -> None:
    collector = harness.Harness()
    response = collector.send_ok(body={"batch": sent})
    rejected = {entry["index"]: entry["code"] for entry in response["rejected"]}
    assert response["success"] is True
    assert response["accepted"] + len(rejected) == len(sent)
    if not sent:
        assert not collector.streams.stored
        return
    (record,) = collector.streams.records
    assert {a.i: json.loads(bytes(a.event)) for a in record.accepted} == {
        i: event for i, event in enumerate(sent) if i not in rejected
    }
    assert {r.i: r.code for r in record.rejected} == rejected
    assert (record.header.accepted, record.header.rejected) == (response["accepted"], len(rejected))


def test_record_header_ignores_forged_client_fields() -> None:
    collector = harness.Harness(edge_region="ap-south-1")
    forged = {"requestId": "x", "receivedAt": "x", "source": "x", "country": "XX", "bot": True}
    collector.send_ok(
        body={"batch": [harness.track(**forged)], "sentAt": "2026-11-21T13:00:00+01:00"} | forged,
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


def test_user_agent_of_cloudfront_is_not_stored() -> None:
    collector = harness.Harness()
    collector.send_ok(
        body={"batch": [harness.track()]}, headers={"User-Agent": "Amazon CloudFront"}
    )
    assert collector.streams.records[0].header.user_agent is None
    assert collector.streams.records[0].header.bot is False


def test_resent_batch_has_same_partition_key_and_message_ids() -> None:
    collector = harness.Harness()
    batch = {"batch": [{"type": "page", "anonymousId": "a"}, harness.track(userId="other")]}
    for sent_at in ("2026-11-21T12:00:00Z", "2026-11-21T12:00:09Z"):
        collector.send_ok(body=batch | {"sentAt": sent_at})
    (_, first), (_, second) = collector.streams.stored
    assert first.partition_key == second.partition_key
    ids = [[a.message_id for a in record.accepted] for record in collector.streams.records]
    assert ids[0] == ids[1]
    collector.send_ok(body={"batch": [harness.track(userId="u-2")]})
    assert collector.streams.stored[2][1].partition_key != first.partition_key


def test_partition_key_uses_request_id_when_all_events_are_rejected() -> None:
    collector = harness.Harness()
    collector.send_ok(body={"batch": [7]})
    ((_, entry),) = collector.streams.stored
    request_id = collector.streams.records[0].header.request_id
    salt = f"a salt for the tests\0{harness.WRITE_KEY}"
    assert entry.partition_key == clickstream.partition_key(salt, "2026-11-21", request_id)


# --- faults ---
def test_events_fail_over_when_nearest_region_is_unreachable() -> None:
    collector = harness.Harness()
    collector.streams.fault = harness.unreachable("us-east-1")
    assert collector.send_ok(body=ONE)["accepted"] == 1
    ((region, _),) = collector.streams.stored
    (record,) = collector.streams.records
    assert (region, record.header.stream_region, record.header.failover) == (
        "eu-west-2",
        "eu-west-2",
        True,
    )
    assert json.loads(collector.log[0])["failover"] is True


def test_503_has_retry_after_when_all_regions_are_unreachable() -> None:
    collector = harness.Harness()
    collector.streams.fault = ALL_REGIONS_UNREACHABLE
    result = collector.send(body=ONE)
    assert status_and_code(result) == ("503", "unavailable")
    assert 2 <= int(harness.header(result, "retry-after") or "") <= 10
    collector.streams.fault = None
    assert collector.send_ok(body=ONE)["accepted"] == 1


def test_503_without_a_call_when_no_time_is_left() -> None:
    collector = harness.Harness()
    assert status_and_code(collector.send(body=ONE, seconds=0.3)) == ("503", "unavailable")
    assert not collector.streams.calls


def test_429_has_retry_after_when_source_exceeds_its_rate() -> None:
    collector = harness.Harness(
        harness.settings_document(rate_limit={"events_per_second": 0.5, "burst": 1})
    )
    collector.send_ok(body=ONE)
    result = collector.send(body=ONE, headers={"Origin": "https://school.example"})
    assert status_and_code(result) == ("429", "rate_limited")
    assert harness.header(result, "retry-after") == "2"
    assert harness.header(result, "access-control-expose-headers") == "Retry-After"
    collector.clock.now += 2
    collector.send_ok(body=ONE)
