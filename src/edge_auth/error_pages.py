"""Error pages for browsers: one self-contained HTML document that loads no other resource."""

from binascii import b2a_base64
from html import escape
from typing import Final

from edge_auth.digest import sha256
from edge_auth.errors import (
    ANONYMOUS,
    BAD_REQUEST,
    EXPIRED,
    INVALID,
    NOT_ENTITLED,
    CrossSiteError,
    EdgeAuthError,
    SignInLoopError,
)

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:1.0625rem/1.6 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;"
    "place-items:center;background:Canvas;color:CanvasText}"
    "main{max-width:34rem;padding:1.5rem}"
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}"
    "a{font:inherit;display:inline-block;margin:.5rem .75rem .5rem 0;padding:.5rem 1rem;"
    "border:2px solid;border-radius:.5rem;color:LinkText;"
    "text-decoration:none}"
    "a:focus-visible{outline:3px solid Highlight;outline-offset:2px}"
    "small{display:block;margin-top:1.5rem;overflow-wrap:anywhere}"
)
_STYLE_HASH: Final = b2a_base64(sha256(_STYLE.encode()).digest(), newline=False).decode()
CSP: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)

_SIGN_IN_LINK: Final = '<a href="/auth/sign-in">Sign in</a>'
# A link, not a form: Chromium applies form-action to redirects, and this one goes to Cognito.
_SIGN_OUT_LINK: Final = '<a href="/auth/sign-out">Sign out</a>'
_HOME_LINK: Final = '<a href="/">Home page</a>'

# reason -> heading, sentence, links
_TEXTS: Final = {
    ANONYMOUS: (
        "You need to sign in",
        "This page requires an account. Sign in to see it.",
        _SIGN_IN_LINK + _HOME_LINK,
    ),
    EXPIRED: (
        "Your session has expired",
        "Sign in again to continue.",
        _SIGN_IN_LINK + _HOME_LINK,
    ),
    INVALID: (
        "We couldn't sign you in",
        "The sign-in took too long or was already used. Please sign in again.",
        _SIGN_IN_LINK + _HOME_LINK,
    ),
    NOT_ENTITLED: (
        "This page requires a paid account",
        "You're signed in, but your account doesn't include this page. Just paid? Refresh access.",
        '<a href="/auth/refresh">Refresh access</a>' + _HOME_LINK,
    ),
    BAD_REQUEST: (
        "This address isn't valid",
        "Check the address, or start again from the home page.",
        _HOME_LINK,
    ),
}
_UNAVAILABLE: Final = (
    "Please try again in a moment",
    "We couldn't check your sign-in. Please reload this page in a moment.",
    _HOME_LINK,
)
_SIGN_IN_LOOP: Final = (
    "Your browser isn't keeping you signed in",
    "Allow cookies for this site, then sign in again.",
    _SIGN_IN_LINK + _SIGN_OUT_LINK,
)
_CROSS_SITE: Final = (
    "Do you want to sign out?",
    "Another site sent you here. You haven't been signed out.",
    _SIGN_OUT_LINK + _HOME_LINK,
)


def _text(error: EdgeAuthError) -> tuple[str, str, str]:
    if isinstance(error, SignInLoopError):
        return _SIGN_IN_LOOP
    if isinstance(error, CrossSiteError):
        return _CROSS_SITE
    return _TEXTS.get(error.reason, _UNAVAILABLE)


def render(error: EdgeAuthError, *, site_name: str, request_id: str) -> str:
    """Return the HTML page of an error: heading, explanation, links, and a code for support."""
    heading, sentence, links = _text(error)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex">'
        f"<title>{escape(heading)} - {escape(site_name or 'Sign-in')}</title>"
        f"<style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(heading)}</h1><p>{escape(sentence)}</p><p>{links}</p>"
        f"<small>Code: {escape(error.reason)} ({escape(error.code)})<br>"
        f"Request: {escape(request_id[:200])}</small></main></body></html>"
    )
