"""A request from arrival to answer: order, hostile bodies, limits, and who may."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api.errors import RefusedError
from aws_emulator.rest_api.mapping import Reply
from aws_emulator.rest_api.model import Answer
from aws_emulator.rest_api.throttle import Limit
from tests import strategies
from tests.unit.rest_api import fakes, school
from tests.unit.rest_api.fakes import ask

ID = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"
ACCOUNT = {"requestId": ID, "email": "o'brien@example.com", "name": "O'Brien"}
BOOKING = {"advisorId": "dr-who", "start": "2026-12-01T09:30:00Z"}
PREFERENCES = {"locale": "hi", "timeZone": "Asia/Kolkata"}
FEEDBACK = {"message": "It's fine"}
BODIES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/accounts", ACCOUNT),
    ("POST", "/appointments", BOOKING),
    ("PUT", "/profile", PREFERENCES),
    ("POST", "/feedback", FEEDBACK),
]


def code(answer: Answer) -> str:
    problem = json.loads(answer.body)
    assert dict(answer.headers)["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status
    return str(problem["code"])


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_what_the_schema_says_reaches_its_service(
    method: str, path: str, body: dict[str, Any]
) -> None:
    services = fakes.Services()
    ask(method, path, json.dumps(body).encode(), services)
    assert len(services.asked) == 1


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_another_property_is_refused(method: str, path: str, body: dict[str, Any]) -> None:
    services = fakes.Services()
    answer = ask(method, path, json.dumps(body | {"student": "me"}).encode(), services)
    assert (answer.status, code(answer), services.asked) == (400, "body_invalid", [])


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_a_missing_property_is_refused(method: str, path: str, body: dict[str, Any]) -> None:
    for name in body:
        less = {other: it for other, it in body.items() if other != name}
        assert code(ask(method, path, json.dumps(less).encode())) == "body_invalid"


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
@given(junk=strategies.json_values() | strategies.api_texts)
def test_a_property_of_another_kind_is_refused_or_escaped(
    method: str, path: str, body: dict[str, Any], junk: Any
) -> None:
    for name in body:
        services = fakes.Services()
        answer = ask(method, path, json.dumps(body | {name: junk}).encode(), services)
        if isinstance(junk, str) and services.asked:
            continue
        assert (answer.status, code(answer), services.asked) == (400, "body_invalid", [])


@pytest.mark.parametrize(("method", "path", "_body"), BODIES)
@given(
    body=st.binary(max_size=60) | strategies.json_values().map(lambda it: json.dumps(it).encode())
)
def test_any_bytes_are_answered(method: str, path: str, _body: Any, body: bytes) -> None:
    answer = ask(method, path, body)
    assert (answer.status, code(answer)) == (400, "body_invalid")


@pytest.mark.parametrize(
    "body",
    [b"", b"[" * 200_000, b"\xff\xfe", b'{"a":1}{"a":1}', b"null", b'"' + b"x" * 262_144 + b'"'],
)
def test_hostile_bodies_are_refused(body: bytes) -> None:
    assert code(ask("POST", "/accounts", body)) == "body_invalid"


def at(limit: dict[str, Any], **changed: Any) -> int:
    """The status for a body of the operation with this property at some length."""
    ((name, value),) = changed.items()
    method, path, body = next(it for it in BODIES if it[2] is limit)
    answer = ask(method, path, json.dumps(body | {name: value}).encode())
    return answer.status


@pytest.mark.parametrize(
    ("body", "name", "longest"),
    [
        (ACCOUNT, "email", 254),
        (ACCOUNT, "name", 200),
        (ACCOUNT, "programme", 64),
        (ACCOUNT, "locale", 35),
        (BOOKING, "advisorId", 40),
        (BOOKING, "note", 500),
        (PREFERENCES, "displayName", 100),
        (PREFERENCES, "timeZone", 64),
        (FEEDBACK, "message", 1500),
    ],
)
def test_the_longest_text_passes_and_one_more_does_not(
    body: dict[str, Any], name: str, longest: int
) -> None:
    assert at(body, **{name: "a" * longest}) != 400
    assert at(body, **{name: "a" * (longest + 1)}) == 400


@pytest.mark.parametrize(
    ("start", "bookable"),
    [
        ("2026-12-01T09:30:00Z", True),
        ("2026-12-31T23:30:00Z", True),
        ("2028-02-29T00:00:00Z", True),
        ("2026-12-01T09:15:00Z", False),
        ("2026-12-01T09:30:00.000Z", False),
        ("2026-12-01T09:30:00+00:00", False),
        ("2026-12-01T09:30:00z", False),
        ("2026-12-01T24:00:00Z", False),
        ("2026-11-31T09:30:00Z", False),
        ("2026-02-30T09:30:00Z", False),
        ("2026-12-01T09:30:00Z\n", False),
        ("१९२६-12-01T09:30:00Z", False),
    ],
)
def test_a_half_hour_has_one_spelling(start: str, bookable: bool) -> None:
    """Two spellings of one time could be booked by two students."""
    assert (at(BOOKING, start=start) != 400) is bookable


def test_interests_are_a_closed_set() -> None:
    subjects = school.document()["components"]["schemas"]["Preferences"]["properties"]["interests"]
    every = subjects["items"]["enum"]
    assert at(PREFERENCES, interests=every) != 400
    assert at(PREFERENCES, interests=[*every, every[0]]) == 400
    assert at(PREFERENCES, interests=["alchemy"]) == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "a/b/c"])
def test_other_media_types_are_refused(kind: str) -> None:
    services = fakes.Services()
    answer = ask("POST", "/feedback", b'{"message":"x"}', services, content_type=kind)
    assert (answer.status, code(answer), services.asked) == (415, "media_type_unknown", [])


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_may_be_written_in_several_ways(kind: str) -> None:
    body = json.dumps(FEEDBACK).encode()
    assert ask("POST", "/feedback", body, content_type=kind).status == 202


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/accounts"), ("PATCH", "/profile"), ("GET", "/accounts/requests/"),
     ("GET", "/profile/x"), ("DELETE", "/appointments"), ("HEAD", "/profile"), ("GET", "/../x")],
)  # fmt: skip
def test_there_are_no_other_operations(method: str, path: str) -> None:
    answer = ask(method, path)
    assert (answer.status, code(answer)) == (404, "operation_unknown")


@pytest.mark.parametrize("query", ["", "?since=", "?since=%20", "?from=2026-12-01T09:30"])
def test_the_live_minutes_need_a_first_one(query: str) -> None:
    services = fakes.Services()
    answer = ask("GET", f"/live{query}".replace("%20", " "), services=services)
    assert (answer.status, code(answer), services.asked) == (400, "parameters_invalid", [])


@given(strategies.api_texts, strategies.api_texts)
def test_any_path_is_answered(one: str, two: str) -> None:
    from urllib.parse import quote

    path = f"/appointments/{quote(one, errors='replace')}/{quote(two, errors='replace')}"
    lost = Reply(400, {}, b'{"__type":"x#ConditionalCheckFailedException"}')
    answer = ask("DELETE", path, services=fakes.Services(lost))
    # API Gateway rejects a blank value of a required path parameter.
    blank = one and two and not (one.strip() and two.strip())
    assert answer.status == (400 if blank else 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, resource) for (method, resource), it in school.api().operations.items() if it.pools],
)
def test_who_is_signed_out_is_refused_before_anything_is_read(method: str, path: str) -> None:
    services = fakes.Services()
    path = path.replace("{", "").replace("}", "")
    answer = ask(method, path, b"no JSON", services, authorization="")
    assert (answer.status, code(answer), services.asked) == (401, "signed_out", [])
    assert dict(answer.headers)["www-authenticate"] == "Bearer"


def test_the_owner_is_the_tokens_and_never_the_bodys() -> None:
    services = fakes.Services()
    ask("POST", "/appointments", json.dumps(BOOKING).encode(), services)
    ((_, call),) = services.asked
    values = json.loads(call.body)["ExpressionAttributeValues"]
    assert values[":student"] == {"S": fakes.SUB}


def test_a_preflight_needs_no_token() -> None:
    answer = ask("OPTIONS", "/profile", authorization="")
    assert answer.status == 204
    assert dict(answer.headers)["access-control-allow-methods"] == "GET,PUT"


def test_a_stage_has_a_limit_and_a_method_its_own() -> None:
    served = fakes.stage({"*/*": Limit(0.001, 3), "~1accounts/POST": Limit(0.001, 1)})
    body = json.dumps(ACCOUNT).encode()
    statuses = [ask("POST", "/accounts", body, served=served).status for _ in range(2)]
    assert statuses == [503, 429]
    refused = ask("POST", "/accounts", body, served=served)
    assert (code(refused), dict(refused.headers)["retry-after"]) == ("throttled", "1")
    assert [ask("GET", "/profile", served=served).status for _ in range(4)] == [404, 404, 404, 429]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("INTEGRATION_TIMEOUT", 504),
        ("INTEGRATION_FAILURE", 502),
        ("API_CONFIGURATION_ERROR", 500),
        ("AUTHORIZER_FAILURE", 500),
    ],
)
def test_what_fails_is_a_problem(
    kind: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def call(*_: Any) -> Reply:
        raise RefusedError(kind, "why")

    answer = ask("GET", "/profile", services=call)  # type: ignore[arg-type]  # it is called
    problem = json.loads(answer.body)
    assert answer.status == status
    assert problem["code"] in {"timed_out", "unavailable", "internal"}
    assert "why" not in answer.body.decode()
    assert "why" in capsys.readouterr().err
