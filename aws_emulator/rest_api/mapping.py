"""A request to what its service is asked, and the service's answer to the API's."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_emulator.rest_api.errors import RefusedError
from aws_emulator.rest_api.model import Answer, Context, Integration, IntegrationResponse, Request
from aws_emulator.rest_api.velocity import Input, render

type Parameters = Mapping[str, Mapping[str, str]]

_IN_HEADER = "integration.request.header."
_OUT_HEADER = "method.response.header."


@dataclass(frozen=True, slots=True)
class Call:
    """What a service is asked: the body as the template made it."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request(
    integration: Integration,
    given: Request,
    parameters: Parameters,
    context: Context,
) -> Call:
    """Render the request of an integration. Raises RefusedError."""
    template = integration.templates.get(given.media_type)
    if template is None:
        # "NEVER rejects unmapped content types with an HTTP 415 Unsupported Media Type response."
        raise RefusedError("UNSUPPORTED_MEDIA_TYPE")
    text = given.body.decode("utf-8", "replace")
    rendered = render(template, Input(text, parameters), context)
    headers = {
        name.removeprefix(_IN_HEADER): _static(value)
        for name, value in integration.parameters.items()
    }
    return Call(headers, rendered.encode("utf-8", "replace"))


def mock_status(call: Call) -> Reply:
    """Answer for a mock: the status that its own template says."""
    try:
        status = int(json.loads(call.body)["statusCode"])
    except (ValueError, KeyError, TypeError) as error:
        # Mock integrations: the template of the request has to name the status code.
        raise RefusedError("DEFAULT_5XX", "a mock without statusCode") from error
    return Reply(status, {}, b"")


def response(
    integration: Integration, reply: Reply, parameters: Parameters, context: Context
) -> Answer:
    """Render the API's answer. Raises RefusedError."""
    chosen = _chosen(integration, reply.status)
    text = reply.body.decode("utf-8", "replace")
    body = render(chosen.template, Input(text, parameters), context) if chosen.template else text
    headers = {"content-type": chosen.media_type}
    for name, value in chosen.parameters.items():
        headers[name.removeprefix(_OUT_HEADER).lower()] = _static(value)
    override: Mapping[str, Any] = context["responseOverride"]
    for name, value in override["header"].items():
        headers[name.lower()] = str(value)
    headers["x-amzn-requestid"] = str(context["requestId"])
    status = int(override.get("status", chosen.status))
    return Answer(status, list(headers.items()), body.encode("utf-8", "replace"))


def _chosen(integration: Integration, status: int) -> IntegrationResponse:
    # IntegrationResponse, selectionPattern: for other services than Lambda, "the HTTP status code
    # is matched".
    for candidate in integration.responses:
        if candidate.pattern == "default" or re.fullmatch(candidate.pattern, str(status)):
            return candidate
    raise RefusedError("API_CONFIGURATION_ERROR", "no response for the service's status")


def _static(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    raise RefusedError("API_CONFIGURATION_ERROR", "only static headers are served here")
