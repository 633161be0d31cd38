"""The Cognito authorizer: whose token this is."""

from collections.abc import Collection, Mapping
from typing import Any

import jwt

from aws_emulator.rest_api.errors import RefusedError

type Claims = dict[str, Any]


def token_of(headers: Mapping[str, str]) -> str:
    """Return the token of a request, with or without "Bearer". Raises RefusedError."""
    written = headers.get("authorization", "")
    kind, _, rest = written.partition(" ")
    token = rest.strip() if kind.lower() == "bearer" else written.strip()
    if not token:
        raise RefusedError("UNAUTHORIZED", "no token")
    return token


def issuer_of(pool_arn: str) -> tuple[str, str]:
    """Return (issuer, pool id) of a user pool's ARN."""
    region, pool = pool_arn.split(":")[3], pool_arn.rpartition("/")[2]
    return f"https://cognito-idp.{region}.amazonaws.com/{pool}", pool


def key_id(token: str) -> str:
    """Return the id of the key that a token claims to be signed with. Raises RefusedError."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise RefusedError("UNAUTHORIZED", type(error).__name__) from error
    return str(header.get("kid", ""))


def check(token: str, key: jwt.PyJWK, issuers: Collection[str], scopes: Collection[str]) -> Claims:
    """Return the claims of a token that counts. Raises RefusedError.

    "When a method has scopes, the incoming token is treated as an access token, and the method is
    authorized if one of them matches"; without, as an identity token.
    """
    try:
        claims: Claims = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            options={"require": ["exp", "iss", "sub"], "verify_aud": False},
        )
    except jwt.ExpiredSignatureError as error:
        raise RefusedError("EXPIRED_TOKEN") from error
    except jwt.InvalidTokenError as error:
        raise RefusedError("UNAUTHORIZED", type(error).__name__) from error
    if claims["iss"] not in issuers:
        raise RefusedError("UNAUTHORIZED", "another pool's token")
    if claims.get("token_use") != ("access" if scopes else "id"):
        raise RefusedError("UNAUTHORIZED", "another kind of token")
    if scopes and not set(scopes) & set(str(claims.get("scope", "")).split()):
        raise RefusedError("UNAUTHORIZED", "no scope of the operation")
    return claims
