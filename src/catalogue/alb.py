"""Application Load Balancer events ("Lambda functions as targets"). Pure.

With multi-value headers on, the load balancer sends `multiValueHeaders` and
`multiValueQueryStringParameters`, and ignores `headers` of the response; without, the other way
round. Both are read, and both are written.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from catalogue.errors import RequestError, TooLargeError
from catalogue.http import MAX_BODY_BYTES, Request, Response

#: The whole response, which the load balancer limits to 1 MB; headers and JSON need the rest.
MAX_RESPONSE_BYTES: Final = 990_000

type Event = Mapping[str, Any]


def parse(event: Event) -> Request:
    """Return the request of an event.

    Raises:
        RequestError: The event isn't a load balancer's, or its body isn't Base64.
        TooLargeError: The body has more than 1 MB.
    """
    method, path = event.get("httpMethod"), event.get("path")
    if not isinstance(method, str) or not isinstance(path, str):
        raise RequestError("event_malformed", "The event isn't of an Application Load Balancer.")
    body = event.get("body") or ""
    try:
        content = b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (Base64Error, ValueError) as error:
        raise RequestError("body_malformed", "The body isn't Base64.") from error
    if len(content) > MAX_BODY_BYTES:
        raise TooLargeError("A request's body has at most 1 MB.")
    return Request(method, path, _query(event), _headers(event), content)


def _headers(event: Event) -> dict[str, str]:
    several: Mapping[str, list[str]] | None = event.get("multiValueHeaders")
    if several is None:
        return {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    return {name.lower(): ", ".join(values) for name, values in several.items()}


def _query(event: Event) -> str:
    """Return the query as sent: names and values are still encoded in the event."""
    several = event.get("multiValueQueryStringParameters")
    if several is None:
        single: Mapping[str, str] = event.get("queryStringParameters") or {}
        return "&".join(f"{name}={value}" for name, value in single.items())
    return "&".join(f"{name}={value}" for name, values in several.items() for value in values)


def result(response: Response) -> dict[str, object]:
    """Return the function's result for an answer.

    Raises:
        TooLargeError: The answer is larger than the load balancer passes on.
    """
    if len(response.body.encode()) > MAX_RESPONSE_BYTES:
        raise TooLargeError("The answer is larger than the load balancer's limit.")
    return {
        "statusCode": response.status,
        # "200 OK": the load balancer wants the description in this form.
        "statusDescription": f"{response.status} {HTTPStatus(response.status).phrase}",
        "isBase64Encoded": False,
        "headers": dict(response.headers),
        "multiValueHeaders": {name: [value] for name, value in response.headers.items()},
        "body": response.body,
    }
