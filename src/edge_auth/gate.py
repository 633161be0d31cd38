"""The decision: one request in, one outcome out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from edge_auth import cookies
from edge_auth.claims import Claims, Expectations
from edge_auth.errors import (
    PASSED,
    AnonymousError,
    EdgeAuthError,
    HostError,
    NotEntitledError,
    TokenError,
)
from edge_auth.jwks import Fetch, KeyRing
from edge_auth.paths import OWN_PATHS, canonical, quoted, spelled, target
from edge_auth.request import Request
from edge_auth.responses import Outcome, redirect, refusal
from edge_auth.rsa import Backend
from edge_auth.rules import check_entitled, rule_for
from edge_auth.settings import Rule, Settings
from edge_auth.verifier import Verifier

# CloudFront, "Quotas": the longest value of a custom header.
MAXIMUM_IDENTITY = 1_783

TYPE_CHECKING = False
if TYPE_CHECKING:  # these bring urllib with them
    from edge_auth.cognito import Cognito, Post


class Gate:
    """Everything that one deployment of the function needs, made once per process."""

    def __init__(
        self,
        settings: Settings,
        *,
        backend: Backend,
        fetch: Fetch,
        post: Post,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        """`clock` gives seconds since the epoch, `monotonic` seconds that never go back; `fetch`
        and `post` reach Cognito; `random` gives so many unpredictable bytes."""
        self.settings = settings
        self.clock = clock
        self.random = random
        self._post = post
        self.keys = KeyRing(
            settings.issuer,
            settings.jwks_uri,
            settings.jwks,
            backend=backend,
            fetch=fetch,
            clock=monotonic,
        )
        self.verifier = self.verifier_for(settings.token_use)

    @cached_property
    def cognito(self) -> Cognito:
        """Cognito's hosted endpoints, needed only when somebody signs in, renews or signs out."""
        from edge_auth.cognito import Cognito

        return Cognito(self.settings, self._post)

    def verifier_for(self, token_use: str) -> Verifier:
        """A verifier of one kind of the pool's tokens."""
        settings = self.settings
        expected = Expectations(settings.issuer, settings.client_id, token_use, settings.leeway)
        return Verifier(self.keys, expected, self.clock)

    def answer(self, event: object) -> tuple[Request | None, Outcome]:
        """The request as understood, and what is done with it. Never raises an EdgeAuthError."""
        request: Request | None = None
        try:
            request = Request(event)
            return request, self._decide(request)
        except EdgeAuthError as error:
            return request, refusal(request, error, site_name=self.settings.site_name)

    def claims(self, request: Request) -> Claims:
        """The claims of the request's token. The Authorization header wins over the cookie.

        Raises AnonymousError, TokenError, KeysUnavailableError.
        """
        token = request.bearer
        if token is None:
            token = cookies.value(request.cookies, cookies.TOKEN)
            if not token:
                raise AnonymousError
        return self.verifier.verify(token)

    def origin(self, request: Request) -> str:
        """Our own scheme://host[:port] that the visitor used. Raises HostError."""
        host = request.header("host").lower()
        if host and host == request.distribution:
            return f"https://{host}"
        for origin in self.settings.origins:
            if origin.partition("://")[2] == host:
                return origin
        raise HostError

    def _decide(self, request: Request) -> Outcome:
        path = canonical(request.uri)
        if f"{path}/".startswith(OWN_PATHS):
            from edge_auth import endpoints  # signing in and out is rare: not at every cold start

            return endpoints.answer(self, request, path)
        rule = rule_for(self.settings.rules, path)
        request.rule = rule.path
        return self._pass(request, rule, path) if rule.public else self._gate(request, rule, path)

    def _gate(self, request: Request, rule: Rule, path: str) -> Outcome:
        try:
            claims = self.claims(request)
            check_entitled(rule, claims)
        except NotEntitledError as error:
            return self._not_entitled(request, error, path)
        except (AnonymousError, TokenError) as error:
            if not request.is_navigation:
                raise
            from edge_auth import renewal  # as above

            here = target(spelled(request.uri, path), request.query)
            return renewal.recover(self, request, here, error)
        return self._pass(request, rule, path, claims)

    def _not_entitled(self, request: Request, error: NotEntitledError, path: str) -> Outcome:
        upgrade = self.settings.upgrade_path
        if upgrade is None or upgrade == path or not request.is_navigation:
            raise error
        here = target(spelled(request.uri, path), request.query)
        location = f"{self.origin(request)}{upgrade}?return_to={quoted(here)}"
        return redirect(request, location, error.reason, code=error.code)

    def _pass(
        self, request: Request, rule: Rule, path: str, claims: Claims | None = None
    ) -> Outcome:
        # What was judged is what goes on.
        uri = spelled(request.uri, path)
        if path.endswith("/"):
            uri += self.settings.index
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
