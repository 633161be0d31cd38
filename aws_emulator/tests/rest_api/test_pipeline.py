"""Tests of the pipeline: order of steps, validation, authorization, throttling, errors."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api import pipeline
from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.model import Definition, Response, ServiceResponse
from aws_emulator.rest_api.throttling import Limit
from aws_emulator.tests.rest_api import fakes, notes_api, strategies
from aws_emulator.tests.rest_api.fakes import send

NOTE = {"text": "It's fine"}
ORDER = {"item": "pen"}


def code(response: Response) -> str:
    return str(json.loads(response.body)["code"])


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/orders", ORDER, 202), ("/notes", NOTE, 201), ("/notes", {**NOTE, "labels": ["home"]}, 201)],
)
def test_valid_body_reaches_service(path: str, body: dict[str, Any], status: int) -> None:
    services = fakes.FakeServices()
    assert send("POST", path, json.dumps(body).encode(), services).status == status
    assert len(services.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": 1},
        {"text": "a" * 101},
        {**NOTE, "author": "me"},
        {**NOTE, "labels": ["garden"]},
        {**NOTE, "labels": ["home", "home"]},
    ],
)
def test_body_that_does_not_match_model_is_rejected(body: dict[str, Any]) -> None:
    services = fakes.FakeServices()
    response = send("POST", "/notes", json.dumps(body).encode(), services)
    assert (response.status, code(response), services.requests) == (400, "rejected", [])
    assert dict(response.headers)["content-type"] == "application/problem+json"
    assert dict(response.headers)["x-amzn-errortype"] == "BAD_REQUEST_BODY"


@given(junk=strategies.json_values() | strategies.texts)
def test_property_of_any_value_is_rejected_or_escaped(junk: Any) -> None:
    services = fakes.FakeServices()
    response = send("POST", "/notes", json.dumps({"text": junk}).encode(), services)
    if services.requests:
        ((_, sent),) = services.requests
        assert json.loads(sent.body)["Item"]["text"] == {"S": junk}
    else:
        assert response.status == 400


@given(
    st.binary(max_size=60) | strategies.json_values().map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_receive_a_response(body: bytes) -> None:
    assert send("POST", "/notes", body).status == 400


@pytest.mark.parametrize(
    "body",
    [b"", b"[" * 200_000, b"\xff\xfe", b'{"a":1}{"a":1}', b"null", b'"' + b"x" * 262_144 + b'"'],
)
def test_hostile_body_is_rejected(body: bytes) -> None:
    assert send("POST", "/orders", body).status == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_unmapped_content_type_is_rejected(content_type: str) -> None:
    services = fakes.FakeServices()
    response = send("POST", "/notes", b'{"text":"x"}', services, content_type=content_type)
    assert (response.status, services.requests) == (415, [])


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_media_type_ignores_case_and_parameters(content_type: str) -> None:
    body = json.dumps(NOTE).encode()
    assert send("POST", "/notes", body, content_type=content_type).status == 201


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/orders"), ("PATCH", "/notes"), ("GET", "/notes/"), ("HEAD", "/notes"),
     ("DELETE", "/notes/a"), ("GET", "/../x")],
)  # fmt: skip
def test_unknown_method_or_path_returns_missing_authentication_token(
    method: str, path: str
) -> None:
    response = send(method, path)
    assert (response.status, code(response)) == (404, "unknown")


@pytest.mark.parametrize("query", ["", "?since=", "?since= ", "?from=2026-12-01"])
def test_missing_or_blank_query_parameter_is_rejected(query: str) -> None:
    services = fakes.FakeServices()
    response = send("GET", f"/notes{query}", services=services)
    assert (response.status, services.requests) == (400, [])
    assert send("GET", "/notes?since=2026-12-01", services=services).status == 200


@given(strategies.texts, strategies.texts)
def test_any_path_receives_a_response(author: str, note: str) -> None:
    path = f"/notes/{quote(author, errors='replace')}/{quote(note, errors='replace')}"
    failed = fakes.FakeServices(ServiceResponse(400, {}, b"{}"))
    response = send("DELETE", path, services=failed)
    # API Gateway rejects a blank value of a required path parameter.
    blank = author and note and not (author.strip() and note.strip())
    assert response.status == (400 if blank else 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, path) for (method, path), it in notes_api.api().methods.items() if it.user_pools],
)
def test_missing_token_is_rejected_before_validation(method: str, path: str) -> None:
    services = fakes.FakeServices()
    path = path.replace("{", "").replace("}", "")
    response = send(method, path, b"not JSON", services, authorization="")
    assert (response.status, services.requests) == (401, [])
    assert dict(response.headers)["www-authenticate"] == "Bearer"


def api_with_key() -> Definition:
    """Return the notes API with methods that require a key."""
    api = notes_api.api()
    methods = {key: replace(it, api_key_required=True) for key, it in api.methods.items()}
    return replace(api, methods=methods)


@pytest.mark.parametrize("key", [None, "", "another key", "the ke", "THE KEY"])
@pytest.mark.parametrize("path", ["/orders", "/notes"])
def test_request_without_key_of_usage_plan_is_forbidden(key: str | None, path: str) -> None:
    services = fakes.FakeServices()
    target = fakes.stage(None, api_with_key(), "the key", "next key")
    headers: dict[str, Any] = {} if key is None else {"x_api_key": key}
    response = send("POST", path, b"not JSON", services, target, **headers)
    assert (response.status, services.requests) == (403, [])
    assert dict(response.headers)["x-amzn-errortype"] == "INVALID_API_KEY"


@pytest.mark.parametrize("key", ["the key", "next key"])
def test_request_with_a_key_of_usage_plan_reaches_the_service(key: str) -> None:
    target = fakes.stage(None, api_with_key(), "the key", "next key")
    body = json.dumps(ORDER).encode()
    assert send("POST", "/orders", body, target=target, x_api_key=key).status == 202


def test_stage_without_usage_plan_forbids_methods_that_require_a_key() -> None:
    response = send("POST", "/orders", target=fakes.stage(None, api_with_key()), x_api_key="")
    assert response.status == 403


def test_template_reads_claims_of_token() -> None:
    services = fakes.FakeServices()
    send("POST", "/notes", json.dumps(NOTE).encode(), services)
    ((service, request),) = services.requests
    assert json.loads(request.body)["Item"]["author"] == {"S": fakes.SUB}
    assert (service.name, service.action, service.region) == ("dynamodb", "PutItem", "eu-west-2")


@pytest.mark.parametrize(
    ("claim", "text"),
    [(["a"], "a"), (["a", "b"], "a,b"), ([], ""), ("x", "x"), (7, "7"), (True, "True")],
)
def test_template_reads_list_of_claim_joined_with_commas(claim: object, text: str) -> None:
    assert pipeline.claim_text(claim) == text


def test_mock_integration_responds_without_token() -> None:
    response = send("OPTIONS", "/notes", authorization="")
    assert response.status == 204
    assert dict(response.headers)["access-control-allow-methods"] == "GET,POST"


def test_method_limit_overrides_stage_limit() -> None:
    target = fakes.stage({"*/*": Limit(0.001, 3), "~1orders/POST": Limit(0.001, 1)})
    body = json.dumps(ORDER).encode()
    assert [send("POST", "/orders", body, target=target).status for _ in range(2)] == [202, 429]
    path = "/notes?since=1"
    assert [send("GET", path, target=target).status for _ in range(4)] == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("response_type", "status"),
    [
        ("INTEGRATION_TIMEOUT", 504),
        ("INTEGRATION_FAILURE", 504),
        ("API_CONFIGURATION_ERROR", 500),
        ("AUTHORIZER_FAILURE", 500),
    ],
)
def test_gateway_response_hides_reason_and_logs_it(
    response_type: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def call_service(*_: Any) -> ServiceResponse:
        raise GatewayResponseError(response_type, "the reason")

    response = send("GET", "/notes?since=1", services=call_service)
    assert (response.status, code(response)) == (status, "failed")
    assert "reason" not in response.body.decode()
    assert "rest_api: GET /notes: " in capsys.readouterr().err
