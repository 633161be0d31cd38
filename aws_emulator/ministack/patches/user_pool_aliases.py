"""Refuse to give a user the address of another user.

Gap: AdminUpdateUserAttributes accepts an email address or a phone number with which another user of
the pool signs in.
Seen in: ministack 1.5.33, cognito.py, _admin_update_user_attributes.
Delete when: AdminUpdateUserAttributes answers AliasExistsException for another user's address.

Source: Amazon Cognito API reference, AdminUpdateUserAttributes, AliasExistsException.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.refusing import refuse
from aws_emulator.ministack.service_rules import Refused
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_OPERATION: Final = "_admin_update_user_attributes"
_MESSAGE: Final = "An account with the given email already exists."


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Compare the new sign-in names with those of the pool's other users."""
    service = Symbols(
        "ministack.services.cognito",
        _OPERATION,
        "_resolve_user",
        "_user_pools",
        "error_response_json",
    )

    def check(request: dict[str, Any]) -> Refused:
        pool = service["_user_pools"].get(request.get("UserPoolId"))
        if pool is None:
            return None
        names = {*(pool.get("UsernameAttributes") or ()), *(pool.get("AliasAttributes") or ())}
        user, _ = service["_resolve_user"](pool, request.get("Username"))
        for attribute in request.get("UserAttributes", []):
            if attribute["Name"] not in names or not attribute.get("Value"):
                continue
            owner, _ = service["_resolve_user"](pool, attribute["Value"])
            if user is not None and owner is not None and owner is not user:
                return "AliasExistsException", _MESSAGE
        return None

    refuse(service, _OPERATION, check)
