"""Tests for `redaction`: rejections, and values derived before redaction.

`test_privacy` checks that redacted values reach no record.
"""

import json

import msgspec

from clickstream import Accepted, times
from clickstream.event import View
from edge_ingest import cloudfront_event, privacy, redaction, settings
from edge_ingest.parsing import Payload
from edge_ingest.validation import Rejection, Validated
from tests.unit.edge_ingest import harness

# Validation rejects a lone surrogate today; redaction must not depend on that.
NOT_REDACTABLE = b'{"x":"\\ud800"}'
REDACTABLE = b'{"properties":{"secret":"canary","open":1}}'
SECRET_RULE = settings.Privacy(drop=(("properties", "secret"),))


def redact(
    *events: bytes | Rejection,
    rules: settings.Privacy = SECRET_RULE,
    context: bytes = b"null",
    gpc: str = "0",
) -> redaction.Redacted:
    """Redact events of which `bytes` are accepted; event n has the user id `u-n`."""
    accepted, views, rejected = [], [], []
    texts = [event if isinstance(event, bytes) else b"7" for event in events]
    for i, event in enumerate(events):
        if isinstance(event, Rejection):
            rejected.append(msgspec.structs.replace(event, i=i))
            continue
        views.append(View(user_id=f"u-{i}"))
        raw = msgspec.Raw(event)
        accepted.append(
            Accepted(i=i, message_id=f"m-{i}", timestamp="", original_timestamp=None, event=raw)
        )
    request = cloudfront_event.parse_request(
        harness.request(
            headers={"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)", "Sec-GPC": gpc}
        )
    )
    policy = privacy.policy_for(rules, request, None, times.at(harness.NOW))
    payload = Payload(b",".join(texts), texts, context, None, None, None)
    return redaction.redact(Validated(accepted, views, rejected), payload, policy, request)


REJECTION = Rejection(0, "invalid_event", "the event isn't an object", b"7")


def test_fields_are_dropped_from_accepted_events() -> None:
    redacted = redact(REDACTABLE)
    assert json.loads(bytes(redacted.accepted[0].event)) == {"properties": {"open": 1}}
    assert redacted.accepted[0].message_id == "m-0"


def test_event_is_rejected_without_its_text_when_redaction_fails() -> None:
    redacted = redact(NOT_REDACTABLE, REDACTABLE)
    assert [event.i for event in redacted.accepted] == [1]
    assert [(event.i, event.code) for event in redacted.rejected] == [(0, "invalid_json")]
    assert redacted.rejected[0].raw.startswith("withheld")


def test_rejections_of_validation_and_redaction_are_sorted_by_index() -> None:
    redacted = redact(REJECTION, NOT_REDACTABLE, REJECTION, REDACTABLE, NOT_REDACTABLE)
    assert [(event.i, event.code) for event in redacted.rejected] == [
        (0, "invalid_event"),
        (1, "invalid_json"),
        (2, "invalid_event"),
        (4, "invalid_json"),
    ]


def test_rejection_without_storable_text_is_denied_and_has_empty_raw() -> None:
    redacted = redact(msgspec.structs.replace(REJECTION, text=None), REJECTION)
    assert [(event.i, event.raw) for event in redacted.denied] == [(0, "")]
    assert [event.i for event in redacted.rejected] == [1]
    assert [event.i for event in redacted.refused] == [0, 1]


def test_visitor_is_first_accepted_event_and_empty_without_one() -> None:
    assert redact(NOT_REDACTABLE, REDACTABLE).visitor == "u-1"
    assert redact(REJECTION).visitor == ""


def test_bot_flag_is_set_although_user_agent_is_redacted() -> None:
    redacted = redact(REDACTABLE, gpc="1")
    assert redacted.facts.viewer.user_agent is None
    assert redacted.facts.bot is True


def test_context_that_can_not_be_redacted_becomes_null() -> None:
    assert redact(REDACTABLE, context=NOT_REDACTABLE).context == b"null"
    assert redact(REDACTABLE, context=b'{"ip":[],"x":1}').context == b'{"x":1}'
