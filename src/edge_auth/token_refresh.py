"""Refresh a session with its refresh token: by a redirect for a page, with JSON for a script."""

from typing import Final

from edge_auth import session, sign_in
from edge_auth.claims import Claims
from edge_auth.context import AuthContext
from edge_auth.errors import (
    AnonymousError,
    EdgeAuthError,
    GrantError,
    TokenError,
    TokenExpiredError,
)
from edge_auth.responses import Outcome, json_response, redirect
from edge_auth.viewer_request import ViewerRequest

REFRESHED: Final = "refreshed"


def refresh_or_sign_in(
    context: AuthContext, request: ViewerRequest, url: str, return_to: str, error: EdgeAuthError
) -> Outcome:
    """Handle a navigation whose token is missing, expired or invalid.

    If the browser has a refresh token, refresh the session and redirect to the same page, at `url`;
    otherwise start a sign-in. `return_to` is `url` if it fits into the sign-in's state.

    Raises:
        SignInLoopError: The browser has just signed in several times and keeps no session.
        UpstreamError: Cognito doesn't respond.
        HostError: The Host header isn't an origin of this site.
    """
    if not session.read_refresh_token(request):
        return sign_in.start_automatically(context, request, return_to, error)
    if session.was_refresh_attempted(request):
        # The browser returned with a refresh token that it has just used: the token is invalid. The
        # cookies stay until the sign-in replaces them, because another tab may just have stored a
        # new session.
        return sign_in.start_automatically(context, request, return_to, error)
    return _refresh_and_repeat(context, request, url, error)


def refresh_or_deny(
    context: AuthContext, request: ViewerRequest, url: str, error: EdgeAuthError
) -> Outcome:
    """Handle a request of a page for an image, a media segment or data, as refresh_or_sign_in.

    Without a usable refresh token, `error` is raised: a sign-in needs a page. Several requests of a
    page refresh at the same time. If the token was rotated by one of them, the others repeat with
    the cookies that the browser has then.

    Raises:
        EdgeAuthError: `error`, because the browser has no refresh token or has just used it.
        UpstreamError: Cognito doesn't respond.
        HostError: The Host header isn't an origin of this site.
    """
    if not session.read_refresh_token(request) or session.was_refresh_attempted(request):
        raise error
    return _refresh_and_repeat(context, request, url, error)


def _refresh_and_repeat(
    context: AuthContext, request: ViewerRequest, url: str, error: EdgeAuthError
) -> Outcome:
    """Return a redirect to the same URL, with the new session if Cognito accepts the token."""
    try:
        _, set_cookies = _refresh(context, request)
    except (GrantError, TokenError):
        # Another tab may have rotated the token. Redirect to the same page, so that the browser
        # sends its current cookies, and don't delete the other tab's session.
        set_cookies, reason = session.refresh_attempt_cookie(request), error.reason
    else:
        reason = REFRESHED
    location = f"{context.site_origin(request)}{url}"
    return redirect(request, location, reason, code=error.code, set_cookies=set_cookies)


def refresh_now(context: AuthContext, request: ViewerRequest, return_to: str) -> Outcome:
    """Handle /auth/refresh: get new tokens now, for example after a user joined a group.

    A navigation is redirected to `return_to`; a script receives the session's state.

    Raises:
        AnonymousError: A script's request has no refresh token.
        TokenExpiredError: Cognito rejects a script's refresh token.
        SignInLoopError: The browser has just signed in several times and keeps no session.
        UpstreamError: Cognito doesn't respond.
        HostError: The Host header isn't an origin of this site.
    """
    is_navigation = request.wants_html
    if not session.read_refresh_token(request):
        if is_navigation:
            return sign_in.start_automatically(context, request, return_to, AnonymousError())
        raise AnonymousError
    try:
        claims, set_cookies = _refresh(context, request)
    except (GrantError, TokenError) as error:
        rejected = TokenExpiredError(code="refresh_refused")
        if is_navigation:
            return sign_in.start_automatically(context, request, return_to, rejected)
        raise rejected from error
    if is_navigation:
        location = f"{context.site_origin(request)}{return_to}"
        return redirect(request, location, REFRESHED, set_cookies=set_cookies)
    state = session.describe(claims, context.clock())
    return json_response(request, state, REFRESHED, set_cookies)


def _refresh(context: AuthContext, request: ViewerRequest) -> tuple[Claims, list[str]]:
    """Return the claims of a new token and the Set-Cookie values that store it."""
    refresh_token = session.read_refresh_token(request)
    tokens = context.cognito.refresh_tokens(refresh_token)
    token = tokens.require(context.settings.token_use)
    # Cognito returns a new refresh token only if the app client rotates them.
    refresh_token = tokens.refresh or refresh_token
    claims = context.verifier.verify(token)
    set_cookies = session.session_cookies(
        request, token, refresh_token, context.settings.session_seconds
    )
    return claims, set_cookies + session.refresh_attempt_cookie(request)
