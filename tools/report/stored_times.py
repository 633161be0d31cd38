"""Read from the function's log when each object of the lake was stored.

S3's LastModified has whole seconds. EventsFunction logs "object written" with milliseconds, after
it has written the object and updated the live counters.
"""

import json
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import reason_of

_MESSAGE: Final = "object written"


def stored_times(logs: Any, log_group: str) -> dict[str, datetime]:
    """Return the time at which each object and its counters were stored, by key.

    Raises:
        CommandError: CloudWatch Logs refused or didn't answer.
    """
    times: dict[str, datetime] = {}
    try:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=log_group, filterPattern=f'"{_MESSAGE}"'
        )
        for page in pages:
            for event in page["events"]:
                line = _line(event["message"])
                key = line.get("key")
                if line.get("message") == _MESSAGE and isinstance(key, str):
                    times[key] = _time(line.get("timestamp"), event["timestamp"])
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"Can't read the log group {log_group}: {reason_of(error)}. "
            "Read .meridian/run/logs/ministack.log."
        ) from error
    return times


def _line(message: str) -> dict[str, Any]:
    try:
        line = json.loads(message)
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}


def _time(logged: object, written_ms: int) -> datetime:
    """Return a line's own time. The event's is that of the end of the invocation, or later."""
    try:
        moment = datetime.fromisoformat(str(logged))
    except ValueError:
        moment = datetime.fromtimestamp(written_ms / 1000, UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
