"""The objects that all requests of one process share: settings, signing keys and token verifier."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from edge_auth import cookies
from edge_auth.claims import Claims, ExpectedClaims
from edge_auth.errors import AnonymousError, HostError
from edge_auth.jwks import Fetch, JwksCache
from edge_auth.revocations import Revocations
from edge_auth.rsa import Backend
from edge_auth.settings import Settings
from edge_auth.token_verifier import TokenVerifier
from edge_auth.viewer_request import ViewerRequest

if TYPE_CHECKING:  # cognito imports urllib, which most cold starts don't need
    from edge_auth.cognito import CognitoClient, Post


class AuthContext:
    """The configured dependencies of the function. The handler creates one per process."""

    def __init__(
        self,
        settings: Settings,
        *,
        backend: Backend,
        fetch: Fetch,
        post: "Post",
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        """`clock` returns seconds since the epoch, `monotonic` seconds that never decrease.

        `fetch` and `post` send requests to Cognito. `random` returns the given number of
        unpredictable bytes.
        """
        self.settings = settings
        self.clock = clock
        self.random = random
        self._post = post
        self.keys = JwksCache(
            settings.issuer,
            settings.jwks_uri,
            settings.jwks,
            backend=backend,
            fetch=fetch,
            clock=monotonic,
            seed_age_s=max(0, clock() - settings.jwks_time) if settings.jwks_time else 0,
        )
        self.verifier = self.verifier_for(settings.token_use, settings.clients)
        self.revocations: Revocations | None = None
        if settings.revocations is not None:
            self.revocations = Revocations(settings.revocations, backend, fetch, clock)

    @cached_property
    def cognito(self) -> "CognitoClient":
        """The client of Cognito's endpoints, which only sign-in, refresh and sign-out need."""
        from edge_auth.cognito import CognitoClient

        return CognitoClient(self.settings, self._post)

    def verifier_for(self, token_use: str, clients: tuple[str, ...] = ()) -> TokenVerifier:
        """Return a verifier for "access" or "id" tokens of app clients, by default the site's."""
        settings = self.settings
        audience = settings.audience if token_use == "access" else None  # noqa: S105 # token type
        expected = ExpectedClaims(
            settings.issuer,
            clients or (settings.client_id,),
            token_use,
            settings.leeway,
            audience,
            settings.other_issuers,
        )
        return TokenVerifier(self.keys, expected, self.clock)

    def authenticate(self, request: ViewerRequest) -> Claims:
        """Return the verified claims of the request's token.

        The Authorization header takes precedence over the cookie.

        Raises:
            AnonymousError: The request has no token.
            TokenError: The token is invalid or expired.
            KeysUnavailableError: The token's key is unknown and the issuer can't be reached.
            SnapshotUnavailableError: The deny-list of revoked tokens can't be read.
            RequestError: The Authorization header occurs twice.
        """
        token = request.bearer_token
        if token is None:
            token = cookies.read_chunked(request.cookies, cookies.TOKEN_COOKIE)
            if not token:
                raise AnonymousError
        claims = self.verifier.verify(token)
        if self.revocations is not None:
            self.revocations.check(request, claims)
        return claims

    def site_origin(self, request: ViewerRequest) -> str:
        """Return this site's scheme://host[:port] that the request was sent to.

        Raises:
            HostError: The Host header is neither the distribution's domain nor a configured origin.
        """
        host = request.header("host").lower()
        if host and host == request.distribution:
            return f"https://{host}"
        for origin in self.settings.origins:
            if origin.partition("://")[2] == host:
                return origin
        raise HostError
