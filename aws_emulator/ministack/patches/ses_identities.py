"""Authorize emails of SES against identities, and start accounts in the SES sandbox.

Gap: MiniStack authorizes SendEmail against the resource "*", so only a policy for all identities
allows it; Amazon SES authorizes it against the sender's identity, and in the sandbox against the
verified identity of each recipient, too (aws/aws-sdk-js#3641). The condition key ses:FromAddress
has no value. A new account has production access, while Amazon SES places it in the sandbox, where
recipients must be verified.
Seen in: ministack 1.5.33, app.py, _enforce_ses_v2, core/iam_actions.py, _ses_v2_resource_arn, and
ses.py, _production_access_enabled.
Delete when: a policy for the sender's identity is enough outside the sandbox and not in it, and
GetAccount shows ProductionAccessEnabled false. (PutAccountDetails ends the sandbox at once; AWS
reviews a request. Without ProductionAccessEnabled it returns to the sandbox.)

Sources: Amazon SES developer guide, "Request production access"; API reference, PutAccountDetails;
Service Authorization Reference, "Condition keys for Amazon Simple Email Service v2".
"""

import json
from collections.abc import Awaitable, Callable
from email.utils import parseaddr
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_PATH: Final = "/v2/email/outbound-emails"


def install(_settings: Settings, _control: ControlApi, _application: object) -> None:
    """Authorize an email for each identity, and default to the sandbox."""
    actions = Symbols("ministack.core.iam_actions", "extract_iam_action")
    details = Symbols(
        "ministack.services.ses",
        "_account_details",
        "_production_access_enabled",
        "_identities",
        "_domain_and_parents",
    )
    api = Symbols("ministack.services.ses_v2", "handle_request", "_identities")
    application = Symbols("ministack.app", "_enforce_ses_v2", "_enforce_data_plane")
    requests = Symbols("ministack.core.responses", "get_account_id", "get_region")
    account = details["_account_details"]

    def production_access_enabled() -> bool:
        return bool((account.get("account") or {}).get("ProductionAccessEnabled", False))

    def in_sandbox(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def handle(*request: Any) -> Any:
            # GetAccount and PutAccountDetails read the record.
            account.setdefault("account", {"ProductionAccessEnabled": False})
            return await original(*request)

        return handle

    def verified_identity(address: str) -> str | None:
        """Return the address or the domain that was verified for it."""
        domain = address.rpartition("@")[2].lower()
        names = {*details["_identities"].keys(), *api["_identities"].keys()}
        candidates = (address, *details["_domain_and_parents"](domain))
        return next((it for it in candidates if it in names), None)

    def resources(email: dict[str, Any], sender: str) -> list[str]:
        """Return the ARNs of the identities that need a permission."""
        identities: list[str | None] = [sender]
        if not production_access_enabled():
            identities += [verified_identity(it) for it in _recipients(email)]
        prefix = f"arn:aws:ses:{requests['get_region']()}:{requests['get_account_id']()}:identity"
        return [f"{prefix}/{it}" for it in identities if it is not None]

    def per_identity(original: Callable[..., Any]) -> Callable[..., Any]:
        def enforce(
            method: str, path: str, headers: Any, body: bytes, query: Any, request_id: str
        ) -> Any:
            email = _email(method, path, body)
            sender = email.get("FromEmailAddress")
            if not isinstance(sender, str):
                return original(method, path, headers, body, query, request_id)
            action = actions["extract_iam_action"]("ses", method, path, headers, body, query)
            for resource in resources(email, parseaddr(sender)[1]):
                denied = application["_enforce_data_plane"](
                    "sesv2",
                    action,
                    headers,
                    query,
                    request_id,
                    resource_arn=resource,
                    service_context={"ses:fromaddress": parseaddr(sender)[1]},
                    named_resource=resource,
                )
                if denied:
                    return denied
            return None

        return enforce

    details["_production_access_enabled"] = production_access_enabled
    api.wrap("handle_request", in_sandbox)
    application.wrap("_enforce_ses_v2", per_identity)


def _email(method: str, path: str, body: bytes) -> dict[str, Any]:
    """Return the request of SendEmail, or an empty one for any other request."""
    if method != "POST" or path.rstrip("/") != _PATH:
        return {}
    try:
        email = json.loads(body)
    except ValueError:
        return {}
    return email if isinstance(email, dict) else {}


def _recipients(email: dict[str, Any]) -> list[str]:
    destination = email.get("Destination")
    if not isinstance(destination, dict):
        return []
    names = ("ToAddresses", "CcAddresses", "BccAddresses")
    return [parseaddr(it)[1] for name in names for it in destination.get(name) or []]
