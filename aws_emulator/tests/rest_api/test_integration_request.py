"""Tests of integration passthrough behaviors, integration parameters and mock integrations."""

import pytest

from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.integration_request import (
    build_integration_request,
    mock_response,
    static_value,
)
from aws_emulator.rest_api.model import (
    Integration,
    IntegrationRequest,
    PassthroughBehavior,
    Request,
    Service,
)
from aws_emulator.tests.rest_api import notes_api

QUEUE = Service("us-east-1", "sqs", None, "/123456789012/messages", "POST", notes_api.ROLE_ARN)
BODY = b'{"a": "\xc3\xa9", "b": \xff}'
NOTHING: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}
JSON = {"application/json": "rendered"}


def build(
    behavior: PassthroughBehavior,
    templates: dict[str, str],
    content_type: str | None,
    parameters: dict[str, str] | None = None,
) -> IntegrationRequest:
    integration = Integration(QUEUE, parameters or {}, templates, (), behavior)
    headers = {} if content_type is None else {"content-type": content_type}
    request = Request("POST", "/messages", headers=headers, body=BODY)
    return build_integration_request(integration, request, NOTHING, {})


#: "Integration passthrough behaviors": passthrough behavior, content types with a template, content
#: type of the request, result. A request without a content type has application/json.
TABLE: list[tuple[PassthroughBehavior, dict[str, str], str | None, str]] = [
    ("when_no_match", {}, None, "passed through"),
    ("when_no_match", {}, "text/xml", "passed through"),
    ("when_no_match", JSON, None, "rendered"),
    ("when_no_match", JSON, "application/json", "rendered"),
    ("when_no_match", JSON, "text/xml", "passed through"),
    ("when_no_templates", {}, None, "passed through"),
    ("when_no_templates", {}, "text/xml", "passed through"),
    ("when_no_templates", JSON, None, "rendered"),
    ("when_no_templates", JSON, "application/json", "rendered"),
    ("when_no_templates", JSON, "text/xml", "rejected"),
    ("never", {}, None, "rejected"),
    ("never", {}, "text/xml", "rejected"),
    ("never", JSON, None, "rendered"),
    ("never", JSON, "application/json; charset=utf-8", "rendered"),
    ("never", JSON, "text/xml", "rejected"),
]


@pytest.mark.parametrize(("behavior", "templates", "content_type", "expected"), TABLE)
def test_passthrough_behavior_follows_documented_table(
    behavior: PassthroughBehavior,
    templates: dict[str, str],
    content_type: str | None,
    expected: str,
) -> None:
    if expected == "rejected":
        with pytest.raises(GatewayResponseError) as caught:
            build(behavior, templates, content_type)
        assert caught.value.response_type == "UNSUPPORTED_MEDIA_TYPE"
        return
    request = build(behavior, templates, content_type)
    if expected == "rendered":
        assert (request.body, request.headers) == (b"rendered", {})
    else:
        # "without transformation": the same bytes, also if they aren't UTF-8.
        assert request.body == BODY
        assert request.headers == {"Content-Type": content_type or "application/json"}


def test_integration_header_replaces_content_type_of_passed_through_request() -> None:
    parameters = {"integration.request.header.Content-Type": "'text/plain'"}
    assert (
        build("when_no_match", {}, "text/xml", parameters).headers["Content-Type"] == "text/plain"
    )


def test_mock_integration_uses_status_code_of_passed_through_body() -> None:
    assert mock_response(IntegrationRequest({}, b'{"statusCode": 201}')).status == 201


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"statusCode": "x"}', b"null"])
def test_mock_integration_without_status_code_fails(body: bytes) -> None:
    with pytest.raises(GatewayResponseError, match="DEFAULT_5XX"):
        mock_response(IntegrationRequest({}, body))


def test_static_value_requires_single_quotes() -> None:
    assert static_value("'a'") == "a"
    with pytest.raises(GatewayResponseError, match="API_CONFIGURATION_ERROR"):
        static_value("method.request.header.X")
