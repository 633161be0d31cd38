"""Sign out: delete the session cookies, revoke the refresh token, end Cognito's session."""

from typing import Final

from edge_auth import cookies, session
from edge_auth.context import AuthContext
from edge_auth.errors import CrossSiteError, UpstreamError
from edge_auth.responses import Outcome, json_response, redirect
from edge_auth.viewer_request import ViewerRequest

SIGNED_OUT: Final = "signed_out"


def sign_out(context: AuthContext, request: ViewerRequest) -> Outcome:
    """Return a redirect to Cognito's logout endpoint, or its URL as JSON for a script.

    The session cookies are deleted even if the tokens are invalid or Cognito doesn't respond.

    Raises:
        CrossSiteError: Another site's page sent the request (W3C Fetch Metadata, section 2.4).
        HostError: The Host header isn't an origin of this site.
    """
    if request.header("sec-fetch-site") == "cross-site":
        raise CrossSiteError
    signed_out_url = f"{context.site_origin(request)}{context.settings.signed_out_path}"
    location = context.cognito.logout_url(signed_out_url)
    set_cookies = cookies.delete_all(request.cookies)
    code = _revoke(context, session.read_refresh_token(request))
    if request.wants_html:
        return redirect(request, location, SIGNED_OUT, code=code, set_cookies=set_cookies)
    document = {"signed_in": False, "sign_out_at": location}
    outcome = json_response(request, document, SIGNED_OUT, set_cookies)
    outcome.code = code
    return outcome


def _revoke(context: AuthContext, refresh_token: str) -> str:
    """Revoke the token. Return the failure's code for the log, or an empty string."""
    if not refresh_token:
        return ""
    try:
        context.cognito.revoke_token(refresh_token)
    except UpstreamError as error:
        return f"revoke_{error.code}"
    return ""
