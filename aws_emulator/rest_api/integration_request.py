"""Build the integration request: select the mapping template, or pass the body through."""

import json
from typing import Final

from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.mapping_template import Input, render
from aws_emulator.rest_api.model import (
    Context,
    Integration,
    IntegrationRequest,
    Parameters,
    Request,
    ServiceResponse,
)

_HEADER_PREFIX: Final = "integration.request.header."


def build_integration_request(
    integration: Integration, request: Request, parameters: Parameters, context: Context
) -> IntegrationRequest:
    """Return the request to the integration endpoint.

    Raises:
        GatewayResponseError: The passthrough behavior rejects the content type
            (UNSUPPORTED_MEDIA_TYPE), or the template fails (DEFAULT_5XX).
    """
    headers = {
        name.removeprefix(_HEADER_PREFIX): static_value(value)
        for name, value in integration.parameters.items()
    }
    template = integration.templates.get(request.media_type)
    if template is None:
        if not _passes_through(integration):
            raise GatewayResponseError("UNSUPPORTED_MEDIA_TYPE")
        return IntegrationRequest({"Content-Type": request.content_type, **headers}, request.body)
    text = request.body.decode("utf-8", "replace")
    body = render(template, Input(text, parameters), context)
    return IntegrationRequest(headers, body.encode("utf-8", "replace"))


def _passes_through(integration: Integration) -> bool:
    # Integration, passthroughBehavior: "WHEN_NO_MATCH passes the request body for unmapped content
    # types through to the integration back end without transformation.
    # NEVER rejects unmapped content types with an HTTP 415 Unsupported Media Type response.
    # WHEN_NO_TEMPLATES allows pass-through when the integration has no content types mapped to
    # templates. However, if there is at least one content type defined, unmapped content types will
    # be rejected with the same HTTP 415 Unsupported Media Type response."
    if integration.passthrough_behavior == "when_no_templates":
        return not integration.templates
    return integration.passthrough_behavior == "when_no_match"


def mock_response(request: IntegrationRequest) -> ServiceResponse:
    """Return the response of a mock integration, with the status that its request body contains.

    Raises:
        GatewayResponseError: The body has no `statusCode` (DEFAULT_5XX).
    """
    try:
        status = int(json.loads(request.body)["statusCode"])
    except (ValueError, KeyError, TypeError) as error:
        # Mock integrations: API Gateway selects the integration response by the statusCode in the
        # integration request.
        raise GatewayResponseError("DEFAULT_5XX", "a mock without statusCode") from error
    return ServiceResponse(status, {}, b"")


def static_value(value: str) -> str:
    """Return the text of a static mapping value, which is in single quotes.

    Raises:
        GatewayResponseError: The value is a mapping from the request (API_CONFIGURATION_ERROR).
    """
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    raise GatewayResponseError("API_CONFIGURATION_ERROR", "only static header values are supported")
