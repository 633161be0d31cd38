"""Build Lambda@Edge events. Source: "Lambda@Edge event structure"."""

import base64
from typing import Any, Final

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.model import (
    Distribution,
    EventType,
    FunctionAssociation,
    Origin,
    Request,
    Response,
    Viewer,
)

# Restrictions on Lambda@Edge, "Restrictions on the request body with the include body option":
# "For viewer request events, the body is truncated at 40 KB. For origin request events, the body
# is truncated at 1 MB."
MAX_BODY_BYTES: Final[dict[str, int]] = {"viewer-request": 40 * 1024, "origin-request": 1024 * 1024}


def headers_to_event(headers: h.HeaderMap) -> dict[str, list[dict[str, str]]]:
    """Return headers in the format of an event; disallowed headers "are not exposed"."""
    return {
        name: [{"key": key, "value": value} for key, value in pairs]
        for name, pairs in headers.items()
        if not h.is_disallowed(name)
    }


def body_to_event(body: bytes, event_type: EventType) -> dict[str, Any]:
    """Return a request body in the format of an event, truncated at the limit of its type."""
    limit = MAX_BODY_BYTES[event_type]
    return {
        "inputTruncated": len(body) > limit,
        "action": "read-only",
        # "CloudFront always base64 encodes the request body before exposing it to Lambda@Edge."
        "encoding": "base64",
        "data": base64.b64encode(body[:limit]).decode("ascii"),
    }


def origin_to_event(origin: Origin) -> dict[str, Any]:
    """Return an origin in the format of an event: exactly one of `custom` and `s3`."""
    custom_headers = headers_to_event(h.collect(origin.custom_headers))
    if origin.kind == "s3":
        # authMethod: "Set to origin-access-identity if you're using a CloudFront origin access
        # identity (OAI) … or none if you aren't." "This field does not support origin access
        # control (OAC)."
        return {
            "s3": {
                "authMethod": "origin-access-identity" if origin.access_identity else "none",
                "customHeaders": custom_headers,
                "domainName": origin.domain,
                "path": origin.path,
                "region": origin.region,
            }
        }
    return {
        "custom": {
            "customHeaders": custom_headers,
            "domainName": origin.domain,
            "keepaliveTimeout": origin.keepalive_timeout,
            "path": origin.path,
            "port": origin.port,
            "protocol": origin.protocol,
            "readTimeout": origin.read_timeout,
            "sslProtocols": list(origin.ssl_protocols),
        }
    }


def request_event(
    distribution: Distribution,
    association: FunctionAssociation,
    request_id: str,
    request: Request,
    viewer: Viewer,
    origin: Origin | None = None,
    response: Response | None = None,
) -> dict[str, Any]:
    """Build the event for one function invocation.

    Pass `origin` for origin events and `response` for response events. The event contains the
    request body if the association includes it.
    """
    event_type = association.event_type
    event_request: dict[str, Any] = {
        "clientIp": viewer.address,
        "headers": headers_to_event(request.headers),
        "method": request.method,
        "querystring": request.query,
        "uri": request.uri,
    }
    if origin is not None:
        event_request["origin"] = origin_to_event(origin)
    if association.include_body and event_type in MAX_BODY_BYTES:
        event_request["body"] = body_to_event(request.body, event_type)
    cf: dict[str, Any] = {
        "config": {
            "distributionDomainName": distribution.domain,
            "distributionId": distribution.id,
            "eventType": event_type,
            "requestId": request_id,
        },
        "request": event_request,
    }
    if response is not None:
        cf["response"] = {
            "headers": headers_to_event(response.headers),
            "status": str(response.status),
            "statusDescription": response.reason,
        }
    return {"Records": [{"cf": cf}]}
