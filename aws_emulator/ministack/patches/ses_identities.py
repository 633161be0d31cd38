"""Authorize ses:SendEmail against the sender's identity, and start accounts in the SES sandbox.

Gap: MiniStack authorizes SendEmail against the resource "*", so only a policy for all identities
allows it; Amazon SES authorizes it against the sender's identity. A new account has production
access, while Amazon SES places it in the sandbox, where recipients must be verified too.
Seen in: ministack 1.5.33, core/iam_actions.py, _ses_v2_resource_arn, and ses.py,
_production_access_enabled.
Delete when: a policy for the sender's identity is enough, and GetAccount shows
ProductionAccessEnabled false. (PutAccountDetails ends the sandbox at once; AWS reviews a request.)

Sources: Amazon SES developer guide, "Request production access"; API reference, PutAccountDetails.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_PATH: Final = "/v2/email/outbound-emails"


def install(_settings: Settings, _control: ControlApi, _application: object) -> None:
    """Return the identity of the From address as the resource, and default to the sandbox."""
    actions = Symbols("ministack.core.iam_actions", "_ses_v2_resource_arn")
    actions.wrap("_ses_v2_resource_arn", _by_identity)
    details = Symbols("ministack.services.ses", "_account_details", "_production_access_enabled")
    api = Symbols("ministack.services.ses_v2", "handle_request")
    account = details["_account_details"]

    def production_access_enabled() -> bool:
        return bool((account.get("account") or {}).get("ProductionAccessEnabled", False))

    def in_sandbox(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def handle(*request: Any) -> Any:
            # GetAccount and PutAccountDetails read the record.
            account.setdefault("account", {"ProductionAccessEnabled": False})
            return await original(*request)

        return handle

    details["_production_access_enabled"] = production_access_enabled
    api.wrap("handle_request", in_sandbox)


def _by_identity(original: Callable[..., str]) -> Callable[..., str]:
    def resource_arn(method: str, path: str, body: bytes, region: str, account: str) -> str:
        if method == "POST" and path.rstrip("/") == _PATH:
            try:
                sender = json.loads(body)["FromEmailAddress"]
            except (ValueError, KeyError, TypeError):
                return "*"
            return f"arn:aws:ses:{region}:{account}:identity/{sender}"
        return original(method, path, body, region, account)

    return resource_arn
