"""A policy may say which sender letters are sent from.

Gap: SendEmail is authorized against no resource at all, so only a policy for every identity allows
it; Amazon SES authorizes it against the sender's identity.
Seen in: ministack 1.5.33, core/iam_actions.py, _ses_v2_resource_arn.
Delete when: a policy for the sender's identity is enough.
"""

import json
from collections.abc import Callable

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

_PATH = "/v2/email/outbound-emails"


def install(_settings: Settings, _control: Control, _application: object) -> None:
    """Name the identity of the address that a letter is from."""
    actions = Part("ministack.core.iam_actions", "_ses_v2_resource_arn")

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
