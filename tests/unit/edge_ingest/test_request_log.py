"""Tests for `request_log`: sampling, and no client data in a line."""

import json

from edge_ingest import settings
from edge_ingest.collector import Collector
from edge_ingest.delivery import Delivery
from tests.unit.edge_ingest import harness

ONE = {"batch": [harness.track()]}


def test_line_contains_no_client_data() -> None:
    collector = harness.Harness()
    event = harness.track(userId="canary-user", event="canary-event", properties={"a": "canary"})
    collector.send_ok(
        body={"batch": [event, {"type": "canary"}]},
        query="q=canary",
        headers={"User-Agent": "canary", "Cookie": "canary", "Origin": "https://canary.example"},
    )
    collector.send(uri="/canary", headers={"Referer": "canary"})
    collector.send(body=b"canary", key="canary")
    assert len(collector.log) == 3
    for line in collector.log:
        assert "\n" not in line
        assert len(line) < 250
        for canary in ("canary", harness.WRITE_KEY, "203.0", "u-1"):
            assert canary not in line
    first = json.loads(collector.log[0])
    assert (first["accepted"], first["rejected"], first["status"]) == (1, 1, 200)


def test_line_names_request_and_position_in_stream() -> None:
    collector = harness.Harness()
    collector.send_ok(body=ONE)
    line = json.loads(collector.log[0])
    (record,) = collector.streams.records
    assert line["request_id"] == record.header.request_id
    assert (line["shard"], line["sequence"]) == ("shardId-0", "1")


def test_only_successful_requests_are_sampled() -> None:
    collector = harness.Harness(harness.settings_document() | {"log_sample": 0})
    collector.send_ok(body=ONE)
    assert collector.log == []
    collector.send_ok(body={"batch": [7]})
    collector.send(body=b"x")
    collector.streams.fault = harness.unreachable("us-east-1")
    collector.send_ok(body=ONE)
    assert [json.loads(line)["status"] for line in collector.log] == [200, 400, 200]


def test_first_request_of_a_process_is_logged_as_a_cold_start() -> None:
    parsed = settings.parse(harness.settings_document() | {"log_sample": 0})
    delivery = Delivery(harness.Streams(), parsed.stream, parsed.regions, "us-east-1")
    lines: list[str] = []
    collector = Collector(parsed, delivery, "us-east-1", print_line=lines.append, logs_first=True)
    for _ in range(3):
        collector.handle(harness.request(body=ONE), 5.0)
    (line,) = map(json.loads, lines)
    assert (line["cold"], line["accepted"]) == (True, 1)
