"""Suppressed persons: nothing of their events is stored, and other events are stored as before."""

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clickstream
from collector_sources import registry
from edge_ingest.suppression import Suppressed
from signed_snapshot.keyed import keyed_fingerprint
from tests.unit.edge_ingest import harness
from tests.unit.edge_ingest.test_sources import MAX_AGE_S, Site

SECRET = "a key of the tests"
PERSON = "asha@example.com"
CANARY = "canary-4711"


def suppress(site: Site, *persons: str) -> None:
    for person in persons:
        mark = keyed_fingerprint(SECRET, person)
        site.publish(partial(registry.suppress, person=mark))
    site.clock.now += MAX_AGE_S


@pytest.fixture
def site() -> Site:
    site = Site()
    suppress(site, PERSON, "7", "anonymous-1")
    return site


def stored_text(site: Site) -> str:
    """Return everything that the stream contains, with the partition keys."""
    text = [entry.partition_key for _, entry in site.streams.stored]
    for record in site.streams.records:
        text.append(repr(record))
        text += [bytes(event.event).decode() for event in record.accepted]
    return "\n".join(text)


def of(**fields: object) -> dict[str, Any]:
    """Return an event with canaries, of a person without `userId` if `fields` have none."""
    event = harness.track(properties={"secret": CANARY}, context={"traits": {"email": CANARY}})
    del event["userId"]
    return event | fields


SUPPRESSED: list[dict[str, Any]] = [
    of(userId=PERSON),
    of(userId=7),
    of(anonymousId="anonymous-1"),
    of(anonymousId="anonymous-1", userId="other"),
    of(type="alias", userId="new", previousId=PERSON),
    of(userId=PERSON, type="teleport"),
    of(userId=PERSON, messageId="m" * 100),
]


@pytest.mark.parametrize("event", SUPPRESSED)
def test_nothing_of_a_suppressed_event_is_stored(site: Site, event: dict[str, Any]) -> None:
    body = {"batch": [event], "context": {"device": {"id": CANARY}}}
    headers = {"User-Agent": f"Mozilla/5.0 {CANARY}", "Origin": "https://school.example"}
    response = site.send(harness.WRITE_KEY, body=body, headers=headers)
    document = json.loads(response["body"])
    assert (response["status"], document["accepted"]) == ("200", 0)
    assert [one["code"] for one in document["rejected"]] == ["suppressed"]
    (record,) = site.streams.records
    (rejected,) = record.rejected
    assert (rejected.code, rejected.raw) == ("suppressed", "")
    assert record.header.ip is None
    text = stored_text(site)
    for canary in (CANARY, PERSON, "anonymous-1", "203.0.113"):
        assert canary not in text


def test_other_events_of_the_batch_are_stored_without_its_context(site: Site) -> None:
    body = {
        "batch": [of(userId=PERSON), harness.track(userId="other", messageId="m-2")],
        "context": {"traits": {"email": CANARY}},
    }
    response = site.send(harness.WRITE_KEY, body=body)
    assert json.loads(response["body"])["accepted"] == 1
    accepted = [event for record in site.streams.records for event in record.accepted]
    assert [event.message_id for event in accepted] == ["m-2"]
    assert CANARY not in stored_text(site)


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"track","userId":"%s","event":7}',
        b'{"type":"track","userId" : "%s", NaN}',
        b'{"type":"track","context":{"x":"' + b"y" * 70_000 + b'"},"userId":"%s"}',
        b'{"anonymousId":"\\u0061sha@example.com","type":[]}',
        b'{"user\\u0049d":"%s","type":[]}',
        b'{"user\\u0049d":"\\u0061sha@example.com", NaN}',
    ],
)
def test_invalid_event_of_a_suppressed_person_is_not_stored(site: Site, text: bytes) -> None:
    event = text.replace(b"%s", PERSON.encode())
    batch = event + b',{"type":"page","userId":"other"}'
    context = json.dumps({"traits": {"email": CANARY}}).encode()
    body = b'{"batch":[%s],"context":%s}' % (batch, context)
    response = json.loads(site.send(harness.WRITE_KEY, body=body)["body"])
    assert [(it["index"], it["code"]) for it in response["rejected"]] == [(0, "suppressed")]
    assert response["accepted"] == 1
    # The batch's context and the request's facts can be the person's.
    text_of_records = stored_text(site)
    assert "sha@example.com" not in text_of_records
    assert CANARY not in text_of_records
    assert {record.header.ip for record in site.streams.records} == {None}


@pytest.mark.parametrize("first", ['"userId"', '"user\\u0049d"', '"\\u0061nonymousId"'])
def test_repeated_key_does_not_hide_a_suppressed_person(site: Site, first: str) -> None:
    """Readers of JSON take the first or the last value of a repeated key."""
    properties = f'{{"n":1e400,"digits":{"9" * 5000}}}'
    event = (
        f'{{"type":"track","event":"e",{first}:"{PERSON}","properties":{properties},'
        '"userId":"other","anonymousId":"other"}'
    )
    response = site.send(harness.WRITE_KEY, body=f'{{"batch":[{event}]}}')
    assert [it["code"] for it in json.loads(response["body"])["rejected"]] == ["suppressed"]
    assert PERSON not in stored_text(site)


def test_id_in_a_nested_object_does_not_count(site: Site) -> None:
    event = harness.track(userId="other", properties={"userId": PERSON, "note": "\u00e9"})
    response = site.send(harness.WRITE_KEY, body={"batch": [event]})
    assert json.loads(response["body"])["accepted"] == 1


def test_invalid_event_of_another_person_is_stored_whole(site: Site) -> None:
    site.send(harness.WRITE_KEY, body=b'{"batch":[{"userId":"other","event":7}]}')
    assert site.streams.records[-1].rejected[0].raw == '{"userId":"other","event":7}'


def test_visitor_with_a_suppressed_cookie_is_not_stored() -> None:
    cookie = {"enabled": True}
    visitor = "0123456789abcdef" * 2
    site = Site(sources=[{"id": "portal", "write_key": harness.WRITE_KEY, "cookie": cookie}])
    suppress(site, visitor)
    response = site.send(
        harness.WRITE_KEY,
        body={"batch": [{"type": "page"}]},
        headers={"Cookie": f"mid={visitor}"},
    )
    assert json.loads(response["body"])["rejected"][0]["code"] == "suppressed"
    assert harness.header(response, "set-cookie") is None
    assert visitor not in stored_text(site)


def test_released_person_is_stored_again(site: Site) -> None:
    mark = keyed_fingerprint(SECRET, PERSON)
    site.publish(lambda content: registry.release(content, mark))
    site.clock.now += MAX_AGE_S
    response = site.send(harness.WRITE_KEY, body={"batch": [of(userId=PERSON)]})
    assert json.loads(response["body"])["accepted"] == 1


def test_fingerprint_depends_on_the_key() -> None:
    assert keyed_fingerprint("one", PERSON) != keyed_fingerprint("two", PERSON)
    assert len(keyed_fingerprint("one", PERSON)) == 16


@given(st.lists(st.text(max_size=5), max_size=20), st.text(max_size=5))
def test_only_listed_ids_are_suppressed(listed: list[str], other: str) -> None:
    suppressed = Suppressed("key", [keyed_fingerprint("key", one) for one in listed])
    for _ in range(2):
        assert all(one in suppressed for one in listed)
        assert (other in suppressed) is (other in listed)


def test_record_of_a_suppressed_event_can_be_decoded(site: Site) -> None:
    site.send(harness.WRITE_KEY, body={"batch": [of(userId=PERSON)]})
    (_, entry) = site.streams.stored[0]
    assert clickstream.decode(entry.data).header.source == "portal"
