"""Signing out: here, at Cognito, and for the refresh token wherever it may have got to."""

from edge_auth import cookies, session
from edge_auth.errors import CrossSiteError, UpstreamError
from edge_auth.gate import Gate
from edge_auth.request import Request
from edge_auth.responses import Outcome, data, redirect

SIGNED_OUT = "signed_out"


def sign_out(gate: Gate, request: Request) -> Outcome:
    """Needs no good token, and ends the session here even if Cognito does not answer.

    Raises HostError, and CrossSiteError for another site's page (W3C Fetch Metadata, section 2.4).
    """
    if request.header("sec-fetch-site") == "cross-site":
        raise CrossSiteError
    location = gate.cognito.logout_address(f"{gate.origin(request)}{gate.settings.signed_out_path}")
    lines = cookies.clearing_all(request.cookies)
    code = _revoked(gate, session.refresh_token(request))
    if request.wants_page:
        return redirect(request, location, SIGNED_OUT, code=code, set_cookies=lines)
    answer = data(request, {"signed_in": False, "sign_out_at": location}, SIGNED_OUT, lines)
    answer.code = code
    return answer


def _revoked(gate: Gate, refresh_token: str) -> str:
    """Revokes the token; the code of what went wrong, for the log. The cookie goes in any case."""
    if not refresh_token:
        return ""
    try:
        gate.cognito.revoke(refresh_token)
    except UpstreamError as error:
        return f"revoke_{error.code}"
    return ""
