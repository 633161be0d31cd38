"""Authorize the start of an alias or a version by the state machine's ARN, and a condition key.

"Step Functions uses the state machine's ARN instead of using the version ARN or alias ARN" (Step
Functions, "Authorization for versions and aliases"); `states:StateMachineQualifier` is the name.

Gap: MiniStack compares a policy's resource with the ARN of the alias, and lacks the condition key.
Seen in: ministack 1.5.33, core/iam_actions.py, extract_resource_arn and request_tag_context.
Delete when: MiniStack authorizes a qualified ARN as AWS does.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_MARK: Final = ":stateMachine:"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Change the resource, and add the key to the request's context."""
    actions = Symbols("ministack.core.iam_actions", "extract_resource_arn", "request_tag_context")

    def resource(original: Callable[..., str]) -> Callable[..., str]:
        def extract(service: str, *arguments: Any) -> str:
            arn = original(service, *arguments)
            return _split(arn)[0] if service == "states" else arn

        return extract

    def context(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def add(service: str, action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
            keys = original(service, action, body, params)
            if action in {"states:StartExecution", "states:StartSyncExecution"}:
                qualifier = _split(json.loads(body or b"{}").get("stateMachineArn", ""))[1]
                return keys | ({"states:StateMachineQualifier": qualifier} if qualifier else {})
            return keys

        return add

    actions.wrap("extract_resource_arn", resource)
    actions.wrap("request_tag_context", context)


def _split(arn: str) -> tuple[str, str]:
    """Return the ARN of the state machine, and the name of its alias or version, or ""."""
    before, mark, name = arn.partition(_MARK)
    machine, _, qualifier = name.partition(":")
    return before + mark + machine, qualifier
