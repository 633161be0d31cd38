"""What must not be stored is planted everywhere, and found nowhere: not in a record, nor a log."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream import times
from edge_ingest import privacy, settings, viewer
from tests.unit.edge_ingest import edge

IP, IP6 = "203.0.113.77", "2001:db8:aaaa:bbbb:cccc::77"
NOW = times.at(edge.NOW)


def policy(
    rules: settings.Privacy = settings.Privacy(),  # noqa: B008 - immutable
    *,
    headers: dict[str, str] | None = None,
    day: float = edge.NOW,
    salt: str | None = "a salt for the tests",
) -> privacy.Policy:
    request = viewer.read(edge.request(headers=headers))
    return privacy.policy(rules, request, salt, times.at(day))


@pytest.mark.parametrize(
    ("ip", "kept"),
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
def test_addresses_are_truncated(ip: str, kept: str | None) -> None:
    assert policy().address(ip) == kept


@given(st.ip_addresses())
def test_a_truncated_address_is_its_networks(address: Any) -> None:
    kept = policy().address(str(address))
    other = policy().address(str(type(address)(int(address) ^ 1)))
    assert kept is not None
    assert kept == other


def test_hashed_addresses_change_by_the_day_and_dropped_ones_are_gone() -> None:
    hashed = settings.Privacy(ip="hash")
    today = policy(hashed).address(IP)
    assert today == policy(hashed, day=edge.NOW + 11 * 3600).address(IP)
    others = {
        policy(hashed, day=edge.NOW + 12 * 3600).address(IP),
        policy(hashed, salt="another salt of tests").address(IP),
        policy(hashed).address("203.0.113.78"),
    }
    assert len({today, *others}) == 4
    assert today is not None
    assert policy(settings.Privacy(ip="drop")).address(IP) is None


def test_fields_are_dropped_and_hashed_by_their_paths() -> None:
    rules = settings.parse(
        edge.document(
            privacy={
                "drop": ["context.traits.email", "properties.*.secret", "properties.items.price"],
                "hash": ["userId", "traits.*", "none.such"],
            }
        )
    ).sources[edge.KEY]
    event = {
        "userId": "u-1",
        "context": {"traits": {"email": "e", "plan": "p"}},
        "properties": {"a": {"secret": 1, "open": 1.0}, "items": [{"price": 1, "sku": 2}, 7]},
        "traits": {"n": 10, "text": "10"},
    }
    text = json.dumps(event).encode()
    got = json.loads(policy(rules.privacy).event(text))
    assert got["context"] == {"traits": {"plan": "p"}}
    assert got["properties"] == {"a": {"open": 1.0}, "items": [{"sku": 2}, 7]}
    assert got["userId"] != "u-1"
    assert len(got["userId"]) == 32
    assert got["traits"]["n"] == got["traits"]["text"] != "10"
    assert got == json.loads(policy(rules.privacy, day=edge.NOW + 90_000).event(text))
    assert got["userId"] != json.loads(policy(rules.privacy, salt="x" * 16).event(text))["userId"]


def test_what_no_rule_names_keeps_its_bytes() -> None:
    text = b'{"userId":"u", "n": 1.50, "zip":"x","context":{"ips":[1e999]}}'
    assert policy().event(text) is text
    changed = policy().event(b'{"context":{"ip":"%s"},"n":1.50,"big":1e999}' % IP.encode())
    assert changed == b'{"context":{"ip":"203.0.113.0"},"n":1.50,"big":1e999}'


# --- canaries ------------------------------------------------------------------------------------
PLACES = [
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
# The same key said twice, spelt with escapes, or in a text that no parser takes.
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


def stored(collector: edge.Edge) -> str:
    """Everything that left the function: the records, unpacked, and the log."""
    records = [gzip.decompress(entry.data).decode() for _, entry in collector.streams.stored]
    keys = [entry.key for _, entry in collector.streams.stored]
    assert records
    return "\n".join([*records, *keys, *collector.log]).encode().decode("unicode_escape", "ignore")


@pytest.mark.parametrize("rule", ["truncate", "hash", "drop"])
@pytest.mark.parametrize("place", [*PLACES, *TEXTS], ids=lambda p: str(p)[:70])
def test_no_address_is_found_anywhere(place: object, rule: str) -> None:
    text = place if isinstance(place, bytes) else json.dumps(edge.track(**place)).encode()  # type: ignore[arg-type] # fields by name
    body = b'{"context":{"ip":"%s"},"batch":[%s,%s]}' % (
        IP.encode(),
        json.dumps(edge.track()).encode(),
        text,
    )
    collector = edge.Edge(edge.document(privacy={"ip": rule}))
    headers = {"X-Forwarded-For": IP, "CloudFront-Viewer-Address": f"{IP}:1234", "Cookie": IP}
    answer = collector.take(body=body, ip=IP, headers=headers)
    assert answer["accepted"] + len(answer["rejected"]) == 2
    left = stored(collector)
    for canary in (IP, IP6, "113.77", "cccc"):
        assert canary not in left


@pytest.mark.parametrize("fault", [None, "type", "unicode", "syntax", "size"])
def test_no_dropped_or_hashed_field_is_found_anywhere(fault: str | None) -> None:
    rules = {
        "drop": ["properties.secret", "context.traits.email", "properties.nested.*.secret"],
        "hash": ["context.traits.phone"],
    }
    event = edge.track(
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
    collector = edge.Edge(edge.document(privacy=rules))
    collector.take(body=b'{"context":%s,"batch":[%s]}' % (outer, text))
    left = stored(collector)
    assert "canary" not in left
    assert "/kept" in left


@pytest.mark.parametrize("signal", [{"Sec-GPC": "1"}, {"DNT": "1"}])
def test_who_asks_not_to_be_tracked_is_not(signal: dict[str, str]) -> None:
    event = edge.track(
        userId="canary-user",
        anonymousId="canary-anonymous",
        traits={"email": "canary-email"},
        context={
            "ip": IP,
            "userAgent": "canary-agent",
            "traits": {"name": "canary-name"},
            "device": {"id": "canary-device", "type": "ios"},
            "page": {"path": "/kept"},
        },
    )
    headers = signal | {
        "User-Agent": "canary-agent",
        "CloudFront-Viewer-City": "canary-city",
        "CloudFront-Viewer-Country": "IN",
        "Cookie": "mid=" + "0" * 32,
    }
    collector = edge.Edge(edge.document(cookie={"enabled": True}))
    result = collector.send(body={"batch": [event]}, headers=headers, ip=IP)
    assert edge.header(result, "set-cookie") is None
    left = stored(collector)
    assert "canary" not in left
    assert "0" * 32 not in left
    (record,) = collector.streams.records
    assert (record.header.country, record.header.ip) == ("IN", None)
    (accepted,) = record.accepted
    kept = json.loads(bytes(accepted.event))
    assert kept["context"] == {"device": {"type": "ios"}, "page": {"path": "/kept"}}
    assert len(kept["anonymousId"]) == 32
    without = edge.document()
    del without["salt"]
    collector = edge.Edge(without)
    collector.take(body={"batch": [event]}, headers=headers)
    (record,) = collector.streams.records
    assert "anonymousId" not in json.loads(bytes(record.accepted[0].event))


@pytest.mark.parametrize("headers", [{}, {"Sec-GPC": "0"}, {"DNT": "0"}, {"DNT": "unspecified"}])
def test_who_does_not_ask_is_counted(headers: dict[str, str]) -> None:
    assert not policy(headers=headers).anonymous


def test_a_source_may_ignore_the_signals() -> None:
    rules = settings.Privacy(gpc="ignore", dnt="ignore")
    assert not policy(rules, headers={"Sec-GPC": "1", "DNT": "1"}).anonymous


SAYS: list[tuple[dict[str, Any], bool | None]] = [
    ({}, None),
    ({"consent": {"categoryPreferences": {"analytics": True}}}, True),
    ({"consent": {"categoryPreferences": {"analytics": False}}}, False),
    ({"consent": {"categoryPreferences": {"analytics": "yes"}}}, None),
    ({"consent": {"categoryPreferences": {"other": False}}}, None),
    ({"consent": []}, None),
    ({"consentManagement": {"deniedConsentIds": ["analytics"]}}, False),
    ({"consentManagement": {"allowedConsentIds": ["analytics"]}}, True),
    ({"consentManagement": {"allowedConsentIds": "analytics"}}, None),
]


@pytest.mark.parametrize("missing", ["allow", "deny"])
@pytest.mark.parametrize("in_batch", [False, True])
@pytest.mark.parametrize(("context", "says"), SAYS)
def test_consent(context: dict[str, Any], says: bool | None, in_batch: bool, missing: str) -> None:
    rules = {"consent": {"categories": ["analytics"], "missing": missing}}
    collector = edge.Edge(edge.document(privacy=rules))
    event = edge.track(properties={"x": "canary"})
    body = {"batch": [event], "context": context}
    if not in_batch:
        body = {"batch": [event | {"context": context}], "context": {"consent": {}}}
    answer = collector.take(body=body)
    allowed = says if says is not None else missing == "allow"
    if allowed:
        assert answer["accepted"] == 1
    else:
        assert [refused["code"] for refused in answer["rejected"]] == ["consent_denied"]
        assert "canary" not in stored(collector)


def test_an_events_own_consent_counts_more_than_its_batchs() -> None:
    collector = edge.Edge(edge.document(privacy={"consent": {"categories": ["a"]}}))
    no, yes = ({"consent": {"categoryPreferences": {"a": answer}}} for answer in (False, True))
    answer = collector.take(body={"batch": [edge.track(context=yes), edge.track()], "context": no})
    assert (answer["accepted"], [r["index"] for r in answer["rejected"]]) == (1, [1])


@pytest.mark.parametrize(
    "fault", [{"event": None}, {"userId": "", "anonymousId": ""}, {"userId": ["unreadable"]}]
)
def test_what_is_refused_for_another_reason_is_not_kept_against_a_no(fault: dict[str, Any]) -> None:
    """A bad row can become a good one later: no text may be in the lake that was not allowed."""
    collector = edge.Edge(edge.document(privacy={"consent": {"categories": ["a"]}}))
    no = {"consent": {"categoryPreferences": {"a": False}}}
    event = edge.track(properties={"x": "canary"}, context=no) | fault
    answer = collector.take(body={"batch": [event]})
    assert len(answer["rejected"]) == 1
    assert "canary" not in stored(collector)
