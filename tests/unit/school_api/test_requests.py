"""Tests of requests to the school API: validation, limits, authorization, error responses."""

import json
from datetime import date
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.model import ANY, Response, ServiceResponse
from aws_emulator.rest_api.throttling import Limit
from aws_emulator.tests.rest_api import fakes
from bookings import availability
from tests import strategies
from tests.support import school_api
from tests.unit.school_api.sending import KEY, send, stage

METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
ID = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"
ACCOUNT = {"requestId": ID, "email": "o'brien@example.com", "name": "O'Brien"}
PROOF = {"requestId": ID, "token": "t" * 43}
ADDRESS = {"requestId": ID, "email": "o'brien@example.org"}
ADDRESS_PROOF = {"accountId": "0a" * 16, "token": "t" * 43}
ERASURE = {"requestId": ID}
ERASURE_PROOF = {"erasureId": "0a" * 32, "token": "t" * 43}
EXPORT_PROOF = {"exportId": "0a" * 32, "token": "t" * 43}
STUDENT_ERASURE = {"requestId": ID, "email": "o'brien@example.org", "reason": "Call of 3 May."}
BOOKING = {"advisorId": "dr-who", "start": "2026-12-01T09:30:00Z"}
PREFERENCES = {"locale": "hi", "timeZone": "Asia/Kolkata"}
FEEDBACK = {"message": "It's fine"}
MOVE = {"start": "2026-12-01T10:00:00Z"}
AVAILABILITY = {
    "name": "Asha Menon", "subject": "computing", "timeZone": "Asia/Kolkata",
    "hours": {"monday": "09:00-12:00"}, "slotMinutes": 30, "noticeHours": 2, "cancelHours": 24,
    "bookAheadDays": 60, "maxBookings": 3,
}  # fmt: skip
OFFICE_CHANGE = {"reason": "The advisor is ill."}
ACCESS_CHANGE = {"requestId": ID, "paid": True, "reason": "Invoice 118 is paid."}
PARKED_ACTION = {"requestId": ID, "action": "finish", "reason": "The quota is raised."}
#: Properties whose valid values aren't texts.
OTHER_THAN_TEXT = {"hours", "paid", *availability.LIMITS}
BODIES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/accounts", ACCOUNT),
    ("POST", "/accounts/proofs", PROOF),
    ("POST", "/accounts/proofs", {**PROOF, "token": "t" * 43 + "0a" * 32}),
    ("POST", "/address-changes", ADDRESS),
    ("POST", "/address-changes/proofs", ADDRESS_PROOF),
    ("POST", "/erasures", ERASURE),
    ("POST", "/erasures/proofs", ERASURE_PROOF),
    ("POST", f"/students/{ID}/erasure", STUDENT_ERASURE),
    ("POST", "/exports", ERASURE),
    ("POST", "/exports/proofs", EXPORT_PROOF),
    ("POST", f"/students/{ID}/export", ERASURE),
    ("POST", "/appointments", BOOKING),
    ("PUT", "/appointments/dr-who/2026-12-01T09:30:00Z", MOVE),
    ("PUT", "/advisors/dr-who", AVAILABILITY),
    ("POST", "/advisors/dr-who/appointments/2026-12-01T09:30:00Z", OFFICE_CHANGE),
    ("POST", "/students/searches", {"text": "asha"}),
    ("POST", f"/students/{ID}/access", ACCESS_CHANGE),
    ("POST", f"/parked/1790000000000-{ID}", PARKED_ACTION),
    ("PUT", f"/feedback/1790000000000-{ID}", {"mark": "read"}),
    ("POST", "/operator/executions/account/an-execution/redrive", {"requestId": ID}),
    ("POST", "/operator/queries", {"requestId": ID, "sql": "SELECT 1"}),
    ("POST", "/rosters", {"name": "autumn", "content": "ZW1haWw="}),
    ("PUT", "/profile", PREFERENCES),
    ("POST", "/feedback", FEEDBACK),
]


def code(response: Response) -> str:
    problem = json.loads(response.body)
    assert dict(response.headers)["content-type"] == "application/problem+json"
    assert problem["status"] == response.status
    return str(problem["code"])


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_valid_body_reaches_service(method: str, path: str, body: dict[str, Any]) -> None:
    services = fakes.FakeServices()
    send(method, path, json.dumps(body).encode(), services)
    assert len(services.requests) == 1


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_unknown_property_is_rejected(method: str, path: str, body: dict[str, Any]) -> None:
    services = fakes.FakeServices()
    response = send(method, path, json.dumps(body | {"student": "me"}).encode(), services)
    assert (response.status, code(response), services.requests) == (400, "body_invalid", [])


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_missing_property_is_rejected(method: str, path: str, body: dict[str, Any]) -> None:
    for name in body:
        less = {other: it for other, it in body.items() if other != name}
        assert code(send(method, path, json.dumps(less).encode())) == "body_invalid"


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
@given(junk=strategies.json_values() | strategies.api_texts)
def test_property_of_any_value_is_rejected_or_escaped(
    method: str, path: str, body: dict[str, Any], junk: Any
) -> None:
    for name in body:
        services = fakes.FakeServices()
        response = send(method, path, json.dumps(body | {name: junk}).encode(), services)
        if services.requests and (isinstance(junk, str) or name in OTHER_THAN_TEXT):
            continue
        assert (response.status, code(response), services.requests) == (400, "body_invalid", [])


@pytest.mark.parametrize(("method", "path", "_body"), BODIES)
@given(
    body=st.binary(max_size=60) | strategies.json_values().map(lambda it: json.dumps(it).encode())
)
def test_any_bytes_receive_a_response(method: str, path: str, _body: Any, body: bytes) -> None:
    response = send(method, path, body)
    assert (response.status, code(response)) == (400, "body_invalid")


@pytest.mark.parametrize(
    "body",
    [b"", b"[" * 200_000, b"\xff\xfe", b'{"a":1}{"a":1}', b"null", b'"' + b"x" * 262_144 + b'"'],
)
def test_hostile_body_is_rejected(body: bytes) -> None:
    assert code(send("POST", "/accounts", body)) == "body_invalid"


def at(body_template: dict[str, Any], **changed: Any) -> int:
    """Return the status for a body with one changed property."""
    ((name, value),) = changed.items()
    method, path, body = next(it for it in BODIES if it[2] is body_template)
    response = send(method, path, json.dumps(body | {name: value}).encode())
    return response.status


@pytest.mark.parametrize(
    ("body", "name", "longest"),
    [
        (ACCOUNT, "email", 254),
        (ACCOUNT, "name", 200),
        (ACCOUNT, "programme", 64),
        (ACCOUNT, "locale", 35),
        (BOOKING, "advisorId", 40),
        (BOOKING, "note", 500),
        (OFFICE_CHANGE, "reason", 300),
        (PREFERENCES, "displayName", 100),
        (PREFERENCES, "timeZone", 64),
        (FEEDBACK, "message", 1500),
    ],
)
def test_text_over_maximum_length_is_rejected(
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
        ("2026-12-01T09:15:00Z", True),
        ("2026-12-01T09:12:00Z", False),
        ("2026-12-01T09:30:05Z", False),
        ("2026-12-01T09:30:00.000Z", False),
        ("2026-12-01T09:30:00+00:00", False),
        ("2026-12-01T09:30:00z", False),
        ("2026-12-01T24:00:00Z", False),
        ("2026-11-31T09:30:00Z", False),
        ("2026-02-30T09:30:00Z", False),
        ("2027-02-29T11:00:00Z", False),
        ("2026-12-01T09:30:00Z\n", False),
        ("१९२६-12-01T09:30:00Z", False),
    ],
)
def test_start_time_has_one_format(start: str, bookable: bool) -> None:
    """With two formats, two students could book the same time."""
    assert (at(BOOKING, start=start) != 400) is bookable


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.integers(1, 12), st.integers(1, 31))
def test_start_time_is_a_date_of_the_calendar(valid: date, month: int, day: int) -> None:
    """JavaScript's Date turns 29 February 2027 into 1 March 2027: a second text for a time."""
    assert at(BOOKING, start=f"{valid:%Y-%m-%d}T11:00:00Z") != 400
    try:
        date(valid.year, month, day)
    except ValueError:
        assert at(BOOKING, start=f"{valid.year}-{month:02}-{day:02}T11:00:00Z") == 400


@pytest.mark.parametrize(
    ("name", "least", "largest"),
    [("slotMinutes", 10, 240), ("noticeHours", 0, 720), ("cancelHours", 0, 720),
     ("bookAheadDays", 1, 365), ("maxBookings", 1, 50)],
)  # fmt: skip
def test_number_of_availability_is_within_its_limits(name: str, least: int, largest: int) -> None:
    assert (least, largest) == availability.LIMITS[name]
    for value in (least, largest):
        assert at(AVAILABILITY, **{name: value}) != 400
    for value in (least - 1, largest + 1):
        assert at(AVAILABILITY, **{name: value}) == 400


@pytest.mark.parametrize("reason", ["", " ", "a\n"])
def test_reason_of_the_office_has_visible_text(reason: str) -> None:
    assert at(OFFICE_CHANGE, reason=reason) == 400


@pytest.mark.parametrize("query", ["", "?day=", "?from=2026-12-01"])
def test_day_list_requires_a_day(query: str) -> None:
    response = send("GET", f"/advisors/dr-who/appointments{query}")
    assert (response.status, code(response)) == (400, "parameters_invalid")


def test_unknown_or_repeated_interest_is_rejected() -> None:
    subjects = school_api.document()["components"]["schemas"]["Preferences"]["properties"][
        "interests"
    ]
    every = subjects["items"]["enum"]
    assert at(PREFERENCES, interests=every) != 400
    assert at(PREFERENCES, interests=[*every, every[0]]) == 400
    assert at(PREFERENCES, interests=["alchemy"]) == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "a/b/c"])
def test_other_media_type_is_rejected(kind: str) -> None:
    services = fakes.FakeServices()
    response = send("POST", "/feedback", b'{"message":"x"}', services, content_type=kind)
    assert (response.status, code(response), services.requests) == (415, "media_type_unknown", [])


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_media_type_ignores_case_and_parameters(kind: str) -> None:
    body = json.dumps(FEEDBACK).encode()
    assert send("POST", "/feedback", body, content_type=kind).status == 202


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("PATCH", "/profiles"), ("GET", "/accounts/requests/"), ("GET", "/profile/x"),
     ("DELETE", "/appointments/dr-who"), ("HEAD", "/../x")],
)  # fmt: skip
def test_unknown_path_returns_404(method: str, path: str) -> None:
    response = send(method, path)
    assert (response.status, code(response)) == (404, "operation_unknown")


@pytest.mark.parametrize("resource", school_api.document()["paths"])
@pytest.mark.parametrize("method", METHODS)
def test_unknown_method_returns_405_with_allowed_methods(method: str, resource: str) -> None:
    """RFC 9110, section 15.5.6."""
    known = {name for name, path in school_api.api().methods if path == resource} - {ANY}
    response = send(method, resource.replace("{", "").replace("}", ""), authorization="")
    if method in known:
        assert response.status != 405
    else:
        assert (response.status, code(response)) == (405, "method_unknown")
        assert set(dict(response.headers)["allow"].split(",")) == known


@pytest.mark.parametrize(
    "query", ["from=x", "from=2026-12-01", "from=2026-12-01T09:30:00Z%0A", "after=x",
              "after=2026-12-01T09:30:00Z", "after=2026-12-01T09:30:00Z/", "from=x&after=x"],
)  # fmt: skip
def test_list_rejects_invalid_parameter(query: str) -> None:
    rejected = fakes.FakeServices(ServiceResponse(400, {}, b'{"__type":"x#ValidationException"}'))
    response = send("GET", f"/appointments?{query}", services=rejected)
    ((_, sent),) = rejected.requests
    assert json.loads(sent.body)["Limit"] == 0
    assert (response.status, code(response)) == (400, "parameters_invalid")


@pytest.mark.parametrize(
    "path", ["/appointments", "/advisors", "/live?since=2026-12-01T09:30", "/verdicts?source=a"]
)
def test_throttled_read_returns_503(path: str) -> None:
    error = b'{"__type":"x#ProvisionedThroughputExceededException"}'
    response = send("GET", path, services=fakes.FakeServices(ServiceResponse(400, {}, error)))
    assert (response.status, code(response)) == (503, "unavailable")
    assert dict(response.headers)["retry-after"] == "2"


@pytest.mark.parametrize("query", ["", "?since=", "?since=%20", "?from=2026-12-01T09:30"])
def test_live_minutes_require_since(query: str) -> None:
    services = fakes.FakeServices()
    response = send("GET", f"/live{query}".replace("%20", " "), services=services)
    assert (response.status, code(response), services.requests) == (400, "parameters_invalid", [])


@given(strategies.api_texts, strategies.api_texts)
def test_any_path_is_answered(one: str, two: str) -> None:
    from urllib.parse import quote

    path = f"/appointments/{quote(one, errors='replace')}/{quote(two, errors='replace')}"
    refusal = {"code": "appointment_unknown", "detail": "You do not have this appointment."}
    lost = ServiceResponse(200, {}, json.dumps({"status": 404, "body": refusal}).encode())
    response = send("DELETE", path, services=fakes.FakeServices(lost))
    # API Gateway rejects a blank value of a required path parameter.
    blank = one and two and not (one.strip() and two.strip())
    assert response.status == (400 if blank else 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (method, resource)
        for (method, resource), it in school_api.api().methods.items()
        if it.user_pools
    ],
)
def test_missing_token_is_rejected_before_validation(method: str, path: str) -> None:
    services = fakes.FakeServices()
    path = path.replace("{", "").replace("}", "")
    response = send(method, path, b"not JSON", services, authorization="")
    assert (response.status, code(response), services.requests) == (401, "signed_out", [])
    assert dict(response.headers)["www-authenticate"] == "Bearer"


def test_owner_is_subject_of_token() -> None:
    services = fakes.FakeServices()
    send("POST", "/appointments", json.dumps(BOOKING).encode(), services)
    ((_, call),) = services.requests
    assert json.loads(call.body)["student"] == fakes.SUB


def test_preflight_needs_no_token() -> None:
    response = send("OPTIONS", "/profile", authorization="")
    assert response.status == 204
    assert dict(response.headers)["access-control-allow-methods"] == "GET,PUT"


def test_account_requests_have_their_own_limit() -> None:
    target = stage({"*/*": Limit(0.001, 3), "~1accounts/POST": Limit(0.001, 1)})
    body = json.dumps(ACCOUNT).encode()
    statuses = [send("POST", "/accounts", body, target=target).status for _ in range(2)]
    assert statuses == [503, 429]
    refused = send("POST", "/accounts", body, target=target)
    assert (code(refused), dict(refused.headers)["retry-after"]) == ("throttled", "1")
    assert [send("GET", "/profile", target=target).status for _ in range(4)] == [404, 404, 404, 429]


@pytest.mark.parametrize(
    ("response_type", "status"),
    [
        ("INTEGRATION_TIMEOUT", 503),
        ("INTEGRATION_FAILURE", 503),
        ("API_CONFIGURATION_ERROR", 500),
        ("AUTHORIZER_FAILURE", 500),
    ],
)
def test_failure_returns_problem_without_reason(
    response_type: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def call_service(*_: Any) -> ServiceResponse:
        raise GatewayResponseError(response_type, "the reason")

    response = send("GET", "/profile", services=call_service)
    problem = json.loads(response.body)
    assert response.status == status
    assert problem["code"] in {"timed_out", "unavailable", "internal"}
    assert "the reason" not in response.body.decode()
    assert "the reason" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["", "guessed", KEY.upper()])
@pytest.mark.parametrize(
    ("method", "resource"),
    [(it.http_method, it.resource) for it in school_api.api().methods.values()],
)
def test_request_past_cloudfront_is_forbidden(method: str, resource: str, key: str) -> None:
    services = fakes.FakeServices()
    path = resource.replace("{", "").replace("}", "")
    response = send(method, path, services=services, x_api_key=key)
    assert (response.status, code(response)) == (403, "not_through_cloudfront")
    assert services.requests == []
