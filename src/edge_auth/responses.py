"""Legal CloudFront results: generated responses, each with its reason code and never cached.

CloudFront, "Generate HTTP responses in request triggers": `status` is a text from 200 to 599,
header names are lower case, a 204 has no body, the whole response has at most 40 KB.
"""

import json
from collections.abc import Iterable, Mapping

from edge_auth.errors import EdgeAuthError, MethodError, TokenError
from edge_auth.request import Request

MAXIMUM_BODY = 32_768  # bytes; leaves 8 KB of the 40 KB for headers
_PHRASES = {
    200: "OK",
    303: "See Other",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
# Seconds a client should wait when Cognito does not answer: its keys are not asked again sooner.
_RETRY_AFTER = "30"


class Outcome:
    """What happened to one request: the result for CloudFront, and what the log says about it."""

    __slots__ = ("code", "reason", "result", "status")

    def __init__(
        self, result: dict[str, object], reason: str, *, code: str = "", status: int = 0
    ) -> None:
        """`status` is 0 for a request that goes on."""
        self.result = result
        self.reason = reason
        self.code = code
        self.status = status


def generated(
    request: Request | None,
    status: int,
    reason: str,
    *,
    code: str = "",
    headers: Mapping[str, str] | None = None,
    set_cookies: Iterable[str] = (),
    body: str = "",
) -> Outcome:
    """A response made here. Browsers and CloudFront keep none of them (`no-store`)."""
    fields = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-Meridian-Reason": reason,
        "X-Meridian-Request-Id": request.id if request else "",
        **(headers or {}),
    }
    result: dict[str, object] = {
        "status": str(status),
        "statusDescription": _PHRASES[status],
        "headers": {
            name.lower(): [{"key": name, "value": value}] for name, value in fields.items() if value
        },
    }
    lines = [{"key": "Set-Cookie", "value": line} for line in set_cookies]
    if lines:
        result["headers"]["set-cookie"] = lines  # type: ignore[index]  # the dict made above
    if body and (request is None or request.method != "HEAD"):
        result["body"] = body
    return Outcome(result, reason, code=code, status=status)


def redirect(
    request: Request,
    location: str,
    reason: str,
    *,
    code: str = "",
    set_cookies: Iterable[str] = (),
) -> Outcome:
    """303, so that whatever was asked is followed by a GET (RFC 9110, section 15.4.4)."""
    headers = {"Location": location}
    return generated(request, 303, reason, code=code, headers=headers, set_cookies=set_cookies)


def data(
    request: Request, document: Mapping[str, object], reason: str, set_cookies: Iterable[str] = ()
) -> Outcome:
    """A JSON answer to a program."""
    headers = {"Content-Type": "application/json"}
    body = json.dumps(document)
    return generated(request, 200, reason, headers=headers, set_cookies=set_cookies, body=body)


def refusal(
    request: Request | None,
    error: EdgeAuthError,
    *,
    site_name: str = "",
    set_cookies: Iterable[str] = (),
) -> Outcome:
    """The answer to a refused request: a page for a person, problem+json for a program."""
    headers = _challenge(error)
    if request is not None and request.wants_page:
        from edge_auth import pages  # only a person needs it

        body = pages.error(error, site_name=site_name, request_id=request.id)
        headers |= {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": pages.CSP,
        }
    else:
        body = _problem(request, error)
        headers["Content-Type"] = "application/problem+json"
    return generated(
        request,
        error.status,
        error.reason,
        code=error.code,
        headers=headers,
        set_cookies=set_cookies,
        body=body,
    )


def _challenge(error: EdgeAuthError) -> dict[str, str]:
    """RFC 9110, section 11.6.1: a 401 says how to do better. RFC 6750, section 3: `error` only
    where a token came."""
    if isinstance(error, MethodError):
        return {"Allow": ", ".join(error.allowed)}
    if error.status == 503:
        return {"Retry-After": _RETRY_AFTER}
    if error.status != 401:
        return {}
    kind = ', error="invalid_token"' if isinstance(error, TokenError) else ""
    return {"WWW-Authenticate": f'Bearer realm="meridian"{kind}'}


def _problem(request: Request | None, error: EdgeAuthError) -> str:
    """Problem details (RFC 9457)."""
    return json.dumps(
        {
            "type": "about:blank",
            "title": _PHRASES[error.status],
            "status": error.status,
            "reason": error.reason,
            "code": error.code,
            "request_id": request.id if request else "",
        }
    )
