"""Refuse events that EventBridge refuses.

Gap: an event may be of any size, may lack its source, and its detail may be any text.
Seen in: ministack 1.5.33, eventbridge.py, _put_events.
Delete when: PutEvents refuses the three events.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Entry = dict[str, Any]

# Calculating PutEvents event entry size: "The total entry size must be less than 256KB."
MAX_BYTES: Final = 256 * 1024 - 1
_TIME_BYTES: Final = 14


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check each entry, and pass on the valid ones."""
    service = Symbols("ministack.services.eventbridge", "_put_events", "error_response_json")

    def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
        def put(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
            entries = data.get("Entries", [])
            if sum(map(_size, entries)) > MAX_BYTES:
                return service["error_response_json"](
                    "ValidationException",
                    "Total size of the entries in the request is over the limit.",
                    400,
                )
            errors = [_error(entry) for entry in entries]
            if not any(errors):
                return original(data, allow_aws_source)
            valid = [entry for entry, error in zip(entries, errors, strict=True) if not error]
            status, headers, body = original({**data, "Entries": valid}, allow_aws_source)
            if status != 200:
                return status, headers, body
            passed = iter(json.loads(body)["Entries"])
            results = [error or next(passed) for error in errors]
            failed = sum("ErrorCode" in result for result in results)
            answer = {"FailedEntryCount": failed, "Entries": results}
            return status, headers, json.dumps(answer).encode()

        return put

    service.wrap("_put_events", wrapper)


def _size(entry: Entry) -> int:
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")]
    texts += entry.get("Resources") or []
    return sum(len(str(text).encode()) for text in texts) + (_TIME_BYTES if "Time" in entry else 0)


def _error(entry: Entry) -> dict[str, str] | None:
    """Return the result of an entry that EventBridge refuses, or None."""
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            reason = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": reason}
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    return None
