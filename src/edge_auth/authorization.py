"""Authorize a viewer request: match its path rule, verify its token, return a CloudFront result."""

from typing import Final

from edge_auth import token_forwarding
from edge_auth.claims import Claims
from edge_auth.context import AuthContext
from edge_auth.errors import (
    PASSED,
    AnonymousError,
    EdgeAuthError,
    NotEntitledError,
    PathError,
    RevokedError,
    TokenError,
)
from edge_auth.path_rules import check_requirements, match_rule
from edge_auth.paths import (
    AUTH_PATH_PREFIX,
    decode_path,
    encode_path,
    page_url,
    quote,
    return_url,
    without_parameters,
)
from edge_auth.responses import Outcome, error_response, redirect
from edge_auth.rule_settings import PathRule
from edge_auth.viewer_request import ViewerRequest

DIRECTORY: Final = "directory"
# CloudFront, "Quotas": the maximum length of a custom header's value.
MAX_IDENTITY_HEADER_CHARS: Final = 1_783


def handle_viewer_request(
    context: AuthContext, event: object
) -> tuple[ViewerRequest | None, Outcome]:
    """Return the parsed request and its outcome. Every EdgeAuthError becomes an error response.

    A malformed event gives None instead of a request.
    """
    request: ViewerRequest | None = None
    try:
        request = ViewerRequest(event)
        return request, _route(context, request)
    except EdgeAuthError as error:
        return request, error_response(request, error, site=context.settings.site)


def _route(context: AuthContext, request: ViewerRequest) -> Outcome:
    path = decode_path(request.uri)
    if f"{path}/".startswith(AUTH_PATH_PREFIX):
        from edge_auth import endpoints  # sign-in is rare: most cold starts don't need the import

        return endpoints.dispatch(context, request, path)
    rule = match_rule(context.settings, path)
    if ";" in path and context.settings.find_rule(without_parameters(path)) is not rule:
        # An origin that supports path parameters would serve a path of another rule.
        raise PathError
    request.rule = rule.path
    if rule.is_directory(path) and request.method in ("GET", "HEAD"):
        return _redirect_to_directory(context, request, path)
    if rule.forwards_token:
        uri = encode_path(request.uri, path)
        token = token_forwarding.session_token(request)
        presented = token or request.bearer_token
        if presented and context.revocations is not None:
            context.revocations.check_unverified(request, presented)
        return Outcome(request.to_api_request(uri, token), PASSED)
    if rule.public:
        return _allow(context, request, rule, path)
    return _authorize(context, request, rule, path)


def _redirect_to_directory(context: AuthContext, request: ViewerRequest, path: str) -> Outcome:
    """Redirect /premium to /premium/, where relative links of the index document work."""
    url = page_url(encode_path(request.uri, path) + "/", request.query)
    return redirect(request, f"{context.site_origin(request)}{url}", DIRECTORY)


def _authorize(context: AuthContext, request: ViewerRequest, rule: PathRule, path: str) -> Outcome:
    try:
        claims = context.authenticate(request)
        check_requirements(rule, claims, path)
    except NotEntitledError as error:
        return _redirect_to_upgrade(context, request, error, path)
    except (AnonymousError, TokenError) as error:
        if not (request.is_navigation or request.is_subresource):
            raise
        if isinstance(error, RevokedError):
            return _end_session(context, request, error)
        from edge_auth import token_refresh  # as above

        uri = encode_path(request.uri, path)
        url = page_url(uri, request.query)
        if request.is_subresource:
            return token_refresh.refresh_or_deny(context, request, url, error)
        return_to = return_url(uri, request.query)
        return token_refresh.refresh_or_sign_in(context, request, url, return_to, error)
    return _allow(context, request, rule, path, claims)


def _end_session(context: AuthContext, request: ViewerRequest, error: EdgeAuthError) -> Outcome:
    """Sign a browser with a revoked token out, at Cognito too: its session could sign in again."""
    if not request.is_navigation:
        raise error
    from edge_auth.sign_out import sign_out  # as above

    return sign_out(context, request)


def _redirect_to_upgrade(
    context: AuthContext, request: ViewerRequest, error: NotEntitledError, path: str
) -> Outcome:
    upgrade = context.settings.upgrade_path
    if upgrade is None or upgrade == path or not request.is_navigation:
        raise error
    return_to = return_url(encode_path(request.uri, path), request.query)
    location = f"{context.site_origin(request)}{upgrade}?return_to={quote(return_to)}"
    return redirect(request, location, error.reason, code=error.code)


def _allow(
    context: AuthContext,
    request: ViewerRequest,
    rule: PathRule,
    path: str,
    claims: Claims | None = None,
) -> Outcome:
    # The origin receives the path that the rule matched, not the viewer's original encoding.
    uri = encode_path(request.uri, path)
    if rule.app_page and "." not in path.rpartition("/")[2]:
        uri = encode_path(rule.app_page, rule.app_page)
    elif path.endswith("/"):
        uri += context.settings.index
    identity = _identity_headers(claims) if claims is not None else {}
    result = request.to_origin_request(uri, identity, strip_bearer_token=not rule.public)
    return Outcome(result, PASSED)


def _identity_headers(claims: Claims) -> dict[str, str]:
    """Return headers with the token's subject and groups; a header that is too long is left out."""
    subject, groups = claims.get("sub"), claims.get("cognito:groups")
    names = groups if isinstance(groups, list) else []
    fields = {
        "x-meridian-subject": _header_value(subject),
        "x-meridian-groups": ",".join(filter(None, map(_header_value, names))),
    }
    return {
        name: value for name, value in fields.items() if 0 < len(value) <= MAX_IDENTITY_HEADER_CHARS
    }


def _header_value(value: object) -> str:
    return quote(value) if isinstance(value, str) else ""
