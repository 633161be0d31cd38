"""Tests of the school API's mapping templates with any text, including injections."""

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aws_emulator.rest_api.integration_request import build_integration_request
from aws_emulator.rest_api.integration_response import build_method_response
from aws_emulator.rest_api.model import Method, Request, Response, ServiceResponse
from aws_emulator.rest_api.pipeline import new_context
from bookings.errors import BookingError
from tests import strategies
from tests.support import school_api
from tests.unit.school_api.sending import stage

SUB = "7f0eb7a3-605c-4bf1-9ac3-2cf9aee3a481"
ID = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"
KB256 = 256 * 1024

texts = strategies.api_texts
#: Times, and texts that differ from one in a few digits.
near_times = st.builds(
    "20{:02}-{:02}-{:02}T{:02}:{:02}:{:02}Z{}".format,
    *(st.integers(0, most) for most in (99, 13, 32, 24, 60, 60)),
    st.sampled_from(["", "/ms-gray", "\n", "x"]),
)


def method_of(method: str, resource: str) -> Method:
    return school_api.api().methods[method, resource]


def context(request: Request, sub: str = SUB, **claims: str) -> dict[str, Any]:
    return {**new_context(stage(), request), "authorizer": {"claims": {"sub": sub, **claims}}}


def integration_body(
    method: str,
    resource: str,
    body: Any = None,
    sub: str = SUB,
    headers: dict[str, str] | None = None,
    **params: str,
) -> str:
    """Return the body of the integration request, without validation."""
    sent = b"" if body is None else json.dumps(body).encode()
    request = Request(method, resource, body=sent)
    where = {"path": params, "querystring": params, "header": headers or {}}
    integration = method_of(method, resource).integration
    return build_integration_request(
        integration, request, where, context(request, sub)
    ).body.decode()


def method_response(method: str, resource: str, body: Any, status: int = 200) -> Response:
    """Return the API's response to a response of the service, for an operator."""
    request = Request(method, resource)
    received = ServiceResponse(status, {}, json.dumps(body).encode())
    nothing: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}
    integration = method_of(method, resource).integration
    operator = context(request, SUB, **{"cognito:groups": "operators"})
    return build_method_response(integration, received, nothing, operator)


def body_of(response: Response) -> Any:
    return json.loads(response.body) if response.body.strip() else None


# --- requests ---


@given(strategies.json_values() | texts | st.dictionaries(texts, texts, max_size=4))
def test_account_request_passes_body_only_to_workflow(body: Any) -> None:
    request = json.loads(integration_body("POST", "/accounts", {"body": body}))
    assert set(request) == {"stateMachineArn", "name", "input"}
    assert json.loads(request["input"]) == {"form": {"body": body}}
    assert request["stateMachineArn"].endswith(":stateMachine:meridian-test-admit")


@given(texts)
def test_proof_passes_body_only_to_workflow(token: str) -> None:
    proof = {"requestId": ID, "token": token}
    request = json.loads(integration_body("POST", "/accounts/proofs", proof))
    assert set(request) == {"stateMachineArn", "name", "input"}
    assert json.loads(request["input"]) == proof
    assert request["stateMachineArn"].endswith(":stateMachine:meridian-test-prove")


CLOUDFRONT_ID = "k6WGMNkEzR5BEM_SaF47gjtX9zBDO2m349OY2an0QPEaUum1ZOLrow=="
SLOT = {"advisorId": "ms-gray", "start": "2026-12-01T09:00:00Z"}
APPOINTMENT = "/appointments/{advisorId}/{start}"


def correlation_ids(headers: dict[str, str]) -> list[str]:
    """Return the id that each traced operation passes on."""
    account = json.loads(integration_body("POST", "/accounts", {}, headers=headers))
    bookings = [
        json.loads(integration_body(method, resource, SLOT, headers=headers, **SLOT))
        for method, resource in (("POST", "/appointments"), ("PUT", APPOINTMENT))
    ]
    cancelled = json.loads(integration_body("DELETE", APPOINTMENT, None, headers=headers, **SLOT))
    return [account["name"], *(it["correlationId"] for it in (*bookings, cancelled))]


def test_request_id_of_cloudfront_is_passed_on() -> None:
    assert correlation_ids({"x-amz-cf-id": CLOUDFRONT_ID}) == [CLOUDFRONT_ID] * 4


@given(texts)
def test_forged_request_id_is_replaced_by_id_of_api_gateway(forged: str) -> None:
    # A client can call API Gateway without CloudFront, and send any header.
    for identifier in correlation_ids({"x-amz-cf-id": forged}):
        if not re.fullmatch(r"[A-Za-z0-9_=-]{1,80}", forged):
            assert re.fullmatch(r"[0-9a-f-]{36}", identifier)


@given(st.dictionaries(texts, strategies.json_values() | texts, max_size=4), texts)
def test_profile_update_stores_body(body: dict[str, Any], sub: str) -> None:
    request = json.loads(integration_body("PUT", "/profile", body, sub))
    assert request["Key"] == {"pk": {"S": f"STUDENT#{sub}"}}
    values = request["ExpressionAttributeValues"]
    assert json.loads(values[":preferences"]["S"]) == body
    assert values[":region"] == {"S": school_api.REGION}


@given(strategies.json_values() | texts, texts)
def test_booking_passes_student_and_body_apart(body: Any, sub: str) -> None:
    request = json.loads(integration_body("POST", "/appointments", {"body": body}, sub))
    assert set(request) == {"action", "student", "requestId", "correlationId", "request"}
    assert (request["action"], request["student"]) == ("book", sub)
    assert json.loads(request["request"]) == {"body": body}


@given(strategies.json_values() | texts, texts, texts.filter(lambda it: not set("%+") & set(it)))
def test_move_passes_student_path_and_body_apart(body: Any, advisor: str, start: str) -> None:
    sent = integration_body("PUT", APPOINTMENT, {"body": body}, advisorId=advisor, start=start)
    request = json.loads(sent)
    assert (request["action"], request["student"]) == ("move", SUB)
    assert (request["advisorId"], request["start"]) == (advisor, start)
    assert json.loads(request["request"]) == {"body": body}


@given(strategies.json_values() | texts, texts, texts)
def test_availability_passes_groups_and_body_apart(body: Any, advisor: str, groups: str) -> None:
    sent = json.dumps({"body": body}).encode()
    received = Request("PUT", "/advisors/{advisorId}", body=sent)
    params: dict[str, dict[str, str]] = {
        "path": {"advisorId": advisor}, "querystring": {}, "header": {},
    }  # fmt: skip
    where = context(received, SUB, **{"cognito:groups": groups})
    integration = method_of("PUT", "/advisors/{advisorId}").integration
    request = json.loads(build_integration_request(integration, received, params, where).body)
    assert (request["action"], request["groups"]) == ("set", groups)
    assert request["advisorId"] == advisor
    assert json.loads(request["request"]) == {"body": body}


@pytest.mark.parametrize(
    ("method", "resource", "action"),
    [
        ("GET", "/advisors/{advisorId}/appointments", "day"),
        ("POST", "/advisors/{advisorId}/appointments/{start}", "change"),
    ],
)
@given(texts, texts, texts.filter(lambda it: not set("%+") & set(it)), texts)
def test_request_of_the_office_passes_groups_apart(
    method: str, resource: str, action: str, advisor: str, groups: str, when: str, reason: str
) -> None:
    received = Request(method, resource, body=json.dumps({"reason": reason}).encode())
    params = {
        "path": {"advisorId": advisor, "start": when}, "querystring": {"day": when}, "header": {},
    }  # fmt: skip
    where = context(received, SUB, **{"cognito:groups": groups})
    integration = method_of(method, resource).integration
    request = json.loads(build_integration_request(integration, received, params, where).body)
    assert (request["action"], request["groups"]) == (action, groups)
    assert request["advisorId"] == advisor
    assert request["day" if action == "day" else "start"] == when
    if action == "change":
        assert json.loads(request["request"]) == {"reason": reason}


@pytest.mark.parametrize(
    ("method", "resource", "action"),
    [
        ("POST", "/students/searches", "search"),
        ("GET", "/students/{studentId}", "student"),
        ("POST", "/students/{studentId}/access", "access"),
        ("GET", "/parked", "parked"),
        ("POST", "/parked/{parkedId}", "unpark"),
        ("GET", "/feedback", "inbox"),
        ("PUT", "/feedback/{feedbackId}", "mark"),
        ("GET", "/rosters", "rosters"),
        ("POST", "/rosters", "upload"),
        ("GET", "/rosters/{rosterName}", "roster"),
    ],
)
@given(texts, texts, texts)
def test_request_about_a_student_passes_caller_apart(
    method: str, resource: str, action: str, student: str, groups: str, reason: str
) -> None:
    sent = {"reason": reason, "groups": "staff", "staff": "me", "studentId": "other"}
    received = Request(method, resource, body=json.dumps(sent).encode())
    path = dict.fromkeys(("studentId", "parkedId", "feedbackId", "rosterName"), student)
    params = {"path": path, "querystring": {"after": student}, "header": {}}
    where = context(received, SUB, **{"cognito:groups": groups})
    integration = method_of(method, resource).integration
    request = json.loads(build_integration_request(integration, received, params, where).body)
    assert (request["action"], request["groups"], request["staff"]) == (action, groups, SUB)
    assert {request.get(name, student) for name in (*path, "after")} == {student}
    if method in {"POST", "PUT"}:
        assert json.loads(request["request"]) == sent


@given(texts, texts)
def test_free_slots_pass_parameters_as_texts(advisor: str, start: str) -> None:
    params = {"advisorId": advisor, "from": start}
    sent = integration_body("GET", "/advisors/{advisorId}/slots", None, SUB, None, **params)
    request = json.loads(sent)
    assert (request["action"], request["advisorId"], request["from"]) == ("free", advisor, start)


@given(texts | st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,39}\Z"))
def test_advisors_are_listed_after_a_valid_id_only(after: str) -> None:
    request = json.loads(integration_body("GET", "/advisors", after=after))
    valid = re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", after) is not None
    assert request["Limit"] == (100 if valid else 0)
    key = {"pk": {"S": "ADVISORS"}, "sk": {"S": f"ADVISOR#{after}"}}
    assert request.get("ExclusiveStartKey") == (key if valid else None)
    assert request["ExpressionAttributeValues"] == {":advisors": {"S": "ADVISORS"}}
    # The API's role may read these attributes only.
    assert request["ProjectionExpression"] == "pk, sk, document"


@given(texts, texts.filter(lambda it: not set("%+") & set(it)), texts)
def test_cancellation_passes_student_and_path(advisor: str, start: str, sub: str) -> None:
    sent = integration_body("DELETE", APPOINTMENT, None, sub, advisorId=advisor, start=start)
    request = json.loads(sent)
    assert set(request) == {
        *("action", "advisorId", "start", "student", "requestId", "correlationId"),
    }
    assert (request["action"], request["student"]) == ("cancel", sub)
    assert (request["advisorId"], request["start"]) == (advisor, start)


@pytest.mark.parametrize("start", ["2026-12-01T09:30:00Z", "2026-12-01T09%3A30%3A00Z"])
def test_cancellation_decodes_start_time(start: str) -> None:
    sent = integration_body("DELETE", APPOINTMENT, None, SUB, advisorId="dr-who", start=start)
    assert json.loads(sent)["start"] == "2026-12-01T09:30:00Z"


@given(texts, texts)
def test_list_queries_appointments_of_token_subject(since: str, sub: str) -> None:
    request = json.loads(
        integration_body("GET", "/appointments", None, sub, None, **{"from": since})
    )
    assert request["ExpressionAttributeValues"] == {
        ":student": {"S": sub},
        ":from": {"S": "SLOT#"},
    }


def test_list_starts_at_from_parameter() -> None:
    since = "2026-12-01T09:30:00Z"
    request = json.loads(
        integration_body("GET", "/appointments", None, SUB, None, **{"from": since})
    )
    assert request["ExpressionAttributeValues"][":from"] == {"S": f"SLOT#{since}"}


def is_time(text: str, form: str) -> bool:
    """Return whether a text is a time of this century in exactly this format."""
    try:
        return (
            text.startswith("20")
            and datetime.strptime(f"{text}+0000", f"{form}%z").strftime(form) == text
        )
    except ValueError:
        return False


@given(st.sampled_from(["from", "after"]), near_times)
@example("from", "")
@example("after", "")
@example("from", "2027-02-29T10:00:00Z")
@example("from", "2028-02-29T10:00:00Z")
@example("from", "9999-99-99T99:99:99Z")
@example("after", "2027-02-29T10:00:00Z/ms-gray")
@example("after", "2028-02-29T10:00:00Z/ms-gray")
@example("after", "2028-02-29T10:00:00Z/-gray")
def test_list_rejects_malformed_parameter(name: str, text: str) -> None:
    """DynamoDB rejects the Limit of 0, which becomes the status 400."""
    request = json.loads(integration_body("GET", "/appointments", None, SUB, None, **{name: text}))
    time, _, advisor = text.partition("/") if name == "after" else (text, "/", "a")
    valid = is_time(time, "%Y-%m-%dT%H:%M:%SZ") and re.fullmatch(r"[a-z0-9][a-z0-9-]*", advisor)
    assert request["Limit"] == (100 if valid else 0)


@given(texts)
def test_account_status_ignores_invalid_id(request_id: str) -> None:
    request = json.loads(
        integration_body("GET", "/accounts/requests/{requestId}", requestId=request_id)
    )
    assert request["Key"] == {"pk": {"S": "REQUEST#none"}, "sk": {"S": "REQUEST"}}


def test_account_status_reads_valid_id() -> None:
    request = json.loads(integration_body("GET", "/accounts/requests/{requestId}", requestId=ID))
    assert request["Key"]["pk"] == {"S": f"REQUEST#{ID}"}
    assert set(request["ProjectionExpression"].replace(" ", "").split(",")) == {
        "pk", "#status", "reasons", "created_at",
    }  # fmt: skip


@given(texts.filter(lambda text: "\ud83d" not in text), st.uuids().map(str))
def test_feedback_sends_one_message_with_token_subject(message: str, sub: str) -> None:
    form = parse_qs(
        integration_body("POST", "/feedback", {"message": message}, sub), strict_parsing=True
    )
    assert form.pop("Action") == ["SendMessage"]
    assert json.loads(form.pop("MessageBody")[0]) == {"message": message}
    assert form["MessageAttribute.1.Name"] == ["student"]
    assert form["MessageAttribute.1.Value.StringValue"] == [sub]
    assert len(form) == 7


@pytest.mark.parametrize("unit", ["'", '"', "\\", "\n", "😀", "é", "a"])
def test_templates_render_256_kb(unit: str) -> None:
    text = unit * (KB256 // len(unit.encode()))
    account = json.loads(integration_body("POST", "/accounts", {"name": text}))
    assert json.loads(account["input"]) == {"form": {"name": text}}
    booking = json.loads(integration_body("POST", "/appointments", {"note": text}))
    assert json.loads(booking["request"]) == {"note": text}
    form = parse_qs(integration_body("POST", "/feedback", {"message": text}))
    assert json.loads(form["MessageBody"][0]) == {"message": text}


@given(texts | st.just("2026-12-01T09:30") | st.from_regex(r"\A[0-9T:-]{14,18}\Z"))
def test_live_minutes_query_valid_minute_only(since: str) -> None:
    request = json.loads(integration_body("GET", "/live", since=since))
    assert request["TableName"] == "meridian-test-live"
    values = request["ExpressionAttributeValues"]
    assert values[":board"] == {"S": "live"}
    is_minute = is_time(since, "%Y-%m-%dT%H:%M")
    assert values[":since"] == {"S": since if is_minute else ""}
    # Query: "Limit … Valid Range: Minimum value of 1": DynamoDB rejects the request.
    assert request["Limit"] == (1000 if is_minute else 0)
    # Pages and countries could identify the only visitor of a minute.
    assert request["ProjectionExpression"] == "board, slot, events, bots"


@given(
    texts | st.just("portal") | st.from_regex(r"\A[a-z._-]{1,70}\Z"),
    st.sampled_from(["paying,staff", "operators", "operators,paying", "paying,staffless", ""]),
)
def test_verdicts_query_valid_source_for_staff_and_operators_only(source: str, groups: str) -> None:
    member = bool({"staff", "operators"} & set(groups.split(",")))
    received = Request("GET", "/verdicts")
    params: dict[str, dict[str, str]] = {
        "path": {},
        "querystring": {"source": source},
        "header": {},
    }
    where = context(received, SUB, **{"cognito:groups": groups})
    integration = method_of("GET", "/verdicts").integration
    request = json.loads(build_integration_request(integration, received, params, where).body)
    assert request["TableName"] == "meridian-test-live"
    allowed = member and re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", source, re.ASCII) is not None
    board = f"source:{source}" if allowed else "source:"
    assert request["ExpressionAttributeValues"] == {":board": {"S": board}}
    # Query: "Limit … Valid Range: Minimum value of 1": DynamoDB rejects the request.
    assert request["Limit"] == (100 if allowed else 0)
    assert request["ProjectionExpression"] == "board, slot, verdicts"


# --- responses ---


@given(texts.filter(bool), texts, texts, texts, texts)
def test_account_status_returns_stored_fields(
    status: str, code: str, field: str, message: str, created_at: str
) -> None:
    reason = {"code": {"S": code}, "field": {"S": field}, "message": {"S": message}}
    item = {
        "pk": {"S": f"REQUEST#{ID}"},
        "status": {"S": status},
        "reasons": {"L": [{"M": reason}, {"M": reason}]},
        "created_at": {"S": created_at},
    }
    response = method_response("GET", "/accounts/requests/{requestId}", {"Item": item})
    returned = {"code": code, "field": field, "message": message}
    assert body_of(response) == {
        "requestId": ID,
        "status": status,
        "reasons": [returned, returned],
        "createdAt": created_at,
        "link": f"/api/accounts/requests/{ID}",
    }


@given(st.lists(st.tuples(texts, texts, st.none() | texts), max_size=4), st.none() | texts)
def test_list_returns_stored_appointments(
    rows: list[tuple[str, str, str | None]], after: str | None
) -> None:
    items = [
        {"pk": {"S": f"ADVISOR#{advisor}"}, "sk": {"S": f"SLOT#{start}"}}
        | ({} if note is None else {"note": {"S": note}})
        for advisor, start, note in rows
    ]
    last = {"sk": {"S": f"SLOT#{after}"}, "pk": {"S": "ADVISOR#dr-who"}}
    page = {} if after is None else {"LastEvaluatedKey": last}
    response = body_of(method_response("GET", "/appointments", {"Items": items, **page}))
    listed = [(it["advisorId"], it["start"], it["note"]) for it in response["appointments"]]
    assert listed == [(advisor, start, note or "") for advisor, start, note in rows]
    assert response.get("next") == (None if after is None else f"{after}/dr-who")


@given(st.dictionaries(texts, texts, min_size=1, max_size=4))
def test_profile_returns_stored_preferences(preferences: dict[str, str]) -> None:
    stored = {"S": json.dumps(preferences)}
    response = method_response("GET", "/profile", {"Item": {"preferences": stored}})
    put = method_response("PUT", "/profile", {"Attributes": {"preferences": stored}})
    assert body_of(response) == body_of(put) == preferences


def admitted(status: str, outcome: str = "accepted") -> Response:
    workflow_input = json.dumps({"form": {"requestId": ID, "name": "O'Brien"}})
    output = json.dumps({"outcome": outcome})
    return method_response(
        "POST", "/accounts", {"status": status, "input": workflow_input, "output": output}
    )


def proved(status: str, outcome: str = "accepted") -> Response:
    workflow_input = json.dumps({"requestId": ID, "token": "t"})
    output = json.dumps({"outcome": outcome})
    return method_response(
        "POST", "/accounts/proofs", {"status": status, "input": workflow_input, "output": output}
    )


@pytest.mark.parametrize("response", [admitted("SUCCEEDED"), proved("SUCCEEDED")])
def test_account_request_and_proof_return_link(response: Response) -> None:
    link = f"/api/accounts/requests/{ID}"
    assert response.status == 202
    assert body_of(response) == {"requestId": ID, "status": "pending", "link": link}
    assert dict(response.headers)["location"] == link


@pytest.mark.parametrize(
    ("response", "status", "code"),
    [
        (admitted("SUCCEEDED", "conflict"), 409, "request_id_used"),
        (admitted("SUCCEEDED", "something else"), 503, "unavailable"),
        (admitted("FAILED"), 503, "unavailable"),
        (admitted("TIMED_OUT"), 503, "unavailable"),
        (proved("SUCCEEDED", "invalid"), 404, "proof_invalid"),
        (proved("SUCCEEDED", "something else"), 503, "unavailable"),
        (proved("FAILED"), 503, "unavailable"),
        (method_response("GET", "/profile", {}), 404, "profile_unknown"),
        (method_response("GET", "/accounts/requests/{requestId}", {}), 404, "request_unknown"),
    ],
)
def test_service_success_can_be_api_error(response: Response, status: int, code: str) -> None:
    assert_problem(response, status, code)


def assert_problem(response: Response, status: int, code: str | None = None) -> None:
    """RFC 9457: the media type is application/problem+json and the body repeats the status."""
    problem = body_of(response)
    assert response.status == status
    assert dict(response.headers)["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert {"type", "title", "detail", "code", "requestId"} <= set(problem)
    if code:
        assert problem["code"] == code
    if status == 503:
        assert dict(response.headers)["retry-after"] == "2"


CALLING = [
    key
    for key, it in school_api.api().methods.items()
    if it.integration.service and not it.integration.is_lambda_proxy
]


@pytest.mark.parametrize(("method", "resource"), CALLING)
@pytest.mark.parametrize("status", [201, 302, 400, 403, 413, 429, 500, 503])
@pytest.mark.parametrize("body", [{}, {"__type": "x#ThrottlingException", "message": "slow"}])
def test_service_error_returns_503_problem(
    method: str, resource: str, status: int, body: dict[str, str]
) -> None:
    assert_problem(method_response(method, resource, body, status), 503, "unavailable")


def test_list_returns_the_length_of_an_appointment() -> None:
    item = {"pk": {"S": "ADVISOR#a"}, "sk": {"S": "SLOT#2026-12-01T09:00:00Z"}}
    items = [item, item | {"minutes": {"N": "45"}}]
    listed = body_of(method_response("GET", "/appointments", {"Items": items}))["appointments"]
    # Appointments of earlier versions have no length.
    assert [it["minutes"] for it in listed] == [30, 45]


@given(texts.filter(bool))
def test_list_returns_the_reason_of_the_office(reason: str) -> None:
    item = {"pk": {"S": "ADVISOR#a"}, "sk": {"S": "SLOT#2026-12-01T09:00:00Z"}}
    items = [item, item | {"reason": {"S": reason}}]
    listed = body_of(method_response("GET", "/appointments", {"Items": items}))["appointments"]
    assert [it.get("reason") for it in listed] == [None, reason]


BOOKED = {"advisorId": "a-b", "start": "2026-12-01T09:00:00Z", "minutes": 30}
LINK = "/api/appointments/a-b/2026-12-01T09:00:00Z"
OF_BOOKINGS = [
    ("POST", "/appointments", 201),
    ("PUT", APPOINTMENT, 200),
    ("PUT", "/advisors/{advisorId}", 200),
    ("GET", "/advisors/{advisorId}/slots", 200),
    ("GET", "/advisors/{advisorId}/appointments", 200),
    ("POST", "/advisors/{advisorId}/appointments/{start}", 200),
]


@pytest.mark.parametrize(("method", "resource", "status"), OF_BOOKINGS)
@given(note=texts)
def test_result_of_bookings_is_returned(method: str, resource: str, status: int, note: str) -> None:
    body = {**BOOKED, "note": note, "link": LINK}
    result = {"status": status, "body": body, "text": json.dumps(body)}
    response = method_response(method, resource, result)
    assert (response.status, body_of(response)) == (status, body)
    if status == 201:
        assert dict(response.headers)["location"] == LINK


def test_cancellation_has_no_body() -> None:
    result = {"status": 204, "body": {}, "text": "{}"}
    response = method_response("DELETE", APPOINTMENT, result)
    assert (response.status, response.body) == (204, b"")


@pytest.mark.parametrize(
    ("method", "resource", "_status"), [*OF_BOOKINGS, ("DELETE", APPOINTMENT, 204)]
)
@pytest.mark.parametrize("error", BookingError.__subclasses__())
@given(detail=texts)
def test_refusal_of_bookings_becomes_problem_with_its_code(
    method: str, resource: str, _status: int, error: type[BookingError], detail: str
) -> None:
    body = {"code": error.code, "detail": detail}
    result = {"status": error.status, "body": body, "text": json.dumps(body)}
    response = method_response(method, resource, result)
    assert_problem(response, error.status, error.code)
    if error.status != 503:
        assert body_of(response)["detail"] == detail


@pytest.mark.parametrize(
    ("method", "resource", "_status"), [*OF_BOOKINGS, ("DELETE", APPOINTMENT, 204)]
)
@pytest.mark.parametrize("result", [{}, {"errorMessage": "x"}, {"status": 500}])
def test_failed_function_of_bookings_returns_503(
    method: str, resource: str, _status: int, result: dict[str, Any]
) -> None:
    assert_problem(method_response(method, resource, result), 503, "unavailable")


@given(st.lists(st.dictionaries(texts, texts, min_size=1, max_size=3), max_size=3), st.booleans())
def test_list_of_advisors_returns_stored_documents(
    documents: list[dict[str, str]], more: bool
) -> None:
    items = [{"document": {"S": json.dumps(document)}} for document in documents]
    page = {"LastEvaluatedKey": {"sk": {"S": "ADVISOR#dr-who"}}} if more else {}
    response = body_of(method_response("GET", "/advisors", {"Items": items, **page}))
    assert response["advisors"] == documents
    assert response.get("next") == ("dr-who" if more else None)


def test_live_minutes_return_stored_counts() -> None:
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
    response = method_response("GET", "/live", {"Items": items, "Count": 2})
    assert body_of(response) == {
        "minutes": [
            {"minute": "2026-12-01T09:31", "events": 7, "bots": 2},
            {"minute": "2026-12-01T09:30", "events": 40, "bots": 0},
        ]
    }
    assert body_of(method_response("GET", "/live", {"Items": [], "Count": 0})) == {"minutes": []}


VERDICT_NAMES = ("received_at", "verdict", "type", "code", "reason", "request_id")


VERDICT_LISTS = st.lists(
    st.lists(st.tuples(*[texts] * 6, st.integers(0, 5_000)), max_size=3), max_size=3
)


@pytest.mark.parametrize(
    ("groups", "status", "code"),
    [
        ("paying,staff", 400, "parameters_invalid"),
        ("paying", 403, "not_staff"),
        (None, 403, "not_staff"),
    ],
)
def test_refused_query_of_verdicts_returns_its_reason(
    groups: str | None, status: int, code: str
) -> None:
    request = Request("GET", "/verdicts")
    refused = {"__type": "com.amazon.coral.validate#ValidationException"}
    received = ServiceResponse(400, {}, json.dumps(refused).encode())
    nothing: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}
    claims = {} if groups is None else {"cognito:groups": groups}
    where = context(request, SUB, **claims)
    integration = method_of("GET", "/verdicts").integration
    assert_problem(build_method_response(integration, received, nothing, where), status, code)


@given(VERDICT_LISTS)
def test_verdicts_of_all_shards_are_returned(shards: list[list[tuple[Any, ...]]]) -> None:
    items = [
        {
            "verdicts": {
                "L": [
                    {
                        "M": {
                            name: {"S": value}
                            for name, value in zip(VERDICT_NAMES, row, strict=False)
                        }
                        | {"position": {"N": str(row[6])}}
                    }
                    for row in rows
                ]
            }
        }
        for rows in shards
    ]
    response = method_response("GET", "/verdicts", {"Items": items, "Count": len(items)})
    names = ("receivedAt", "verdict", "type", "code", "reason", "requestId", "index")
    expected = [dict(zip(names, row, strict=True)) for rows in shards for row in rows]
    assert body_of(response) == {"verdicts": expected}


# --- revocations ---


@given(strategies.json_values() | texts, texts)
def test_revocation_passes_groups_and_body_apart(body: Any, groups: str) -> None:
    request = Request("POST", "/revocations", body=json.dumps({"user": body}).encode())
    nothing: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}
    integration = method_of("POST", "/revocations").integration
    claims = {"cognito:groups": groups}
    sent = build_integration_request(
        integration, request, nothing, context(request, SUB, **claims)
    ).body.decode()
    event = json.loads(sent)
    assert set(event) == {"groups", "request"}
    assert event["groups"] == groups
    assert json.loads(event["request"]) == {"user": body}


def test_revocation_by_user_without_groups_has_empty_groups() -> None:
    assert json.loads(integration_body("POST", "/revocations", {"everyone": True}))["groups"] == ""


TITLES = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}


@given(st.sampled_from(sorted(TITLES)), texts)
def test_refused_revocation_becomes_problem_with_its_status(status: int, detail: str) -> None:
    result = {"status": status, "body": {"code": "some_code", "detail": detail}}
    response = method_response("POST", "/revocations", result)
    assert response.status == status
    assert dict(response.headers)["content-type"] == "application/problem+json"
    problem = body_of(response)
    assert (problem["title"], problem["code"]) == (TITLES[status], "some_code")
    assert problem["detail"] == detail


def test_revocation_returns_when_it_takes_effect() -> None:
    body = {"revoked": "user", "effective_within_seconds": 60, "entries": 3}
    response = method_response("POST", "/revocations", {"status": 200, "body": body})
    assert response.status == 200
    assert body_of(response) == {"revoked": "user", "effectiveWithinSeconds": 60, "entries": 3}


@pytest.mark.parametrize(
    "result", [{"errorMessage": "x", "errorType": "KeyError"}, {"status": 503}]
)
def test_failed_revocation_returns_503(result: dict[str, Any]) -> None:
    assert method_response("POST", "/revocations", result).status == 503
