"""In-memory services and tokens, and helpers that send requests to an API."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from aws_emulator.rest_api.authorizer import issuer_of
from aws_emulator.rest_api.model import (
    Definition,
    IntegrationRequest,
    Request,
    Response,
    Service,
    ServiceResponse,
)
from aws_emulator.rest_api.pipeline import LogWriter, Stage, serve, write_nothing
from aws_emulator.rest_api.throttling import Limit, Throttle
from aws_emulator.tests.rest_api import notes_api

KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER, POOL = issuer_of(notes_api.POOL_ARN)
SCOPES: Final = ("openid", "profile")
SUB: Final = "7f0eb7a3-605c-4bf1-9ac3-2cf9aee3a481"


def public_key(key: rsa.RSAPrivateKey = KEY) -> jwt.PyJWK:
    """Return the public key, as a user pool publishes it."""
    return jwt.PyJWK(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "RS256")


def token(key: rsa.RSAPrivateKey = KEY, *omitted: str, **claims: Any) -> str:
    """Return an access token of the user pool, with changed or omitted claims."""
    now = int(time.time())
    defaults = {
        "sub": SUB, "iss": ISSUER, "token_use": "access", "exp": now + 60, "iat": now,
        "scope": "openid email",
    }  # fmt: skip
    payload = {name: it for name, it in (defaults | claims).items() if name not in omitted}
    return jwt.encode(payload, key, "RS256", {"kid": "k1"})


@dataclass
class FakeServices:
    """Returns the same response to every call, and records the integration requests."""

    response: ServiceResponse = field(default_factory=lambda: ServiceResponse(200, {}, b"{}"))
    requests: list[tuple[Service, IntegrationRequest]] = field(default_factory=list)

    async def __call__(self, service: Service, request: IntegrationRequest) -> ServiceResponse:
        self.requests.append((service, request))
        return self.response


async def accept_any_token(
    _token: str, _pools: tuple[str, ...], _scopes: tuple[str, ...]
) -> dict[str, Any]:
    """Verify nothing, and return the claims of one user."""
    return {"sub": SUB}


def stage(
    limits: Mapping[str, Limit] | None = None, api: Definition | None = None, *api_keys: str
) -> Stage:
    """Return a stage of the notes API, or of another one."""
    throttle = Throttle(limits or {})
    stage = Stage("abc123", "v1", notes_api.ACCOUNT, api or notes_api.api(), throttle)
    stage.api_keys = frozenset(api_keys)
    return stage


def send(
    method: str,
    path: str,
    body: bytes = b"",
    services: Any = None,
    target: Stage | None = None,
    write_log: LogWriter = write_nothing,
    **headers: str,
) -> Response:
    """Send a request through the pipeline, with an Authorization header by default."""
    sent = {"authorization": "Bearer t"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    path, _, query = path.partition("?")
    pairs = tuple(tuple(pair.split("=", 1)) for pair in query.split("&")) if query else ()
    request = Request(method, path, pairs, sent, body)  # type: ignore[arg-type]  # pairs of two
    return asyncio.run(
        serve(target or stage(), request, accept_any_token, services or FakeServices(), write_log)
    )


async def send_asgi(
    app: Any,
    method: str,
    target: str,
    *chunks: bytes,
    server: tuple[str, int] = ("127.0.0.1", 9000),
    **headers: str,
) -> Response:
    """Send a request to an ASGI application."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "server": server,
        "headers": [(name.replace("_", "-").encode(), it.encode()) for name, it in headers.items()],
    }  # fmt: skip
    parts = list(chunks) or [b""]
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send_message(message: dict[str, Any]) -> None:
        messages.append(message)

    await app(scope, receive, send_message)
    start, body = messages
    names = [(name.decode(), value.decode()) for name, value in start["headers"]]
    return Response(start["status"], names, body["body"])
