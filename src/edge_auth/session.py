"""The browser session: token cookies, refresh attempt cookie and sign-in count cookie."""

from typing import Final

from edge_auth import cookies
from edge_auth.claims import Claims
from edge_auth.cognito import TOKEN_PATTERN
from edge_auth.digest import sha256
from edge_auth.encoding import base64url_encode
from edge_auth.errors import SessionTooLargeError
from edge_auth.viewer_request import ViewerRequest

# CloudFront allows 20,480 bytes of request headers ("Quotas"). A hundred pending sign-ins take 9
# KB. A larger session could make every request of the browser fail.
MAX_SESSION_BYTES: Final = 9_216
# Lifetime of the cookies that detect refresh and sign-in loops.
LOOP_DETECTION_S: Final = 60


def session_cookies(
    request: ViewerRequest, token: str, refresh_token: str, max_age_seconds: int
) -> list[str]:
    """Return the Set-Cookie values that store a session. An empty refresh token isn't stored.

    Raises:
        SessionTooLargeError: The tokens have more than MAX_SESSION_BYTES together.
    """
    if len(token) + len(refresh_token) > MAX_SESSION_BYTES:
        raise SessionTooLargeError
    received = request.cookies
    set_cookies = cookies.set_cookie(cookies.TOKEN_COOKIE, token, max_age_seconds, received)
    if refresh_token:
        set_cookies += cookies.set_cookie(
            cookies.REFRESH_TOKEN_COOKIE, refresh_token, max_age_seconds, received
        )
    return set_cookies


def read_refresh_token(request: ViewerRequest) -> str:
    """Return the request's refresh token; empty if it is missing or malformed."""
    token = cookies.read_chunked(request.cookies, cookies.REFRESH_TOKEN_COOKIE)
    return token if TOKEN_PATTERN.fullmatch(token) else ""


def fingerprint(token: str) -> str:
    """Return a short hash that identifies a refresh token without revealing it."""
    return base64url_encode(sha256(token.encode()).digest()[:12])


def was_refresh_attempted(request: ViewerRequest) -> bool:
    """Return True if this refresh token was used in the last minute: retrying would loop."""
    attempted = request.cookies.get(cookies.REFRESH_ATTEMPT_COOKIE)
    return attempted is not None and attempted == fingerprint(read_refresh_token(request))


def refresh_attempt_cookie(request: ViewerRequest) -> list[str]:
    """Return the Set-Cookie value that records which refresh token was used."""
    value = fingerprint(read_refresh_token(request))
    return cookies.set_cookie(cookies.REFRESH_ATTEMPT_COOKIE, value, LOOP_DETECTION_S)


def count_sign_ins(request: ViewerRequest) -> int:
    """Return the number of sign-ins that this browser completed in the last minute."""
    value = request.cookies.get(cookies.SIGN_IN_COUNT_COOKIE, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 4 else 0


def sign_in_count_cookie(request: ViewerRequest) -> list[str]:
    """Return the Set-Cookie value that counts one more completed sign-in."""
    count = min(count_sign_ins(request) + 1, 999)
    return cookies.set_cookie(cookies.SIGN_IN_COUNT_COOKIE, str(count), LOOP_DETECTION_S)


def describe(claims: Claims, now: float) -> dict[str, object]:
    """Return the session's state for scripts of this site, without token and personal data."""
    groups, expires = claims.get("cognito:groups"), claims.get("exp")
    return {
        "signed_in": True,
        "groups": [name for name in groups if isinstance(name, str)]
        if isinstance(groups, list)
        else [],
        "expires_in": max(0, int(expires - now)) if isinstance(expires, (int, float)) else 0,
    }
