"""Kinesis and DynamoDB Streams mappings are left to aws_emulator/event_sources.

Gap: MiniStack's own pollers ignore partial batch failures, bisection, retries, record age,
destinations and batching windows, and a batch that keeps failing blocks its shard for good.
Seen in: ministack 1.5.33, lambda_svc.py, _poll_kinesis and _poll_dynamodb_streams.
Delete when: they obey the mapping's settings as AWS documents them.
"""

from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Switch both off; SQS mappings stay with MiniStack."""
    service = Part("ministack.services.lambda_svc", "_poll_kinesis", "_poll_dynamodb_streams")
    service["_poll_kinesis"] = lambda: False
    service["_poll_dynamodb_streams"] = lambda: False
