"""An in-memory token issuer: RSA keys, JWK sets and RS256 tokens with Cognito's claims."""

import base64
import json
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example1"
CLIENT = "6exampleclient7890abcdefgh"
HOSTED_UI = "https://school.auth.us-east-1.amazoncognito.com"
HOST = "d111111abcdef8.cloudfront.net"
NOW = 1_790_000_000.0


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@cache
def private_key(name: str, bits: int) -> rsa.RSAPrivateKey:
    """Return one key per name and size for the whole test run, because generating keys is slow."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def jwk(kid: str = "first", bits: int = 2_048, **changes: object) -> dict[str, object]:
    numbers = private_key(kid, bits).public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": kid,
        "n": b64url(numbers.n.to_bytes(size)),
        "e": "AQAB",
    } | changes


def jwks(*kids: str) -> dict[str, object]:
    return {"keys": [jwk(kid) for kid in kids or ("first",)]}


def sign(header: bytes, payload: bytes, key: rsa.RSAPrivateKey) -> str:
    """Return the compact serialization of exactly these bytes."""
    message = f"{b64url(header)}.{b64url(payload)}"
    signature = key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{message}.{b64url(signature)}"


def access_claims(now: float = NOW, **changes: object) -> dict[str, object]:
    """Return Cognito's claims of an access token (AWS, "Understanding the access token")."""
    return {
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "cognito:groups": ["paying"],
        "iss": ISSUER,
        "version": 2,
        "client_id": CLIENT,
        "origin_jti": "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb",
        "token_use": "access",
        "scope": "openid email",
        "auth_time": int(now),
        "exp": int(now) + 3_600,
        "iat": int(now),
        "jti": "cccccccc-1111-2222-3333-dddddddddddd",
        "username": "student",
    } | changes


def id_claims(now: float = NOW, **changes: object) -> dict[str, object]:
    """Return Cognito's claims of an ID token (AWS, "Understanding the identity token")."""
    return {
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "cognito:groups": ["paying"],
        "email_verified": True,
        "iss": ISSUER,
        "cognito:username": "student",
        "aud": CLIENT,
        "event_id": "eeeeeeee-1111-2222-3333-ffffffffffff",
        "token_use": "id",
        "auth_time": int(now),
        "exp": int(now) + 3_600,
        "iat": int(now),
        "email": "student@school.example",
    } | changes


def token(claims: dict[str, object] | None = None, kid: str = "first", **header: object) -> str:
    """Return a signed token; by default an access token."""
    head = {"kid": kid, "alg": "RS256"} | header
    body = access_claims() if claims is None else claims
    return sign(json.dumps(head).encode(), json.dumps(body).encode(), private_key(kid, 2_048))


def settings(**changes: object) -> dict[str, object]:
    """Return a complete settings document."""
    return {
        "schema": 1,
        "issuer": ISSUER,
        "client_id": CLIENT,
        "jwks": jwks(),
        "hosted_ui": HOSTED_UI,
        "origins": ["http://localhost:8080"],
        "upgrade_path": "/upgrade.html",
        "rules": [
            {"path": "/premium/*", "groups": {"any": ["paying"]}},
            {"path": "/app/*", "signed_in": True},
            {"path": "/api/*", "forwards_token": True},
            {"path": "/courses/*", "public": True},
            {"path": "/upgrade.html", "public": True},
        ],
    } | changes


class Clock:
    """A clock that tests set by hand, in seconds since the epoch."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
