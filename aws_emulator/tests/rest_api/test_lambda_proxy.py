"""Lambda proxy integrations: the function's event, and its result as a response."""

import base64
import json
from copy import deepcopy
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api import definition
from aws_emulator.rest_api.errors import DefinitionError
from aws_emulator.rest_api.model import Definition, Response, ServiceResponse
from aws_emulator.tests.rest_api import fakes, notes_api, strategies

INTEGRATION: Final = "x-amazon-apigateway-integration"
FUNCTION: Final = "arn:aws:lambda:us-east-1:123456789012:function:notes"
URI: Final = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
PROXY: Final = {
    "type": "aws_proxy",
    "httpMethod": "POST",
    "uri": URI,
    "credentials": "arn:aws:iam::123456789012:role/api",
}


def api(method: str = "delete", path: str = "/notes/{author}/{noteId}", **more: str) -> Definition:
    """Return the notes API with one Lambda proxy integration."""
    document = deepcopy(notes_api.document())
    document["paths"][path][method][INTEGRATION] = PROXY | more
    return definition.parse(document)


def invoke(
    result: Any, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[Response, dict[str, Any]]:
    """Return the response to a request, and the event that the function got."""
    text = result if isinstance(result, bytes) else json.dumps(result).encode()
    services = fakes.FakeServices(ServiceResponse(200, headers or {}, text))
    path = "/notes/ann/7?tag=a&tag=b&q=1"
    response = fakes.send("DELETE", path, body, services, fakes.stage(None, api()))
    ((service, sent),) = services.requests
    assert (service.name, service.http_method) == ("lambda", "POST")
    assert service.path == f"/2015-03-31/functions/{FUNCTION}/invocations"
    return response, json.loads(sent.body)


def test_function_gets_event_of_request() -> None:
    _, event = invoke({"statusCode": 200}, b"text")
    assert event["resource"] == "/notes/{author}/{noteId}"
    assert (event["httpMethod"], event["path"]) == ("DELETE", "/notes/ann/7")
    assert event["pathParameters"] == {"author": "ann", "noteId": "7"}
    assert event["queryStringParameters"] == {"tag": "b", "q": "1"}
    assert event["multiValueQueryStringParameters"] == {"tag": ["a", "b"], "q": ["1"]}
    assert event["headers"] == {"authorization": "Bearer t"}
    assert event["multiValueHeaders"] == {"authorization": ["Bearer t"]}
    assert (event["body"], event["isBase64Encoded"]) == ("text", False)
    context = event["requestContext"]
    assert context["authorizer"] == {"claims": {"sub": fakes.SUB}}
    assert (context["stage"], context["path"]) == ("v1", "/v1/notes/ann/7")
    assert context["identity"]["sourceIp"] == "127.0.0.1"


def test_result_becomes_response_with_repeated_headers() -> None:
    result = {
        "statusCode": 201,
        "headers": {"Cache-Control": "no-store", "Set-Cookie": "replaced"},
        "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
        "body": "é",
    }
    response, _ = invoke(result)
    assert (response.status, response.body) == (201, "é".encode())
    assert [it for name, it in response.headers if name == "set-cookie"] == ["a=1", "b=2"]
    headers = dict(response.headers)
    assert headers["cache-control"] == "no-store"
    assert headers["content-type"] == "application/json"
    assert headers["x-amzn-requestid"]


def test_base64_body_is_decoded() -> None:
    encoded = base64.b64encode(b"\x00\xff").decode()
    response, _ = invoke({"statusCode": "200", "body": encoded, "isBase64Encoded": True})
    assert response.body == b"\x00\xff"


@pytest.mark.parametrize(
    "result",
    [
        b"no JSON",
        None,
        [],
        {},
        {"statusCode": "many"},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "multiValueHeaders": {"a": "b"}},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
        {"statusCode": 200, "message": "not a response"},
    ],
)
def test_malformed_result_is_bad_gateway(result: Any) -> None:
    response, _ = invoke(result)
    assert response.status == 502
    assert "not a response" not in response.body.decode()


def test_failed_function_is_bad_gateway() -> None:
    response, _ = invoke({"errorMessage": "x"}, headers={"x-amz-function-error": "Unhandled"})
    assert response.status == 502


@given(strategies.json_values() | st.dictionaries(st.just("statusCode"), strategies.json_values()))
def test_any_result_becomes_a_response(result: Any) -> None:
    response, _ = invoke(result)
    assert response.status == 502 or 200 <= response.status <= 599


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"httpMethod": "GET"}, "httpMethod POST"),
        ({"uri": "arn:aws:apigateway:us-east-1:sqs:path/1/queue"}, "Lambda function's"),
        ({"uri": "arn:aws:apigateway:us-east-1:lambda:action/Invoke"}, "Lambda function's"),
        ({"uri": "https://example.org/"}, "not supported"),
    ],
)
def test_other_proxy_integration_is_rejected(changes: dict[str, str], word: str) -> None:
    with pytest.raises(DefinitionError, match=word):
        api(**changes)
