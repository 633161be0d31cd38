"""Refuse to publish for an alarm if CloudWatch may not use the topic's key.

Gap: an alarm publishes to an encrypted topic whatever the key's policy says.
Seen in: ministack 1.5.33, services/cloudwatch.py, _dispatch_alarm_actions.
Delete when: an alarm's message to a topic with the key alias/aws/sns isn't delivered.

"The policy of the default AWS KMS key for Amazon SNS doesn't allow CloudWatch alarms to perform the
kms:Decrypt and kms:GenerateDataKey API calls", and an AWS managed key's policy can't be changed
(AWS re:Post, "How do I configure a CloudWatch alarm with an encrypted SNS topic?").
"""

import fnmatch
import json
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_PUBLISHER: Final = "cloudwatch.amazonaws.com"
_NEEDED: Final = ("kms:Decrypt", "kms:GenerateDataKey")
_ACTIONS: Final = {
    "ALARM": "AlarmActions",
    "OK": "OKActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}


def allows(policy: str, service: str) -> bool:
    """Return whether a key policy allows a service to use the key for a topic.

    Conditions are taken as fulfilled.
    """
    granted: set[str] = set()
    for statement in _list(json.loads(policy or "{}").get("Statement", [])):
        principal = statement.get("Principal", {})
        services = _list(principal.get("Service", [])) if isinstance(principal, dict) else []
        if service not in services:
            continue
        patterns = [action.lower() for action in _list(statement.get("Action", []))]
        for action in _NEEDED:
            if any(fnmatch.fnmatchcase(action.lower(), pattern) for pattern in patterns):
                if statement.get("Effect") == "Deny":
                    return False
                granted.add(action)
    return granted == set(_NEEDED)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Leave out actions whose topic's key can't be used, and record them in the alarm's history."""
    cloudwatch = Symbols(
        "ministack.services.cloudwatch",
        "_dispatch_alarm_actions",
        "_history_entries",
        "_ts_iso",
        "time",
    )
    topics = Symbols("ministack.services.sns", "_topics")
    keys = Symbols("ministack.services.kms", "_resolve_key")

    def refused(arn: str) -> bool:
        topic = topics["_topics"].get(arn) or {"attributes": {}}
        key = topic["attributes"].get("KmsMasterKeyId")
        if not key:
            return False
        record = None if "alias/aws/" in key else keys["_resolve_key"](key)
        return record is None or not allows(record.get("Policy") or "", _PUBLISHER)

    def record(alarm: dict[str, Any], arn: str) -> None:
        summary = (
            f'Failed to execute action {arn}. Received error: "CloudWatch Alarms does not have '
            'authorization to access the SNS topic encryption key."'
        )
        entry = {
            "AlarmName": alarm.get("AlarmName", ""),
            "AlarmType": "MetricAlarm",
            "Timestamp": cloudwatch["_ts_iso"](cloudwatch["time"].time()),
            "HistoryItemType": "Action",
            "HistorySummary": summary,
            "HistoryData": "{}",
        }
        cloudwatch["_history_entries"]().append(entry)

    def wrapper(original: Callable[..., None]) -> Callable[..., None]:
        def dispatch(alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
            field = _ACTIONS.get(new, "")
            actions = list(alarm.get(field) or [])
            denied = [it for it in actions if isinstance(it, str) and refused(it)]
            if alarm.get("ActionsEnabled", True):
                for arn in denied:
                    record(alarm, arn)
            allowed = [it for it in actions if it not in denied]
            original({**alarm, field: allowed} if field else alarm, old, new, reason)

        return dispatch

    cloudwatch.wrap("_dispatch_alarm_actions", wrapper)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
