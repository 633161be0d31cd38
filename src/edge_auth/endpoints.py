"""The endpoints below /auth/: sign-in, callback, refresh, session and sign-out.

Browsers, mail scanners and link previews send GET requests on their own. Refresh and sign-out
therefore change state only by POST; a GET request shows a page with a button. A prefetch changes
nothing.

Lambda@Edge generates every response here; CloudFront never sends these paths to an origin.
"""

from collections.abc import Callable
from typing import Final

from edge_auth import session, sign_in, token_refresh
from edge_auth.context import AuthContext
from edge_auth.errors import (
    ANONYMOUS,
    EXPIRED,
    PASSED,
    AnonymousError,
    CrossSiteError,
    EndpointError,
    MethodError,
    SpeculativeError,
    TokenError,
)
from edge_auth.paths import is_local_url, quote
from edge_auth.responses import Outcome, generate_response, json_response
from edge_auth.sign_out import sign_out
from edge_auth.viewer_request import ViewerRequest

type Endpoint = Callable[[AuthContext, ViewerRequest], Outcome]

CONFIRM: Final = "confirm"
_SESSION_PATH: Final = "/auth/session"
_REFRESH_PATH: Final = "/auth/refresh"
_SIGN_OUT_PATH: Final = "/auth/sign-out"


def dispatch(context: AuthContext, request: ViewerRequest, path: str) -> Outcome:
    """Return the outcome of the endpoint at `path`.

    Raises:
        EndpointError: The path isn't an endpoint.
        MethodError: The endpoint doesn't support the request's method.
        SpeculativeError: The request is a prefetch, and the endpoint changes state.
        EdgeAuthError: The endpoint failed.
    """
    if path not in _ENDPOINTS:
        raise EndpointError
    endpoint, methods = _ENDPOINTS[path]
    if request.method not in methods:
        raise MethodError(methods)
    if request.is_speculative and path != _SESSION_PATH:
        raise SpeculativeError
    return endpoint(context, request)


def _return_to(request: ViewerRequest) -> str:
    """Return the query parameter `return_to` if it is a URL of this site, otherwise "/"."""
    values = sign_in.query_values(request, "return_to")
    return values[0] if len(values) == 1 and is_local_url(values[0]) else "/"


def _sign_in(context: AuthContext, request: ViewerRequest) -> Outcome:
    """Start a sign-in; the query parameter `identity_provider` skips the choice of a provider."""
    provider = "".join(sign_in.query_values(request, "identity_provider"))
    is_known = provider in context.settings.identity_providers
    hint = {"identity_provider": provider} if is_known else {}
    return sign_in.start(context, request, _return_to(request), ANONYMOUS, hint=hint)


def _add_passkey(context: AuthContext, request: ViewerRequest) -> Outcome:
    """Lead to Cognito's page that registers a passkey. Its sign-in replaces the session."""
    return sign_in.start(context, request, _return_to(request), ANONYMOUS, page=sign_in.ADD_PASSKEY)


def _refresh(context: AuthContext, request: ViewerRequest) -> Outcome:
    return_to = _return_to(request)
    if request.method == "GET":
        return _confirm(context, request, _REFRESH_PATH, f"return_to={quote(return_to)}")
    _require_own_page(context, request)
    return token_refresh.refresh_now(context, request, return_to)


def _sign_out(context: AuthContext, request: ViewerRequest) -> Outcome:
    if request.method == "GET":
        return _confirm(context, request, _SIGN_OUT_PATH)
    _require_own_page(context, request)
    return sign_out(context, request)


def _confirm(context: AuthContext, request: ViewerRequest, path: str, query: str = "") -> Outcome:
    """Return a page with a button that sends the POST request.

    Raises:
        MethodError: A script, which has no visitor to ask, sent the GET request.
    """
    if not request.wants_html:
        raise MethodError(("POST",))
    from edge_auth import error_pages  # only navigations need it

    settings = context.settings
    return generate_response(
        request,
        200,
        CONFIRM,
        headers=error_pages.confirmation_headers(settings.site, settings.hosted_ui),
        body=error_pages.render_confirmation(path, query, site=settings.site),
    )


def _require_own_page(context: AuthContext, request: ViewerRequest) -> None:
    """Require that a page of this origin sent the request, or no page at all.

    W3C Fetch Metadata, section 2.4: a page can't set Sec-Fetch-Site. Browsers without it send
    Origin with every POST request (Fetch, "Origin" header). A client without both isn't a browser.

    Raises:
        CrossSiteError: A page of another origin sent the request.
        HostError: The Host header isn't an origin of this site.
    """
    site = request.header("sec-fetch-site")
    if site:
        is_own = site in ("same-origin", "none")
    else:
        origin = request.header("origin").lower()
        is_own = not origin or origin == context.site_origin(request)
    if not is_own:
        raise CrossSiteError


def _session(context: AuthContext, request: ViewerRequest) -> Outcome:
    """Return the session's state as JSON.

    Raises:
        KeysUnavailableError: The token's key is unknown and the issuer can't be reached.
    """
    try:
        claims = context.authenticate(request)
    except (AnonymousError, TokenError) as error:
        state = {"signed_in": False, "groups": [], "expires_in": 0, "reason": error.reason}
        renewable = error.reason == EXPIRED and bool(session.read_refresh_token(request))
        return json_response(request, state | {"renewable": renewable}, error.reason)
    return json_response(request, session.describe(claims, context.clock()), PASSED)


_ENDPOINTS: Final[dict[str, tuple[Endpoint, tuple[str, ...]]]] = {
    "/auth/sign-in": (_sign_in, ("GET",)),
    sign_in.CALLBACK_PATH: (sign_in.handle_callback, ("GET",)),
    "/auth/passkey": (_add_passkey, ("GET",)),
    _REFRESH_PATH: (_refresh, ("GET", "POST")),
    _SESSION_PATH: (_session, ("GET", "HEAD")),
    _SIGN_OUT_PATH: (_sign_out, ("GET", "POST")),
}
