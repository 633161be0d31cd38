"""The errors that edge_auth raises, from general to specific.

The response and the log line contain an error's attributes, so an error never carries a token, a
claim, a cookie or a URL. `reason` is the stable name of the outcome, `code` the exact cause,
`status` the HTTP status of the response.
"""

from typing import Final

ANONYMOUS: Final = "anonymous"
EXPIRED: Final = "expired"
INVALID: Final = "invalid"
NOT_ENTITLED: Final = "not_entitled"
PASSED: Final = "passed"
BAD_REQUEST: Final = "bad_request"
UNAVAILABLE: Final = "unavailable"


class EdgeAuthError(Exception):
    """Base class of this package's errors. `code` overrides the class's code for one instance."""

    reason = UNAVAILABLE
    code = "internal"
    status = 500

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        if code:
            self.code = code


class SettingsError(EdgeAuthError):
    """Raised when settings.json is missing, unreadable or invalid. `key` names the setting."""

    code = "settings_invalid"

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"edge_auth settings: {key} {problem}.")
        self.key = key


class ResponseTooLargeError(EdgeAuthError):
    """Raised when a generated response exceeds CloudFront's quota."""

    code = "response_too_large"


# --- the request


class RequestError(EdgeAuthError):
    """Raised when the request can't be parsed or isn't one that this function handles."""

    reason = BAD_REQUEST
    code = "request_malformed"
    status = 400


class PathError(RequestError):
    """Raised when two servers could decode the path differently."""

    code = "path_ambiguous"


class HostError(RequestError):
    """Raised when a redirect needs the site's origin and the Host header isn't one."""

    code = "host_unknown"


class EndpointError(RequestError):
    """Raised when a path below /auth/ isn't an endpoint."""

    code = "not_found"
    status = 404


class MethodError(RequestError):
    """Raised when an endpoint below /auth/ doesn't support the request's method."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.allowed = allowed


class SpeculativeError(RequestError):
    """Raised when a prefetch or prerender requests an endpoint that changes state.

    The status isn't 503, which would count as a failure of the distribution.
    """

    code = "speculative_request"
    status = 403


class CrossSiteError(RequestError):
    """Raised when a page of another origin sends a form to an endpoint that changes state."""

    code = "cross_site"
    status = 403


# --- authorization


class AccessError(EdgeAuthError):
    """Base class of the errors that deny a valid request."""

    reason = ANONYMOUS
    code = "token_missing"
    status = 401


class AnonymousError(AccessError):
    """Raised when a path requires a signed-in user and the request has no token."""


class NotEntitledError(AccessError):
    """Raised when a valid token doesn't meet the path rule, or when no rule matches the path."""

    reason = NOT_ENTITLED
    code = "requirement_not_met"
    status = 403


# --- the token


class TokenError(AccessError):
    """Raised when the request has an invalid token."""

    reason = INVALID
    code = "token_malformed"


class TokenExpiredError(TokenError):
    """Raised when a token has expired and its signature and other claims are valid."""

    reason = EXPIRED
    code = "token_expired"


class UnknownKeyError(TokenError):
    """Raised when the issuer's current key set doesn't contain the token's `kid`."""

    code = "key_unknown"


class SignatureError(TokenError):
    """Raised when the signature doesn't match the token's key."""

    code = "signature_mismatch"


class RevokedError(TokenError):
    """Raised when a valid token was revoked. Only a new sign-in helps."""

    code = "token_revoked"


class ClaimError(TokenError):
    """Raised when a claim is missing, has the wrong type, or names another issuer or audience."""

    code = "claim_refused"


# --- Cognito


class UpstreamError(EdgeAuthError):
    """Base class of the failures of Cognito's endpoints."""

    status = 503


class FetchError(UpstreamError):
    """Raised when an HTTP request fails or exceeds the time or size limit."""

    code = "fetch_failed"


class SnapshotUnavailableError(UpstreamError):
    """Raised when the deny-list of revoked tokens couldn't be read for ten minutes."""

    code = "snapshot_unavailable"


class KeysUnavailableError(UpstreamError):
    """Raised when the key set can't be fetched to look up an unknown `kid`."""

    code = "keys_unavailable"


class GrantError(UpstreamError):
    """Raised when the token endpoint rejects a used code, or a revoked or expired refresh token."""

    code = "grant_refused"


# --- sign-in


class SignInError(EdgeAuthError):
    """Raised when a sign-in can't be completed. The visitor may start another one."""

    reason = INVALID
    code = "sign_in_failed"
    status = 400


class StateError(SignInError):
    """Raised when this browser didn't start the sign-in or has completed it already."""

    code = "state_refused"


class SignInExpiredError(SignInError):
    """Raised when the callback arrives more than ten minutes after the start."""

    code = "sign_in_expired"


class SignInDeniedError(SignInError):
    """Raised when Cognito's callback contains an error instead of a code."""

    code = "sign_in_denied"
    status = 403


class SessionTooLargeError(SignInError):
    """Raised when the tokens exceed the cookie limits of browsers and CloudFront."""

    code = "session_too_large"


class SignInLoopError(SignInError):
    """Raised when the browser signs in repeatedly without keeping its session cookies."""

    code = "sign_in_loop"
    status = 401
