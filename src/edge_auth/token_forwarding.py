"""Read the session's access token for an origin that authorizes requests itself.

The portal's API is such an origin: its authorizer reads `Authorization` and ignores cookies.
"""

import re
from typing import Final

from edge_auth import cookies
from edge_auth.jws import MAX_TOKEN_BYTES
from edge_auth.viewer_request import ViewerRequest

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}")  # RFC 7515, section 3.1


def session_token(request: ViewerRequest) -> str:
    """Return the session cookie's token, or an empty string if it must not be forwarded.

    Only the token's form is checked here; the origin verifies it.

    A browser sends its cookies with requests from other sites' pages too. SameSite=Lax doesn't
    cover other hosts of the same registered domain, or a GET request from a link. The cookie
    therefore counts only if the browser reports a page of this origin: scripts can't set a header
    whose name begins with Sec- (Fetch, "forbidden request-header"). A browser that doesn't send the
    header gets no token forwarded.

    A client that sends an Authorization header is authorized by that header alone.
    """
    if (
        request.header_values("sec-fetch-site") != ["same-origin"]
        or "authorization" in request.headers
    ):
        return ""
    token = cookies.read_chunked(request.cookies, cookies.TOKEN_COOKIE)
    return token if len(token) <= MAX_TOKEN_BYTES and _COMPACT.fullmatch(token) else ""
