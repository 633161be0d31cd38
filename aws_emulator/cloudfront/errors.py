"""Errors that CloudFront turns into an error response, each with its HTTP status.

EdgeError                       any error response that CloudFront generates
├── RequestRejectedError        the viewer's request breaks a CloudFront rule
│   ├── SignedRequestError      403, no valid signed URL or signed cookies
│   └── WebAclBlockError        a rule of AWS WAF blocks the request
├── FunctionError               a Lambda@Edge invocation or its result failed
│   ├── FunctionResultError     502, LambdaValidationError
│   ├── FunctionExecutionError  503, LambdaExecutionError
│   └── FunctionLimitError      503, LambdaLimitExceeded
└── OriginError                 the origin is unreachable (502) or too slow (504)
"""

from typing import NamedTuple


class EdgeError(Exception):
    """Raised when CloudFront itself generates the error response.

    `status` is the HTTP status. `code` names the rule and stays stable. `result` is the result type
    in `X-Cache` and in the access log.
    """

    code = "Error"
    result = "Error"
    status = 502

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status
        if code is not None:
            self.code = code


class RequestRejectedError(EdgeError):
    """Raised when the viewer's request breaks a CloudFront rule (400 unless given a status)."""

    code = "RequestRefused"
    status = 400


class SignedRequestError(RequestRejectedError):
    """Raised when no valid signed URL or signed cookies open a restricted file.

    CloudFront responds with an XML document, which contains `code` and the message.
    """

    code = "AccessDenied"
    status = 403


class CustomResponse(NamedTuple):
    """The custom response of a rule. Without a body, `media_type` has no meaning."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str = "text/plain"
    body: bytes = b""


class WebAclBlockError(RequestRejectedError):
    """Raised when a web ACL blocks a request: 403 with CloudFront's page, or a custom response."""

    code = "WebAclBlock"
    status = 403

    def __init__(self, rule: str, custom: CustomResponse | None) -> None:
        super().__init__(f"Request blocked by {rule}.", status=custom.status if custom else None)
        self.custom = custom


class FunctionError(EdgeError):
    """Raised when a function associated with the cache behavior fails."""


class FunctionResultError(FunctionError):
    """Raised when a function's result breaks a rule; `code` names the rule."""

    code = "LambdaValidationError"
    result = "LambdaValidationError"
    status = 502


class FunctionExecutionError(FunctionError):
    """Raised when a function fails, or CloudFront would reject its association."""

    code = "LambdaExecutionError"
    result = "LambdaExecutionError"
    status = 503


class FunctionLimitError(FunctionError):
    """Raised when Lambda throttles a function, or it exceeds the timeout of its event type."""

    code = "LambdaLimitExceeded"
    result = "LambdaLimitExceeded"
    status = 503


class OriginError(EdgeError):
    """Raised when an origin is unreachable (502) or does not respond in time (504)."""

    code = "OriginFailed"
    status = 502
