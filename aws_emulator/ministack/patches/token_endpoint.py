"""Refresh tokens as Cognito does, and serve the revocation endpoint.

Gap: tokens that /oauth2/token issues for a refresh token lack `cognito:groups`. With rotation
enabled, no new refresh token is issued and the old one stays valid. Refreshed tokens have a new
auth_time. /oauth2/revoke does not exist.
Seen in: ministack 1.5.33, cognito.py, _oauth2_token, and app.py, _handle_cognito_body_request.
Delete when: all four work. (Rotation happens at the token endpoint only. A rotated token's
lifetime restarts, while Cognito's ends with that of the first token.)
"""

import json
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], bytes]


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Complete the response to a refresh, and serve the revocation endpoint."""
    service = Symbols(
        "ministack.services.cognito",
        "_authenticate_client",
        "_build_auth_result",
        "_find_pool_by_client_id",
        "_id_token_granted",
        "_oauth2_error",
        "_oauth2_token",
        "_refresh_tokens",
        "_revoke_token",
        "_revoked_tokens",
        "_signed_jwt",
        "_token_claims",
        "_user_from_token",
    )
    gateway = Symbols("ministack.app", "_handle_cognito_body_request")
    rotation = _Rotation(service)
    service.wrap("_signed_jwt", _keeping_sign_in_time)
    service.wrap("_oauth2_token", lambda original: _refreshing(service, rotation, original))
    gateway.wrap("_handle_cognito_body_request", lambda original: _revoking(service, original))


def _keeping_sign_in_time(original: Callable[..., str]) -> Callable[..., str]:
    """Give all tokens of a session the auth_time of its first ones."""
    times: dict[str, Any] = {}

    def sign(claims: dict[str, Any], *rest: Any, **more: Any) -> str:
        session = claims.get("origin_jti")
        if session and "auth_time" in claims:
            claims = {**claims, "auth_time": times.setdefault(session, claims["auth_time"])}
        return original(claims, *rest, **more)

    return sign


class _Rotation:
    """Rotated refresh tokens during their grace period."""

    def __init__(self, service: Symbols) -> None:
        self._service = service
        self._ends: dict[str, float] = {}

    def retire(self, token: str, grace_s: float) -> None:
        """Keep a rotated token valid for its grace period, which starts at its first use."""
        self._ends.setdefault(token, time.monotonic() + grace_s)

    def revoke_ended(self) -> None:
        """Revoke tokens whose grace period has ended. Tokens issued for them stay valid."""
        for token in [token for token, end in self._ends.items() if time.monotonic() >= end]:
            del self._ends[token]
            self._service["_refresh_tokens"].pop(token, None)
            self._service["_revoked_tokens"].add(token)


def _form(body: bytes) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))


def _refreshing(
    service: Symbols, rotation: _Rotation, original: Callable[..., Response]
) -> Callable[..., Response]:
    def token(data: Any, query: Any, raw_body: bytes = b"", headers: Any = None) -> Response:
        form = _form(raw_body)
        if form.get("grant_type") != "refresh_token":
            return original(data, query, raw_body, headers)
        rotation.revoke_ended()
        status, answer_headers, body = original(data, query, raw_body, headers)
        if status != 200:
            return status, answer_headers, body
        answer = {**json.loads(body), **_tokens(service, rotation, form["refresh_token"])}
        return status, answer_headers, json.dumps(answer).encode()

    return token


def _tokens(service: Symbols, rotation: _Rotation, presented: str) -> dict[str, str]:
    claims = service["_token_claims"](presented)
    pool_id, pool, client = service["_find_pool_by_client_id"](claims["client_id"])
    user = service["_user_from_token"](presented, pool)
    result = service["_build_auth_result"](
        pool_id,
        client["ClientId"],
        user,
        trigger_source="TokenGeneration_RefreshTokens",
        origin_jti=claims["origin_jti"],
        scope=claims.get("scope"),
    )
    tokens = {"access_token": result["AccessToken"]}
    if service["_id_token_granted"](claims.get("scope")):
        tokens["id_token"] = result["IdToken"]
    settings = client.get("RefreshTokenRotation") or {}
    if settings.get("Feature") == "ENABLED":
        tokens["refresh_token"] = result["RefreshToken"]
        session = service["_refresh_tokens"].get(presented)
        if session:
            service["_refresh_tokens"][result["RefreshToken"]] = dict(session)
        rotation.retire(presented, float(settings.get("RetryGracePeriodSeconds", 0)))
    return tokens


def _revoking(service: Symbols, original: Callable[..., Any]) -> Callable[..., Any]:
    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        if (method, path) != ("POST", "/oauth2/revoke"):
            return await original(method, path, headers, body, query)
        return _revoke(service, headers, _form(body))

    return handle


def _revoke(service: Symbols, headers: Any, form: dict[str, str]) -> Response:
    """Answer like Cognito's revocation endpoint (developer guide, "Revoke endpoint")."""
    error = service["_oauth2_error"]
    token = form.get("token")
    client_id, secret = service["_authenticate_client"](headers, form)
    client = service["_find_pool_by_client_id"](client_id)[2]
    refused: Response | None = None
    if not token:
        refused = error("invalid_request", "token is required.")
    elif not client or (client.get("ClientSecret") or "") != secret:
        refused = error("invalid_client", "Invalid client credentials.", 401)
    elif not client.get("EnableTokenRevocation"):
        refused = error("invalid_request", "Token revocation is not enabled.")
    else:
        claims = service["_token_claims"](token)
        if claims.get("token_use") != "refresh":
            refused = error("unsupported_token_type", "Only refresh tokens can be revoked.")
        elif claims.get("client_id") != client_id:
            refused = error("unauthorized_client", "The token was issued to another client.")
    if refused:
        return refused
    service["_revoke_token"]({"Token": token, "ClientId": client_id})
    return 200, {"Content-Type": "application/json"}, b""
