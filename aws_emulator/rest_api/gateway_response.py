"""Build gateway responses: the responses that API Gateway returns without the integration."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aws_emulator.rest_api.context_variables import replace_variables
from aws_emulator.rest_api.model import Context, Definition, GatewayResponse, Response

#: Response type to the status code that applies if the definition sets none. Source: "Gateway
#: response types".
DEFAULT_STATUS: Final[Mapping[str, int]] = {
    "ACCESS_DENIED": 403,
    "API_CONFIGURATION_ERROR": 500,
    "AUTHORIZER_CONFIGURATION_ERROR": 500,
    "AUTHORIZER_FAILURE": 500,
    "BAD_REQUEST_BODY": 400,
    "BAD_REQUEST_PARAMETERS": 400,
    "DEFAULT_4XX": 400,
    "DEFAULT_5XX": 500,
    "EXPIRED_TOKEN": 403,
    "INTEGRATION_FAILURE": 504,
    "INTEGRATION_TIMEOUT": 504,
    "INVALID_API_KEY": 403,
    "MISSING_AUTHENTICATION_TOKEN": 403,
    "REQUEST_TOO_LARGE": 413,
    "THROTTLED": 429,
    "UNAUTHORIZED": 401,
    "UNSUPPORTED_MEDIA_TYPE": 415,
}
_HEADER_PREFIX: Final = "gatewayresponse.header."


def build_gateway_response(
    definition: Definition | None,
    response_type: str,
    context: Context,
    default_status: int | None = None,
) -> Response:
    """Return the gateway response of a type, as the definition customizes it.

    Without a definition, the response has API Gateway's default body. `default_status` replaces the
    type's status code.
    """
    status = default_status or DEFAULT_STATUS[response_type]
    customized = definition.gateway_responses if definition else {}
    default = "DEFAULT_4XX" if status < 500 else "DEFAULT_5XX"
    response = customized.get(
        response_type, customized.get(default, GatewayResponse(None, {}, None))
    )
    # DEFAULT_4XX and DEFAULT_5XX change the headers and body of another type, but not its status.
    status = (response.status if response_type in customized else None) or status
    headers = {"content-type": "application/json", "x-amzn-errortype": response_type}
    for name, value in response.parameters.items():
        headers[name.removeprefix(_HEADER_PREFIX).lower()] = value.strip("'")
    headers["x-amzn-requestid"] = str(context["requestId"])
    if response.template is None:
        body = json.dumps({"message": HTTPStatus(status).phrase})
    else:
        body = replace_variables(response.template, context)
    return Response(status, list(headers.items()), body.encode())
