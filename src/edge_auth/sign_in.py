"""Signing in: the way to Cognito's hosted pages and the way back."""

from urllib.parse import parse_qs

from edge_auth import cookies, session, transaction
from edge_auth.claims import Claims
from edge_auth.cognito import Tokens
from edge_auth.digest import compare_digest, sha256
from edge_auth.encoding import encode
from edge_auth.errors import (
    EdgeAuthError,
    GrantError,
    SignInDeniedError,
    SignInError,
    SignInLoopError,
    StateError,
    TokenError,
)
from edge_auth.gate import Gate
from edge_auth.request import Request
from edge_auth.responses import Outcome, redirect, refusal
from edge_auth.transaction import Transaction

CALLBACK = "/auth/callback"
SIGNED_IN = "signed_in"
# So many tabs can be signing in at once. Each costs the browser 90 bytes of Cookie header, of the
# 20,480 that CloudFront takes ("Quotas").
MAXIMUM_TRANSACTIONS = 100
# So many completed sign-ins within a minute without a session mean that it is not kept.
MAXIMUM_SIGN_INS = 3
MAXIMUM_CODE = 2_048


def start(
    gate: Gate,
    request: Request,
    target: str,
    reason: str,
    code: str = "",
    *,
    set_cookies: list[str] | None = None,
) -> Outcome:
    """A redirect to Cognito that will come back to `target`. Raises HostError."""
    origin = gate.origin(request)
    now = gate.clock()
    begun = Transaction(gate.random(transaction.SECRET_BYTES))
    location = gate.cognito.authorize_address(
        redirect_uri=f"{origin}{CALLBACK}",
        state=begun.state(target, now),
        nonce=begun.nonce,
        code_challenge=begun.code_challenge,
        code_challenge_method="S256",
    )
    lines = cookies.setting(f"{cookies.LOGIN}{begun.id}", begun.kept(now), transaction.LIFETIME)
    lines += cookies.clearing(_too_many(request))
    return redirect(request, location, reason, code=code, set_cookies=lines + (set_cookies or []))


def start_by_itself(
    gate: Gate,
    request: Request,
    target: str,
    error: EdgeAuthError,
    *,
    set_cookies: list[str] | None = None,
) -> Outcome:
    """As `start`, when nobody asked for it: a page was wanted. Raises SignInLoopError for a browser
    that has just signed in several times and kept nothing."""
    if session.sign_ins(request) >= MAXIMUM_SIGN_INS:
        raise SignInLoopError
    return start(gate, request, target, error.reason, error.code, set_cookies=set_cookies)


def _too_many(request: Request) -> list[str]:
    """The oldest transactions beyond the bound, so that a new one finds room."""
    names = [name for name in request.cookies if name.startswith(cookies.LOGIN)]
    spare = min(len(names) - (MAXIMUM_TRANSACTIONS - 1), cookies.MAXIMUM_CLEARED)
    if spare <= 0:
        return []
    names.sort(key=lambda name: transaction.started(request.cookies[name]))
    return [name for name in names[:spare] if cookies.is_ours(name)]


def callback(gate: Gate, request: Request) -> Outcome:
    """The way back: the code redeemed, the tokens checked, the session kept, the page restored."""
    parameters = _parameters(request.query)
    state = parameters.get("state", "")
    name = f"{cookies.LOGIN}{transaction.id_of(state)}"
    kept = request.cookies.get(name)
    if kept is None:
        # Not begun by this browser, or used before: the code is not even looked at.
        raise StateError
    used = cookies.clearing([name])
    try:
        begun = transaction.restored(kept)
        target = begun.target(state, gate.clock())
        tokens = _redeemed(gate, request, parameters, begun)
        token, refresh = _checked(gate, tokens, begun), tokens.refresh
        lines = session.kept(request, token, refresh, gate.settings.session_seconds)
    except EdgeAuthError as error:
        return refusal(request, error, site_name=gate.settings.site_name, set_cookies=used)
    lines += used + session.signed_in_again(request) + cookies.clearing([cookies.REFRESHED])
    location = f"{gate.origin(request)}{target}"
    return redirect(request, location, SIGNED_IN, set_cookies=lines)


def _parameters(query: str) -> dict[str, str]:
    """Each parameter once (RFC 6749, section 3.1: "MUST NOT be included more than once")."""
    try:
        found = parse_qs(query, keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError as error:
        raise StateError from error
    if any(len(values) > 1 for values in found.values()):
        raise StateError
    return {name: values[0] for name, values in found.items()}


def _redeemed(
    gate: Gate, request: Request, parameters: dict[str, str], begun: Transaction
) -> Tokens:
    code = parameters.get("code", "")
    if "error" in parameters or not 0 < len(code) <= MAXIMUM_CODE:
        raise SignInDeniedError
    try:
        return gate.cognito.redeem(code, begun.code_verifier, f"{gate.origin(request)}{CALLBACK}")
    except GrantError as error:
        raise SignInError(code="code_refused") from error


def _checked(gate: Gate, tokens: Tokens, begun: Transaction) -> str:
    """The token to keep, after both were found to be of this sign-in and of one person."""
    try:
        identity = gate.verifier_for("id").verify(tokens.of("id"))
        token = tokens.of(gate.settings.token_use)
        claims = gate.verifier.verify(token)
    except TokenError as error:
        raise SignInError(code=error.code) from error
    nonce = identity.get("nonce")
    if not isinstance(nonce, str) or not compare_digest(nonce.encode(), begun.nonce.encode()):
        raise SignInError(code="nonce_mismatch")
    if claims.get("sub") != identity.get("sub") or not _belongs(identity, tokens.access):
        raise SignInError(code="tokens_differ")
    return token


def _belongs(identity: Claims, access_token: str) -> bool:
    """OpenID Connect Core, section 3.1.3.6: `at_hash` ties the access token to the ID token."""
    at_hash = identity.get("at_hash")
    return at_hash is None or at_hash == encode(sha256(access_token.encode()).digest()[:16])
