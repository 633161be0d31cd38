"""Sign out: delete cookies and stored pages, revoke the refresh token, end Cognito's session."""

from typing import Final

from edge_auth import cookies, session
from edge_auth.context import AuthContext
from edge_auth.errors import UpstreamError
from edge_auth.responses import Outcome, json_response, redirect
from edge_auth.viewer_request import ViewerRequest

SIGNED_OUT: Final = "signed_out"
# W3C Clear Site Data, section 3.1: the HTTP cache and, in Chromium, the back/forward cache; the
# other two are Chromium's prefetched and prerendered pages. Not "cookies", which would delete those
# of the whole registered domain, and not "storage", which belongs to other software.
CLEAR_SITE_DATA: Final = {"Clear-Site-Data": '"cache", "prefetchCache", "prerenderCache"'}


def sign_out(context: AuthContext, request: ViewerRequest) -> Outcome:
    """Return a redirect to Cognito's logout endpoint, or its URL as JSON for a script.

    The session cookies are deleted even if the tokens are invalid or Cognito doesn't respond.

    Raises:
        HostError: The Host header isn't an origin of this site.
    """
    signed_out_url = f"{context.site_origin(request)}{context.settings.signed_out_path}"
    location = context.cognito.logout_url(signed_out_url)
    set_cookies = cookies.delete_all(request.cookies) + cookies.delete_media()
    code = _revoke(context, session.read_refresh_token(request))
    if request.wants_html:
        return redirect(
            request,
            location,
            SIGNED_OUT,
            code=code,
            set_cookies=set_cookies,
            headers=CLEAR_SITE_DATA,
        )
    document = {"signed_in": False, "sign_out_at": location}
    return json_response(
        request, document, SIGNED_OUT, set_cookies, code=code, headers=CLEAR_SITE_DATA
    )


def _revoke(context: AuthContext, refresh_token: str) -> str:
    """Revoke the token. Return the failure's code for the log, or an empty string."""
    if not refresh_token:
        return ""
    try:
        context.cognito.revoke_token(refresh_token)
    except UpstreamError as error:
        return f"revoke_{error.code}"
    return ""
