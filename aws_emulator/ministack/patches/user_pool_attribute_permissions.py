"""Enforce an app client's permissions to read and write user attributes.

Gap: ReadAttributes and WriteAttributes have no effect. A user can change every attribute, the
verification of an email address included, and a changed address stays verified.
Seen in: ministack 1.5.33, cognito.py, _sign_up, _update_user_attributes, _get_user and _fake_token.
Delete when: all of these respect the app client's permissions.

Sources: Amazon Cognito API reference, CreateUserPoolClient (ReadAttributes, WriteAttributes);
developer guide, "Working with user attributes" and "Verifying updates to email addresses and phone
numbers".
"""

import json
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], bytes]
type Handler = Callable[[dict[str, Any]], Response]

#: Attributes that only Cognito and administrators set, whatever an app client may write.
_NEVER_WRITABLE: Final = frozenset({"sub", "email_verified", "phone_number_verified", "identities"})
#: Attributes that every app client can read.
_ALWAYS_READABLE: Final = frozenset({"sub", "identities"})
_UNAUTHORIZED: Final = "A client attempted to write unauthorized attribute"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check writes, and filter what an app client reads."""
    service = Symbols(
        "ministack.services.cognito",
        "_attr_list_to_dict",
        "_dict_to_attr_list",
        "_fake_token",
        "_find_pool_by_client_id",
        "_get_user",
        "_pool_for_client",
        "_sign_up",
        "_token_claims",
        "_update_user_attributes",
        "_user_pool_for_access_token",
        "error_response_json",
    )
    service.wrap("_sign_up", lambda original: _signing_up(service, original))
    service.wrap("_update_user_attributes", lambda original: _updating(service, original))
    service.wrap("_get_user", lambda original: _reading(service, original))
    service.wrap("_fake_token", lambda original: _issuing(service, original))


def _signing_up(service: Symbols, original: Handler) -> Handler:
    def sign_up(data: dict[str, Any]) -> Response:
        pool, _ = service["_pool_for_client"](data.get("ClientId"))
        client = pool["_clients"][data["ClientId"]] if pool else {}
        return _write_error(service, client, data) or original(data)

    return sign_up


def _updating(service: Symbols, original: Handler) -> Handler:
    def update(data: dict[str, Any]) -> Response:
        user, client = _user_and_client(service, data)
        if user is None:
            return original(data)
        refused = _write_error(service, client, data)
        if refused:
            return refused
        before = service["_attr_list_to_dict"](user["Attributes"])
        response = original(data)
        after = service["_attr_list_to_dict"](user["Attributes"])
        for name in ("email", "phone_number"):
            if after.get(name) != before.get(name):
                after[f"{name}_verified"] = "false"
        user["Attributes"] = service["_dict_to_attr_list"](after)
        return response

    return update


def _write_error(service: Symbols, client: dict[str, Any], data: dict[str, Any]) -> Response | None:
    """Return the refusal if the call writes an attribute without permission."""
    names = {it.get("Name") for it in data.get("UserAttributes") or []}
    writable = client.get("WriteAttributes")
    if not names & _NEVER_WRITABLE and (not writable or names <= set(writable)):
        return None
    error: Response = service["error_response_json"]("NotAuthorizedException", _UNAUTHORIZED, 400)
    return error


def _reading(service: Symbols, original: Handler) -> Handler:
    def get_user(data: dict[str, Any]) -> Response:
        status, headers, body = original(data)
        if status != 200:
            return status, headers, body
        _, client = _user_and_client(service, data)
        answer = json.loads(body)
        answer["UserAttributes"] = [
            it for it in answer["UserAttributes"] if _is_readable(client, it["Name"])
        ]
        return status, headers, json.dumps(answer).encode()

    return get_user


def _issuing(service: Symbols, original: Callable[..., str]) -> Callable[..., str]:
    """Put only readable attributes into ID tokens."""

    def issue(sub: str, pool_id: str, client_id: str, *rest: Any, **more: Any) -> str:
        client = service["_find_pool_by_client_id"](client_id)[2] or {}
        attributes = more.get("user_attrs") or {}
        readable = {name: it for name, it in attributes.items() if _is_readable(client, name)}
        return original(sub, pool_id, client_id, *rest, **{**more, "user_attrs": readable})

    return issue


def _is_readable(client: dict[str, Any], name: str) -> bool:
    readable = client.get("ReadAttributes")
    return not readable or name in _ALWAYS_READABLE or name in readable


def _user_and_client(
    service: Symbols, data: dict[str, Any]
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return the user and the app client that an access token names."""
    token = data.get("AccessToken", "")
    user, pool = service["_user_pool_for_access_token"](token)
    if user is None:
        return None, {}
    client: dict[str, Any] = pool["_clients"].get(service["_token_claims"](token)["client_id"], {})
    return user, client
