"""The session that a browser keeps: one token to show, one to renew it with."""

from edge_auth import cookies
from edge_auth.claims import Claims
from edge_auth.cognito import TOKEN_TEXT, Tokens
from edge_auth.digest import sha256
from edge_auth.encoding import encode
from edge_auth.errors import SessionTooLargeError
from edge_auth.request import Request

# CloudFront takes 20,480 bytes of headers ("Quotas"). A hundred sign-ins under way take 9 KB of
# them: the session may have this much, or the browser would lock itself out.
MAXIMUM_SESSION = 9_216
# Seconds for which the browser remembers that it has just renewed, or just signed in.
MARKER_SECONDS = 60


def kept(request: Request, token: str, refresh_token: str, seconds: int) -> list[str]:
    """The Set-Cookie values of a new session. Raises SessionTooLargeError."""
    if len(token) + len(refresh_token) > MAXIMUM_SESSION:
        raise SessionTooLargeError
    lines = cookies.setting(cookies.TOKEN, token, seconds, request.cookies)
    if refresh_token:
        lines += cookies.setting(cookies.REFRESH, refresh_token, seconds, request.cookies)
    return lines


def renewed_token(request: Request, tokens: Tokens, token_use: str) -> tuple[str, str]:
    """The token to show and the refresh token to keep: the new one where Cognito rotates them."""
    return tokens.of(token_use), tokens.refresh or refresh_token(request)


def refresh_token(request: Request) -> str:
    """The refresh token that the browser sent; empty without one that has the form of one."""
    text = cookies.value(request.cookies, cookies.REFRESH)
    return text if TOKEN_TEXT.fullmatch(text) else ""


def fingerprint(token: str) -> str:
    """A name for a refresh token that gives nothing of it away."""
    return encode(sha256(token.encode()).digest()[:12])


def was_tried(request: Request) -> bool:
    """True when this very refresh token was used a minute ago or less: again would be a loop."""
    marker = request.cookies.get(cookies.REFRESHED)
    return marker is not None and marker == fingerprint(refresh_token(request))


def tried(request: Request) -> list[str]:
    """The Set-Cookie value that remembers which refresh token was used."""
    mark = fingerprint(refresh_token(request))
    return cookies.setting(cookies.REFRESHED, mark, MARKER_SECONDS)


def sign_ins(request: Request) -> int:
    """How many sign-ins this browser completed within the last minute."""
    text = request.cookies.get(cookies.SIGN_INS, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def signed_in_again(request: Request) -> list[str]:
    """The Set-Cookie value that counts one more."""
    count = min(sign_ins(request) + 1, 999)
    return cookies.setting(cookies.SIGN_INS, str(count), MARKER_SECONDS)


def document(claims: Claims, now: float) -> dict[str, object]:
    """What a page of ours may know about its session: no token, no personal data."""
    groups, expires = claims.get("cognito:groups"), claims.get("exp")
    return {
        "signed_in": True,
        "groups": [name for name in groups if isinstance(name, str)]
        if isinstance(groups, list)
        else [],
        "expires_in": max(0, int(expires - now)) if isinstance(expires, (int, float)) else 0,
    }
