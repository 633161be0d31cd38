"""Authorize ses:SendEmail against the sender's identity.

Gap: MiniStack authorizes SendEmail against the resource "*", so only a policy for all identities
allows it. Amazon SES authorizes it against the sender's identity.
Seen in: ministack 1.5.33, core/iam_actions.py, _ses_v2_resource_arn.
Delete when: a policy for the sender's identity is enough.
"""

import json
from collections.abc import Callable
from typing import Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_PATH: Final = "/v2/email/outbound-emails"


def install(_settings: Settings, _control: ControlApi, _application: object) -> None:
    """Return the identity of the From address as the resource."""
    actions = Symbols("ministack.core.iam_actions", "_ses_v2_resource_arn")

    def wrapper(original: Callable[..., str]) -> Callable[..., str]:
        def resource_arn(method: str, path: str, body: bytes, region: str, account: str) -> str:
            if method == "POST" and path.rstrip("/") == _PATH:
                try:
                    sender = json.loads(body)["FromEmailAddress"]
                except (ValueError, KeyError, TypeError):
                    return "*"
                return f"arn:aws:ses:{region}:{account}:identity/{sender}"
            return original(method, path, body, region, account)

        return resource_arn

    actions.wrap("_ses_v2_resource_arn", wrapper)
