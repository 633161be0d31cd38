"""Tests of parsing a definition: defaults, and what API Gateway or the emulator rejects."""

from copy import deepcopy
from typing import Any

import pytest

from aws_emulator.rest_api import definition
from aws_emulator.rest_api.errors import DefinitionError
from aws_emulator.tests.rest_api import notes_api

INTEGRATION = "x-amazon-apigateway-integration"


def changed(path: str = "/notes", method: str = "get", **integration: Any) -> dict[str, Any]:
    """Return the document with a changed integration."""
    document = deepcopy(notes_api.document())
    document["paths"][path][method][INTEGRATION] |= integration
    return document


def with_components(**components: Any) -> dict[str, Any]:
    known = notes_api.document()["components"]
    return notes_api.document() | {"components": {**known, **components}}


def test_parser_reads_notes_api() -> None:
    methods = notes_api.api().methods
    assert set(methods) == {
        ("POST", "/orders"), ("GET", "/notes"), ("POST", "/notes"), ("OPTIONS", "/notes"),
        ("DELETE", "/notes/{author}/{noteId}"), ("POST", "/messages"),
    }  # fmt: skip
    notes = methods["GET", "/notes"]
    assert notes.required_parameters == (("querystring", "since"),)
    assert (notes.user_pools, notes.scopes) == ((notes_api.POOL_ARN,), ("openid", "profile"))
    assert methods["POST", "/orders"].user_pools == ()
    assert methods["OPTIONS", "/notes"].integration.service is None
    queue = methods["POST", "/messages"].integration.service
    assert queue is not None
    assert (queue.name, queue.action, queue.path) == ("sqs", None, "/123456789012/messages")


@pytest.mark.parametrize(
    ("written", "parsed"),
    [
        ("when_no_match", "when_no_match"),
        ("WHEN_NO_TEMPLATES", "when_no_templates"),
        ("never", "never"),
    ],
)
def test_parser_reads_passthrough_behavior(written: str, parsed: str) -> None:
    api = definition.parse(changed(passthroughBehavior=written))
    assert api.methods["GET", "/notes"].integration.passthrough_behavior == parsed


@pytest.mark.parametrize("written_ms", [50, 14_000, 29_000])
def test_parser_reads_timeout_of_an_integration(written_ms: int) -> None:
    api = definition.parse(changed(timeoutInMillis=written_ms))
    service = api.methods["GET", "/notes"].integration.service
    assert service is not None
    assert service.timeout_s == written_ms / 1000


@pytest.mark.parametrize("written_ms", [49, 29_001])
def test_timeout_of_an_integration_beyond_the_limits_is_rejected(written_ms: int) -> None:
    with pytest.raises(DefinitionError, match="timeoutInMillis"):
        definition.parse(changed(timeoutInMillis=written_ms))


def test_timeout_of_an_integration_defaults_to_29_s() -> None:
    service = notes_api.api().methods["GET", "/notes"].integration.service
    assert service is not None
    assert service.timeout_s == 29


def test_passthrough_behavior_defaults_to_when_no_match() -> None:
    messages = notes_api.api().methods["POST", "/messages"]
    assert messages.integration.passthrough_behavior == "when_no_match"


@pytest.mark.parametrize("security", [[{"users": []}, {"key": []}], [{"users": [], "key": []}]])
def test_method_can_require_an_api_key_and_an_authorizer(security: list[dict[str, Any]]) -> None:
    known = notes_api.document()["components"]["securitySchemes"]
    key = {"type": "apiKey", "name": "x-api-key", "in": "header"}
    document = with_components(securitySchemes={**known, "key": key})
    document["paths"] = deepcopy(document["paths"])
    document["paths"]["/notes"]["get"]["security"] = security
    method = definition.parse(document).methods["GET", "/notes"]
    assert method.api_key_required
    assert method.user_pools == (notes_api.POOL_ARN,)
    assert not definition.parse(document).methods["POST", "/notes"].api_key_required


def test_default_integration_response_is_last() -> None:
    responses = notes_api.api().methods["POST", "/orders"].integration.responses
    assert [each.selection_pattern for each in responses] == ["200", "default"]


REJECTED: list[tuple[dict[str, Any], str]] = [
    (changed(passthroughBehavior="sometimes"), "passthroughBehavior"),
    (changed(type="http_proxy"), "not supported"),
    (changed(type="aws_proxy"), "Lambda function's invocations"),
    (changed(uri="https://example.org/"), "not supported"),
    (
        changed(responses={"default": {"statusCode": "200", "responseParameters": {
            "method.response.header.Undeclared": "'1'"}}}),
        "Undeclared",
    ),
    (
        notes_api.document() | {"x-amazon-apigateway-request-validator": "missing"},
        "request validator missing",
    ),
    (
        notes_api.document() | {"paths": {"/x": {"get": {"security": [], "responses": {}}}}},
        "GET /x has no integration",
    ),
    (
        notes_api.document() | {"paths": {"/x": {"trace": {}}}},
        "trace",
    ),
    (
        notes_api.document() | {"security": [{"users": []}, {"others": []}]},
        "one authorizer",
    ),
    (
        notes_api.document() | {"x-amazon-apigateway-api-key-source": "AUTHORIZER"},
        "api-key-source AUTHORIZER",
    ),
    (with_components(schemas={"not-alphanumeric": {}}), "not-alphanumeric"),
    (
        with_components(securitySchemes={"users": {"name": "Authorization", "type": "apiKey"}}),
        "authorizer users",
    ),
    (
        with_components(schemas={"Order": {"type": "nonsense"}, "Note": {}}),
        "JSON schema",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), REJECTED)
def test_parser_rejects_definition_and_names_problem(
    document: dict[str, Any], message: str
) -> None:
    with pytest.raises(DefinitionError, match=message):
        definition.parse(document)
