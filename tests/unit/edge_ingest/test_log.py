"""One line for a request, and nothing in it that came from the visitor."""

import json

from tests.unit.edge_ingest import edge

ONE = {"batch": [edge.track()]}


def test_a_line_for_a_request_without_a_body_a_key_or_an_address() -> None:
    collector = edge.Edge()
    event = edge.track(userId="canary-user", event="canary-event", properties={"a": "canary"})
    collector.take(
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
        for canary in ("canary", edge.KEY, "203.0", "u-1"):
            assert canary not in line
    first = json.loads(collector.log[0])
    assert (first["accepted"], first["rejected"], first["status"]) == (1, 1, 200)


def test_what_went_well_is_sampled_and_the_rest_is_not() -> None:
    collector = edge.Edge(edge.document() | {"log_sample": 0})
    collector.take(body=ONE)
    assert collector.log == []
    collector.take(body={"batch": [7]})
    collector.send(body=b"x")
    collector.streams.weather = edge.down("us-east-1")
    collector.take(body=ONE)
    assert [json.loads(line)["status"] for line in collector.log] == [200, 400, 200]
