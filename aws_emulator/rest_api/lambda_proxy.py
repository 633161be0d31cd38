"""Lambda proxy integrations: the event of a request, and the function's result as a response.

Sources: API Gateway developer guide, "Input format of a Lambda function for proxy integration" and
"Output format of a Lambda function for proxy integration".
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.model import (
    Context,
    Headers,
    IntegrationRequest,
    Request,
    Response,
    ServiceResponse,
)

_FIELDS: Final = frozenset(
    {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
)


def build_event(
    request: Request, path_parameters: Mapping[str, str], context: Context
) -> IntegrationRequest:
    """Return the function's event. Names of headers are in lower case."""
    query: dict[str, list[str]] = {}
    for name, value in request.query:
        query.setdefault(name, []).append(value)
    event = {
        "resource": context["resourcePath"],
        "path": request.path,
        "httpMethod": request.method,
        "headers": dict(request.headers) or None,
        "multiValueHeaders": {name: [it] for name, it in request.headers.items()} or None,
        "queryStringParameters": {name: it[-1] for name, it in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(path_parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": context["resourcePath"],
            "httpMethod": request.method,
            "path": context["path"],
            **{name: context[name] for name in ("accountId", "apiId", "identity", "requestId")},
            **{name: context[name] for name in ("requestTime", "requestTimeEpoch", "stage")},
            **({"authorizer": context["authorizer"]} if context["authorizer"] else {}),
        },
        "body": request.body.decode("utf-8", "replace") if request.body else None,
        "isBase64Encoded": False,
    }
    return IntegrationRequest({"Content-Type": "application/json"}, json.dumps(event).encode())


def build_response(received: ServiceResponse, context: Context) -> Response:
    """Return the response that the function's result describes.

    Raises:
        GatewayResponseError: The function failed or wasn't found, or its result isn't a response
            (502, "Malformed Lambda proxy response").
    """
    if received.status != 200 or "x-amz-function-error" in received.headers:
        raise GatewayResponseError("DEFAULT_5XX", "the function failed", status=502)
    try:
        result = json.loads(received.body)
    except ValueError as error:
        raise GatewayResponseError("DEFAULT_5XX", "the result isn't JSON", status=502) from error
    if not isinstance(result, dict) or not result.keys() <= _FIELDS:
        raise GatewayResponseError(
            "DEFAULT_5XX", "the result has other members than a response", status=502
        )
    status, body = _status(result.get("statusCode")), result.get("body")
    if not isinstance(body, str | None):
        raise GatewayResponseError("DEFAULT_5XX", "the body isn't a text", status=502)
    content = (body or "").encode()
    if result.get("isBase64Encoded"):
        try:
            content = base64.b64decode(content, validate=True)
        except binascii.Error as error:
            raise GatewayResponseError(
                "DEFAULT_5XX", "the body isn't base64", status=502
            ) from error
    headers = _headers(result)
    if "content-type" not in {name for name, _ in headers}:
        headers.append(("content-type", "application/json"))
    headers.append(("x-amzn-requestid", str(context["requestId"])))
    return Response(status, headers, content)


def _status(value: Any) -> int:
    """Return the status code.

    Raises:
        GatewayResponseError: It is missing or invalid.
    """
    try:
        status = int(value)
    except (TypeError, ValueError) as error:
        raise GatewayResponseError(
            "DEFAULT_5XX", "the result has no statusCode", status=502
        ) from error
    if not 200 <= status <= 599:
        raise GatewayResponseError("DEFAULT_5XX", f"the statusCode is {status}", status=502)
    return status


def _headers(result: Mapping[str, Any]) -> Headers:
    """Return the response's headers.

    "If you specify values for both headers and multiValueHeaders, API Gateway merges them into a
    single list. If the same key-value pair is specified in both, only the values from
    multiValueHeaders will appear".

    Raises:
        GatewayResponseError: They aren't objects with texts and lists.
    """
    headers, several = (
        {} if result.get(it) is None else result[it] for it in ("headers", "multiValueHeaders")
    )
    if not isinstance(headers, dict) or not isinstance(several, dict):
        raise GatewayResponseError("DEFAULT_5XX", "the headers aren't an object", status=502)
    repeated = {name.lower() for name in several}
    merged = [
        (name.lower(), str(value))
        for name, value in headers.items()
        if name.lower() not in repeated
    ]
    for name, values in several.items():
        if not isinstance(values, list):
            raise GatewayResponseError(
                "DEFAULT_5XX", "multiValueHeaders contains a value that isn't a list", status=502
            )
        merged += [(name.lower(), str(value)) for value in values]
    return merged
