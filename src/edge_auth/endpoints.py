"""Our own paths below /auth/: nothing of them ever reaches an origin."""

from collections.abc import Callable
from urllib.parse import parse_qs

from edge_auth import renewal, sign_in
from edge_auth.errors import ANONYMOUS, EndpointError, MethodError
from edge_auth.gate import Gate
from edge_auth.paths import is_local
from edge_auth.request import Request
from edge_auth.responses import Outcome
from edge_auth.sign_out import sign_out

type Endpoint = Callable[[Gate, Request], Outcome]


def _return_to(request: Request) -> str:
    """The address that `return_to` names, if it is one of this site; else the root."""
    try:
        values = parse_qs(request.query, max_num_fields=20).get("return_to", [])
    except ValueError:
        return "/"
    return values[0] if len(values) == 1 and is_local(values[0]) else "/"


def _sign_in(gate: Gate, request: Request) -> Outcome:
    return sign_in.start(gate, request, _return_to(request), ANONYMOUS)


def _refresh(gate: Gate, request: Request) -> Outcome:
    return renewal.forced(gate, request, _return_to(request))


_ENDPOINTS: dict[str, tuple[Endpoint, tuple[str, ...]]] = {
    "/auth/sign-in": (_sign_in, ("GET",)),
    sign_in.CALLBACK: (sign_in.callback, ("GET",)),
    "/auth/refresh": (_refresh, ("GET", "POST")),
    "/auth/session": (renewal.state, ("GET", "HEAD")),
    "/auth/sign-out": (sign_out, ("GET", "POST")),
}


def answer(gate: Gate, request: Request, path: str) -> Outcome:
    """The outcome of one of our paths. Raises EndpointError, MethodError and what they raise."""
    if path not in _ENDPOINTS:
        raise EndpointError
    endpoint, methods = _ENDPOINTS[path]
    if request.method not in methods:
        raise MethodError(methods)
    return endpoint(gate, request)
