"""What stands around the runner, in memory: services, tokens, a way to send."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from aws_emulator.rest_api.authorizer import issuer_of
from aws_emulator.rest_api.mapping import Call, Reply
from aws_emulator.rest_api.model import Answer, Request, Service
from aws_emulator.rest_api.pipeline import Stage, serve
from aws_emulator.rest_api.throttle import Limit, Throttle
from tests.unit.rest_api import school

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER, POOL = issuer_of(school.POOL_ARN)
SCOPES = ("openid", "aws.cognito.signin.user.admin")
SUB = "7f0eb7a3-605c-4bf1-9ac3-2cf9aee3a481"


def public(key: rsa.RSAPrivateKey = KEY) -> jwt.PyJWK:
    """The public half, as a pool publishes it."""
    return jwt.PyJWK(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "RS256")


def token(key: rsa.RSAPrivateKey = KEY, *without: str, **claims: Any) -> str:
    """An access token of the school's pool, changed as a test wants it."""
    now = int(time.time())
    given = {
        "sub": SUB, "iss": ISSUER, "token_use": "access", "exp": now + 3600, "iat": now,
        "scope": "openid email", "cognito:groups": ["paying"],
    }  # fmt: skip
    payload = {name: it for name, it in (given | claims).items() if name not in without}
    return jwt.encode(payload, key, "RS256", {"kid": "k1"})


@dataclass
class Services:
    """Answers every call with the same reply, and keeps what it was asked."""

    reply: Reply = field(default_factory=lambda: Reply(200, {}, b"{}"))
    asked: list[tuple[Service, Call]] = field(default_factory=list)

    async def __call__(self, service: Service, call: Call) -> Reply:
        self.asked.append((service, call))
        return self.reply


async def anybody(_token: str, _pools: tuple[str, ...], _scopes: tuple[str, ...]) -> dict[str, Any]:
    """An authorizer that knows one student."""
    return {"sub": SUB}


def stage(limits: Mapping[str, Limit] | None = None) -> Stage:
    """The school's API, deployed."""
    return Stage("abc123", "api", school.ACCOUNT, school.api(), Throttle(limits or {}))


def ask(
    method: str,
    path: str,
    body: bytes = b"",
    services: Services | None = None,
    served: Stage | None = None,
    **headers: str,
) -> Answer:
    """Send a request through the pipeline, signed in unless a header says otherwise."""
    given = {"authorization": "Bearer t"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    path, _, query = path.partition("?")
    pairs = tuple(tuple(pair.split("=", 1)) for pair in query.split("&")) if query else ()
    request = Request(method, path, pairs, given, body)  # type: ignore[arg-type]  # pairs of two
    return asyncio.run(serve(served or stage(), request, anybody, services or Services()))


async def through(app: Any, method: str, target: str, *chunks: bytes, **headers: str) -> Answer:
    """Send a request to an ASGI application."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "server": ("127.0.0.1", 9000),
        "headers": [(name.replace("_", "-").encode(), it.encode()) for name, it in headers.items()],
    }  # fmt: skip
    parts = list(chunks) or [b""]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, body = sent
    names = [(name.decode(), value.decode()) for name, value in start["headers"]]
    return Answer(start["status"], names, body["body"])
