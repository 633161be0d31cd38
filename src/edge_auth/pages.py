"""Error pages for people: one self-contained HTML document, nothing loaded from anywhere."""

from binascii import b2a_base64
from html import escape

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

_STYLE = (
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
_STYLE_HASH = b2a_base64(sha256(_STYLE.encode()).digest(), newline=False).decode()
CSP = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)

_SIGN_IN = '<a href="/auth/sign-in">Sign in</a>'
# A link and no form: Chromium holds a form's redirect to the CSP, and this one goes to Cognito.
_SIGN_OUT = '<a href="/auth/sign-out">Sign out</a>'
_HOME = '<a href="/">Home page</a>'

# reason -> heading, sentence, ways on
_TEXTS = {
    ANONYMOUS: ("Please sign in", "This page is for signed-in members.", _SIGN_IN + _HOME),
    EXPIRED: ("Your session has ended", "Please sign in again to go on.", _SIGN_IN + _HOME),
    INVALID: (
        "That sign-in did not work",
        "It may have taken too long, or it was used already. Nothing is lost: start again.",
        _SIGN_IN + _HOME,
    ),
    NOT_ENTITLED: (
        "Not part of your membership",
        "You are signed in, but this page needs another membership. Just bought it? Then renew.",
        '<a href="/auth/refresh">Renew my session</a>' + _HOME,
    ),
    BAD_REQUEST: ("That address does not work", "Please check it, or start over.", _HOME),
}
_UNAVAILABLE = (
    "Please try again in a moment",
    "We could not check your sign-in just now, so we kept the door closed.",
    _HOME,
)
_LOOP = (
    "Your browser does not keep the sign-in",
    "You signed in, but it did not stay. Please allow cookies for this site, then try again.",
    _SIGN_IN + _SIGN_OUT,
)
_CROSS_SITE = (
    "Sign out?",
    "Another site sent you here. Nothing has happened yet.",
    _SIGN_OUT + _HOME,
)


def _text(error: EdgeAuthError) -> tuple[str, str, str]:
    if isinstance(error, SignInLoopError):
        return _LOOP
    if isinstance(error, CrossSiteError):
        return _CROSS_SITE
    return _TEXTS.get(error.reason, _UNAVAILABLE)


def error(error: EdgeAuthError, *, site_name: str, request_id: str) -> str:
    """The page for one refusal: what happened, what to do, and what to tell the support."""
    heading, sentence, ways_on = _text(error)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex">'
        f"<title>{escape(heading)} - {escape(site_name or 'Sign-in')}</title>"
        f"<style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(heading)}</h1><p>{escape(sentence)}</p><p>{ways_on}</p>"
        f"<small>Code: {escape(error.reason)} ({escape(error.code)})<br>"
        f"Request: {escape(request_id[:200])}</small></main></body></html>"
    )
