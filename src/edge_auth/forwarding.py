"""The session's token, for an origin that judges it: the school's API, whose authorizer reads
`Authorization` and no cookie."""

import re

from edge_auth import cookies
from edge_auth.jws import MAXIMUM_TOKEN
from edge_auth.request import Request

_COMPACT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}")  # RFC 7515, section 3.1


def token(request: Request) -> str:
    """What the origin is shown, or an empty text. Nothing of it is checked here but its form.

    A browser brings its cookies whoever wrote the page that asks, and SameSite=Lax neither covers
    another host of our own registered domain nor a GET that a link makes. So the session counts
    for a page of ours only, and nothing but the browser itself can say that it was one: no script
    can set a header whose name begins with Sec- (Fetch, "forbidden request-header"). A browser
    that says nothing brings nobody along.

    Who sends an Authorization header of their own is a program, and is judged by that header.
    """
    if request.lines("sec-fetch-site") != ["same-origin"] or "authorization" in request.headers:
        return ""
    text = cookies.value(request.cookies, cookies.TOKEN)
    return text if len(text) <= MAXIMUM_TOKEN and _COMPACT.fullmatch(text) else ""
