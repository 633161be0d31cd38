"""Tests for consent: a denied event leaves a row without any fact about the visitor."""

import json
from typing import Any

import pytest

from tests.unit.edge_ingest import harness
from tests.unit.edge_ingest.canaries import IP, stored

NO_CONSENT: list[object] = ["false", "yes", "", 0, 1, [], {}]
STATEMENTS: list[tuple[dict[str, Any], bool | None]] = [
    ({}, None),
    ({"consent": {"categoryPreferences": {"analytics": True}}}, True),
    ({"consent": {"categoryPreferences": {"analytics": False}}}, False),
    ({"consent": {"categoryPreferences": {"analytics": None}}}, None),
    # A statement that isn't `true` is no consent.
    *(({"consent": {"categoryPreferences": {"analytics": value}}}, False) for value in NO_CONSENT),
    ({"consent": {"categoryPreferences": {"other": False}}}, None),
    ({"consent": []}, None),
    ({"consentManagement": {"deniedConsentIds": ["analytics"]}}, False),
    ({"consentManagement": {"allowedConsentIds": ["analytics"]}}, True),
    ({"consentManagement": {"deniedConsentIds": {"analytics": "Statistics"}}}, False),
    ({"consentManagement": {"deniedConsentIds": "analytics"}}, False),
    ({"consentManagement": {"allowedConsentIds": {"analytics": "Statistics"}}}, True),
    ({"consentManagement": {"allowedConsentIds": "analytics"}}, True),
    ({"consentManagement": {"allowedConsentIds": 7}}, None),
]


@pytest.mark.parametrize("missing", ["allow", "deny"])
@pytest.mark.parametrize("in_batch", [False, True])
@pytest.mark.parametrize(("context", "statement"), STATEMENTS)
def test_event_without_consent_is_rejected_and_not_stored(
    context: dict[str, Any], statement: bool | None, in_batch: bool, missing: str
) -> None:
    rules = {"consent": {"categories": ["analytics"], "missing": missing}}
    collector = harness.Harness(harness.settings_document(privacy=rules))
    event = harness.track(properties={"x": "canary"})
    body = {"batch": [event], "context": context}
    if not in_batch:
        body = {"batch": [event | {"context": context}], "context": {"consent": {}}}
    response = collector.send_ok(body=body)
    allowed = statement if statement is not None else missing == "allow"
    if allowed:
        assert response["accepted"] == 1
    else:
        assert [rejected["code"] for rejected in response["rejected"]] == ["consent_denied"]
        assert "canary" not in stored(collector)


FACTS = {
    "User-Agent": "Mozilla/5.0 (canary)",
    "CloudFront-Viewer-City": "canary-city",
    "CloudFront-Viewer-Country": "canary-country",
    "CloudFront-Viewer-Country-Region": "canary-region",
    "CloudFront-Viewer-Time-Zone": "canary-zone",
    "CloudFront-Is-Tablet-Viewer": "true",
    "Cookie": "mid=" + "c" * 32,
}


def answer(*, consent: bool) -> dict[str, Any]:
    return {"consent": {"categoryPreferences": {"a": consent}}}


@pytest.mark.parametrize(
    "text", [b"", b'{"canary":1,}', b'{"type":"page","userId":"u","x":"\\ud800"}']
)
def test_denied_request_leaves_nothing_of_the_visitor(text: bytes) -> None:
    rules = {"consent": {"categories": ["a"], "missing": "deny"}}
    collector = harness.Harness(harness.settings_document(privacy=rules, cookie={"enabled": True}))
    events = [json.dumps(harness.track(properties={"x": "canary"})).encode(), text]
    context = json.dumps(answer(consent=False) | {"traits": {"email": "canary"}, "ip": IP}).encode()
    body = b'{"sentAt":"2026-11-21T11:59:59Z","context":%s,"batch":[%s]}' % (
        context,
        b",".join(filter(None, events)),
    )
    response = collector.send(body=body, headers=FACTS, ip=IP)
    rejected = json.loads(response["body"])["rejected"]
    assert [event["index"] for event in rejected] == list(range(len(rejected)))
    assert harness.header(response, "set-cookie") is None
    output = stored(collector)
    for canary in ("canary", "203.0.113", "tablet", "c" * 32, "11:59:59"):
        assert canary not in output
    (record,) = collector.streams.records
    assert len(record.rejected) == len(rejected)


def test_denied_event_beside_an_accepted_one_has_no_facts_in_its_record() -> None:
    collector = harness.Harness(
        harness.settings_document(privacy={"consent": {"categories": ["a"]}})
    )
    body = {
        "batch": [
            harness.track(context=answer(consent=False)),
            harness.track(context=answer(consent=True)),
            harness.track(context=answer(consent=True), event=None),
        ]
    }
    response = collector.send_ok(body=body, headers=FACTS, ip=IP)
    assert [event["index"] for event in response["rejected"]] == [0, 2]
    main, bare = collector.streams.records
    assert ([a.i for a in main.accepted], [r.i for r in main.rejected]) == ([1], [2])
    assert ([a.i for a in bare.accepted], [r.i for r in bare.rejected]) == ([], [0])
    assert main.header.city == "canary-city"
    assert "canary" not in str(bare)
    assert "203.0" not in str(bare)


def test_context_of_denied_batch_is_not_stored_beside_an_accepted_event() -> None:
    collector = harness.Harness(
        harness.settings_document(privacy={"consent": {"categories": ["a"]}})
    )
    context = answer(consent=False) | {"traits": {"email": "canary"}}
    body = {"batch": [harness.track(context=answer(consent=True))], "context": context}
    assert collector.send_ok(body=body)["accepted"] == 1
    assert "canary" not in stored(collector)


def test_consent_in_event_overrides_consent_in_batch() -> None:
    collector = harness.Harness(
        harness.settings_document(privacy={"consent": {"categories": ["a"]}})
    )
    no, yes = ({"consent": {"categoryPreferences": {"a": answer}}} for answer in (False, True))
    response = collector.send_ok(
        body={"batch": [harness.track(context=yes), harness.track()], "context": no}
    )
    assert (response["accepted"], [r["index"] for r in response["rejected"]]) == (1, [1])


@pytest.mark.parametrize(
    "fault", [{"event": None}, {"userId": "", "anonymousId": ""}, {"userId": ["unreadable"]}]
)
def test_invalid_event_without_consent_is_not_stored(fault: dict[str, Any]) -> None:
    """A bad row can be reprocessed into a good one, so it must not contain the text either."""
    collector = harness.Harness(
        harness.settings_document(privacy={"consent": {"categories": ["a"]}})
    )
    no = {"consent": {"categoryPreferences": {"a": False}}}
    event = harness.track(properties={"x": "canary"}, context=no) | fault
    response = collector.send_ok(body={"batch": [event]})
    assert len(response["rejected"]) == 1
    assert "canary" not in stored(collector)
