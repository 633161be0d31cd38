"""Tests with recorded requests of real SDKs: responses and stored events."""

import base64
import json
from datetime import datetime
from typing import Any

import pytest

from tests.unit.edge_ingest import harness

RECORDED = harness.recorded()


def write_key_of(recorded: dict[str, Any]) -> str:
    name = recorded["name"].split(".")[0]
    return {
        "analytics-php": "WK_php",
        "analytics-ruby": "WK_ruby",
        "rudder-sdk-python": "WK_rudder_py",
        "rudderstack-analytics-js": "WK_rudder_web",
        "segment-analytics-node": "WK_segment_node",
        "segment-analytics-python": "WK_segment_py",
    }[name]


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: f"{r['name']}.{r['seq']:02d}")
def test_recorded_request_is_accepted_completely(recorded: dict[str, Any]) -> None:
    document = harness.settings_document()
    document["sources"][0]["write_key"] = write_key_of(recorded)
    collector = harness.Harness(document)
    path, _, query = recorded["path"].partition("?")
    headers = {name: value for name, value in recorded["headers"] if name != "Host"}
    body = base64.b64decode(recorded["body_base64"])
    if recorded["method"] == "POST" and (
        sent_at := json.loads(recorded["body_text"]).get("sentAt")
    ):
        collector.clock.now = datetime.fromisoformat(sent_at).timestamp()
    result = collector.send(recorded["method"], path, body, query=query, headers=headers, key=None)
    assert result["status"] == "200"
    if recorded["method"] == "OPTIONS":
        requested = headers["Access-Control-Request-Headers"]
        assert harness.header(result, "access-control-allow-headers") == requested
        assert harness.header(result, "access-control-allow-origin") == headers["Origin"]
        return
    response = json.loads(result["body"])
    if recorded["method"] == "GET":
        assert response["source"]["writeKey"] == "WK_rudder_web"
        return
    sent = json.loads(recorded["body_text"])
    events = sent.get("batch", [sent])
    assert response == {"success": True, "accepted": len(events), "rejected": []}
    (record,) = collector.streams.records
    stored = [json.loads(bytes(accepted.event)) for accepted in record.accepted]
    for event in (*events, *stored):
        event.get("context", {}).pop("ip", None)  # the collector truncates it
        for name in ("properties", "traits"):
            if event.get(name) == []:  # PHP's empty array, which the collector repairs
                event[name] = {}
    assert stored == events
    assert [a.message_id for a in record.accepted] == [e["messageId"] for e in events]


def test_recordings_cover_every_method_and_sdk() -> None:
    methods = {recorded["method"] for recorded in RECORDED}
    assert methods == {"GET", "POST", "OPTIONS"}
    assert len({write_key_of(recorded) for recorded in RECORDED}) == 6
