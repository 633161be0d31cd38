"""The Cognito user pool authorizer: extract and verify a token."""

from collections.abc import Collection, Mapping
from typing import Any

import jwt

from aws_emulator.rest_api.errors import GatewayResponseError

type Claims = dict[str, Any]


def token_of(headers: Mapping[str, str]) -> str:
    """Return the token in the Authorization header, with or without the "Bearer" scheme.

    Raises:
        GatewayResponseError: The header is missing or empty (UNAUTHORIZED).
    """
    header = headers.get("authorization", "")
    scheme, _, rest = header.partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else header.strip()
    if not token:
        raise GatewayResponseError("UNAUTHORIZED", "no token")
    return token


def issuer_of(pool_arn: str) -> tuple[str, str]:
    """Return (issuer URL, user pool ID) for a user pool's ARN."""
    region, pool = pool_arn.split(":")[3], pool_arn.rpartition("/")[2]
    return f"https://cognito-idp.{region}.amazonaws.com/{pool}", pool


def issuers_of(pool_arn: str) -> dict[str, str]:
    """Return both forms of a user pool's issuer URL -> the pool's ID (IssuerConfigurationType)."""
    original, pool = issuer_of(pool_arn)
    updated = original.replace("https://cognito-idp.", "https://issuer-cognito-idp.", 1)
    return {original: pool, updated: pool}


def key_id(token: str) -> str:
    """Return the unverified key ID of a token.

    Raises:
        GatewayResponseError: The token is malformed (UNAUTHORIZED).
    """
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise GatewayResponseError("UNAUTHORIZED", type(error).__name__) from error
    return str(header.get("kid", ""))


def verify_token(
    token: str, key: jwt.PyJWK, issuers: Collection[str], scopes: Collection[str]
) -> Claims:
    """Return the claims of a valid token.

    "When a method has scopes, the incoming token is treated as an access token, and the method is
    authorized if one of them matches"; otherwise, as an identity token.

    Raises:
        GatewayResponseError: The token has expired (EXPIRED_TOKEN) or is invalid (UNAUTHORIZED).
    """
    try:
        claims: Claims = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            options={"require": ["exp", "iss", "sub"], "verify_aud": False},
        )
    except jwt.ExpiredSignatureError as error:
        raise GatewayResponseError("EXPIRED_TOKEN") from error
    except jwt.InvalidTokenError as error:
        raise GatewayResponseError("UNAUTHORIZED", type(error).__name__) from error
    if claims["iss"] not in issuers:
        raise GatewayResponseError("UNAUTHORIZED", "the token is from another user pool")
    if claims.get("token_use") != ("access" if scopes else "id"):
        raise GatewayResponseError("UNAUTHORIZED", "the token has the wrong token_use")
    if scopes and not set(scopes) & set(str(claims.get("scope", "")).split()):
        raise GatewayResponseError("UNAUTHORIZED", "the token has none of the method's scopes")
    return claims
