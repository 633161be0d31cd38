"""Tests for `validation`: rejection codes, limits, timestamps and derived message ids."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream import times
from clickstream.event import MAX_DEPTH
from edge_ingest import validation
from edge_ingest.settings import Limits
from tests import strategies
from tests.unit.edge_ingest import harness

NOW = times.at(harness.NOW)


def validate(*sent: object, limits: Limits | None = None, **context: Any) -> validation.Validated:
    texts = [
        text if isinstance(text, bytes) else json.dumps(text, ensure_ascii=False).encode()
        for text in sent
    ]
    fields: dict[str, Any] = {"write_key": "k", "received_at": NOW, "request_id": "r"} | context
    return validation.validate(
        texts, validation.RequestContext(**fields), limits or Limits(), rules=None
    )


def code_of(sent: object, **context: Any) -> str:
    """Return the code of the event's rejection, or `accepted`."""
    validated = validate(sent, **context)
    return validated.rejected[0].code if validated.rejected else "accepted"


CODES: list[tuple[object, str]] = [
    (harness.track(), "accepted"),
    ({"type": "page", "anonymousId": "a"}, "accepted"),
    ({"type": "identify", "userId": 7}, "accepted"),
    ({"type": "identify", "userId": 0}, "accepted"),
    ({"type": "screen", "anonymousId": "a", "name": None, "unknown": [{}]}, "accepted"),
    ({"type": "group", "userId": "u", "groupId": "g"}, "accepted"),
    ({"type": "alias", "userId": "u", "previousId": "p"}, "accepted"),
    (harness.track(anonymousId=None, context=None, properties=None), "accepted"),
    (harness.track(messageId=None), "accepted"),
    (harness.track(messageId=""), "accepted"),
    (harness.track(timestamp=""), "accepted"),
    (harness.track(context={"userAgent": 7, "consent": []}), "accepted"),
    # Huge numbers, NUL characters and duplicate keys.
    (b'{"type":"page","userId":"u","n":1e999,"i":' + b"9" * 5000 + b"}", "accepted"),
    (b'{"type":"page","userId":"u\\u0000"}', "accepted"),
    (b'{"type":"page","userId":"","userId":"u"}', "accepted"),
    (b'{"type":"page","userId":"u","userId":""}', "no_user_anon_id"),
    ([], "invalid_event"),
    (7, "invalid_event"),
    (None, "invalid_event"),
    ("text", "invalid_event"),
    ({"userId": "u"}, "missing_type"),
    ({"type": "Track", "userId": "u"}, "invalid_type"),
    ({"type": 7, "userId": "u"}, "invalid_type"),
    ({"type": "page"}, "no_user_anon_id"),
    ({"type": "page", "userId": "", "anonymousId": None}, "no_user_anon_id"),
    (harness.track(event=None), "missing_event"),
    (harness.track(event=""), "missing_event"),
    (harness.track(event={}), "invalid_event"),
    ({"type": "group", "userId": "u"}, "missing_group_id"),
    ({"type": "alias", "userId": "u", "previousId": ""}, "missing_previous_id"),
    (harness.track(userId=True), "invalid_user_id"),
    (harness.track(userId={}), "invalid_user_id"),
    (harness.track(anonymousId=[]), "invalid_anonymous_id"),
    (harness.track(messageId=7), "invalid_message_id"),
    (harness.track(properties=[1]), "invalid_properties"),
    (harness.track(context=[{}]), "invalid_context"),
    (harness.track(userId="u" * 512), "accepted"),
    (harness.track(userId="u" * 513), "invalid_user_id"),
    ({"type": "page", "anonymousId": "é" * 513}, "invalid_anonymous_id"),
    ({"type": "group", "userId": "u", "groupId": "g" * 513}, "invalid_group_id"),
    ({"type": "alias", "userId": "u", "previousId": "p" * 513}, "invalid_previous_id"),
    (harness.track(traits="x"), "invalid_traits"),
    (harness.track(context="x"), "invalid_context"),
    (b'{"type":"page","userId":1e999}', "invalid_user_id"),
    (b'{"type":"page","userId":"\xff"}', "invalid_utf8"),
    (b'{"type":"page","userId":"\\ud800"}', "invalid_json"),
    (b"{", "invalid_json"),
    (b"", "invalid_json"),
]


@pytest.mark.parametrize(("sent", "code"), CODES, ids=lambda value: str(value)[:60])
def test_event_gets_its_rejection_code(sent: object, code: str) -> None:
    assert code_of(sent) == code


@pytest.mark.parametrize(("length", "code"), [(99, "accepted"), (100, "message_id_too_long")])
def test_message_id_over_99_characters_is_rejected(length: int, code: str) -> None:
    assert code_of(harness.track(messageId="é" * length)) == code


@pytest.mark.parametrize(("over", "code"), [(0, "accepted"), (1, "event_too_large")])
def test_event_over_64_kb_is_rejected(over: int, code: str) -> None:
    empty = json.dumps(harness.track(padding="")).encode()
    text = empty.replace(
        b'"padding": ""', b'"padding": "%s"' % (b"x" * (65_536 + over - len(empty)))
    )
    assert len(text) == 65_536 + over
    assert code_of(text) == code


@pytest.mark.parametrize(("over", "code"), [(0, "accepted"), (1, "too_deep")])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")])
def test_event_over_500_levels_is_rejected(
    over: int, code: str, brackets: tuple[bytes, bytes]
) -> None:
    inner = MAX_DEPTH - 1 + over  # the event is the first level
    value = brackets[0] * inner + b"1" + brackets[1] * inner
    assert code_of(b'{"type":"page","userId":"u","x":' + value + b"}") == code


def test_brackets_in_strings_are_not_levels() -> None:
    assert code_of(harness.track(properties={"a": "[{" * 2000, "b": '"[' * 900})) == "accepted"


def test_event_too_deep_for_the_parser_is_rejected() -> None:
    limits = Limits(event_bytes=256 * 1024)
    text = b'{"type":"page","userId":"u","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert validate(text, limits=limits).rejected[0].code == "too_deep"


@given(st.lists(strategies.json_values() | st.just(harness.track()), max_size=8))
def test_every_event_is_accepted_or_rejected_unchanged(sent: list[object]) -> None:
    validated = validate(*sent)
    positions = [a.i for a in validated.accepted] + [r.i for r in validated.rejected]
    assert sorted(positions) == list(range(len(sent)))
    for accepted in validated.accepted:
        assert json.loads(bytes(accepted.event)) == sent[accepted.i]
    for rejected in validated.rejected:
        assert rejected.text is not None
        assert json.loads(rejected.text) == sent[rejected.i]


@given(strategies.json_objects)
def test_unknown_fields_keep_their_bytes(fields: dict[str, Any]) -> None:
    event = fields | harness.track()
    (accepted,) = validate(event).accepted
    assert bytes(accepted.event) == json.dumps(event, ensure_ascii=False).encode()


def test_type_in_path_overrides_type_in_event() -> None:
    for sent in ({"userId": "u"}, {"userId": "u", "type": "track"}, {"userId": "u", "type": None}):
        (accepted,) = validate(sent, event_type="page").accepted
        assert json.loads(bytes(accepted.event)) == sent | {"type": "page"}
    (accepted,) = validate(
        b'{ "userId":"u","\\u0074ype":"track","n":1.50}', event_type="page"
    ).accepted
    assert bytes(accepted.event) == b'{"userId":"u","type":"page","n":1.50}'
    assert code_of(b"{}", event_type="page") == "no_user_anon_id"


def test_event_without_id_gets_the_visitor_id() -> None:
    validated = validate({"type": "page"}, {"type": "page", "userId": "u"}, visitor_id="v")
    first, second = (json.loads(bytes(a.event)) for a in validated.accepted)
    assert first == {"type": "page", "anonymousId": "v"}
    assert second == {"type": "page", "userId": "u"}
    assert validated.views[0].visitor == "v"


def test_timestamp_is_corrected_by_sent_at() -> None:
    sent_at = times.parse("2026-11-21T11:00:10Z")
    (accepted,) = validate(
        harness.track(timestamp="2026-11-21T11:00:00+00:00"), sent_at=sent_at
    ).accepted
    assert accepted.timestamp == "2026-11-21T11:59:50.000Z"
    assert accepted.original_timestamp == "2026-11-21T11:00:00.000Z"
    event = harness.track(originalTimestamp="2026-11-21T11:00:05Z")
    (accepted,) = validate(event, sent_at=sent_at).accepted
    assert accepted.timestamp == "2026-11-21T11:59:55.000Z"
    # The event's sentAt overrides the batch's; an invalid one is ignored.
    (accepted,) = validate(event | {"sentAt": "2026-11-21T11:00:06Z"}, sent_at=sent_at).accepted
    assert accepted.timestamp == "2026-11-21T11:59:59.000Z"
    (accepted,) = validate(event | {"sentAt": ["now"]}, sent_at=sent_at).accepted
    assert accepted.timestamp == "2026-11-21T11:59:55.000Z"


def test_timestamp_beside_original_timestamp_is_kept() -> None:
    """RudderStack's SDKs send both if the caller gives a time."""
    event = harness.track(timestamp="2020-01-02T03:04:05Z", originalTimestamp="2026-11-21T11:00Z")
    (accepted,) = validate(event, sent_at=times.parse("2026-11-21T11:00:10Z")).accepted
    assert accepted.timestamp == "2020-01-02T03:04:05.000Z"
    assert accepted.original_timestamp == "2026-11-21T11:00:00.000Z"
    (accepted,) = validate(event | {"originalTimestamp": "no time"}).accepted
    assert (accepted.timestamp, accepted.repair) == ("2020-01-02T03:04:05.000Z", None)
    (accepted,) = validate(event | {"timestamp": "no time"}).accepted
    assert accepted.timestamp == "2026-11-21T11:00:00.000Z"


@pytest.mark.parametrize("name", ["timestamp", "originalTimestamp"])
@pytest.mark.parametrize(
    "value",
    ["yesterday", "2016-12-31T23:59:60Z", "2026-11-26T24:00:01Z", "2026-02-30T00:00:00Z",
     "Thu, 26 Nov 2026 12:00:00 GMT", 1_795_262_400_000, 1.5, {"$date": 7}, ["now"], True,
     {}, [], 0, False],
)  # fmt: skip
def test_unreadable_time_becomes_received_at_with_a_mark(name: str, value: object) -> None:
    (accepted,) = validate(harness.track(**{name: value})).accepted
    assert accepted.timestamp == "2026-11-21T12:00:00.000Z"
    assert (accepted.original_timestamp, accepted.repair) == (None, "invalid_timestamp")


@pytest.mark.parametrize("value", [None, ""])
def test_event_without_a_time_has_no_mark(value: str | None) -> None:
    event = harness.track(timestamp=value, originalTimestamp=value)
    (accepted,) = validate(event).accepted
    assert (accepted.timestamp, accepted.repair) == ("2026-11-21T12:00:00.000Z", None)


def test_corrected_time_out_of_range_becomes_received_at_with_a_mark() -> None:
    (accepted,) = validate(
        harness.track(timestamp="9999-12-31T23:59:59Z"), sent_at=NOW - timedelta(hours=1)
    ).accepted
    assert accepted.timestamp == "2026-11-21T12:00:00.000Z"
    assert accepted.repair == "invalid_timestamp"


def test_time_in_lower_case_is_parsed() -> None:
    (accepted,) = validate(harness.track(timestamp="2026-11-21t11:00:00z")).accepted
    assert (accepted.timestamp, accepted.repair) == ("2026-11-21T11:00:00.000Z", None)


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "expected"),
    [
        # Only `sentAt` is wrong.
        ("2026-11-21T11:00:00Z", "2099-01-01T00:00:00Z", "2026-11-21T11:00:00.000Z"),
        ("2026-11-21T11:00:00Z", "1970-01-01T00:00:00Z", "2026-11-21T11:00:00.000Z"),
        # The sender's clock is wrong.
        ("2099-01-01T00:00:00Z", "2099-01-01T01:00:00Z", "2026-11-21T11:00:00.000Z"),
        ("1970-01-01T00:00:00Z", "1970-01-31T00:00:00Z", "2026-10-22T12:00:00.000Z"),
        # A time zone is wrong, and an old event is imported.
        ("2015-05-17T10:00:00Z", "2026-11-21T17:30:00Z", "2015-05-17T04:30:00.000Z"),
    ],
)
def test_correction_by_an_implausible_sent_at_is_left_out(
    timestamp: str, sent_at: str, expected: str
) -> None:
    event = harness.track(timestamp=timestamp)
    for sent in (event, event | {"sentAt": sent_at}):
        batch_sent_at = None if "sentAt" in sent else times.parse(sent_at)
        (accepted,) = validate(sent, sent_at=batch_sent_at).accepted
        assert accepted.timestamp == expected
        assert accepted.repair == ("invalid_sent_at" if expected[:19] in timestamp else None)


def test_empty_list_of_php_becomes_an_object() -> None:
    event = harness.track(context=[], properties=[], traits=[], other=[], n=1.50)
    (accepted,) = validate(event).accepted
    expected = event | {"context": {}, "properties": {}, "traits": {}}
    assert json.loads(bytes(accepted.event)) == expected


def test_timestamp_is_kept_without_sent_at() -> None:
    (accepted,) = validate(harness.track(timestamp="2015-05-17T10:05:03Z")).accepted
    assert accepted.timestamp == accepted.original_timestamp == "2015-05-17T10:05:03.000Z"


def test_event_without_timestamp_gets_received_at() -> None:
    (accepted,) = validate(harness.track(), sent_at=NOW).accepted
    assert (accepted.timestamp, accepted.original_timestamp) == ("2026-11-21T12:00:00.000Z", None)


EVENT = {"type": "page", "userId": "u", "timestamp": "2026-11-21T11:00:00Z", "n": 1.0}


def ids(*sent: object, **context: Any) -> list[str]:
    return [accepted.message_id for accepted in validate(*sent, **context).accepted]


def test_resent_event_has_same_derived_message_id() -> None:
    (first,) = ids(EVENT)
    resent = dict(reversed(EVENT.items())) | {"sentAt": "2026-11-21T11:00:09Z"}
    assert ids(resent) == [first]
    assert ids(EVENT | {"messageId": ""}) == [first]
    assert ids(EVENT, request_id="other") == [first]
    assert len(first) <= 99
    assert [a.message_id_source for a in validate(EVENT).accepted] == ["derived"]
    assert [a.message_id_source for a in validate(harness.track()).accepted] == ["client"]


def test_equal_events_in_one_request_have_different_ids() -> None:
    first, second = ids(EVENT, EVENT)
    assert first != second
    assert ids(EVENT, EVENT) == [first, second]


def test_event_without_time_has_another_derived_id_in_each_request() -> None:
    event = {"type": "page", "userId": "u"}
    first, second = ids(event, event)
    assert len({first, second, *ids(event, request_id="other")}) == 3
    assert ids(event) == [first]


@pytest.mark.parametrize("name", ["timestamp", "originalTimestamp"])
@pytest.mark.parametrize(
    ("time", "is_evidence"),
    [
        ("2026-11-21T11:00:00Z", True),
        ("2016-12-31T23:59:60Z", True),
        (1_700_000_000_000, True),
        ("1700000000", True),
        ("21 Nov 2026", True),
        ({"$date": 1}, True),
        ("0001-01-01T00:00:00Z", False),
        ("1970-01-01T00:00:00.000Z", False),
        (0, False),
        ("0000-00-00 00:00:00", False),
        ("now", False),
        ("Invalid Date", False),
        (True, False),
        ({}, False),
        ([], False),
    ],
)
def test_time_that_is_not_set_is_no_evidence_of_a_resent_event(
    name: str, time: object, *, is_evidence: bool
) -> None:
    event = {"type": "page", "userId": "u", name: time}
    assert (ids(event) == ids(event, request_id="other")) is is_evidence


def test_derived_id_depends_on_event_source_and_salt() -> None:
    others = {
        *ids(EVENT, EVENT | {"n": 1}, EVENT | {"n": "one"}),
        *ids(EVENT, write_key="other"),
        *ids(EVENT, salt="salt"),
    }
    assert len(others) == 5
