"""Tests for Global Privacy Control and Do Not Track: only listed fields remain."""

import json
from typing import Any

import pytest

from edge_ingest import settings
from tests.unit.edge_ingest import harness
from tests.unit.edge_ingest.canaries import IP, policy_for, stored


@pytest.mark.parametrize("signal", [{"Sec-GPC": "1"}, {"DNT": "1"}])
def test_opt_out_signal_removes_identifying_fields(signal: dict[str, str]) -> None:
    event = harness.track(
        userId="canary-user",
        anonymousId="canary-anonymous",
        traits={"email": "canary-email"},
        context={
            "ip": IP,
            "userAgent": "Mozilla/5.0 (canary)",
            "traits": {"name": "canary-name"},
            "device": {"id": "canary-device", "type": "ios"},
            "page": {"path": "/kept"},
        },
        properties={"lesson": "canary-lesson"},
    )
    headers = signal | {
        "User-Agent": "Mozilla/5.0 (canary)",
        "CloudFront-Viewer-City": "canary-city",
        "CloudFront-Viewer-Country": "IN",
        "Cookie": "mid=" + "0" * 32,
    }
    collector = harness.Harness(harness.settings_document(cookie={"enabled": True}))
    result = collector.send(body={"batch": [event]}, headers=headers, ip=IP)
    assert harness.header(result, "set-cookie") is None
    output = stored(collector)
    assert "canary" not in output
    assert "0" * 32 not in output
    (record,) = collector.streams.records
    assert (record.header.country, record.header.ip) == ("IN", None)
    (accepted,) = record.accepted
    stored_event = json.loads(bytes(accepted.event))
    assert stored_event["context"] == {"device": {"type": "ios"}, "page": {"path": "/kept"}}
    assert len(stored_event["anonymousId"]) == 32
    without = harness.settings_document()
    del without["salt"]
    collector = harness.Harness(without)
    collector.send_ok(body={"batch": [event]}, headers=headers)
    (record,) = collector.streams.records
    assert "anonymousId" not in json.loads(bytes(record.accepted[0].event))


KEPT = {
    "type": "track",
    "event": "kept",
    "name": "kept",
    "category": "kept",
    "channel": "kept",
    "messageId": "kept",
    "timestamp": "2026-11-21T11:00:00Z",
    "originalTimestamp": "2026-11-21T11:00:00Z",
    "sentAt": "2026-11-21T11:00:01Z",
    "context": {
        "app": {"name": "kept", "version": "kept", "build": 7.50},
        "library": {"name": "kept", "version": "kept"},
        "campaign": {"source": "kept", "medium": "kept", "name": "kept"},
        "os": {"name": "kept"},
        "device": {"type": "kept"},
        "page": {
            "path": "/kept",
            "url": "https://school.example/kept",
            "referrer": "https://search.example",
        },
    },
    "properties": {"path": "/kept", "url": "/kept", "referrer": "android-app://kept/"},
}


def planted(value: Any, depth: int = 3) -> Any:
    """Return an event in which every object has canaries under other keys."""
    if not isinstance(value, dict):
        return value
    canaries = {f"other{n}": item for n, item in enumerate(("canary", 7_777_777, ["canary"]))}
    inner = {"object": planted({}, depth - 1)} if depth else {}
    return {name: planted(item, depth - 1) for name, item in value.items()} | canaries | inner


@pytest.mark.parametrize("fault", [{}, {"userId": True}, {"properties": "canary"}])
def test_opt_out_keeps_listed_fields_only(fault: dict[str, Any]) -> None:
    event = planted(KEPT) | {"userId": "canary", "traits": {"a": "canary"}} | fault
    event["context"]["page"] |= {
        "url": "https://canary:canary@school.example/kept?email=canary#canary",
        "referrer": "https://search.example?q=canary",
        "title": "canary",
    }
    if not fault:
        event["properties"] |= {"url": "/kept?canary", "referrer": "android-app://kept/#canary"}
    collector = harness.Harness()
    collector.send_ok(
        body={"batch": [event], "context": planted({})},
        headers={"Sec-GPC": "1", "User-Agent": "canary"},
    )
    output = stored(collector)
    assert "canary" not in output
    assert "7777777" not in output
    (record,) = collector.streams.records
    if fault:
        assert record.rejected[0].raw
    else:
        assert json.loads(bytes(record.accepted[0].event)) == KEPT


@pytest.mark.parametrize("name", list(KEPT))
def test_opt_out_keeps_plain_values_only(name: str) -> None:
    event = json.loads(
        policy_for(headers={"DNT": "1"}).redact_event(
            json.dumps({"event": "x", name: {"email": "canary"}}).encode()
        )
    )
    assert "canary" not in str(event)


@pytest.mark.parametrize("name", ["path", "url", "referrer"])
@pytest.mark.parametrize(
    ("address", "remaining_address"),
    [
        ("/kept?email=canary", "/kept"),
        ("/kept#canary", "/kept"),
        ("//canary:canary@school.example/kept", "//school.example/kept"),
        (
            "https://canary@school.example/https://x.example",
            "https://school.example/https://x.example",
        ),
        (
            "https://school.example/to/https://canary@x.example",
            "https://school.example/to/https://x.example",
        ),
        ("/users/@all", "/users/@all"),
        ("data:text/html,canary", None),
        ("blob:https://school.example/canary", None),
        ("mailto:canary@person.example", None),
        ("https:\\\\canary@school.example", None),
    ],
)
def test_address_of_a_page_keeps_no_personal_part_on_opt_out(
    name: str, address: str, remaining_address: str | None
) -> None:
    text = json.dumps({"event": "x", "properties": {name: address}}).encode()
    event = json.loads(policy_for(headers={"Sec-GPC": "1"}).redact_event(text))
    assert event == {"event": "x"} | (
        {"properties": {name: remaining_address}} if remaining_address else {}
    )


def test_time_that_is_not_a_time_is_removed_on_opt_out() -> None:
    text = b'{"event":"x","timestamp":"canary","sentAt":["canary"]}'
    assert policy_for(headers={"DNT": "1"}).redact_event(text) == b'{"event":"x"}'


def test_source_can_keep_more_fields_on_opt_out() -> None:
    rules = settings.Privacy(keep=(("properties", "lesson"), ("properties", "steps", "*")))
    event = {"properties": {"lesson": [7], "steps": {"a": 1, "b": {"c": 2}}, "email": "canary"}}
    policy = policy_for(rules, headers={"DNT": "1"})
    assert json.loads(policy.redact_event(json.dumps(event).encode())) == {
        "properties": {"lesson": [7], "steps": {"a": 1, "b": {"c": 2}}}
    }


def test_kept_address_is_still_redacted_on_opt_out() -> None:
    rules = settings.Privacy(keep=(("context", "ip"),))
    text = json.dumps({"event": "x", "context": {"ip": IP}}).encode()
    assert policy_for(rules, headers={"DNT": "1"}).redact_event(text) == b'{"event":"x"}'


@pytest.mark.parametrize("headers", [{}, {"Sec-GPC": "0"}, {"DNT": "0"}, {"DNT": "unspecified"}])
def test_other_signal_values_are_not_an_opt_out(headers: dict[str, str]) -> None:
    assert not policy_for(headers=headers).anonymous


def test_source_can_ignore_opt_out_signals() -> None:
    rules = settings.Privacy(gpc="ignore", dnt="ignore")
    assert not policy_for(rules, headers={"Sec-GPC": "1", "DNT": "1"}).anonymous
