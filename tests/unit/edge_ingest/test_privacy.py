"""Tests for `privacy` and `redaction`: canary values must not reach a record or the log."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest import settings
from tests.unit.edge_ingest import harness
from tests.unit.edge_ingest.canaries import IP, IP6, policy_for, stored


@pytest.mark.parametrize(
    ("ip", "redacted"),
    [
        (IP, "203.0.113.0"),
        ("0.0.0.0", "0.0.0.0"),
        (IP6, "2001:db8:aaaa::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("::1", "::"),
        ("", None),
        ("203.0.113", None),
        ("203.0.113.77:443", None),
        ("fe80::1%eth0", None),
        ("not an address", None),
        ("1.2.3.4\x00", None),
    ],
)
def test_address_is_truncated_or_dropped(ip: str, redacted: str | None) -> None:
    assert policy_for().redact_ip(ip) == redacted


@given(st.ip_addresses())
def test_addresses_of_one_network_truncate_alike(address: Any) -> None:
    truncated = policy_for().redact_ip(str(address))
    other = policy_for().redact_ip(str(type(address)(int(address) ^ 1)))
    assert truncated is not None
    assert truncated == other


def test_hashed_address_changes_daily_and_dropped_one_is_none() -> None:
    hashed = settings.Privacy(ip="hash")
    today = policy_for(hashed).redact_ip(IP)
    assert today == policy_for(hashed, day=harness.NOW + 11 * 3600).redact_ip(IP)
    others = {
        policy_for(hashed, day=harness.NOW + 12 * 3600).redact_ip(IP),
        policy_for(hashed, salt="another salt for tests").redact_ip(IP),
        policy_for(hashed).redact_ip("203.0.113.78"),
    }
    assert len({today, *others}) == 4
    assert today is not None
    assert policy_for(settings.Privacy(ip="drop")).redact_ip(IP) is None


def test_fields_are_dropped_and_hashed_by_path() -> None:
    rules = settings.parse(
        harness.settings_document(
            privacy={
                "drop": ["context.traits.email", "properties.*.secret", "properties.items.price"],
                "hash": ["userId", "traits.*", "none.such"],
            }
        )
    ).sources[harness.WRITE_KEY]
    event = {
        "userId": "u-1",
        "context": {"traits": {"email": "e", "plan": "p"}},
        "properties": {"a": {"secret": 1, "open": 1.0}, "items": [{"price": 1, "sku": 2}, 7]},
        "traits": {"n": 10, "text": "10"},
    }
    text = json.dumps(event).encode()
    redacted = json.loads(policy_for(rules.privacy).redact_event(text))
    assert redacted["context"] == {"traits": {"plan": "p"}}
    assert redacted["properties"] == {"a": {"open": 1.0}, "items": [{"sku": 2}, 7]}
    assert redacted["userId"] != "u-1"
    assert len(redacted["userId"]) == 32
    assert redacted["traits"]["n"] == redacted["traits"]["text"] != "10"
    assert redacted == json.loads(
        policy_for(rules.privacy, day=harness.NOW + 90_000).redact_event(text)
    )
    assert (
        redacted["userId"]
        != json.loads(policy_for(rules.privacy, salt="x" * 16).redact_event(text))["userId"]
    )


def test_text_without_matching_keys_is_unchanged() -> None:
    text = b'{"userId":"u", "n": 1.50, "zip":"x","context":{"ips":[1e999]}}'
    assert policy_for().redact_event(text) is text
    changed = policy_for().redact_event(
        b'{"context":{"ip":"%s"},"n":1.50,"big":1e999}' % IP.encode()
    )
    assert changed == b'{"context":{"ip":"203.0.113.0"},"n":1.50,"big":1e999}'


# --- canaries ------------------------------------------------------------------------------------
LOCATIONS = [
    {"context": {"ip": IP}},
    {"context": {"ip": IP6}},
    {"context": {"ip": f"{IP}, 10.0.0.1"}},
    {"context": {"ip": [IP]}},
    {"request_ip": IP},
    {"ip": IP},
    {"properties": {"ip": IP}},
    {"traits": {"ip": IP}},
    {"context": {"traits": {"ip": IP6}}},
]
# Duplicate keys, keys with escape sequences, and invalid JSON.
TEXTS = [
    b'{"type":"page","userId":"u","context":{"ip":"203.0.113.77"},"context":{"ip":"203.0.113.77"}}',
    b'{"type":"page","userId":"u","context":{"ip":"203.0.113.77"},"context":{}}',
    b'{"type":"page","userId":"u","c\\u006fntext":{"\\u0069p":"203.0.113.77"}}',
    b'{"type":"page","userId":"u","context":{"\\u0069p":"20\\u0033.0.113.77"}}',
    b'{"type":"page","userId":"u","context":{"ip":"203.0.113.77"},"x":"\\ud800"}',
    b'{"type":"page","userId":"u","context":{"ip":"20\\u0033.0.113.77"},"x":"\\ud800"}',
    b'{"type":"page","userId":"u","context":{"ip":"2001:db8:aaaa:bbbb:cccc::77"},"x":"\xff"}',
    b'{"type":"page","userId":"u","context":{"ip":"203.0.113.77"},"x":NaN}',
    b'{"type":"page","userId":"u","context":{"ip":"203.0.113.77",}}',
    b'"my address is 203.0.113.77"',
    b'["203.0.113.77"]',
    b'{"type":"page","context":{"ip":"203.0.113.77"}}',
    b'{"type":"page","userId":"u","context":{"ip":"203.0.113.77"},"p":"' + b"x" * 40_000 + b'"}',
]


@pytest.mark.parametrize("rule", ["truncate", "hash", "drop"])
@pytest.mark.parametrize("location", [*LOCATIONS, *TEXTS], ids=lambda p: str(p)[:70])
def test_full_address_is_not_stored_in_any_location(
    location: dict[str, object] | bytes, rule: str
) -> None:
    text = (
        location if isinstance(location, bytes) else json.dumps(harness.track(**location)).encode()
    )
    body = b'{"context":{"ip":"%s"},"batch":[%s,%s]}' % (
        IP.encode(),
        json.dumps(harness.track()).encode(),
        text,
    )
    collector = harness.Harness(harness.settings_document(privacy={"ip": rule}))
    headers = {"X-Forwarded-For": IP, "CloudFront-Viewer-Address": f"{IP}:1234", "Cookie": IP}
    response = collector.send_ok(body=body, ip=IP, headers=headers)
    assert response["accepted"] + len(response["rejected"]) == 2
    output = stored(collector)
    for canary in (IP, IP6, "113.77", "cccc"):
        assert canary not in output


@pytest.mark.parametrize("rule", ["hash", "drop"])
@pytest.mark.parametrize("agent", [f"App/1.0 ({IP})", f"Mozilla/5.0 [{IP6}]:443", IP, IP6])
def test_address_in_the_user_agent_of_a_request_is_not_stored(agent: str, rule: str) -> None:
    collector = harness.Harness(harness.settings_document(privacy={"ip": rule}))
    headers = {"User-Agent": agent, "Origin": "https://school.example"}
    assert collector.send_ok(body={"batch": [harness.track()]}, headers=headers)["accepted"] == 1
    output = stored(collector)
    assert not any(canary in output for canary in (IP, IP6, "113.77", "cccc"))


def test_user_agent_of_a_browser_is_stored_as_sent() -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36"
    collector = harness.Harness(harness.settings_document(privacy={"ip": "drop"}))
    collector.send_ok(body={"batch": [harness.track()]}, headers={"User-Agent": agent})
    (record,) = collector.streams.records
    assert record.header.user_agent == agent


def test_rejected_text_is_stored_whole_without_its_address() -> None:
    stored_text = policy_for().redact_rejected(b"x" * 70_000 + b" 203.0.113.77 y")
    assert stored_text == "x" * 70_000 + " 0.0.0.0 y"


@given(st.binary(max_size=50))
def test_rejected_text_that_is_not_utf_8_keeps_each_byte(text: bytes) -> None:
    # No escape sequences, and nothing that could be an address.
    text = b"\xff" + re.sub(rb"[\\.:]", b"", text)
    stored_text = policy_for().redact_rejected(text)
    assert stored_text.isascii()
    assert stored_text.encode().decode("unicode_escape").encode("latin-1") == text


@pytest.mark.parametrize("fault", [None, "type", "unicode", "syntax", "size"])
def test_dropped_and_hashed_fields_are_not_stored(fault: str | None) -> None:
    rules = {
        "drop": ["properties.secret", "context.traits.email", "properties.nested.*.secret"],
        "hash": ["context.traits.phone"],
    }
    event = harness.track(
        context={"traits": {"email": "canary-2", "phone": "canary-3"}},
        properties={"secret": "canary-1", "nested": {"a": {"secret": "canary-4"}}},
    )
    if fault == "type":
        event["type"] = "sale"
    if fault == "size":
        event["padding"] = "x" * 40_000
    text = json.dumps(event).encode()
    if fault == "unicode":
        text = text[:-1] + b',"x":"\\ud800"}'
    if fault == "syntax":
        text = text[:-1] + b",}"
    outer = b'{"traits":{"email":"canary-5","phone":"canary-6"},"page":{"path":"/kept"}}'
    collector = harness.Harness(harness.settings_document(privacy=rules))
    collector.send_ok(body=b'{"context":%s,"batch":[%s]}' % (outer, text))
    output = stored(collector)
    assert "canary" not in output
    assert "/kept" in output


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"page","userId":"u","traits":{"a\\/b\\/c":"canary"}}',
        b'{"type":"page","userId":"u","traits":{"a/b\\/c":"canary"}}',
        b'{"type":"page","userId":"u","traits":{"a/b\\u002fc":"canary"}}',
        b'{"type":"page","userId":"u","traits":{"a/b/c":"canary"}}',
    ],
)
def test_dropped_field_is_found_if_its_key_has_escape_sequences(text: bytes) -> None:
    rules = {"drop": ["traits.a/b/c"]}
    collector = harness.Harness(harness.settings_document(privacy=rules))
    assert collector.send_ok(body=b'{"batch":[%s]}' % text)["accepted"] == 1
    assert "canary" not in stored(collector)


def test_partition_key_of_a_visitor_changes_daily_and_with_the_salt() -> None:
    def key(day: str, salt: str = "a salt for the tests") -> str:
        collector = harness.Harness(harness.settings_document() | {"salt": salt})
        collector.send_ok(body={"batch": [harness.track(timestamp=f"{day}T10:00:00Z")]})
        return collector.streams.stored[0][1].partition_key

    assert key("2026-11-20") == key("2026-11-20")
    keys = {key("2026-11-20"), key("2026-11-21"), key("2026-11-20", "another salt for tests")}
    assert len(keys) == 3


def test_resent_batch_keeps_its_partition_key_after_midnight() -> None:
    collector = harness.Harness()
    body = {"batch": [harness.track(timestamp="2026-11-21T10:00:00Z")]}
    collector.send_ok(body=body)
    collector.clock.now += 24 * 3600
    collector.send_ok(body=body)
    first, second = (entry.partition_key for _, entry in collector.streams.stored)
    assert first == second
