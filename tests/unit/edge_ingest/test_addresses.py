"""Tests for `addresses`: names of addresses, and addresses in values and texts."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest import settings
from edge_ingest.addresses import has_ip_name, is_ip_name, redact_addresses
from tests.unit.edge_ingest import harness
from tests.unit.edge_ingest.canaries import IP, IP6, policy_for, stored

IP_NAMES = [
    *("ip", "IP", "Ip", "$ip", "request_ip", "clientIp", "clientip", "client_ip", "userIP"),
    *("X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "remote.ip", "REMOTE_IP", "visitor ip"),
    *("visitor\nip", "\tip"),
]
FURTHER_NAMES = [
    *("ips", "ipAddress", "ip_address", "IPAddress", "$ip_address", "ipaddr", "ipv4", "ip_v6"),
    *("remote_addr", "REMOTE_ADDR", "remoteAddress", "clientAddress", "X-Forwarded-For"),
    *("x_forwarded_for", "xForwardedFor", "Forwarded", "CloudFront-Viewer-Address"),
]
OTHER_NAMES = [
    "zip",
    "ZIP",
    "membership",
    "tooltip",
    "isVip",
    "ipad",
    "ship",
    "address",
    "ip_count",
]
#: Values that contain IP or IP6, or are it.
VALUES = [
    IP,
    IP6,
    f" {IP} ",
    f"{IP}:443",
    f"[{IP6}]:443",
    f"{IP6}%eth0",
    f"{IP}, 10.0.0.1",
    f"::ffff:{IP}",
    f"for={IP};proto=https",
    f'for="[{IP6}]"',
    f"came from {IP}.",
    f"ip:{IP}",
    f"https://school.example/?ip={IP}&x=1",
    f"({IP6})",
]
CANARIES = ("203.0.113.77", "bbbb", "cccc")
#: No addresses, though they look alike.
OTHER_VALUES = [
    "Mozilla/5.0 (X11) Chrome/156.0.0.0 Safari/537.36",
    "12:30:45",
    "2026-11-21T12:00:00.000Z",
    "std::vector<int>",
    "300.1.2.3",
    "1.2.3.4.5",
    "a.b.c.d",
    "http://192.0.2.1/page",
]


@pytest.mark.parametrize("name", IP_NAMES)
def test_name_that_ends_in_the_word_ip_is_found(name: str) -> None:
    assert is_ip_name(name)
    assert has_ip_name(json.dumps({"a": [{name: "x"}]}).encode())


@pytest.mark.parametrize("name", [*OTHER_NAMES, *FURTHER_NAMES])
def test_other_name_is_not_found(name: str) -> None:
    assert not is_ip_name(name)
    assert not has_ip_name(json.dumps({"a": [{name: "x"}]}).encode())


@given(st.text(alphabet='ipIPxX_."é\\\n\t', max_size=4), st.sampled_from(["", "ip", "IP", "Ip"]))
def test_search_in_a_text_agrees_with_the_names_in_it(start: str, end: str) -> None:
    name = start + end
    text = json.dumps({name: 1}, ensure_ascii=False).encode()
    assert has_ip_name(text) or not is_ip_name(name)


@pytest.mark.parametrize("rule", ["truncate", "hash", "drop"])
@pytest.mark.parametrize("name", IP_NAMES)
def test_address_under_a_name_of_an_ip_is_redacted_at_any_depth(name: str, rule: Any) -> None:
    policy = policy_for(settings.Privacy(ip=rule))
    text = json.dumps({"context": {"network": [{name: IP, "has_ip": True, "zip": "1234"}]}})
    network = json.loads(policy.redact_event(text.encode()))["context"]["network"][0]
    expected = {} if rule == "drop" else {name: policy.redact_ip(IP)}
    assert network == {**expected, "has_ip": True, "zip": "1234"}


@pytest.mark.parametrize("rule", ["hash", "drop"])
@pytest.mark.parametrize("name", [*IP_NAMES, *FURTHER_NAMES])
@pytest.mark.parametrize("value", [IP, IP6, [IP], {"v4": IP}, 3405803853, f"{IP}, 10.0.0.1"])
def test_no_address_remains_under_a_name_of_one(name: str, value: object, rule: Any) -> None:
    policy = policy_for(settings.Privacy(ip=rule))
    text = json.dumps({"properties": {"a": [{name: value}]}, "context": {name: value}}).encode()
    redacted = policy.redact_event(text).decode()
    assert not [it for it in (*CANARIES, "3405803853", "10.0.0.1") if it in redacted]
    if rule == "drop":
        assert json.loads(redacted) == {"properties": {"a": [{}]}, "context": {}}


@pytest.mark.parametrize("rule", ["hash", "drop"])
@pytest.mark.parametrize("value", VALUES)
def test_address_is_removed_from_any_text(value: str, rule: Any) -> None:
    event = harness.track(
        properties={"note": value, "list": [value, "kept"], value: 1, "text": "kept", "none": None},
        context={"device": {"seen": {"at": value}}},
    )
    collector = harness.Harness(harness.settings_document(privacy={"ip": rule}))
    collector.send_ok(body={"batch": [event], "context": {"network": {"gateway": value}}})
    output = stored(collector)
    assert not [canary for canary in CANARIES if canary in output]
    (record,) = collector.streams.records
    properties = json.loads(bytes(record.accepted[0].event))["properties"]
    assert properties["list"][-1] == properties["text"] == "kept"
    assert properties["none"] is None


@pytest.mark.parametrize("value", OTHER_VALUES)
def test_text_without_an_address_is_unchanged(value: str) -> None:
    event = {"properties": {"text": value, "list": [value, 1, None], value: 1}, "value": value}
    text = json.dumps(event).encode()
    assert json.loads(policy_for(settings.Privacy(ip="drop")).redact_event(text)) == event


def test_version_of_four_numbers_is_kept() -> None:
    event = {
        "context": {"app": {"version": "4.12.0.15", "build": "1.2.3.4"}},
        "osVersion": "1.2.3.4",
    }
    text = json.dumps(event).encode()
    assert json.loads(policy_for(settings.Privacy(ip="drop")).redact_event(text)) == event


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(alphabet="ab1.: ", max_size=9),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abip", max_size=3), inner),
    )
)
def test_event_without_an_address_is_unchanged(value: object) -> None:
    event = {"x": value}
    before = copy.deepcopy(event)
    redact_addresses(event, lambda _: None, everywhere=False)
    if not has_ip_name(json.dumps(before).encode()):
        assert event == before


@given(st.ip_addresses(), st.sampled_from(["{}", "at {}", "a={};", "<{}>", "{}, {}"]))
def test_no_full_address_remains_in_a_text(address: Any, pattern: str) -> None:
    event: dict[str, Any] = {"properties": {"text": pattern.replace("{}", str(address))}}
    redact_addresses(event, lambda _: None, everywhere=True)
    remaining = event["properties"].get("text", "")
    assert str(address) in ("::", "0.0.0.0") or str(address) not in remaining
