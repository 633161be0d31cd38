"""Pages for browsers: errors and confirmations, as HTML documents.

A page loads no other resource than the site's logo, script and font, if the settings name them.
"""

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
from edge_auth.paths import quote
from edge_auth.settings import Site

# The portal's tokens (web/public/style.css); a test compares them.
_STYLE: Final = (
    ":root{color-scheme:light dark;--ground:#fff;--text:#141a33;--quiet:#565f7d;--line:#e2e5f0;"
    "--edge:#7f88a6;--accent:#3a49c9;--accent-strong:#2c39a8;--on-accent:#fff}"
    "@media(prefers-color-scheme:dark){:root{--ground:#0c1122;--text:#e9ecf8;--quiet:#a3adc9;"
    "--line:#28314f;--edge:#6d789c;--accent:#a3b0ff;--accent-strong:#bcc6ff;--on-accent:#0c1122}}"
    "body{font:1.0625rem/1.6 Manrope,system-ui,sans-serif;margin:0;display:grid;min-height:100vh;"
    "grid-template-rows:auto 1fr;background:var(--ground);color:var(--text)}"
    "header{padding:.75rem 1.5rem;border-bottom:1px solid var(--line)}"
    "main{width:100%;max-width:34rem;box-sizing:border-box;padding:3rem 1.5rem;margin:0 auto;"
    "align-self:center}"
    "h1{font-size:clamp(1.75rem,5vw,2.25rem);line-height:1.2;letter-spacing:-.02em;"
    "margin:0 0 .75rem}"
    "p{margin:0 0 1.25rem;color:var(--quiet)}"
    "a,button{font:inherit;font-weight:700;display:inline-block;box-sizing:border-box;"
    "min-height:2.75rem;margin:0 .75rem .75rem 0;padding:.5rem 1.25rem;"
    "border:1px solid var(--accent);border-radius:10px;color:var(--on-accent);"
    "background:var(--accent);text-decoration:none;cursor:pointer}"
    "a:hover,button:hover{background:var(--accent-strong)}"
    "a+a,button+a{color:var(--text);background:none;border-color:var(--edge)}"
    "a+a:hover,button+a:hover{color:var(--accent);background:none}"
    "header a{display:inline-flex;align-items:center;gap:.6rem;margin:0;padding:0;border:0;"
    "font-weight:800;color:var(--text);background:none}"
    "header a:hover{background:none}"
    ":focus-visible{outline:3px solid var(--accent);outline-offset:2px}"
    "small{display:block;margin-top:1.5rem;color:var(--quiet);overflow-wrap:anywhere}"
    "small code{font:inherit}"
    "footer{min-height:3.25rem;padding:.75rem 1.5rem;border-top:1px solid var(--line)}"
    "footer button{margin:0 .5rem .25rem 0;padding:.5rem .75rem;font-size:.9375rem;"
    "color:var(--text);background:none;border-color:var(--edge)}"
    "footer button:hover{color:var(--accent);background:none}"
    "footer [aria-pressed=true]{border:2px solid var(--accent)}"
)

_SIGN_IN_LINK: Final = '<a href="/auth/sign-in">Sign in</a>'
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
_TOO_LARGE: Final = (
    "Your account has too many groups",
    "Its sign-in data is too large for a browser. Ask the site's support to remove some groups.",
    _SIGN_OUT_LINK + _HOME_LINK,
)
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
    "Nothing has changed",
    "Another site sent this request. You're still signed in if you were before.",
    _SIGN_OUT_LINK + _HOME_LINK,
)
_MISSING: Final = (
    "We can't find this page",
    "It may have moved, or its address isn't complete. Start again from the home page.",
    _HOME_LINK,
)
_BROKEN: Final = (
    "This page isn't available right now",
    "Please reload it in a moment. Your account and your data aren't affected.",
    _HOME_LINK,
)
# endpoint -> heading, sentence, button
_CONFIRMATIONS: Final = {
    "/auth/sign-out": (
        "Do you want to sign out?",
        "You can sign in again at any time.",
        "Sign out",
    ),
    "/auth/refresh": (
        "Refresh your access?",
        "Have you just paid? Then this page updates what your account includes.",
        "Refresh access",
    ),
}


# Cookies can't store the tokens, or a token exceeds the verifier's limit.
_TOO_LARGE_CODES: Final = ("session_too_large", "token_too_long")


def _text(error: EdgeAuthError) -> tuple[str, str, str]:
    if isinstance(error, SignInLoopError):
        return _SIGN_IN_LOOP
    if isinstance(error, CrossSiteError):
        return _CROSS_SITE
    if error.code in _TOO_LARGE_CODES:
        return _TOO_LARGE
    return _TEXTS.get(error.reason, _UNAVAILABLE)


def content_security_policy(site: Site, form_action: str = "'none'") -> str:
    """Return the policy of a page: its style, and the site's logo, script and font."""
    digest = b2a_base64(sha256(_style(site).encode()).digest(), newline=False).decode()
    style = f"default-src 'none'; style-src 'sha256-{digest}'"
    font = "; font-src 'self'" if site.font else ""
    logo = "; img-src 'self'" if site.logo else ""
    # The script may load texts of another language.
    script = "; script-src 'self'; connect-src 'self'" if site.script else ""
    own = f"{style}{font}{logo}{script}"
    return f"{own}; base-uri 'none'; frame-ancestors 'none'; form-action {form_action}"


def _style(site: Site) -> str:
    """Return the text of a page's style element."""
    if not site.font:
        return _STYLE
    face = f'font-family:Manrope;font-weight:200 800;font-display:swap;src:url("{site.font}")'
    return f"@font-face{{{face}}}{_STYLE}"


def render(error: EdgeAuthError, *, site: Site, request_id: str, return_to: str = "") -> str:
    """Return the HTML page of an error: heading, explanation, links, and a code for support."""
    heading, sentence, links = _text(error)
    if return_to:
        target = f"/auth/sign-in?return_to={quote(return_to)}"
        links = links.replace(_SIGN_IN_LINK, _SIGN_IN_LINK.replace("/auth/sign-in", target))
    support = _support(f"{error.reason} ({error.code})", request_id)
    return _document(heading, f"<p>{escape(sentence)}</p><p>{links}</p>{support}", site)


def render_origin_error(status: int, *, site: Site, request_id: str) -> str:
    """Return the HTML page in place of an origin's error: heading, explanation, a link, a code."""
    heading, sentence, links = _MISSING if status in (404, 410) else _BROKEN
    support = _support(str(status), request_id)
    return _document(heading, f"<p>{escape(sentence)}</p><p>{links}</p>{support}", site)


def _support(code: str, request_id: str) -> str:
    return (
        f"<small><span>Code</span>: <code>{escape(code)}</code><br>"
        f"<span>Request</span>: <code>{escape(request_id[:200])}</code></small>"
    )


def render_confirmation(endpoint: str, query: str, *, site: Site) -> str:
    """Return the HTML page whose button sends a POST request to the endpoint."""
    heading, sentence, button = _CONFIRMATIONS[endpoint]
    action = escape(f"{endpoint}?{query}" if query else endpoint)
    content = (
        f'<p>{escape(sentence)}</p><form method="post" action="{action}">'
        f"<button>{escape(button)}</button>{_HOME_LINK}</form>"
    )
    return _document(heading, content, site)


def confirmation_headers(site: Site, sign_in_origin: str) -> dict[str, str]:
    """Return the headers of a confirmation page.

    Chromium applies form-action to redirects of the response too, and these go to Cognito
    (`sign_in_origin`). With the policy `no-referrer`, a browser would send "Origin: null".
    """
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": content_security_policy(site, f"'self' {sign_in_origin}"),
        "Referrer-Policy": "same-origin",
    }


def _document(heading: str, content: str, site: Site) -> str:
    logo = f'<img src="{escape(site.logo)}" alt="" width="30" height="30">' if site.logo else ""
    # The attribute and the footer are for a script of languages, which translates whole texts.
    title = heading if site.script or not site.name else f"{heading} - {site.name}"
    translated = " data-translated" if site.script else ""
    script = f'<script type="module" src="{escape(site.script)}"></script>' if site.script else ""
    return (
        f'<!doctype html><html lang="en"{translated}><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title>"
        f"<style>{_style(site)}</style>{script}</head><body>"
        f'<header><a href="/">{logo}<span>{escape(site.name or "Home page")}</span></a></header>'
        f"<main><h1>{escape(heading)}</h1>{content}</main>"
        f"{'<footer></footer>' if site.script else ''}</body></html>"
    )
