"""Send a user pool's email with the quotas and identities of Cognito and SES.

Gap: DEVELOPER accepts any SourceArn, its messages come from Cognito's own address and reach
every recipient. COGNITO_DEFAULT has no daily limit.
Seen in: ministack 1.5.33, cognito.py, _create_user_pool, _resolve_email_sender and
_deliver_cognito_email.
Delete when: an unverified SourceArn, an unverified recipient in the SES sandbox, and the 51st email
of a day are refused.

Sources: Amazon Cognito developer guide, "Email settings for Amazon Cognito user pools" and "Quotas
in Amazon Cognito"; API reference, EmailConfigurationType and ForgotPassword.
"""

import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], bytes]

#: "Maximum number of emails sent daily per user pool" with COGNITO_DEFAULT.
MAX_DEFAULT_EMAILS_PER_DAY: Final = 50
_LIMIT_EXCEEDED: Final = (
    "Exceeded daily email limit for the operation or the account. If a higher limit is required, "
    "please configure your user pool to use your own Amazon SES configuration for sending email."
)
_IDENTITY: Final = re.compile(r"arn:[\w-]+:ses:[\w-]+:\d{12}:identity/(?P<identity>.+)")


class _DeliveryError(Exception):
    """A message that Cognito can't send; `code` is the error of the API call."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check the email configuration of a pool, and each message before it is sent."""
    service = Symbols(
        "ministack.services.cognito",
        "_create_user_pool",
        "_deliver_cognito_email",
        "_email_otp_page_html",
        "_handle_user_auth_submit",
        "_resolve_email_sender",
        "_run_idp_handler",
        "_update_user_pool",
        "error_response_json",
    )
    ses = Symbols(
        "ministack.services.ses", "_identities", "_identity_verified", "_message_rejection"
    )
    ses_v2 = Symbols("ministack.services.ses_v2", "_identities")

    def is_verified(identity: str) -> bool:
        known = identity in ses["_identities"] or identity in ses_v2["_identities"]
        # "Cognito checks for the exact identity ARN" (aws-amplify/amplify-backend#3134): an address
        # isn't an identity if only its domain is verified.
        return known and bool(ses["_identity_verified"](_address(identity)))

    for name in ("_create_user_pool", "_update_user_pool"):
        service.wrap(name, lambda original: _configuring(service, is_verified, original))
    service.wrap("_resolve_email_sender", _sending_from_identity)
    service.wrap("_deliver_cognito_email", lambda original: _delivering(ses, original))
    service.wrap("_run_idp_handler", lambda original: _reporting(service, original))
    service.wrap("_handle_user_auth_submit", lambda original: _on_page(service, original))


def _source(pool: dict[str, Any]) -> str | None:
    """Return the SES identity that sends the pool's email; None for Cognito's own."""
    configuration = pool.get("EmailConfiguration") or {}
    if configuration.get("EmailSendingAccount") != "DEVELOPER":
        return None
    match = _IDENTITY.fullmatch(configuration.get("SourceArn") or "")
    return match["identity"] if match else ""


def _configuring(
    service: Symbols, is_verified: Callable[[str], bool], original: Callable[..., Response]
) -> Any:
    """Refuse an email configuration whose identity SES hasn't verified."""

    def configure(data: dict[str, Any]) -> Response:
        source, refused = _source(data), None
        if source == "":
            refused = ("InvalidParameterException", "SourceArn must be the ARN of an SES identity.")
        elif source is not None and not is_verified(source):
            refused = (
                "InvalidEmailRoleAccessPolicyException",
                "Cognito is not allowed to use your email identity",
            )
        if refused:
            error: Response = service["error_response_json"](*refused, 400)
            return error
        return original(data)

    return configure


def _address(identity: str) -> str:
    """Return an address of the identity, which may be a domain."""
    return identity if "@" in identity else f"any@{identity}"


def _sending_from_identity(original: Callable[..., Any]) -> Callable[..., Any]:
    """Send from SourceArn's address unless the configuration has a From address."""

    def sender(pool: dict[str, Any]) -> tuple[str, str, str]:
        from_address, reply_to, configuration_set = original(pool)
        source = _source(pool)
        if source and not pool["EmailConfiguration"].get("From"):
            from_address = source
        return from_address, reply_to, configuration_set

    return sender


def _delivering(ses: Symbols, original: Callable[..., Any]) -> Callable[..., Any]:
    sent: Counter[tuple[str, int]] = Counter()

    def deliver(pool: dict[str, Any], recipient: str, *rest: Any, **more: Any) -> Any:
        source = _source(pool)
        if source is None:
            day = pool["Id"], int(time.time() // 86_400)
            if sent[day] >= MAX_DEFAULT_EMAILS_PER_DAY:
                raise _DeliveryError("LimitExceededException", _LIMIT_EXCEEDED)
            sent[day] += 1
        else:
            rejection = ses["_message_rejection"](_address(source), [recipient])
            if rejection:
                raise _DeliveryError("CodeDeliveryFailureException", rejection)
        return original(pool, recipient, *rest, **more)

    return deliver


def _reporting(service: Symbols, original: Callable[..., Response]) -> Callable[..., Response]:
    """Answer an API call with the error of its message."""

    def run(handler: Any, action: str, data: dict[str, Any]) -> Response:
        try:
            return original(handler, action, data)
        except _DeliveryError as error:
            response: Response = service["error_response_json"](error.code, str(error), 400)
            return response

    return run


def _on_page(service: Symbols, original: Callable[..., Response]) -> Callable[..., Response]:
    """Show on the hosted page that the code could not be sent."""

    def submit(token: str, form: dict[str, str]) -> Response:
        try:
            return original(token, form)
        except _DeliveryError as error:
            page = service["_email_otp_page_html"](token, error_message=str(error))
            return 200, {"Content-Type": "text/html; charset=utf-8"}, page.encode()

    return submit
