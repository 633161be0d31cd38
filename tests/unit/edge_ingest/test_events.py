"""Each event is judged by itself: by the Segment spec, at its limits, with stable codes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream import times
from clickstream.event import DEPTH
from edge_ingest import events
from edge_ingest.settings import Limits
from tests import strategies as mine
from tests.unit.edge_ingest import edge

NOW = times.at(edge.NOW)
PLAIN = events.Screen(
    consents=None, event=None, refused=lambda text, _: text.decode(errors="replace")
)


def check(*sent: object, limits: Limits | None = None, **given_: Any) -> events.Checked:
    texts = [
        text if isinstance(text, bytes) else json.dumps(text, ensure_ascii=False).encode()
        for text in sent
    ]
    fields: dict[str, Any] = {"write_key": "k", "received_at": NOW} | given_
    given = events.Given(**fields)
    return events.check(texts, given, limits or Limits(), PLAIN)


def code_of(sent: object, **given_: Any) -> str:
    """The code by which one event is refused, or `accepted`."""
    checked = check(sent, **given_)
    return checked.rejected[0].code if checked.rejected else "accepted"


CODES: list[tuple[object, str]] = [
    (edge.track(), "accepted"),
    ({"type": "page", "anonymousId": "a"}, "accepted"),
    ({"type": "identify", "userId": 7}, "accepted"),
    ({"type": "identify", "userId": 0}, "accepted"),
    ({"type": "screen", "anonymousId": "a", "name": None, "unknown": [{}]}, "accepted"),
    ({"type": "group", "userId": "u", "groupId": "g"}, "accepted"),
    ({"type": "alias", "userId": "u", "previousId": "p"}, "accepted"),
    (edge.track(anonymousId=None, context=None, properties=None), "accepted"),
    (edge.track(messageId=None), "accepted"),
    (edge.track(messageId=""), "accepted"),
    (edge.track(timestamp=""), "accepted"),
    (edge.track(context={"userAgent": 7, "consent": []}), "accepted"),
    # huge numbers, a NUL and keys that come twice keep their text
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
    (edge.track(event=None), "missing_event"),
    (edge.track(event=""), "missing_event"),
    (edge.track(event={}), "invalid_event"),
    ({"type": "group", "userId": "u"}, "missing_group_id"),
    ({"type": "alias", "userId": "u", "previousId": ""}, "missing_previous_id"),
    (edge.track(userId=True), "invalid_user_id"),
    (edge.track(userId={}), "invalid_user_id"),
    (edge.track(anonymousId=[]), "invalid_anonymous_id"),
    (edge.track(messageId=7), "invalid_message_id"),
    (edge.track(properties=[]), "invalid_properties"),
    (edge.track(traits="x"), "invalid_traits"),
    (edge.track(context="x"), "invalid_context"),
    (edge.track(timestamp="yesterday"), "invalid_timestamp"),
    (edge.track(timestamp=1_795_262_400_000), "invalid_timestamp"),
    (edge.track(originalTimestamp="2026-02-30T00:00:00Z"), "invalid_original_timestamp"),
    (b'{"type":"page","userId":1e999}', "invalid_user_id"),
    (b'{"type":"page","userId":"\xff"}', "invalid_utf8"),
    (b'{"type":"page","userId":"\\ud800"}', "invalid_json"),
    (b"{", "invalid_json"),
    (b"", "invalid_json"),
]


@pytest.mark.parametrize(("sent", "code"), CODES, ids=lambda value: str(value)[:60])
def test_an_event_has_a_defined_verdict(sent: object, code: str) -> None:
    # a time that is no time has one code, whichever field told it
    assert code_of(sent) == code.replace("original_timestamp", "timestamp")


@pytest.mark.parametrize(("length", "code"), [(99, "accepted"), (100, "message_id_too_long")])
def test_a_message_id_is_under_100_characters(length: int, code: str) -> None:
    assert code_of(edge.track(messageId="é" * length)) == code


@pytest.mark.parametrize(("over", "code"), [(0, "accepted"), (1, "event_too_large")])
def test_an_event_has_32_kilobytes(over: int, code: str) -> None:
    empty = json.dumps(edge.track(padding="")).encode()
    text = empty.replace(
        b'"padding": ""', b'"padding": "%s"' % (b"x" * (32_768 + over - len(empty)))
    )
    assert len(text) == 32_768 + over
    assert code_of(text) == code


@pytest.mark.parametrize(("over", "code"), [(0, "accepted"), (1, "too_deep")])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_bounded(over: int, code: str, brackets: tuple[bytes, bytes]) -> None:
    inner = DEPTH - 1 + over  # the event itself is a level
    value = brackets[0] * inner + b"1" + brackets[1] * inner
    assert code_of(b'{"type":"page","userId":"u","x":' + value + b"}") == code


def test_brackets_in_texts_nest_nothing() -> None:
    assert code_of(edge.track(properties={"a": "[{" * 2000, "b": '"[' * 900})) == "accepted"


def test_deeper_than_any_parser_goes_is_too_deep() -> None:
    limits = Limits(event_bytes=256 * 1024)
    text = b'{"type":"page","userId":"u","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert check(text, limits=limits).rejected[0].code == "too_deep"


@given(st.lists(mine.json_values() | st.just(edge.track()), max_size=8))
def test_accepted_and_rejected_are_what_was_sent(sent: list[object]) -> None:
    checked = check(*sent)
    places = [a.i for a in checked.accepted] + [r.i for r in checked.rejected]
    assert sorted(places) == list(range(len(sent)))
    for accepted in checked.accepted:
        assert json.loads(bytes(accepted.event)) == sent[accepted.i]
    for rejected in checked.rejected:
        assert json.loads(rejected.raw) == sent[rejected.i]


@given(mine.json_objects)
def test_unknown_fields_travel_unread(fields: dict[str, Any]) -> None:
    event = fields | edge.track()
    (accepted,) = check(event).accepted
    assert bytes(accepted.event) == json.dumps(event, ensure_ascii=False).encode()


def test_the_path_names_the_type() -> None:
    for sent in ({"userId": "u"}, {"userId": "u", "type": "track"}, {"userId": "u", "type": None}):
        (accepted,) = check(sent, event_type="page").accepted
        assert json.loads(bytes(accepted.event)) == sent | {"type": "page"}
    (accepted,) = check(
        b'{ "userId":"u","\\u0074ype":"track","n":1.50}', event_type="page"
    ).accepted
    assert bytes(accepted.event) == b'{"userId":"u","type":"page","n":1.50}'
    assert code_of(b"{}", event_type="page") == "no_user_anon_id"


def test_an_event_without_an_id_is_the_known_visitors() -> None:
    checked = check({"type": "page"}, {"type": "page", "userId": "u"}, visitor_id="v")
    first, second = (json.loads(bytes(a.event)) for a in checked.accepted)
    assert first == {"type": "page", "anonymousId": "v"}
    assert second == {"type": "page", "userId": "u"}
    assert checked.visitor == "v"


def test_the_times_that_sdks_send() -> None:
    sent_at = times.parse("2026-11-21T11:00:10Z")
    (accepted,) = check(edge.track(timestamp="2026-11-21T11:00:00+00:00"), sent_at=sent_at).accepted
    assert accepted.timestamp == "2026-11-21T11:59:50.000Z"
    assert accepted.original_timestamp == "2026-11-21T11:00:00.000Z"
    both = edge.track(originalTimestamp="2026-11-21T11:00:05Z", timestamp="2026-11-21T11:00:00Z")
    (accepted,) = check(both, sent_at=sent_at).accepted
    assert accepted.timestamp == "2026-11-21T11:59:55.000Z"
    # an event's own sentAt counts more than its batch's; what is no time counts nothing
    (accepted,) = check(both | {"sentAt": "2026-11-21T11:00:06Z"}, sent_at=sent_at).accepted
    assert accepted.timestamp == "2026-11-21T11:59:59.000Z"
    (accepted,) = check(both | {"sentAt": ["now"]}, sent_at=sent_at).accepted
    assert accepted.timestamp == "2026-11-21T11:59:55.000Z"


def test_history_keeps_its_own_times() -> None:
    (accepted,) = check(edge.track(timestamp="2015-05-17T10:05:03Z")).accepted
    assert accepted.timestamp == accepted.original_timestamp == "2015-05-17T10:05:03.000Z"


def test_an_event_without_a_time_happened_when_it_came() -> None:
    (accepted,) = check(edge.track(), sent_at=NOW).accepted
    assert (accepted.timestamp, accepted.original_timestamp) == ("2026-11-21T12:00:00.000Z", None)


EVENT = {"type": "page", "userId": "u", "timestamp": "2026-11-21T11:00:00Z", "n": 1.0}


def ids(*sent: object, **given_: Any) -> list[str]:
    return [accepted.message_id for accepted in check(*sent, **given_).accepted]


def test_an_event_without_an_id_gets_one_that_a_second_sending_gets_too() -> None:
    (first,) = ids(EVENT)
    again = dict(reversed(EVENT.items())) | {"sentAt": "2026-11-21T11:00:09Z"}
    assert ids(again) == [first]
    assert ids(EVENT | {"messageId": ""}) == [first]
    assert len(first) <= 99
    assert [a.message_id_source for a in check(EVENT).accepted] == ["derived"]
    assert [a.message_id_source for a in check(edge.track()).accepted] == ["client"]


def test_equal_events_of_one_request_are_two() -> None:
    first, second = ids(EVENT, EVENT)
    assert first != second
    assert ids(EVENT, EVENT) == [first, second]


def test_another_event_source_or_request_has_another_id() -> None:
    others = {
        *ids(EVENT, EVENT | {"n": 1}, EVENT | {"n": "one"}),
        *ids(EVENT, write_key="other"),
        *ids(EVENT, nonce="request"),
    }
    assert len(others) == 5
