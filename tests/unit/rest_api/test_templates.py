"""Mapping templates: any text arrives as it was sent, and gets out of nowhere."""

import json
import re
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api import mapping
from aws_emulator.rest_api.model import Answer, Operation, Request
from aws_emulator.rest_api.pipeline import Stage, new_context
from aws_emulator.rest_api.throttle import Throttle
from tests import strategies
from tests.unit.rest_api import school

SUB = "7f0eb7a3-605c-4bf1-9ac3-2cf9aee3a481"
ID = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"
KB256 = 256 * 1024

texts = strategies.api_texts


def operation(method: str, resource: str) -> Operation:
    return school.api().operations[method, resource]


def context(request: Request, sub: str = SUB) -> dict[str, Any]:
    stage = Stage("abc", "api", school.ACCOUNT, school.api(), Throttle({}))
    return {**new_context(stage, request), "authorizer": {"claims": {"sub": sub}}}


def asked(method: str, resource: str, body: Any = None, sub: str = SUB, **params: str) -> str:
    """What the service of an operation is asked, validators left aside."""
    sent = b"" if body is None else json.dumps(body).encode()
    request = Request(method, resource, body=sent)
    where = {"path": params, "querystring": params, "header": {}}
    integration = operation(method, resource).integration
    return mapping.request(integration, request, where, context(request, sub)).body.decode()


def answered(method: str, resource: str, body: Any, status: int = 200) -> Answer:
    """What the API answers for an answer of the service."""
    request = Request(method, resource)
    reply = mapping.Reply(status, {}, json.dumps(body).encode())
    nothing: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}
    integration = operation(method, resource).integration
    return mapping.response(integration, reply, nothing, context(request))


def body_of(answer: Answer) -> Any:
    return json.loads(answer.body) if answer.body.strip() else None


# --- requests ---


@given(strategies.json_values() | texts | st.dictionaries(texts, texts, max_size=4))
def test_the_workflow_is_given_the_body_and_nothing_else(body: Any) -> None:
    request = json.loads(asked("POST", "/accounts", {"body": body}))
    assert set(request) == {"stateMachineArn", "input"}
    assert json.loads(request["input"]) == {"body": body}
    assert request["stateMachineArn"].endswith(":stateMachine:meridian-test-admit")


@given(st.dictionaries(texts, strategies.json_values() | texts, max_size=4), texts)
def test_preferences_are_kept_as_they_were_sent(body: dict[str, Any], sub: str) -> None:
    request = json.loads(asked("PUT", "/profile", body, sub))
    assert request["Key"] == {"pk": {"S": f"STUDENT#{sub}"}}
    values = request["ExpressionAttributeValues"]
    assert json.loads(values[":preferences"]["S"]) == body
    assert values[":region"] == {"S": school.REGION}


@given(texts, texts, texts, texts)
def test_a_booking_says_what_its_body_says(advisor: str, start: str, note: str, sub: str) -> None:
    body = {"advisorId": advisor, "start": start, "note": note}
    request = json.loads(asked("POST", "/appointments", body, sub))
    assert request["Key"] == {"pk": {"S": f"ADVISOR#{advisor}"}, "sk": {"S": f"SLOT#{start}"}}
    values = request["ExpressionAttributeValues"]
    assert values[":student"] == {"S": sub}
    assert values.get(":note", {"S": ""}) == {"S": note}
    assert request["ConditionExpression"] == ("attribute_not_exists(student) OR student = :student")
    assert (":note" in request["UpdateExpression"]) == (note != "")


@given(texts | st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True), texts, texts)
def test_a_cancellation_names_an_appointment_or_none(advisor: str, start: str, sub: str) -> None:
    request = json.loads(
        asked(
            "DELETE", "/appointments/{advisorId}/{start}", None, sub, advisorId=advisor, start=start
        )
    )
    assert request["Key"]["pk"]["S"] in {f"ADVISOR#{advisor}", "ADVISOR#-"}
    assert request["Key"]["sk"]["S"] in {f"SLOT#{start}", "SLOT#-"}
    assert request["ExpressionAttributeValues"][":student"] == {"S": sub}
    assert request["ConditionExpression"] == "student = :student"


@pytest.mark.parametrize("start", ["2026-12-01T09:30:00Z", "2026-12-01T09%3A30%3A00Z"])
def test_a_time_may_come_encoded(start: str) -> None:
    request = json.loads(
        asked("DELETE", "/appointments/{advisorId}/{start}", advisorId="dr-who", start=start)
    )
    assert request["Key"] == {
        "pk": {"S": "ADVISOR#dr-who"},
        "sk": {"S": "SLOT#2026-12-01T09:30:00Z"},
    }


@given(texts, texts)
def test_a_list_is_ones_own(since: str, sub: str) -> None:
    request = json.loads(asked("GET", "/appointments", None, sub, **{"from": since}))
    assert request["ExpressionAttributeValues"] == {
        ":student": {"S": sub},
        ":from": {"S": "SLOT#"},
    }


def test_a_list_may_begin_later() -> None:
    since = "2026-12-01T09:30:00Z"
    request = json.loads(asked("GET", "/appointments", **{"from": since}))
    assert request["ExpressionAttributeValues"][":from"] == {"S": f"SLOT#{since}"}


@given(texts)
def test_only_an_id_is_looked_up(request_id: str) -> None:
    request = json.loads(asked("GET", "/accounts/requests/{requestId}", requestId=request_id))
    assert request["Key"] == {"pk": {"S": "REQUEST#none"}, "sk": {"S": "REQUEST"}}


def test_an_id_is_looked_up() -> None:
    request = json.loads(asked("GET", "/accounts/requests/{requestId}", requestId=ID))
    assert request["Key"]["pk"] == {"S": f"REQUEST#{ID}"}
    assert set(request["ProjectionExpression"].replace(" ", "").split(",")) == {
        "pk", "#status", "reasons", "created_at",
    }  # fmt: skip


@given(texts.filter(lambda text: "\ud83d" not in text), st.uuids().map(str))
def test_feedback_is_one_message_of_the_student_whom_the_token_names(
    message: str, sub: str
) -> None:
    form = parse_qs(asked("POST", "/feedback", {"message": message}, sub), strict_parsing=True)
    assert form.pop("Action") == ["SendMessage"]
    assert json.loads(form.pop("MessageBody")[0]) == {"message": message}
    assert form["MessageAttribute.1.Name"] == ["student"]
    assert form["MessageAttribute.1.Value.StringValue"] == [sub]
    assert len(form) == 7


@pytest.mark.parametrize("unit", ["'", '"', "\\", "\n", "😀", "é", "a"])
def test_a_quarter_of_a_megabyte_goes_through(unit: str) -> None:
    text = unit * (KB256 // len(unit.encode()))
    account = json.loads(asked("POST", "/accounts", {"name": text}))
    assert json.loads(account["input"]) == {"name": text}
    booking = json.loads(asked("POST", "/appointments", {"note": text}))
    assert booking["ExpressionAttributeValues"][":note"] == {"S": text}
    form = parse_qs(asked("POST", "/feedback", {"message": text}))
    assert json.loads(form["MessageBody"][0]) == {"message": text}


@given(texts | st.just("2026-12-01T09:30") | st.from_regex(r"\A[0-9T:-]{14,18}\Z"))
def test_the_live_minutes_are_asked_for_by_a_minute_or_not_at_all(since: str) -> None:
    request = json.loads(asked("GET", "/live", since=since))
    assert request["TableName"] == "meridian-test-live"
    values = request["ExpressionAttributeValues"]
    assert values[":board"] == {"S": "live"}
    is_minute = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}", since, re.ASCII)
    assert values[":since"] == {"S": since if is_minute else "~"}
    # Never the pages and countries of a minute in which there may have been one visitor.
    assert request["ProjectionExpression"] == "board, slot, events, bots"


# --- answers ---


@given(texts.filter(bool), texts, texts, texts, texts)
def test_an_outcome_is_told_as_it_was_written(
    status: str, code: str, field: str, message: str, created_at: str
) -> None:
    reason = {"code": {"S": code}, "field": {"S": field}, "message": {"S": message}}
    item = {
        "pk": {"S": f"REQUEST#{ID}"},
        "status": {"S": status},
        "reasons": {"L": [{"M": reason}, {"M": reason}]},
        "created_at": {"S": created_at},
    }
    answer = answered("GET", "/accounts/requests/{requestId}", {"Item": item})
    told = {"code": code, "field": field, "message": message}
    assert body_of(answer) == {
        "requestId": ID,
        "status": status,
        "reasons": [told, told],
        "createdAt": created_at,
        "link": f"/api/accounts/requests/{ID}",
    }


@given(st.lists(st.tuples(texts, texts, st.none() | texts), max_size=4), st.none() | texts)
def test_appointments_are_listed_as_they_are(
    rows: list[tuple[str, str, str | None]], after: str | None
) -> None:
    items = [
        {"pk": {"S": f"ADVISOR#{advisor}"}, "sk": {"S": f"SLOT#{start}"}}
        | ({} if note is None else {"note": {"S": note}})
        for advisor, start, note in rows
    ]
    page = {} if after is None else {"LastEvaluatedKey": {"sk": {"S": f"SLOT#{after}"}}}
    answer = body_of(answered("GET", "/appointments", {"Items": items, **page}))
    listed = [(it["advisorId"], it["start"], it["note"]) for it in answer["appointments"]]
    assert listed == [(advisor, start, note or "") for advisor, start, note in rows]
    assert answer.get("next") == after


@given(texts, texts, texts)
def test_a_booking_is_told_as_it_is_kept(advisor: str, start: str, note: str) -> None:
    item = {"pk": {"S": f"ADVISOR#{advisor}"}, "sk": {"S": f"SLOT#{start}"}, "note": {"S": note}}
    answer = answered("POST", "/appointments", {"Attributes": item})
    told = body_of(answer)
    assert answer.status == 201
    assert (told["advisorId"], told["start"], told["note"]) == (advisor, start, note)


@given(st.dictionaries(texts, texts, min_size=1, max_size=4))
def test_preferences_are_told_as_they_are_kept(preferences: dict[str, str]) -> None:
    kept = {"S": json.dumps(preferences)}
    got = answered("GET", "/profile", {"Item": {"preferences": kept}})
    put = answered("PUT", "/profile", {"Attributes": {"preferences": kept}})
    assert body_of(got) == body_of(put) == preferences


def admitted(status: str, outcome: str = "accepted") -> Answer:
    asked = json.dumps({"requestId": ID, "name": "O'Brien"})
    output = json.dumps({"outcome": outcome})
    return answered("POST", "/accounts", {"status": status, "input": asked, "output": output})


def test_an_admitted_request_has_a_link_and_no_arn() -> None:
    answer = admitted("SUCCEEDED")
    link = f"/api/accounts/requests/{ID}"
    assert answer.status == 202
    assert body_of(answer) == {"requestId": ID, "status": "pending", "link": link}
    assert dict(answer.headers)["location"] == link


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (admitted("SUCCEEDED", "conflict"), 409, "request_id_used"),
        (admitted("SUCCEEDED", "something else"), 503, "unavailable"),
        (admitted("FAILED"), 503, "unavailable"),
        (admitted("TIMED_OUT"), 503, "unavailable"),
        (answered("GET", "/profile", {}), 404, "profile_unknown"),
        (answered("GET", "/accounts/requests/{requestId}", {}), 404, "request_unknown"),
    ],
)
def test_a_success_of_the_service_may_be_none_of_the_api(
    answer: Answer, status: int, code: str
) -> None:
    assert_problem(answer, status, code)


def assert_problem(answer: Answer, status: int, code: str | None = None) -> None:
    """RFC 9457: the body's status is the answer's, and the media type says what it is."""
    problem = body_of(answer)
    assert answer.status == status
    assert dict(answer.headers)["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert {"type", "title", "detail", "code", "requestId"} <= set(problem)
    if code:
        assert problem["code"] == code
    if status == 503:
        assert dict(answer.headers)["retry-after"] == "2"


CALLING = [key for key, it in school.api().operations.items() if it.integration.service]


@pytest.mark.parametrize(("method", "resource"), CALLING)
@pytest.mark.parametrize("status", [201, 302, 400, 403, 413, 429, 500, 503])
@pytest.mark.parametrize("body", [{}, {"__type": "x#ThrottlingException", "message": "slow"}])
def test_whatever_a_service_answers_beside_200_is_a_problem(
    method: str, resource: str, status: int, body: dict[str, str]
) -> None:
    assert_problem(answered(method, resource, body, status), 503, "unavailable")


@pytest.mark.parametrize(
    ("method", "resource", "status", "code"),
    [
        ("POST", "/appointments", 409, "slot_taken"),
        ("DELETE", "/appointments/{advisorId}/{start}", 404, "appointment_unknown"),
    ],
)
def test_a_lost_condition_has_a_meaning(method: str, resource: str, status: int, code: str) -> None:
    lost = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}
    assert_problem(answered(method, resource, lost, 400), status, code)


def test_live_minutes_come_as_they_are_kept() -> None:
    slots = [("2026-12-01T09:31#shardId-000000000001", 7, 2), ("2026-12-01T09:30#s", 40, 0)]
    items = [
        {
            "board": {"S": "live"},
            "slot": {"S": slot},
            "events": {"N": str(n)},
            "bots": {"N": str(b)},
        }
        for slot, n, b in slots
    ]
    answer = answered("GET", "/live", {"Items": items, "Count": 2})
    assert body_of(answer) == {
        "minutes": [
            {"minute": "2026-12-01T09:31", "events": 7, "bots": 2},
            {"minute": "2026-12-01T09:30", "events": 40, "bots": 0},
        ]
    }
    assert body_of(answered("GET", "/live", {"Items": [], "Count": 0})) == {"minutes": []}
