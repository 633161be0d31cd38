"""Create, reset and refuse users by the state of their account.

Gap: AdminCreateUser always generates a password. A user without a password signs in with any.
ForgotPassword and AdminResetUserPassword accept users in FORCE_CHANGE_PASSWORD and users without a
verified email address. SignUp ignores AllowAdminCreateUserOnly. All reset and confirmation codes
are the same.
Seen in: ministack 1.5.33, cognito.py, _admin_create_user, _forgot_password and _sign_up.
Delete when: all of these work as in Cognito.

Sources: Amazon Cognito API reference, AdminCreateUser, ForgotPassword, AdminResetUserPassword and
SignUp; developer guide, "Configuring policies for user creation".
"""

import json
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], bytes]
type Handler = Callable[[dict[str, Any]], Response]

#: First factors that make users without a password possible.
PASSWORDLESS_FACTORS: Final = frozenset({"EMAIL_OTP", "SMS_OTP"})
_CODE_DIGITS: Final = 6


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Wrap the operations that depend on the account's state."""
    service = Symbols(
        "ministack.services.cognito",
        "_admin_create_user",
        "_admin_reset_user_password",
        "_attr_list_to_dict",
        "_forgot_password",
        "_password_signin_refused",
        "_pool_for_client",
        "_resolve_user",
        "_send_verification_email",
        "_sign_up",
        "_user_pools",
        "_username_alias_attribute",
        "error_response_json",
    )
    wrappers: dict[str, Callable[[Symbols, Any], Any]] = {
        "_admin_create_user": _creating,
        "_admin_reset_user_password": _resetting_as_administrator,
        "_forgot_password": _resetting,
        "_password_signin_refused": _refusing_without_password,
        "_send_verification_email": _sending_random_code,
        "_sign_up": _signing_up,
    }
    for name, wrapper in wrappers.items():
        service.wrap(name, partial(wrapper, service))


def is_passwordless(pool: dict[str, Any]) -> bool:
    """Return whether the pool accepts users without a password."""
    policy = (pool.get("Policies") or {}).get("SignInPolicy") or {}
    return not PASSWORDLESS_FACTORS.isdisjoint(policy.get("AllowedFirstAuthFactors") or ())


def _creating(service: Symbols, original: Handler) -> Handler:
    """Create a user without a password if the pool accepts that and the call has none."""

    def create(data: dict[str, Any]) -> Response:
        pool = service["_user_pools"].get(data.get("UserPoolId"))
        action = (data.get("MessageAction") or "").upper()
        if not pool or data.get("TemporaryPassword") or action == "RESEND":
            return original(data)
        if not is_passwordless(pool):
            return original(data)
        refused = _passwordless_error(service, pool, data, action)
        if refused:
            return refused
        status, headers, body = original(data)
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        user = pool["_users"][answer["User"]["Username"]]
        user.pop("_password")
        user["UserStatus"] = answer["User"]["UserStatus"] = "CONFIRMED"
        return status, headers, json.dumps(answer).encode()

    return create


def _passwordless_error(
    service: Symbols, pool: dict[str, Any], data: dict[str, Any], action: str
) -> Response | None:
    """Return the refusal of a user whose one-time passwords would have no destination."""
    attributes = service["_attr_list_to_dict"](data.get("UserAttributes", []))
    alias = service["_username_alias_attribute"](pool, data.get("Username") or "")
    message = ""
    if not alias and not {"email", "phone_number"} & attributes.keys():
        message = "A user without a password needs an email address or a phone number."
    elif action != "SUPPRESS":
        message = (
            "The emulator sends no invitation to a user without a password: set MessageAction to "
            "SUPPRESS, or give the user a TemporaryPassword."
        )
    error: Response | None = None
    if message:
        error = service["error_response_json"]("InvalidParameterException", message, 400)
    return error


def _resetting(service: Symbols, original: Handler) -> Handler:
    def forgot(data: dict[str, Any]) -> Response:
        pool, _ = service["_pool_for_client"](data.get("ClientId"))
        return _reset_error(service, pool, data) or original(data)

    return forgot


def _resetting_as_administrator(service: Symbols, original: Handler) -> Handler:
    def reset(data: dict[str, Any]) -> Response:
        pool = service["_user_pools"].get(data.get("UserPoolId"))
        return _reset_error(service, pool, data) or original(data)

    return reset


def _reset_error(
    service: Symbols, pool: dict[str, Any] | None, data: dict[str, Any]
) -> Response | None:
    """Return the refusal of a password reset, or None.

    AWS doesn't document a reset for users who never had a password. The emulator refuses it.
    """
    user = service["_resolve_user"](pool, data.get("Username"))[0] if pool else None
    if pool is None or user is None:
        return None
    error: Callable[[str, str, int], Response] = service["error_response_json"]
    attributes = service["_attr_list_to_dict"](user.get("Attributes", []))
    mechanisms = (pool.get("AccountRecoverySetting") or {}).get("RecoveryMechanisms") or []
    if [it.get("Name") for it in mechanisms] == ["admin_only"]:
        return error("NotAuthorizedException", "Contact administrator to reset password.", 400)
    if user["UserStatus"] in ("FORCE_CHANGE_PASSWORD", "EXTERNAL_PROVIDER") or not user.get(
        "_password"
    ):
        message = "User password cannot be reset in the current state."
        return error("NotAuthorizedException", message, 400)
    if "true" not in (attributes.get("email_verified"), attributes.get("phone_number_verified")):
        message = (
            "Cannot reset password for the user as there is no registered/verified email or "
            "phone_number"
        )
        return error("InvalidParameterException", message, 400)
    return None


def _refusing_without_password(service: Symbols, original: Callable[[Any], Any]) -> Any:
    def refused(user: dict[str, Any]) -> Response | None:
        if not user.get("_password"):
            error: Response = service["error_response_json"](
                "NotAuthorizedException", "Incorrect username or password.", 400
            )
            return error
        answer: Response | None = original(user)
        return answer

    return refused


def _sending_random_code(service: Symbols, original: Callable[..., Any]) -> Callable[..., Any]:
    """Replace the constant code before the message is sent."""

    def send(
        pool: Any, username: str, attributes: Any, _code: str, attribute_name: str = "email"
    ) -> Any:
        code = f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}}"
        user, _ = service["_resolve_user"](pool, username)
        key = "_reset_code" if attribute_name == "password" else "_confirmation_code"
        if user is not None:
            user[key] = code
        return original(pool, username, attributes, code, attribute_name=attribute_name)

    return send


def _signing_up(service: Symbols, original: Handler) -> Handler:
    """Refuse SignUp in a pool that only administrators add users to."""

    def sign_up(data: dict[str, Any]) -> Response:
        pool, _ = service["_pool_for_client"](data.get("ClientId"))
        if pool and (pool.get("AdminCreateUserConfig") or {}).get("AllowAdminCreateUserOnly"):
            error: Response = service["error_response_json"](
                "NotAuthorizedException", "SignUp is not permitted for this user pool", 400
            )
            return error
        return original(data)

    return sign_up
