"""Tests of token verification."""

import asyncio
import json
import time
from collections.abc import Callable

import httpx
import jwt
import pytest

from aws_emulator.rest_api import authorizer
from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.token_verifier import TokenVerifier
from aws_emulator.tests.rest_api import fakes, notes_api
from aws_emulator.tests.rest_api.fakes import KEY, OTHER_KEY, SCOPES, token


def check(encoded: str, scopes: tuple[str, ...] = SCOPES) -> str:
    """Return the subject of a token, or the gateway response type."""
    try:
        claims = authorizer.verify_token(encoded, fakes.public_key(), {fakes.ISSUER}, scopes)
    except GatewayResponseError as error:
        return error.response_type
    return str(claims["sub"])


@pytest.mark.parametrize("scope", ["openid", "email openid", "profile"])
def test_access_token_with_one_scope_is_accepted(scope: str) -> None:
    assert check(token(scope=scope)) == fakes.SUB


OTHER_ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Other"
#: Functions, because a token made at collection can expire before its test runs.
INVALID_TOKENS: dict[str, Callable[[], str]] = {
    "other key": lambda: token(OTHER_KEY),
    "no scope": lambda: token(KEY, "scope"),
    "unknown scope": lambda: token(scope="email openidx"),
    "ID token": lambda: token(token_use="id"),
    "other issuer": lambda: token(iss=OTHER_ISSUER),
    "no expiry": lambda: token(KEY, "exp"),
    "no subject": lambda: token(KEY, "sub"),
    "not valid yet": lambda: token(nbf=int(time.time()) + 3600),
    "changed signature": lambda: token()[:-4] + "AAAA",
    "no signature": lambda: jwt.encode(
        {"sub": "x", "exp": 2**33, "iss": fakes.ISSUER}, "", "none", {"kid": "k1"}
    ),
    "symmetric key": lambda: jwt.encode(
        {"sub": "x", "exp": 2**33}, "s" * 32, "HS256", {"kid": "k1"}
    ),
}


@pytest.mark.parametrize("name", INVALID_TOKENS)
def test_invalid_token_is_rejected(name: str) -> None:
    assert check(INVALID_TOKENS[name]()) == "UNAUTHORIZED"


def test_user_pool_has_two_forms_of_its_issuer() -> None:
    issuers = authorizer.issuers_of(notes_api.POOL_ARN)
    updated = fakes.ISSUER.replace("//cognito-idp", "//issuer-cognito-idp")
    assert issuers == {fakes.ISSUER: fakes.POOL, updated: fakes.POOL}
    claims = authorizer.verify_token(token(iss=updated), fakes.public_key(), issuers, SCOPES)
    assert claims["iss"] == updated


def test_expired_token_is_rejected() -> None:
    assert check(token(exp=int(time.time()) - 1)) == "EXPIRED_TOKEN"


def test_method_without_scopes_accepts_id_token_only() -> None:
    assert check(token(token_use="id"), ()) == fakes.SUB
    assert check(token(), ()) == "UNAUTHORIZED"


@pytest.mark.parametrize(
    ("header", "expected"), [("Bearer a.b.c", "a.b.c"), ("bearer  a", "a"), ("a.b.c", "a.b.c")]
)
def test_bearer_scheme_is_optional(header: str, expected: str) -> None:
    assert authorizer.token_of({"authorization": header}) == expected


@pytest.mark.parametrize("headers", [{}, {"authorization": ""}, {"authorization": "Bearer "}])
def test_missing_token_is_rejected(headers: dict[str, str]) -> None:
    with pytest.raises(GatewayResponseError, match="UNAUTHORIZED"):
        authorizer.token_of(headers)


def verified(*tokens: str, at_once: bool = False) -> tuple[list[str], int]:
    """Verify tokens with fetched keys; return the results and the number of fetches."""
    fetched = 0

    async def respond(request: httpx.Request) -> httpx.Response:
        nonlocal fetched
        fetched += 1
        await asyncio.sleep(0.01)
        assert request.url.path == f"/{fakes.POOL}/.well-known/jwks.json"
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
        return httpx.Response(200, json={"keys": [{**key, "kid": "k1", "alg": "RS256"}]})

    async def run() -> list[str]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
            verify = TokenVerifier("http://127.0.0.1:1", client)

            async def one(text: str) -> str:
                try:
                    return str((await verify(text, (notes_api.POOL_ARN,), SCOPES))["sub"])
                except GatewayResponseError as error:
                    return error.response_type

            if at_once:
                return await asyncio.gather(*map(one, tokens))
            return [await one(text) for text in tokens]

    return asyncio.run(run()), fetched


def test_keys_are_fetched_once_even_for_unknown_key_id() -> None:
    unknown = jwt.encode({"sub": "x"}, KEY, "RS256", {"kid": "k2"})
    assert verified(token(), token(), unknown, unknown, "no token", token()) == (
        [fakes.SUB, fakes.SUB, "UNAUTHORIZED", "UNAUTHORIZED", "UNAUTHORIZED", fakes.SUB],
        1,
    )


def test_concurrent_verifications_share_one_fetch() -> None:
    assert verified(*[token()] * 24, at_once=True) == ([fakes.SUB] * 24, 1)
