"""Whose token counts."""

import asyncio
import json
import time

import httpx
import jwt
import pytest

from aws_emulator.rest_api import authorizer
from aws_emulator.rest_api.errors import RefusedError
from aws_emulator.rest_api.keys import Keys
from tests.unit.rest_api import fakes, school
from tests.unit.rest_api.fakes import KEY, OTHER_KEY, SCOPES, token


def check(given: str, scopes: tuple[str, ...] = SCOPES) -> str:
    """The subject of a token, or the type of what refuses it."""
    try:
        claims = authorizer.check(given, fakes.public(), {fakes.ISSUER}, scopes)
    except RefusedError as refused:
        return refused.kind
    return str(claims["sub"])


@pytest.mark.parametrize("scope", ["openid", "email openid", "aws.cognito.signin.user.admin"])
def test_an_access_token_with_one_of_the_scopes_counts(scope: str) -> None:
    assert check(token(scope=scope)) == fakes.SUB


@pytest.mark.parametrize(
    "given",
    [
        token(OTHER_KEY),
        token(KEY, "scope"),
        token(scope="email openidx"),
        token(token_use="id"),
        token(iss="https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Other"),
        token(KEY, "exp"),
        token(KEY, "sub"),
        token(nbf=int(time.time()) + 3600),
        token()[:-4] + "AAAA",
        jwt.encode({"sub": "x", "exp": 2**33, "iss": fakes.ISSUER}, "", "none", {"kid": "k1"}),
        jwt.encode({"sub": "x", "exp": 2**33}, "s" * 32, "HS256", {"kid": "k1"}),
    ],
)
def test_another_token_does_not(given: str) -> None:
    assert check(given) == "UNAUTHORIZED"


def test_a_token_ends() -> None:
    assert check(token(exp=int(time.time()) - 1)) == "EXPIRED_TOKEN"


def test_without_scopes_it_is_an_identity_token_that_counts() -> None:
    assert check(token(token_use="id"), ()) == fakes.SUB
    assert check(token(), ()) == "UNAUTHORIZED"


@pytest.mark.parametrize(
    ("header", "expected"), [("Bearer a.b.c", "a.b.c"), ("bearer  a", "a"), ("a.b.c", "a.b.c")]
)
def test_bearer_may_stand_before_it(header: str, expected: str) -> None:
    assert authorizer.token_of({"authorization": header}) == expected


@pytest.mark.parametrize("headers", [{}, {"authorization": ""}, {"authorization": "Bearer "}])
def test_no_token_is_none(headers: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match="UNAUTHORIZED"):
        authorizer.token_of(headers)


def verified(*tokens: str, at_once: bool = False) -> tuple[list[str], int]:
    """Verify tokens by keys that are fetched; also how often they were."""
    fetched = 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal fetched
        fetched += 1
        await asyncio.sleep(0.01)
        assert request.url.path == f"/{fakes.POOL}/.well-known/jwks.json"
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
        return httpx.Response(200, json={"keys": [{**key, "kid": "k1", "alg": "RS256"}]})

    async def run() -> list[str]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            verify = Keys("http://127.0.0.1:1", client)

            async def one(given: str) -> str:
                try:
                    return str((await verify(given, (school.POOL_ARN,), SCOPES))["sub"])
                except RefusedError as refused:
                    return refused.kind

            if at_once:
                return await asyncio.gather(*map(one, tokens))
            return [await one(given) for given in tokens]

    return asyncio.run(run()), fetched


def test_keys_are_fetched_once_also_for_one_that_is_not_there() -> None:
    unknown = jwt.encode({"sub": "x"}, KEY, "RS256", {"kid": "k2"})
    assert verified(token(), token(), unknown, unknown, "no token", token()) == (
        [fakes.SUB, fakes.SUB, "UNAUTHORIZED", "UNAUTHORIZED", "UNAUTHORIZED", fakes.SUB],
        1,
    )


def test_who_comes_while_the_keys_are_under_way_waits_for_them() -> None:
    assert verified(*[token()] * 24, at_once=True) == ([fakes.SUB] * 24, 1)
