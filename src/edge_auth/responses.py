"""Generate CloudFront responses, each with a reason code and `Cache-Control: no-store`.

CloudFront, "Generate HTTP responses in request triggers": `status` is a string from 200 to 599,
header names are lower case, a 204 response has no body, a response has at most 40 KB.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from edge_auth.errors import EdgeAuthError, MethodError, ResponseTooLargeError, TokenError
from edge_auth.viewer_request import ViewerRequest

if TYPE_CHECKING:
    from edge_auth.settings import Site

_STATUS_DESCRIPTIONS: Final = {
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
# CloudFront, "Quotas on Lambda@Edge": headers and body of a response at viewer request.
MAX_RESPONSE_BYTES: Final = 40_960
# The key cache doesn't fetch again before this time, so an earlier retry would fail too.
_RETRY_AFTER_S: Final = "30"


class Outcome:
    """The result for CloudFront, and the values that the log line contains."""

    __slots__ = ("code", "reason", "result", "status")

    def __init__(
        self, result: dict[str, object], reason: str, *, code: str = "", status: int = 0
    ) -> None:
        """`status` is 0 if the request continues to the cache and the origin."""
        self.result = result
        self.reason = reason
        self.code = code
        self.status = status


def generate_response(
    request: ViewerRequest | None,
    status: int,
    reason: str,
    *,
    code: str = "",
    headers: Mapping[str, str] | None = None,
    set_cookies: Iterable[str] = (),
    body: str = "",
) -> Outcome:
    """Return a generated response, which browsers and CloudFront don't store.

    Raises:
        ResponseTooLargeError: CloudFront would replace the response by a 502 page.
    """
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
        "statusDescription": _STATUS_DESCRIPTIONS[status],
        "headers": {
            name.lower(): [{"key": name, "value": value}] for name, value in fields.items() if value
        },
    }
    entries = [{"key": "Set-Cookie", "value": value} for value in set_cookies]
    if entries:
        result["headers"]["set-cookie"] = entries  # type: ignore[index]  # the dict made above
    if body and (request is None or request.method != "HEAD"):
        result["body"] = body
    if _size(result) > MAX_RESPONSE_BYTES:
        raise ResponseTooLargeError
    return Outcome(result, reason, code=code, status=status)


def _size(result: dict[str, object]) -> int:
    """Return the bytes of a response, with a colon, a space and a line end for each header."""
    entries = [
        entry
        for values in result["headers"].values()  # type: ignore[attr-defined]  # a dict
        for entry in values
    ]
    headers = sum(len(entry["key"]) + len(entry["value"].encode()) + 4 for entry in entries)
    return headers + len(str(result.get("body", "")).encode())


def redirect(
    request: ViewerRequest,
    location: str,
    reason: str,
    *,
    code: str = "",
    set_cookies: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Outcome:
    """Return a 303: the browser follows it with GET for any method (RFC 9110, section 15.4.4)."""
    fields = {**(headers or {}), "Location": location}
    return generate_response(
        request, 303, reason, code=code, headers=fields, set_cookies=set_cookies
    )


def json_response(
    request: ViewerRequest,
    document: Mapping[str, object],
    reason: str,
    set_cookies: Iterable[str] = (),
    *,
    code: str = "",
    headers: Mapping[str, str] | None = None,
) -> Outcome:
    """Return a 200 response with a JSON document."""
    fields = {**(headers or {}), "Content-Type": "application/json"}
    body = json.dumps(document)
    return generate_response(
        request, 200, reason, code=code, headers=fields, set_cookies=set_cookies, body=body
    )


def error_response(
    request: ViewerRequest | None,
    error: EdgeAuthError,
    *,
    site: "Site | None" = None,
    set_cookies: Iterable[str] = (),
    return_to: str = "",
) -> Outcome:
    """Return the response to an error: HTML for a navigation, otherwise problem details.

    The page's sign-in link leads to `return_to`, a URL of this site.
    """
    headers = _error_headers(error)
    if request is not None and request.wants_html:
        from edge_auth import error_pages  # only navigations need it
        from edge_auth.settings import UNNAMED

        site = site or UNNAMED
        body = error_pages.render(error, site=site, request_id=request.id, return_to=return_to)
        headers |= {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": error_pages.content_security_policy(site),
        }
    else:
        body = _problem_details(request, error)
        headers["Content-Type"] = "application/problem+json"
    return generate_response(
        request,
        error.status,
        error.reason,
        code=error.code,
        headers=headers,
        set_cookies=set_cookies,
        body=body,
    )


def _error_headers(error: EdgeAuthError) -> dict[str, str]:
    """Return the headers that an error's status requires.

    RFC 9110, section 11.6.1: a 401 response contains a challenge. RFC 6750, section 3: the
    challenge has an `error` only if the request contained a token.
    """
    if isinstance(error, MethodError):
        return {"Allow": ", ".join(error.allowed)}
    if error.status == 503:
        return {"Retry-After": _RETRY_AFTER_S}
    if error.status != 401:
        return {}
    detail = ', error="invalid_token"' if isinstance(error, TokenError) else ""
    return {"WWW-Authenticate": f'Bearer realm="meridian"{detail}'}


def _problem_details(request: ViewerRequest | None, error: EdgeAuthError) -> str:
    """Return problem details as JSON (RFC 9457)."""
    return json.dumps(
        {
            "type": "about:blank",
            "title": _STATUS_DESCRIPTIONS[error.status],
            "status": error.status,
            "reason": error.reason,
            "code": error.code,
            "request_id": request.id if request else "",
        }
    )
