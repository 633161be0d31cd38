"""Fetch the signing keys of user pools, and verify tokens with them."""

import asyncio
import time
from typing import Final

import httpx
import jwt

from aws_emulator.rest_api import authorizer
from aws_emulator.rest_api.errors import GatewayResponseError

#: Minimum time between two fetches of a pool's keys, so that unknown key IDs can't cause a flood.
_MIN_FETCH_INTERVAL_S: Final = 5.0


class TokenVerifier:
    """Verify tokens with the keys that user pools publish, and cache the keys."""

    def __init__(self, endpoint: str, client: httpx.AsyncClient) -> None:
        """`endpoint` is the URL of the emulated AWS."""
        self._endpoint = endpoint
        self._client = client
        self._keys: dict[tuple[str, str], jwt.PyJWK] = {}
        self._fetched: dict[str, float] = {}
        self._fetching = asyncio.Lock()

    async def __call__(
        self, token: str, pools: tuple[str, ...], scopes: tuple[str, ...]
    ) -> authorizer.Claims:
        """Return the claims of a token that one of the user pools (ARNs) issued.

        Raises:
            GatewayResponseError: The token is invalid (UNAUTHORIZED) or has expired
                (EXPIRED_TOKEN), or the keys can't be fetched (AUTHORIZER_FAILURE).
        """
        key_id = authorizer.key_id(token)
        pool_of_issuer: dict[str, str] = {}
        for arn in pools:
            pool_of_issuer |= authorizer.issuers_of(arn)
        for pool in dict.fromkeys(pool_of_issuer.values()):
            if (pool, key_id) not in self._keys:
                # Concurrent requests wait for one fetch.
                async with self._fetching:
                    await self._fetch(pool, key_id)
            if (pool, key_id) in self._keys:
                key = self._keys[pool, key_id]
                return authorizer.verify_token(token, key, pool_of_issuer, scopes)
        raise GatewayResponseError("UNAUTHORIZED", "the key ID is unknown")

    async def _fetch(self, pool: str, key_id: str) -> None:
        now, last = time.monotonic(), self._fetched.get(pool)
        recent = last is not None and now - last < _MIN_FETCH_INTERVAL_S
        if (pool, key_id) in self._keys or recent:
            return
        self._fetched[pool] = now
        try:
            response = await self._client.get(f"{self._endpoint}/{pool}/.well-known/jwks.json")
            keys = response.json()["keys"]
        except (httpx.TransportError, ValueError, KeyError) as error:
            raise GatewayResponseError("AUTHORIZER_FAILURE", type(error).__name__) from error
        for key in keys:
            self._keys[pool, key["kid"]] = jwt.PyJWK(key)
