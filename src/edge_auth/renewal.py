"""Renewing a session: with one redirect for a person, with an answer for a program."""

from edge_auth import cookies, session, sign_in
from edge_auth.claims import Claims
from edge_auth.errors import (
    EXPIRED,
    AnonymousError,
    EdgeAuthError,
    GrantError,
    TokenError,
    TokenExpiredError,
)
from edge_auth.gate import Gate
from edge_auth.request import Request
from edge_auth.responses import Outcome, data, redirect

REFRESHED = "refreshed"


def recover(gate: Gate, request: Request, target: str, error: EdgeAuthError) -> Outcome:
    """What a person gets whose token is missing, expired or broken: the same page again with a new
    token if there is something to renew it with, else the sign-in. Raises UpstreamError."""
    if not session.refresh_token(request):
        return sign_in.start_by_itself(gate, request, target, error)
    if session.was_tried(request):
        # It was used a moment ago and the browser is here again with the same one: it is dead.
        dead = cookies.clearing_session(request.cookies) + cookies.clearing([cookies.REFRESHED])
        return sign_in.start_by_itself(gate, request, target, error, set_cookies=dead)
    try:
        _, lines = _renewed(gate, request)
    except (GrantError, TokenError):
        # Another tab may have rotated the token meanwhile: the same address once more, with
        # whatever cookies the browser has by now. Nothing of that tab's is cleared.
        lines, reason = session.tried(request), error.reason
    else:
        reason = REFRESHED
    return redirect(
        request, f"{gate.origin(request)}{target}", reason, code=error.code, set_cookies=lines
    )


def forced(gate: Gate, request: Request, target: str) -> Outcome:
    """/auth/refresh: new tokens now, so that a group that was just bought is in them.

    A person is brought back to `target`, a program gets the session's state. Raises AnonymousError,
    TokenExpiredError and UpstreamError.
    """
    is_person = request.wants_page and request.method == "GET"
    if not session.refresh_token(request):
        if is_person:
            return sign_in.start_by_itself(gate, request, target, AnonymousError())
        raise AnonymousError
    try:
        claims, lines = _renewed(gate, request)
    except (GrantError, TokenError) as error:
        refused = TokenExpiredError(code="refresh_refused")
        if is_person:
            dead = cookies.clearing_session(request.cookies)
            return sign_in.start_by_itself(gate, request, target, refused, set_cookies=dead)
        raise refused from error
    if is_person:
        location = f"{gate.origin(request)}{target}"
        return redirect(request, location, REFRESHED, set_cookies=lines)
    return data(request, session.document(claims, gate.clock()), REFRESHED, lines)


def state(gate: Gate, request: Request) -> Outcome:
    """/auth/session: whether somebody is signed in. Raises KeysUnavailableError."""
    try:
        claims = gate.claims(request)
    except (AnonymousError, TokenError) as error:
        nobody = {"signed_in": False, "groups": [], "expires_in": 0, "reason": error.reason}
        renewable = error.reason == EXPIRED and bool(session.refresh_token(request))
        return data(request, nobody | {"renewable": renewable}, error.reason)
    return data(request, session.document(claims, gate.clock()), "passed")


def _renewed(gate: Gate, request: Request) -> tuple[Claims, list[str]]:
    """The claims of a new token, and the cookies that keep it."""
    tokens = gate.cognito.refresh(session.refresh_token(request))
    settings = gate.settings
    token, refresh = session.renewed_token(request, tokens, settings.token_use)
    claims = gate.verifier.verify(token)
    lines = session.kept(request, token, refresh, settings.session_seconds)
    return claims, lines + session.tried(request)
