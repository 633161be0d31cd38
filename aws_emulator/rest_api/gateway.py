"""What API Gateway answers by itself, in the words of the definition."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus

from aws_emulator.rest_api.model import Answer, Context, Definition, GatewayResponse

#: Type -> status code where the definition names none ("Gateway response types").
STATUS: Mapping[str, int] = {
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
    "MISSING_AUTHENTICATION_TOKEN": 403,
    "REQUEST_TOO_LARGE": 413,
    "THROTTLED": 429,
    "UNAUTHORIZED": 401,
    "UNSUPPORTED_MEDIA_TYPE": 415,
}
_HEADER = "gatewayresponse.header."
_VARIABLE = re.compile(r"\$context\.([A-Za-z][A-Za-z0-9.]*)")


def answer(definition: Definition | None, kind: str, context: Context) -> Answer:
    """Word the gateway response `kind`; of an API that is not there, in API Gateway's own words."""
    status = STATUS[kind]
    worded = definition.gateway_responses if definition else {}
    default = "DEFAULT_4XX" if status < 500 else "DEFAULT_5XX"
    response = worded.get(kind, worded.get(default, GatewayResponse(None, {}, None)))
    # A default changes headers and body of a type, never its status.
    status = (response.status if kind in worded else None) or status
    headers = {"content-type": "application/json", "x-amzn-errortype": kind}
    for name, value in response.parameters.items():
        headers[name.removeprefix(_HEADER).lower()] = value.strip("'")
    headers["x-amzn-requestid"] = str(context["requestId"])
    if response.template is None:
        body = json.dumps({"message": HTTPStatus(status).phrase})
    else:
        body = _VARIABLE.sub(lambda found: _value(context, found[1]), response.template)
    return Answer(status, list(headers.items()), body.encode())


def _value(context: Context, path: str) -> str:
    # "The templates are not processed by the VTL engine": a variable is replaced by its text.
    node: object = context
    for part in path.split("."):
        node = node.get(part, "-") if isinstance(node, dict) else "-"
    return str(node)
