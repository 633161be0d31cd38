"""Sign in with Cognito's managed login: OAuth 2.0 authorization code flow with PKCE."""

from typing import Final
from urllib.parse import parse_qs

from edge_auth import cookies, session, sign_in_state
from edge_auth.claims import Claims
from edge_auth.cognito import TokenResponse
from edge_auth.context import AuthContext
from edge_auth.digest import compare_digest, sha256
from edge_auth.encoding import base64url_encode
from edge_auth.errors import (
    AccessError,
    AnonymousError,
    EdgeAuthError,
    FetchError,
    GrantError,
    SignInDeniedError,
    SignInError,
    SignInExpiredError,
    SignInLoopError,
    StateError,
    TokenError,
    UpstreamError,
)
from edge_auth.responses import Outcome, error_response, redirect
from edge_auth.sign_in_state import SignInState
from edge_auth.viewer_request import ViewerRequest

CALLBACK_PATH: Final = "/auth/callback"
# AWS, "User-interactive managed login and classic hosted UI endpoints": both pages have the same
# parameters. The second one registers a passkey after a sign-in.
AUTHORIZE: Final = "/oauth2/authorize"
ADD_PASSKEY: Final = "/passkeys/add"
SIGNED_IN: Final = "signed_in"
# Sign-ins that one browser can have pending, for example in several tabs. Each takes 90 bytes of
# the Cookie header, and CloudFront allows 20,480 bytes of headers ("Quotas").
MAX_PENDING_SIGN_INS: Final = 100
# More completed sign-ins in a minute without a session mean that the browser drops its cookies.
MAX_SIGN_INS_PER_MINUTE: Final = 3
MAX_CODE_CHARS: Final = 2_048


def start(
    context: AuthContext,
    request: ViewerRequest,
    return_to: str,
    reason: str,
    code: str = "",
    *,
    hint: dict[str, str] | None = None,
    page: str = AUTHORIZE,
) -> Outcome:
    """Return a redirect to Cognito; the callback redirects to `return_to`.

    `hint` are further parameters, such as the identity provider. `page` is the path of one of
    Cognito's pages.

    Raises:
        HostError: The Host header isn't an origin of this site.
    """
    origin = context.site_origin(request)
    now = context.clock()
    pending = SignInState(context.random(sign_in_state.SECRET_BYTES))
    location = context.cognito.authorize_url(
        page,
        redirect_uri=f"{origin}{CALLBACK_PATH}",
        state=pending.seal(return_to, now),
        nonce=pending.nonce,
        code_challenge=pending.code_challenge,
        code_challenge_method="S256",
        **(hint or {}),
    )
    name = f"{cookies.SIGN_IN_COOKIE_PREFIX}{pending.id}"
    new_cookies = cookies.set_cookie(
        name, pending.cookie_value(now), sign_in_state.COOKIE_LIFETIME_S
    )
    new_cookies += cookies.delete_cookies(_oldest_pending(request))
    return redirect(request, location, reason, code=code, set_cookies=new_cookies)


def start_automatically(
    context: AuthContext,
    request: ViewerRequest,
    return_to: str,
    error: EdgeAuthError,
) -> Outcome:
    """Start a sign-in because a page requires it, not because the visitor chose to.

    Raises:
        SignInLoopError: The browser has just signed in several times and keeps no session.
        HostError: The Host header isn't an origin of this site.
    """
    if session.count_sign_ins(request) >= MAX_SIGN_INS_PER_MINUTE:
        raise SignInLoopError
    return start(context, request, return_to, error.reason, error.code)


def _oldest_pending(request: ViewerRequest) -> list[str]:
    """Return the cookie names of the oldest sign-ins above MAX_PENDING_SIGN_INS - 1."""
    names = [name for name in request.cookies if name.startswith(cookies.SIGN_IN_COOKIE_PREFIX)]
    excess = min(len(names) - (MAX_PENDING_SIGN_INS - 1), cookies.MAX_DELETED_COOKIES)
    if excess <= 0:
        return []
    names.sort(key=lambda name: sign_in_state.started_at(request.cookies[name]))
    return [name for name in names[:excess] if cookies.is_own(name)]


def handle_callback(context: AuthContext, request: ViewerRequest) -> Outcome:
    """Exchange the code, verify the tokens, set the session cookies, redirect to the page.

    A completed or expired sign-in of a browser with a valid session only redirects.

    Raises:
        StateError: This browser didn't start the sign-in.
        UpstreamError: Cognito doesn't respond. The visitor can reload the page.
        HostError: The Host header isn't an origin of this site.
    """
    parameters = _query_parameters(request.query)
    if "code" in parameters and "state" not in parameters:
        # An identity provider started this sign-in (SAML): this browser didn't ask for the code, so
        # it isn't exchanged. Cognito's session answers the new request without another page.
        return start_automatically(context, request, "/", AnonymousError(code="idp_initiated"))
    state = parameters.get("state", "")
    name = f"{cookies.SIGN_IN_COOKIE_PREFIX}{sign_in_state.read_id(state)}"
    cookie_value = request.cookies.get(name)
    if cookie_value is None:
        # Login CSRF or a replayed callback: the code isn't exchanged.
        raise StateError
    pending = sign_in_state.from_cookie(cookie_value)
    _, return_to = pending.unseal(state)
    completed = cookies.set_cookie(
        name, pending.completed_cookie_value(), sign_in_state.COMPLETED_LIFETIME_S
    )
    location = f"{context.site_origin(request)}{return_to}"
    try:
        if sign_in_state.is_completed(cookie_value):
            raise StateError
        pending.open(state, context.clock())
        set_cookies = _complete(context, request, parameters, pending)
    except UpstreamError:
        # The pending sign-in is kept: Cognito may not have used the code.
        raise
    except EdgeAuthError as error:
        # AWS doesn't say whether the page of passkeys returns with a code.
        is_past = isinstance(error, (StateError, SignInExpiredError)) or not (
            {"code", "error"} & parameters.keys()
        )
        if is_past and _has_session(context, request):
            return redirect(request, location, SIGNED_IN, code=error.code)
        return error_response(
            request,
            error,
            site=context.settings.site,
            set_cookies=completed,
            return_to=return_to,
        )
    return redirect(request, location, SIGNED_IN, set_cookies=set_cookies + completed)


def _complete(
    context: AuthContext, request: ViewerRequest, parameters: dict[str, str], pending: SignInState
) -> list[str]:
    """Return the Set-Cookie values of the new session."""
    tokens = _exchange_code(context, request, parameters, pending)
    token = _verify_tokens(context, tokens, pending)
    set_cookies = session.session_cookies(
        request, token, tokens.refresh, context.settings.session_seconds
    )
    set_cookies += session.sign_in_count_cookie(request)
    return set_cookies + cookies.delete_cookies([cookies.REFRESH_ATTEMPT_COOKIE])


def _has_session(context: AuthContext, request: ViewerRequest) -> bool:
    try:
        context.authenticate(request)
    except AccessError:
        return False
    return True


def query_values(request: ViewerRequest, name: str) -> list[str]:
    """Return the values of a query parameter; none if the query string is invalid."""
    try:
        return parse_qs(request.query, max_num_fields=20).get(name, [])
    except ValueError:
        return []


def _query_parameters(query: str) -> dict[str, str]:
    """Return the callback's parameters.

    RFC 6749, section 3.1: parameters "MUST NOT be included more than once".

    Raises:
        StateError: A parameter occurs twice, or the query string is invalid.
    """
    try:
        parsed = parse_qs(query, keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError as error:
        raise StateError from error
    if any(len(values) > 1 for values in parsed.values()):
        raise StateError
    return {name: values[0] for name, values in parsed.items()}


def _exchange_code(
    context: AuthContext,
    request: ViewerRequest,
    parameters: dict[str, str],
    pending: SignInState,
) -> TokenResponse:
    code = parameters.get("code", "")
    if "error" in parameters or not 0 < len(code) <= MAX_CODE_CHARS:
        raise SignInDeniedError
    redirect_uri = f"{context.site_origin(request)}{CALLBACK_PATH}"
    try:
        try:
            return context.cognito.exchange_code(code, pending.code_verifier, redirect_uri)
        except FetchError:
            # Once more, within the invocation's time: a failed connection used no code.
            return context.cognito.exchange_code(code, pending.code_verifier, redirect_uri)
    except GrantError as error:
        raise SignInError(code="code_refused") from error


def _verify_tokens(context: AuthContext, tokens: TokenResponse, pending: SignInState) -> str:
    """Return the session token after verifying that both tokens belong to this sign-in and user.

    Raises:
        SignInError: A token is invalid, or the tokens belong to another sign-in or user.
        UpstreamError: A token is missing, or the issuer's keys can't be fetched.
    """
    try:
        identity = context.verifier_for("id").verify(tokens.require("id"))
        token = tokens.require(context.settings.token_use)
        claims = context.verifier.verify(token)
    except TokenError as error:
        raise SignInError(code=error.code) from error
    nonce = identity.get("nonce")
    if not isinstance(nonce, str) or not compare_digest(nonce.encode(), pending.nonce.encode()):
        raise SignInError(code="nonce_mismatch")
    if claims.get("sub") != identity.get("sub") or not _at_hash_matches(identity, tokens.access):
        raise SignInError(code="tokens_differ")
    return token


def _at_hash_matches(identity: Claims, access_token: str) -> bool:
    """Verify `at_hash` of the ID token (OpenID Connect Core, section 3.1.3.6)."""
    at_hash = identity.get("at_hash")
    return at_hash is None or at_hash == base64url_encode(
        sha256(access_token.encode()).digest()[:16]
    )
