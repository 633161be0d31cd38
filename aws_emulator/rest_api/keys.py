"""The adapter to the user pools: their signing keys."""

import asyncio
import time

import httpx
import jwt

from aws_emulator.rest_api import authorizer
from aws_emulator.rest_api.errors import RefusedError

#: Seconds between two fetches of a pool's keys for an id that is not among them.
_PATIENCE_S = 5.0


class Keys:
    """Verifies tokens by the keys that the pools publish."""

    def __init__(self, endpoint: str, client: httpx.AsyncClient) -> None:
        """`endpoint` is where the emulated Cognito listens."""
        self._endpoint = endpoint
        self._client = client
        self._known: dict[tuple[str, str], jwt.PyJWK] = {}
        self._fetched: dict[str, float] = {}
        self._fetching = asyncio.Lock()

    async def __call__(
        self, token: str, pools: tuple[str, ...], scopes: tuple[str, ...]
    ) -> authorizer.Claims:
        """Return the claims of a token of one of the pools (ARNs). Raises RefusedError."""
        wanted = authorizer.key_id(token)
        named = dict(authorizer.issuer_of(arn) for arn in pools)
        for pool in named.values():
            if (pool, wanted) not in self._known:
                # Who comes while the keys are under way waits for them.
                async with self._fetching:
                    await self._fetch(pool, wanted)
            if (pool, wanted) in self._known:
                return authorizer.check(token, self._known[pool, wanted], named, scopes)
        raise RefusedError("UNAUTHORIZED", "an unknown key")

    async def _fetch(self, pool: str, wanted: str) -> None:
        now, last = time.monotonic(), self._fetched.get(pool)
        if (pool, wanted) in self._known or (last is not None and now - last < _PATIENCE_S):
            return
        self._fetched[pool] = now
        try:
            answer = await self._client.get(f"{self._endpoint}/{pool}/.well-known/jwks.json")
            keys = answer.json()["keys"]
        except (httpx.TransportError, ValueError, KeyError) as error:
            raise RefusedError("AUTHORIZER_FAILURE", type(error).__name__) from error
        for key in keys:
            self._known[pool, key["kid"]] = jwt.PyJWK(key)
