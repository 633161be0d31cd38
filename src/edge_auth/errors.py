"""Everything that edge_auth raises, from general to special, with no logic.

Each error carries what an answer and a log line may say about it, and nothing else: never a
token, a claim, a cookie or an address. `reason` is the stable word for the outcome, `code` the
exact cause, `status` the HTTP status of the answer.
"""

ANONYMOUS = "anonymous"
EXPIRED = "expired"
INVALID = "invalid"
NOT_ENTITLED = "not_entitled"
PASSED = "passed"
BAD_REQUEST = "bad_request"
UNAVAILABLE = "unavailable"


class EdgeAuthError(Exception):
    """Base of every error of this package. `code` may be narrowed for one raise."""

    reason = UNAVAILABLE
    code = "internal"
    status = 500

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        if code:
            self.code = code


class SettingsError(EdgeAuthError):
    """Raised when settings.json is missing, unreadable or wrong. `key` names the setting."""

    code = "settings_invalid"

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"edge_auth settings: {key}: {problem}")
        self.key = key


# --- the request itself


class RequestError(EdgeAuthError):
    """Raised when the request cannot be judged or is not one that this function answers."""

    reason = BAD_REQUEST
    code = "request_malformed"
    status = 400


class PathError(RequestError):
    """Raised for a path that two readers could decode differently."""

    code = "path_ambiguous"


class HostError(RequestError):
    """Raised when a redirect must name this site and the Host is not one of its own."""

    code = "host_unknown"


class EndpointError(RequestError):
    """Raised for a path below /auth/ that is none of ours."""

    code = "not_found"
    status = 404


class MethodError(RequestError):
    """Raised when one of our own paths is asked with a method it does not have."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.allowed = allowed


class CrossSiteError(RequestError):
    """Raised when another site tries to sign the visitor out."""

    code = "cross_site"
    status = 403


# --- the decision


class AccessError(EdgeAuthError):
    """Base of the refusals of a request that was understood."""

    reason = ANONYMOUS
    code = "token_missing"
    status = 401


class AnonymousError(AccessError):
    """Raised when a path wants somebody signed in and no token came."""


class NotEntitledError(AccessError):
    """Raised when a valid token lacks what the rule asks, or when no rule names the path."""

    reason = NOT_ENTITLED
    code = "requirement_not_met"
    status = 403


# --- the token


class TokenError(AccessError):
    """Raised when a token came and is not good."""

    reason = INVALID
    code = "token_malformed"


class TokenExpiredError(TokenError):
    """Raised for a token that was good until `exp`: its signature and other claims hold."""

    reason = EXPIRED
    code = "token_expired"


class UnknownKeyError(TokenError):
    """Raised when the issuer's current keys do not hold the token's `kid`."""

    code = "key_unknown"


class SignatureError(TokenError):
    """Raised when the signature is not the key holder's."""

    code = "signature_mismatch"


class ClaimError(TokenError):
    """Raised when a claim is missing, of the wrong type, or meant for somebody else."""

    code = "claim_refused"


# --- what stands behind us


class UpstreamError(EdgeAuthError):
    """Base of the failures of Cognito's endpoints."""

    status = 503


class FetchError(UpstreamError):
    """Raised when an HTTP exchange did not give a whole, bounded answer in time."""

    code = "fetch_failed"


class KeysUnavailableError(UpstreamError):
    """Raised when an unknown key cannot be looked up because the issuer does not answer."""

    code = "keys_unavailable"


class GrantError(UpstreamError):
    """Raised when the token endpoint says no: a used code, a revoked or expired refresh token."""

    code = "grant_refused"


# --- signing in


class SignInError(EdgeAuthError):
    """Raised when a sign-in cannot be completed; the visitor may start another one."""

    reason = INVALID
    code = "sign_in_failed"
    status = 400


class StateError(SignInError):
    """Raised for a state that this browser did not start, or that was used before."""

    code = "state_refused"


class SignInExpiredError(SignInError):
    """Raised when the visitor took longer than ten minutes."""

    code = "sign_in_expired"


class SignInDeniedError(SignInError):
    """Raised when Cognito came back with an error instead of a code."""

    code = "sign_in_denied"
    status = 403


class SessionTooLargeError(SignInError):
    """Raised when the tokens do not fit into what browsers and CloudFront take as cookies."""

    code = "session_too_large"


class SignInLoopError(SignInError):
    """Raised when the browser signs in again and again and keeps no session."""

    code = "sign_in_loop"
    status = 401
