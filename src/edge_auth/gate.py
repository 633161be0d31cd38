"""What one deployment of the function works with, made once per process."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from edge_auth import cookies
from edge_auth.claims import Claims, Expectations
from edge_auth.errors import AnonymousError, HostError
from edge_auth.jwks import Fetch, KeyRing
from edge_auth.request import Request
from edge_auth.rsa import Backend
from edge_auth.settings import Settings
from edge_auth.verifier import Verifier

TYPE_CHECKING = False
if TYPE_CHECKING:  # these bring urllib with them
    from edge_auth.cognito import Cognito, Post


class Gate:
    """Settings, keys, verifier and Cognito, and the two questions that every path asks of them:
    whose token is it, and under which address did the visitor come."""

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
