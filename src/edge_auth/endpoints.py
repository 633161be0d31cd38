"""The endpoints below /auth/: sign-in, callback, refresh, session and sign-out.

Lambda@Edge generates every response here; CloudFront never sends these paths to an origin.
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

from edge_auth import session, sign_in, token_refresh
from edge_auth.context import AuthContext
from edge_auth.errors import (
    ANONYMOUS,
    EXPIRED,
    PASSED,
    AnonymousError,
    EndpointError,
    MethodError,
    TokenError,
)
from edge_auth.paths import is_local_url
from edge_auth.responses import Outcome, json_response
from edge_auth.sign_out import sign_out
from edge_auth.viewer_request import ViewerRequest

type Endpoint = Callable[[AuthContext, ViewerRequest], Outcome]


def dispatch(context: AuthContext, request: ViewerRequest, path: str) -> Outcome:
    """Return the outcome of the endpoint at `path`.

    Raises:
        EndpointError: The path isn't an endpoint.
        MethodError: The endpoint doesn't support the request's method.
        EdgeAuthError: The endpoint failed.
    """
    if path not in _ENDPOINTS:
        raise EndpointError
    endpoint, methods = _ENDPOINTS[path]
    if request.method not in methods:
        raise MethodError(methods)
    return endpoint(context, request)


def _return_to(request: ViewerRequest) -> str:
    """Return the query parameter `return_to` if it is a URL of this site, otherwise "/"."""
    try:
        values = parse_qs(request.query, max_num_fields=20).get("return_to", [])
    except ValueError:
        return "/"
    return values[0] if len(values) == 1 and is_local_url(values[0]) else "/"


def _sign_in(context: AuthContext, request: ViewerRequest) -> Outcome:
    return sign_in.start(context, request, _return_to(request), ANONYMOUS)


def _refresh(context: AuthContext, request: ViewerRequest) -> Outcome:
    return token_refresh.refresh_now(context, request, _return_to(request))


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
    "/auth/refresh": (_refresh, ("GET", "POST")),
    "/auth/session": (_session, ("GET", "HEAD")),
    "/auth/sign-out": (sign_out, ("GET", "POST")),
}
