"""The recorded requests of real SDKs: each is answered as its SDK needs it, and stored whole."""

import base64
import json
from typing import Any

import pytest

from tests.unit.edge_ingest import edge

RECORDED = edge.recorded()


def keys_of(recorded: dict[str, Any]) -> str:
    name = recorded["name"].split(".")[0]
    return {
        "rudder-sdk-python": "WK_rudder_py",
        "rudderstack-analytics-js": "WK_rudder_web",
        "segment-analytics-node": "WK_segment_node",
        "segment-analytics-python": "WK_segment_py",
    }[name]


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: f"{r['name']}.{r['seq']:02d}")
def test_a_recorded_request_is_taken_whole(recorded: dict[str, Any]) -> None:
    document = edge.document()
    document["sources"][0]["write_key"] = keys_of(recorded)
    collector = edge.Edge(document)
    path, _, query = recorded["path"].partition("?")
    headers = {name: value for name, value in recorded["headers"] if name != "Host"}
    body = base64.b64decode(recorded["body_base64"])
    result = collector.send(recorded["method"], path, body, query=query, headers=headers, key=None)
    assert result["status"] == "200"
    if recorded["method"] == "OPTIONS":
        asked = headers["Access-Control-Request-Headers"]
        assert edge.header(result, "access-control-allow-headers") == asked
        assert edge.header(result, "access-control-allow-origin") == headers["Origin"]
        return
    answer = json.loads(result["body"])
    if recorded["method"] == "GET":
        assert answer["source"]["writeKey"] == "WK_rudder_web"
        return
    sent = json.loads(recorded["body_text"])
    events = sent.get("batch", [sent])
    assert answer == {"success": True, "accepted": len(events), "rejected": []}
    (record,) = collector.streams.records
    stored = [json.loads(bytes(accepted.event)) for accepted in record.accepted]
    for event in (*events, *stored):
        event.get("context", {}).pop("ip", None)  # truncated on the way
    assert stored == events
    assert [a.message_id for a in record.accepted] == [e["messageId"] for e in events]


def test_the_recordings_hold_what_this_test_says() -> None:
    methods = {recorded["method"] for recorded in RECORDED}
    assert methods == {"GET", "POST", "OPTIONS"}
    assert len({keys_of(recorded) for recorded in RECORDED}) == 4
