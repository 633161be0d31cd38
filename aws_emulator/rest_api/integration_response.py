"""Map the service's response to the method response: selection pattern, template, headers."""

import re
from collections.abc import Mapping
from typing import Any, Final

from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.integration_request import static_value
from aws_emulator.rest_api.mapping_template import Input, render
from aws_emulator.rest_api.model import (
    Context,
    Integration,
    IntegrationResponse,
    Parameters,
    Response,
    ServiceResponse,
)

_HEADER_PREFIX: Final = "method.response.header."


def build_method_response(
    integration: Integration,
    service_response: ServiceResponse,
    parameters: Parameters,
    context: Context,
) -> Response:
    """Return the response to the client.

    Raises:
        GatewayResponseError: No integration response matches the service's status
            (API_CONFIGURATION_ERROR), or the template fails (DEFAULT_5XX).
    """
    selected = _select(integration, service_response.status)
    text = service_response.body.decode("utf-8", "replace")
    body = (
        render(selected.template, Input(text, parameters), context) if selected.template else text
    )
    headers = {"content-type": selected.media_type}
    for name, value in selected.parameters.items():
        headers[name.removeprefix(_HEADER_PREFIX).lower()] = static_value(value)
    override: Mapping[str, Any] = context["responseOverride"]
    for name, value in override["header"].items():
        headers[name.lower()] = str(value)
    headers["x-amzn-requestid"] = str(context["requestId"])
    status = int(override.get("status", selected.status))
    return Response(status, list(headers.items()), body.encode("utf-8", "replace"))


def _select(integration: Integration, status: int) -> IntegrationResponse:
    # IntegrationResponse, selectionPattern: for other services than Lambda, "the HTTP status code
    # is matched".
    for candidate in integration.responses:
        pattern = candidate.selection_pattern
        if pattern == "default" or re.fullmatch(pattern, str(status)):
            return candidate
    raise GatewayResponseError(
        "API_CONFIGURATION_ERROR", "no integration response matches the service's status"
    )
