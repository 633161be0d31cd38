"""The decision: one request in, one outcome out."""

from edge_auth import forwarding
from edge_auth.claims import Claims
from edge_auth.errors import PASSED, AnonymousError, EdgeAuthError, NotEntitledError, TokenError
from edge_auth.gate import Gate
from edge_auth.paths import OWN_PATHS, canonical, quoted, spelled, target
from edge_auth.request import Request
from edge_auth.responses import Outcome, redirect, refusal
from edge_auth.rules import check_entitled, rule_for
from edge_auth.settings import Rule

# CloudFront, "Quotas": the longest value of a custom header.
MAXIMUM_IDENTITY = 1_783


def answer(gate: Gate, event: object) -> tuple[Request | None, Outcome]:
    """The request as understood, and what is done with it. Never raises an EdgeAuthError."""
    request: Request | None = None
    try:
        request = Request(event)
        return request, _decide(gate, request)
    except EdgeAuthError as error:
        return request, refusal(request, error, site_name=gate.settings.site_name)


def _decide(gate: Gate, request: Request) -> Outcome:
    path = canonical(request.uri)
    if f"{path}/".startswith(OWN_PATHS):
        from edge_auth import endpoints  # signing in and out is rare: not at every cold start

        return endpoints.answer(gate, request, path)
    rule = rule_for(gate.settings.rules, path)
    request.rule = rule.path
    if rule.forwards_token:
        uri = spelled(request.uri, path)
        return Outcome(request.forwarded(uri, forwarding.token(request)), PASSED)
    return _pass(gate, request, rule, path) if rule.public else _judge(gate, request, rule, path)


def _judge(gate: Gate, request: Request, rule: Rule, path: str) -> Outcome:
    try:
        claims = gate.claims(request)
        check_entitled(rule, claims)
    except NotEntitledError as error:
        return _not_entitled(gate, request, error, path)
    except (AnonymousError, TokenError) as error:
        if not request.is_navigation:
            raise
        from edge_auth import renewal  # as above

        here = target(spelled(request.uri, path), request.query)
        return renewal.recover(gate, request, here, error)
    return _pass(gate, request, rule, path, claims)


def _not_entitled(gate: Gate, request: Request, error: NotEntitledError, path: str) -> Outcome:
    upgrade = gate.settings.upgrade_path
    if upgrade is None or upgrade == path or not request.is_navigation:
        raise error
    here = target(spelled(request.uri, path), request.query)
    location = f"{gate.origin(request)}{upgrade}?return_to={quoted(here)}"
    return redirect(request, location, error.reason, code=error.code)


def _pass(
    gate: Gate, request: Request, rule: Rule, path: str, claims: Claims | None = None
) -> Outcome:
    # What was judged is what goes on.
    uri = spelled(request.uri, path)
    if path.endswith("/"):
        uri += gate.settings.index
    identity = _identity(claims) if claims is not None else {}
    return Outcome(request.passed(uri, identity, gated=not rule.public), PASSED)


def _identity(claims: Claims) -> dict[str, str]:
    """The headers that tell an origin who was let in: the subject, and the groups if they fit."""
    subject, groups = claims.get("sub"), claims.get("cognito:groups")
    names = groups if isinstance(groups, list) else []
    fields = {
        "x-meridian-subject": _header_text(subject),
        "x-meridian-groups": ",".join(filter(None, map(_header_text, names))),
    }
    return {name: text for name, text in fields.items() if 0 < len(text) <= MAXIMUM_IDENTITY}


def _header_text(value: object) -> str:
    return quoted(value) if isinstance(value, str) else ""
