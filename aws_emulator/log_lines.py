"""Parse the log lines of functions and of the emulator's servers into one form: `LogLine`."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

_REQUEST_ID: Final = re.compile(r"^(START|END|REPORT) RequestId: (\S+)")
#: The runtime client's text format: "[ERROR] KeyError: 'x'", "[WARNING]<tab>time<tab>id<tab>...".
_TEXT_LEVEL: Final = re.compile(r"^\[(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL)\]\s*")
_LEVELS: Final = {"WARN": "WARNING", "FATAL": "CRITICAL"}
_ID_FIELDS: Final = ("request_id", "function_request_id", "requestId", "id")
#: Fields that are shown elsewhere in the line or are equal in each line of a function.
_OMITTED: Final = frozenset(
    {
        *_ID_FIELDS,
        *("level", "message", "time", "timestamp", "event", "service", "location", "cold_start"),
        *("function_name", "function_memory_size", "function_arn", "xray_trace_id"),
    }
)


@dataclass(frozen=True)
class LogLine:
    """One log line. `text` is the original line, in which filters also search.

    `invocation` is the request ID of the function's invocation. `request_id` is the ID that the
    line itself names, otherwise the same. `fields` are the members of a line in JSON.
    """

    time_ms: int
    source: str
    level: str
    message: str
    request_id: str = ""
    text: str = ""
    invocation: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict, compare=False)


def parse_function_line(
    source: str, time_ms: int, text: str, request_id: str = ""
) -> LogLine | None:
    """Parse a line of a function's log stream, written during the invocation `request_id`.

    Returns None for lines without information for a reader: START, END and metrics in Embedded
    Metric Format.
    """
    text = text.rstrip()
    if (platform := _REQUEST_ID.match(text)) is not None:
        if platform[1] != "REPORT":
            return None
        message = "REPORT " + "  ".join(text.split("\t")[1:])
        return LogLine(time_ms, source, "DEBUG", message.strip(), platform[2], text, platform[2])
    document = _document(text)
    if document is not None:
        if "_aws" in document:
            return None
        return _structured(source, time_ms, text, document, request_id)
    level = _TEXT_LEVEL.match(text)
    if level is None:
        return LogLine(time_ms, source, "INFO", text, request_id, text, request_id)
    name = _LEVELS.get(level[1], level[1])
    return LogLine(time_ms, source, name, text[level.end() :], request_id, text, request_id)


def invocation_of(text: str) -> tuple[str, str] | None:
    """Return START, END or REPORT and the request ID of a line that Lambda writes, else None."""
    match = _REQUEST_ID.match(text)
    return (match[1], match[2]) if match else None


def parse_access_line(source: str, text: str, now_ms: int) -> LogLine | None:
    """Parse a line of the CloudFront server's access log. The status determines the level."""
    document = _document(text)
    if document is None:
        return parse_server_line(source, text, now_ms)
    status = int(document.get("status") or 0)
    functions = document.get("functions") or {}
    parts = [
        *(str(document.get(name, "")) for name in ("method", "path", "status", "x_cache")),
        *(f"{event}={outcome}" for event, outcome in functions.items()),
        f"{document.get('ms', 0)} ms",
    ]
    level = "ERROR" if status >= 500 else "WARNING" if status >= 400 else "INFO"
    time_ms = _time_ms(document.get("time"), now_ms)
    own_id = str(document.get("id", ""))
    return LogLine(time_ms, source, level, " ".join(parts), own_id, text, fields=document)


def parse_server_line(source: str, text: str, now_ms: int) -> LogLine | None:
    """Parse a line of a server's log: JSON, or text without a time, which gets `now_ms`."""
    text = text.rstrip()
    if not text:
        return None
    document = _document(text)
    if document is None:
        return LogLine(now_ms, source, "INFO", text, "", text)
    return _structured(source, _time_ms(document.get("time"), now_ms), text, document, "")


def _structured(
    source: str, time_ms: int, text: str, document: Mapping[str, Any], request_id: str
) -> LogLine:
    event = str(document.get("event") or document.get("message") or "")
    message = " ".join(
        [event, *(f"{name}={_value(it)}" for name, it in document.items() if name not in _OMITTED)]
    )
    failed = any(word in event for word in ("fail", "invalid", "error"))
    level = str(document.get("level") or ("WARNING" if failed else "INFO")).upper()
    own_id = next((str(document[name]) for name in _ID_FIELDS if document.get(name)), request_id)
    level = _LEVELS.get(level, level)
    return LogLine(time_ms, source, level, message.strip(), own_id, text, request_id, document)


def _document(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _value(value: object) -> str:
    if isinstance(value, str):
        return value if value and " " not in value else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _time_ms(value: object, default: int) -> int:
    """Return a time in epoch seconds or ISO 8601 as epoch milliseconds."""
    if isinstance(value, int | float):
        return round(value * 1000)
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return default
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
